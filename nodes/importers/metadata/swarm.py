"""Images of SwarmUI, whose text is an object of what was set: `sui_image_params`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nodes.importers.comfyui.samplers import scheduler_for
from nodes.importers.metadata.fields import Fields
from nodes.importers.metadata.prompts import lora, prompt_of, read_syntax, weights_file
from nodes.importers.metadata.recipe import IMAGE, MODEL, REFINED, TEXT_TO_IMAGE, Recipe, SecondPass
from nodes.importers.prompt_syntax import FLOW
from nodetool_core.importing.prompt_networks import finite

_SAYS_NOTHING: Final = (
    *("swarm_version", "date", "generation_time", "prep_time", "imageformat", "aspectratio"),
    *("nopreviews", "images", "wildcardseed", "used_wildcards", "original_prompt", "presets"),
    *("sidelength", "colordepth", "internalbackendtype", "webhooks", "automaticvae", "batchsize"),
    *("savesegmentmask", "personalnote", "donotsave", "original_negativeprompt", "used_embeddings"),
    "modelspecificenhancements",
)
"""Fields that make no difference to the image, or say in other words what others say."""
_NETWORK: Final = "model-"
"""Begins the names of methods that enlarge by a network."""


def fields_of(content: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of an image; none where it is of another tool."""
    found = content.get("sui_image_params")
    return {str(name): value for name, value in found.items()} if isinstance(found, dict) else {}


def recipe_of(fields: Fields) -> Recipe:
    """Return what an image says of its making."""
    fields.skip(*_SAYS_NOTHING)
    name = fields.text("model", MODEL)
    is_flow = bool(FLOW.search(name))
    prompt, loras = prompt_of(fields, "prompt", fields.text("prompt", IMAGE))
    negative, _ = prompt_of(fields, "negativeprompt", fields.text("negativeprompt", IMAGE))
    prompts = {"prompt": prompt, "negativeprompt": negative}
    texts, syntax = read_syntax(fields, prompts, is_clip=not is_flow)
    recipe = Recipe(texts["prompt"], texts["negativeprompt"], model_field="model")
    if name:
        recipe.model = {"type": "hf.model", "repo_id": weights_file(name)}
    if recipe.model is not None and fields.text("vae") not in ("", "None", "Automatic"):
        vae = weights_file(fields.text("vae", MODEL))
        recipe.model["vae"] = {"type": "hf.model", "repo_id": vae}
    width, height = fields.whole("width", IMAGE), fields.whole("height", IMAGE)
    recipe.size = (width, height) if width and height else None
    recipe.loras = [*loras, *_loras(fields)]
    scale, guidance = fields.number("cfgscale", IMAGE), fields.number("fluxguidancescale", IMAGE)
    recipe.properties = {
        "num_inference_steps": fields.whole("steps", IMAGE),
        "guidance_scale": scale if guidance is None else guidance,
        "seed": fields.whole("seed", IMAGE),
        "shift": fields.number("sigmashift", IMAGE),
        **_scheduler(fields, is_flow=is_flow),
        **syntax,
    }
    if fields.has("initimage") or fields.has("initimagecreativity"):
        _from_image(fields, recipe)
    if (enlarged := fields.number("refinerupscale", REFINED)) not in (None, 1.0):
        recipe.second = _second(fields, enlarged or 1.0)
    return recipe


def _loras(fields: Fields) -> list[dict[str, object]]:
    names, scales = fields.entries("loras", IMAGE), fields.entries("loraweights", IMAGE)
    found = []
    for number, name in enumerate(names):
        scale = finite(scales[number]) if number < len(scales) else 1.0
        found.append(lora(str(name), 1.0 if scale is None else scale))
    return found


def _scheduler(fields: Fields, *, is_flow: bool) -> dict[str, str]:
    """Return our scheduler: its samplers and schedules are called as ComfyUI's are."""
    sampler, schedule = fields.text("sampler", IMAGE), fields.text("scheduler", IMAGE)
    known = fields.draft.choices(TEXT_TO_IMAGE, "scheduler") or ()
    chosen = scheduler_for(sampler or "euler", schedule or "normal", known, is_flow=is_flow)
    if chosen.difference:
        fields.about("sampler" if sampler else "scheduler", f"{chosen.difference}.")
    return chosen.properties()


def _from_image(fields: Fields, recipe: Recipe) -> None:
    strength = fields.number("initimagecreativity", IMAGE)
    recipe.strength = 0.6 if strength is None else strength
    recipe.start_field = "initimage" if fields.has("initimage") else "initimagecreativity"
    recipe.is_masked = fields.has("maskimage")
    fields.skip("initimage", "maskimage")
    if recipe.is_masked:
        recipe.properties["mask_blur"] = fields.whole("maskblur", IMAGE)
    else:
        fields.skip("maskblur")


def _second(fields: Fields, scale: float) -> SecondPass:
    strength = fields.number("refinercontrolpercentage", REFINED)
    second = SecondPass(0.2 if strength is None else strength, scale)
    method = fields.text("refinerupscalemethod", REFINED)
    if method.startswith(_NETWORK):
        file = weights_file(method.removeprefix(_NETWORK))
        second.network = {"type": "hf.real_esrgan", "repo_id": file}
    fields.usual("refinermethod", "PostApply")
    if steps := fields.whole("refinersteps", REFINED):
        second.properties["num_inference_steps"] = steps
    return second
