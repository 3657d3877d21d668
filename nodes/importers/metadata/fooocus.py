"""Images of Fooocus, whose text is an object of its settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Final

from nodes.importers.comfyui.samplers import scheduler_for
from nodes.importers.metadata.fields import Fields
from nodes.importers.metadata.prompts import lora, prompt_of, read_syntax, weights_file
from nodes.importers.metadata.recipe import IMAGE, MODEL, Recipe
from nodes.importers.metadata.recipe import TEXT_TO_IMAGE as GENERATING
from nodes.importers.prompt_syntax import clip_skip
from nodetool_core.importing.prompt_networks import finite

_SAYS_NOTHING: Final = (
    *("version", "metadata_scheme", "base_model_hash", "refiner_model_hash", "created_by"),
    *("performance", "prompt_expansion"),
)
"""Names of choices whose meaning stands in other fields."""


def fields_of(content: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of an image; none where it is of another tool."""
    is_known = "base_model" in content or str(content.get("version", "")).startswith("Fooocus")
    return dict(content) if is_known and "prompt" in content else {}


def recipe_of(fields: Fields) -> Recipe:
    """Return what an image says of its making: the prompts as they were sent to the model."""
    prompt, negative = _sent(fields, "prompt"), _sent(fields, "negative_prompt")
    prompt, loras = prompt_of(fields, "prompt", prompt)
    negative, _ = prompt_of(fields, "negative_prompt", negative)
    prompts = {"prompt": prompt, "negative_prompt": negative}
    texts, syntax = read_syntax(fields, prompts, is_clip=True)
    recipe = Recipe(texts["prompt"], texts["negative_prompt"], model_field="base_model")
    fields.skip(*_SAYS_NOTHING)
    if name := fields.text("base_model", MODEL):
        recipe.model = {"type": "hf.model", "repo_id": weights_file(name)}
        vae = fields.text("vae", MODEL)
        if vae and vae != "Default (model)":
            recipe.model["vae"] = {"type": "hf.model", "repo_id": weights_file(vae)}
    recipe.size = _size(fields)
    recipe.loras = [*loras, *_loras(fields)]
    recipe.properties = {
        "num_inference_steps": fields.whole("steps", IMAGE),
        "guidance_scale": fields.number("guidance_scale", IMAGE),
        "seed": fields.whole("seed", IMAGE),
        **_scheduler(fields),
        "clip_skip": _clip_skip(fields),
        **syntax,
    }
    _known_losses(fields)
    return recipe


def _sent(fields: Fields, name: str) -> str:
    """Return a prompt with what the styles made of it, the first where there are several."""
    own, full = fields.text(name, IMAGE), fields.take(f"full_{name}", IMAGE)
    sent = [str(one) for one in full] if isinstance(full, list) else []
    if not sent or sent == [own]:
        return own
    if len(sent) > 1:
        message = f"{len(sent)} texts are mixed there: here, they become one."
        fields.about(name, message)
    return ", ".join(dict.fromkeys(sent))


def _size(fields: Fields) -> tuple[int, int] | None:
    found = re.findall(r"\d{1,5}", fields.text("resolution", IMAGE))
    return (int(found[0]), int(found[1])) if len(found) == 2 else None


def _loras(fields: Fields) -> list[dict[str, object]]:
    found = []
    for one in fields.entries("loras", IMAGE):
        name, scale = (one[0], finite(one[1])) if isinstance(one, list) and one[1:] else ("", None)
        if scale is not None:
            found.append(lora(str(name), scale))
        else:
            fields.lost("loras", f"{one!r} is not understood, and left out.")
    combined = fields.names("lora_combined_")
    if not found:
        for name in combined:
            file, _, text = fields.text(name, IMAGE).rpartition(" : ")
            scale = finite(text)
            found.append(lora(file, 1.0 if scale is None else scale))
    fields.skip(*combined)
    return found


def _scheduler(fields: Fields) -> dict[str, str]:
    sampler, schedule = fields.text("sampler", IMAGE), fields.text("scheduler", IMAGE) or "normal"
    known = fields.draft.choices(GENERATING, "scheduler") or ()
    chosen = scheduler_for(sampler or "euler", schedule, known)
    if chosen.difference:
        fields.about("sampler", f"{chosen.difference}.")
    return chosen.properties()


def _clip_skip(fields: Fields) -> int | None:
    """Return the layers that are left out besides the one that XL leaves out anyway."""
    fields.usual("clip_skip", 1, 2)
    skip = fields.whole("clip_skip", IMAGE)
    return clip_skip(skip, for_xl=True) or None if skip else None


def _known_losses(fields: Fields) -> None:
    fields.usual("sharpness", 0, 0.0)
    sampling = {"sharpness": "sharpening in the sampler", "adm_guidance": "guidance by the size"}
    for name, what in sampling.items():
        if value := fields.take(name):
            fields.about(name, f"its {what} ({value}) has no counterpart.")
    if styles := fields.text("styles"):
        try:
            named = ast.literal_eval(styles)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            named = [styles]
        if named:
            shown = ", ".join(map(str, named)) if isinstance(named, (list, tuple)) else styles
            fields.note("styles", f"{shown}: their words stand in the prompts.")
    if not fields.has("refiner_model"):
        fields.skip("refiner_model", "refiner_switch", "refiner_swap_method")
