"""
Texts of the A1111 web UI and of what has grown out of it.

Forge, SD.Next, Fooocus by choice, and CivitAI, which adds what it knows of the files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from nodes.importers.comfyui.samplers import NOISE_SCHEDULES, Chosen
from nodes.importers.metadata.fields import Fields
from nodes.importers.metadata.prompts import lora, prompt_of, read_syntax, weights_file
from nodes.importers.metadata.recipe import (
    ENLARGED,
    IMAGE,
    MODEL,
    REFINED,
    Control,
    ImagePrompt,
    Recipe,
    SecondPass,
)
from nodes.importers.prompt_syntax import FLOW, clip_skip, is_xl
from nodetool_core.importing.infotext import read, size_of
from nodetool_core.importing.prompt_networks import finite
from nodetool_core.importing.samplers import scheduler_named

PROMPT: Final = "Prompt"
NEGATIVE: Final = "Negative prompt"

_MORE_SAMPLERS: Final[Mapping[str, str]] = {
    "default": "default",
    "ddpm": "DDPMScheduler",
    "deis": "DEISMultistepScheduler",
    "pndm": "PNDMScheduler",
    "tcd": "TCDScheduler",
    "dpm sde": "DPMSolverSDEScheduler",
    "dpm++ sde": "DPMSolverSDEScheduler",
    "dpm++ 1s": "DPMSolverSinglestepScheduler",
}
"""Samplers that SD.Next has, and the web UI's server does not list."""

_FLOW_SAMPLERS: Final[Mapping[str, str]] = {
    "default": "default",
    "dpm++ 2m": "DPMSolverMultistepScheduler",
    "dpm++ 2m sde": "DPMSolverMultistepScheduler sde",
    "er sde": "ERSDEScheduler",
    "euler": "default",
    "euler a": "EulerAncestralDiscreteScheduler",
    "lcm": "LCMScheduler",
    "res multistep": "ResMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
}
"""Samplers that there are for flow-matching models as well."""

_USUAL_SCHEDULES: Final = frozenset({"", "simple", "normal", "sgm uniform", "automatic", "uniform"})
"""Schedules that mean about what our schedulers do by themselves."""

_SAYS_NOTHING: Final = (
    *("Version", "App", "User", "Backend", "Pipeline", "Operations", "Created Date", "RNG"),
    *("Batch size", "Batch pos", "Civitai metadata", "Index", "Script", "Width", "Height"),
    *("Cross Attention", "Attention", "Device", "Diffusion in Low Bits", "Metadata Scheme"),
)
"""Fields that change no image, or about as much as another machine does."""
_HASHES: Final = ("Model hash", "VAE hash", "Lora hashes", "Hashes", "Refiner hash")
"""Fields that state which file another field means."""


def recipe_of(fields: Fields) -> Recipe:
    """Return what a text says; each of its fields is read, or noted as lost."""
    prompt, loras = prompt_of(fields, PROMPT, fields.text(PROMPT, IMAGE))
    negative, more = prompt_of(fields, NEGATIVE, fields.text(NEGATIVE, IMAGE))
    recipe = Recipe(prompt, negative, loras=[*loras, *more])
    fields.skip(*_SAYS_NOTHING, *_HASHES)
    size = size_of(fields.text("Size", IMAGE))
    recipe.size = size
    _resources(fields, recipe)
    _model(fields, recipe)
    is_flow = bool(
        fields.has("Distilled CFG Scale")
        or fields.has("Shift")
        or (recipe.model and FLOW.search(json.dumps(recipe.model)))
    )
    recipe.properties = _properties(fields, is_flow)
    _hires(fields, recipe)
    _prompts(fields, recipe, is_flow)
    _start(fields, recipe)
    _controls(fields, recipe)
    _known_losses(fields)
    return recipe


def fields_of(text: str) -> dict[str, object]:
    """Return the fields of a text by their names, its prompts too."""
    found = read(text)
    prompts = {PROMPT: found.prompt, NEGATIVE: found.negative_prompt}
    return {**{name: one for name, one in prompts.items() if one}, **found.parameters}


def _properties(fields: Fields, is_flow: bool) -> dict[str, object]:
    guidance = fields.number("CFG scale", IMAGE)
    distilled = fields.number("Distilled CFG Scale", IMAGE)
    if distilled is not None:
        if guidance not in (None, 1.0):
            message = f"{guidance:g} has no counterpart beside the distilled one: it is left out."
            fields.lost("CFG scale", message)
        guidance = distilled
    return {
        "num_inference_steps": fields.whole("Steps", IMAGE),
        "guidance_scale": guidance,
        "seed": fields.whole("Seed", IMAGE),
        "shift": fields.number("Shift", IMAGE),
        **scheduler(fields, "Sampler", "Schedule type", is_flow),
        **_variation(fields),
    }


def _variation(fields: Fields) -> dict[str, object]:
    """Return the seed that is mixed in, and the size that the noise was drawn for."""
    properties: dict[str, object] = {}
    fields.usual("Variation seed strength", 0, 0.0)
    share = fields.number("Variation seed strength", IMAGE)
    if not share:
        fields.skip("Variation seed")
    elif (seed := fields.whole("Variation seed", IMAGE)) is not None:
        properties |= {"variation_seed": max(0, seed), "variation_strength": min(1.0, abs(share))}
    size = size_of(fields.text("Seed resize from", IMAGE))
    if size and all(size):
        properties |= {"seed_width": size[0], "seed_height": size[1]}
    return properties


def scheduler(fields: Fields, sampler: str, schedule: str, is_flow: bool) -> dict[str, str]:
    """Return our scheduler and schedule for two fields; notes where they are the model's own."""
    name, wanted = fields.text(sampler, IMAGE), fields.text(schedule, IMAGE)
    if not name:
        return {}
    spread = wanted.lower() if wanted.lower() in NOISE_SCHEDULES else "default"
    if is_flow or name.lower().endswith("flowmatch"):
        found = _FLOW_SAMPLERS.get(name.lower().removesuffix(" flowmatch"), "")
        if not found:
            message = f"{name!r} has no counterpart: the model's own scheduler is used."
            fields.about(sampler, message)
        if spread == "default" and wanted.lower() not in _USUAL_SCHEDULES:
            message = f"{wanted!r} has no counterpart: the model's own steps are used."
            fields.about(schedule, message)
        return Chosen(found or "default", spread).properties()
    found = _of_a_diffusion(fields, sampler, schedule)
    if spread in found.split():
        return {"scheduler": found}
    fits = found.split()[0] in NOISE_SCHEDULES.get(spread, ())
    if spread != "default" and not fits:
        message = f"{wanted!r} has no counterpart beside {found}: its usual steps are used."
        fields.about(schedule, message)
    return Chosen(found, spread if fits else "default").properties()


def _of_a_diffusion(fields: Fields, sampler: str, schedule: str) -> str:
    """Return our scheduler for two fields, of a model that is no flow."""
    name, wanted = fields.text(sampler, IMAGE), fields.text(schedule, IMAGE)
    is_spread = wanted.lower() in NOISE_SCHEDULES and wanted.lower() != "karras"
    is_plain = is_spread or wanted.lower() in ("simple", "normal", "sgm uniform")
    plain = "uniform" if is_plain else wanted
    if name.lower() in _MORE_SAMPLERS:
        found, unused = _MORE_SAMPLERS[name.lower()], ""
    else:
        listed = scheduler_named(name, plain)
        if listed is None:
            message = f"{name!r} has no counterpart: the model's own scheduler is used."
            fields.about(sampler, message)
            return "default"
        found, unused = listed
    if unused:
        place = schedule if fields.has(schedule) else sampler
        message = f"{wanted or name!r} has no counterpart beside {found}: its usual steps are used."
        fields.about(place, message)
    return found


def _model(fields: Fields, recipe: Recipe) -> None:
    """Read the checkpoint, and the files of its parts."""
    name, vae = fields.text("Model", MODEL), fields.text("VAE", MODEL)
    modules = [fields.text(one, MODEL) for one in fields.names("Module ")]
    if not name:
        return
    recipe.model_field = "Model"
    ref: dict[str, object] = {"type": "hf.model", "repo_id": weights_file(name)}
    if modules:
        ref = {"type": "hf.model", "repo_id": "", "denoiser": ref}
        encoders = [one for one in modules if not _is_vae(one)]
        autoencoders = [one for one in modules if _is_vae(one)]
        if encoders:
            ref["text_encoders"] = [_file(one) for one in encoders]
        vae = autoencoders[0] if autoencoders and not vae else vae
    if vae and vae.lower() not in ("automatic", "default (model)"):
        ref["vae"] = _file(vae)
    recipe.model = ref


def _file(name: str) -> dict[str, object]:
    return {"type": "hf.model", "repo_id": weights_file(name)}


def _is_vae(name: str) -> bool:
    return name.lower() in ("ae", "ae.safetensors") or "vae" in name.lower()


def _resources(fields: Fields, recipe: Recipe) -> None:
    """Read what CivitAI knows of the files: the model and the networks, by the ids of versions."""
    try:
        listed = json.loads(fields.text("Civitai resources") or "[]")
    except (ValueError, RecursionError):
        fields.lost("Civitai resources", "is no JSON, and left out.")
        return
    for one in listed if isinstance(listed, list) else []:
        if not isinstance(one, dict):
            continue
        kind, version = str(one.get("type", "")).lower(), one.get("modelVersionId")
        called = " ".join(str(one.get(key, "")) for key in ("modelName", "modelVersionName"))
        place = f"https://civitai.com/api/download/models/{version}"
        hint = f"Download {called.strip() or 'it'} from {place} under that name."
        file = f"civitai_{version}.safetensors"
        if kind == "checkpoint" and not fields.has("Model"):
            recipe.model, recipe.model_field = _file(file), "Civitai resources"
            fields.note("Civitai resources", f"the model is the file {file!r}.", hint)
        elif kind in ("lora", "locon", "lycoris", "dora") and not recipe.loras:
            scale = finite(one.get("weight", 1.0))
            recipe.loras.append(lora(file, 1.0 if scale is None else scale))
            fields.note("Civitai resources", f"a LoRA is the file {file!r}.", hint)
        elif kind in ("embed", "textualinversion"):
            fields.lost("Civitai resources", f"the embedding {called.strip()!r} is left out.", hint)
    recipe.loras = list({str(one["repo_id"]): one for one in recipe.loras}.values())


def _hires(fields: Fields, recipe: Recipe) -> None:
    """Read the second pass over an enlarged image."""
    names = ("Hires upscale", "Hires resize")
    if not any(fields.has(name) for name in names):
        return
    strength = fields.number("Denoising strength", REFINED)
    second = SecondPass(0.7 if strength is None else strength)
    second.scale = fields.number("Hires upscale", ENLARGED) or 2.0
    size = size_of(fields.text("Hires resize", ENLARGED))
    second.size = size if size and all(size) else None
    enlarger = fields.text("Hires upscaler", ENLARGED)
    if enlarger.lower().startswith("latent"):
        fields.note("Hires upscaler", "here, the image is enlarged, not its latents.")
    elif enlarger and enlarger.lower() not in ("lanczos", "nearest", "none"):
        second.network = {"type": "hf.real_esrgan", "repo_id": weights_file(enlarger)}
        file = second.network["repo_id"]
        fields.note("Hires upscaler", f"{file!r} is looked for in the folders of models.")
    steps = fields.whole("Hires steps", REFINED) or recipe.properties["num_inference_steps"]
    if isinstance(steps, int) and 0 < second.strength < 1:
        # The web UI runs all steps of its second pass; here, `strength` of them are run.
        second.properties["num_inference_steps"] = min(100, max(1, round(steps / second.strength)))
    for prop, name in _PROMPTS_OF_PASS.items():
        if fields.has(name):
            text, more = prompt_of(fields, name, fields.text(name, REFINED))
            second.properties[prop] = text
            second.properties |= {"loras": more} if more else {}
    guidance = fields.number("Hires CFG Scale", REFINED)
    second.properties |= {} if guidance is None else {"guidance_scale": guidance}
    for name in fields.names("Hires Module"):
        fields.usual(name, "Use same choices")
    for name in (_HIRES_SAMPLER, _HIRES_SCHEDULE):
        fields.usual(name, "Use same sampler", "Use same scheduler")
    if not str(fields.take(_HIRES_SAMPLER) or "Use same").startswith("Use same"):
        found = scheduler(fields, _HIRES_SAMPLER, _HIRES_SCHEDULE, is_flow=False)
        second.properties |= found
    recipe.second = second


_HIRES_SAMPLER: Final = "Hires sampler"
_HIRES_SCHEDULE: Final = "Hires schedule type"


_PROMPTS_OF_PASS: Final = {"prompt": "Hires prompt", "negative_prompt": "Hires negative prompt"}
"""The fields of the prompts of the second pass, by the properties that they become."""


def _prompts(fields: Fields, recipe: Recipe, is_flow: bool) -> None:
    """Read the syntax of the prompts, and how the text encoders read them."""
    second = recipe.second.properties if recipe.second is not None else {}
    prompts = {PROMPT: recipe.prompt, NEGATIVE: recipe.negative_prompt}
    prompts |= {name: str(second[key]) for key, name in _PROMPTS_OF_PASS.items() if key in second}
    embeddings = _embeddings(fields, " ".join(prompts.values()), is_flow)
    texts, properties = read_syntax(fields, prompts, embeddings, is_clip=not is_flow)
    recipe.prompt, recipe.negative_prompt = texts[PROMPT], texts[NEGATIVE]
    second |= {key: texts[name] for key, name in _PROMPTS_OF_PASS.items() if name in texts}
    recipe.properties |= properties
    fields.usual("Clip skip", 1, 0)
    skip = fields.whole("Clip skip", IMAGE)
    if skip is None or skip < 2:
        return
    if is_flow:
        fields.lost("Clip skip", f"{skip} has no counterpart for models of this kind.")
        return
    for_xl = is_xl(json.dumps(recipe.model), recipe.size)
    recipe.properties["clip_skip"] = made = clip_skip(skip, for_xl=for_xl)
    family = "XL, which leaves a layer out itself" if for_xl else "1"
    message = (
        f"{skip} is clip_skip {made}: the model is taken for one of Stable Diffusion {family}."
    )
    fields.note("Clip skip", message)


def _embeddings(fields: Fields, text: str, is_flow: bool) -> list[str]:
    """Return the embeddings that prompts name by a word alone."""
    listed = fields.text("TI hashes", IMAGE)
    names = [one.rpartition(":")[0].strip() for one in listed.split(",") if ":" in one]
    if names and is_flow:
        message = f"embeddings have no counterpart: {listed!r} are read as words."
        fields.lost("TI hashes", message)
        return []
    for name in names:
        if not re.fullmatch(r"[\w.-]+", name) or name.lower() not in text.lower():
            fields.lost("TI hashes", f"the embedding {name!r} stands in no prompt as one word.")
    return [name for name in names if re.fullmatch(r"[\w.-]+", name)]


def _start(fields: Fields, recipe: Recipe) -> None:
    """Read that the image began with another one."""
    masked = [name for name in ("Mask blur", "Inpaint area", "Mask mode") if fields.has(name)]
    if recipe.second is None and (masked or fields.has("Denoising strength")):
        strength = fields.number("Denoising strength", IMAGE)
        recipe.strength = 0.75 if strength is None else strength
        recipe.start_field = masked[0] if masked else "Denoising strength"
    recipe.is_masked = bool(masked) and recipe.strength is not None
    if not recipe.is_masked:
        return
    recipe.properties["mask_blur"] = fields.whole("Mask blur", IMAGE)
    fields.usual("Masked content", "original")
    fields.usual("Mask mode", "Inpaint masked")
    area, padding = fields.text("Inpaint area", IMAGE), fields.whole("Masked area padding", IMAGE)
    if area.lower() == "only masked" or padding is not None:
        recipe.properties |= {"crop_to_mask": True, "crop_padding": padding}


_CONTROL: Final = re.compile(r"(?:^|,\s*)([A-Z][\w ]*):\s*")


def _controls(fields: Fields, recipe: Recipe) -> None:
    for name in fields.names("ControlNet "):
        if not re.fullmatch(r"ControlNet \d+", name):
            continue
        text = fields.text(name)
        _, *parts = _CONTROL.split(text)
        pairs = zip(parts[::2], parts[1::2], strict=True)
        given = {key.lower(): value.strip() for key, value in pairs}
        model = re.sub(r"\s*\[[0-9a-f]+\]$", "", given.get("model", ""))
        if not model or model == "None":
            message = f"names no network, and has no counterpart: {text!r} is left out."
            fields.lost(name, message)
            continue
        fields.take(name, IMAGE)
        if _IP_ADAPTER.search(model):
            recipe.image_prompts.append(_image_prompt(fields, name, model, given))
        else:
            recipe.controls.append(_control(fields, name, model, given))


_IP_ADAPTER: Final = re.compile("ip[-_]?adapter", re.IGNORECASE)
"""Networks that the web UI's extension for ControlNets takes as well."""


def _image_prompt(fields: Fields, name: str, model: str, given: Mapping[str, str]) -> ImagePrompt:
    network: dict[str, object] = {"type": "hf.ip_adapter", "repo_id": weights_file(model)}
    fields.note(name, f"{network['repo_id']!r} is looked for in the folders of models.")
    start, end = _steps(given)
    if (start, end) != (0, 1):
        message = f"its part of the steps ({start:g} to {end:g}) has no counterpart."
        fields.lost(name, message)
    return ImagePrompt(network, name, _number(given.get("weight"), 1.0))


def _steps(given: Mapping[str, str]) -> tuple[float, float]:
    """Return the shares of the steps after which a network begins and ends."""
    start = given.get("guidance start", given.get("starting step"))
    end = given.get("guidance end", given.get("ending step"))
    return min(1.0, max(0.0, _number(start, 0.0))), min(1.0, max(0.0, _number(end, 1.0)))


def _control(fields: Fields, name: str, model: str, given: Mapping[str, str]) -> Control:
    module = given.get("module", "none").lower()
    control = Control({"type": "hf.controlnet", "repo_id": weights_file(model)}, name)
    control.scale = _number(given.get("weight"), 1.0)
    file = control.network["repo_id"]
    fields.note(name, f"{file!r} is looked for in the folders of models.")
    if module == "canny":
        low, high = (_number(given.get(f"threshold {one}"), -1.0) for one in "ab")
        control.canny = (round(low), round(high)) if 0 <= low <= high <= 255 else (100, 200)
    elif module != "none":
        fields.about(name, f"{module!r} is not run here: give an image that was prepared by it.")
    control.start, control.end = _steps(given)
    if (mode := given.get("control mode", "Balanced")).lower() != "balanced":
        fields.lost(name, f"control mode {mode!r} has no counterpart, and is left out.")
    return control


def _number(text: str | None, default: float) -> float:
    number = finite(text)
    return default if number is None else number


def _known_losses(fields: Fields) -> None:
    """Note what has no counterpart, in words that say what the image lacks."""
    detailers = fields.names("ADetailer ")
    for name in detailers:
        if name != "ADetailer version":
            value = fields.take(name)
            fields.lost(name, f"{value!r} is left out: faces and hands are not repainted here.")
    fields.skip(*(name for name in detailers if name == "ADetailer version"))
