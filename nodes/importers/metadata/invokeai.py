"""
Images of InvokeAI 3 to 6, whose text `invokeai_metadata` is what was set, and of those before.

Its schedulers are those of diffusers, by short names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from nodes.importers.metadata import invokeai_first
from nodes.importers.metadata.fields import Fields
from nodes.importers.metadata.prompts import lora, weights_file
from nodes.importers.metadata.recipe import FACES, IMAGE, LARGER, MODEL, Control, Recipe
from nodetool_core.importing.prompt_networks import finite

SCHEDULERS: Final[Mapping[str, str]] = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "deis": "DEISMultistepScheduler",
    "dpmpp_2m": "DPMSolverMultistepScheduler",
    "dpmpp_2m_k": "DPMSolverMultistepScheduler karras",
    "dpmpp_2m_sde": "DPMSolverMultistepScheduler sde",
    "dpmpp_2m_sde_k": "DPMSolverMultistepScheduler sde karras",
    "dpmpp_2s": "DPMSolverSinglestepScheduler",
    "dpmpp_sde": "DPMSolverSDEScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler_a": "EulerAncestralDiscreteScheduler",
    "euler_k": "EulerDiscreteScheduler karras",
    "heun": "HeunDiscreteScheduler",
    "kdpm_2": "KDPM2DiscreteScheduler",
    "kdpm_2_a": "KDPM2AncestralDiscreteScheduler",
    "lcm": "LCMScheduler",
    "lms": "LMSDiscreteScheduler",
    "pndm": "PNDMScheduler",
    "tcd": "TCDScheduler",
    "unipc": "UniPCMultistepScheduler",
}
"""Its names of schedulers to ours."""

_FLOW: Final = frozenset(
    {"flux", "flux2", "sd-3", "cogview4", "z-image", "qwen-image", "anima", "chroma"}
)
"""Bases of flow-matching models."""

_SAYS_NOTHING: Final = (
    *("app_version", "rand_device", "canvas_v2_metadata", "generation_mode", "upscale_scale"),
    *("z_image_seed_variance_enabled", "board_id", "ref_images_ids"),
)
_WITHOUT_EFFECT: Final[Mapping[str, tuple[object, ...]]] = {
    "clip_skip": (0,),
    "cfg_rescale_multiplier": (0, 0.0),
    "seamless_x": (False,),
    "seamless_y": (False,),
    "hrf_enabled": (False,),
}


def fields_of(texts: Mapping[str, str]) -> dict[str, object]:
    """Return the fields of an image; none where it is of another tool."""
    if "invokeai_metadata" not in texts:
        return invokeai_first.fields_of(texts)
    try:
        found = json.loads(texts["invokeai_metadata"])
    except (ValueError, RecursionError):
        return {}
    return {str(name): value for name, value in found.items()} if isinstance(found, dict) else {}


def recipe_of(fields: Fields) -> Recipe:
    """Return what an image says of its making."""
    mode = fields.text("generation_mode")
    fields.skip(*_SAYS_NOTHING)
    for name, usual in _WITHOUT_EFFECT.items():
        fields.usual(name, *usual)
    recipe = Recipe(_prompt(fields, "positive"), _prompt(fields, "negative"), model_field="model")
    base = _model(fields, recipe)
    width, height = fields.whole("width", IMAGE), fields.whole("height", IMAGE)
    recipe.size = (width, height) if width and height else None
    recipe.loras = _loras(fields)
    guidance, scale = fields.number("guidance", IMAGE), fields.number("cfg_scale", IMAGE)
    if guidance is not None and scale not in (None, 1.0):
        fields.lost("cfg_scale", f"{scale:g} has no counterpart beside guidance: it is left out.")
    recipe.properties = {
        "num_inference_steps": fields.whole("steps", IMAGE),
        "guidance_scale": scale if guidance is None else guidance,
        "seed": fields.whole("seed", IMAGE),
        "scheduler": _scheduler(fields, base),
        "prompt_2": _second_prompt(fields, recipe),
        "clip_skip": _clip_skip(fields, base),
    }
    if mode.rpartition("_")[2] in ("img2img", "inpaint", "outpaint"):
        recipe.strength = fields.number("strength", IMAGE)
        recipe.strength = 1.0 if recipe.strength is None else recipe.strength
        recipe.start_field = "strength" if fields.has("strength") else "generation_mode"
        recipe.is_masked = not mode.endswith("img2img")
        fields.skip("init_image")
    else:
        fields.skip("strength")
    _controls(fields, recipe)
    _afterwards(fields, recipe)
    return recipe


def _afterwards(fields: Fields, recipe: Recipe) -> None:
    """Repaint faces, and enlarge the result, as the first versions did with networks for it."""
    if (strength := fields.number("facetool_strength", FACES)) and strength > 0:
        recipe.faces = _FACE_STRENGTH
        message = f"faces are restored by another network, at {strength:g}: here, the model itself"
        fields.about("facetool_strength", f"{message} repaints them, at {_FACE_STRENGTH}.")
    fields.skip("codeformer_fidelity")
    stated = fields.text("upscale", LARGER).strip("[]").replace(",", " ").split()
    if not stated:
        return
    scale = finite(stated[0])
    if not scale or not 1 < scale <= _MOST_TIMES or recipe.size is None:
        fields.lost("upscale", f"has no counterpart: {' '.join(stated)!r} is left out.")
        return
    recipe.enlarged_to = (round(recipe.size[0] * scale), round(recipe.size[1] * scale))
    if len(stated) > 1 and finite(stated[1]) != 1:
        message = f"{stated[1]} of the network's result is mixed in there: here, it counts alone."
        fields.about("upscale", message)


_FACE_STRENGTH: Final = 0.4
"""How far faces are repainted: enough for their details, and not for another face."""
_MOST_TIMES: Final = 8


def _second_prompt(fields: Fields, recipe: Recipe) -> str | None:
    """Return what the second text encoder of SDXL reads; None where that is the same."""
    second, unwanted = (fields.text(f"{kind}_style_prompt") for kind in ("positive", "negative"))
    if unwanted and unwanted != recipe.negative_prompt:
        message = f"has no counterpart: {unwanted!r} is left out."
        fields.lost("negative_style_prompt", message)
    else:
        fields.skip("negative_style_prompt")
    if not second or second == recipe.prompt:
        fields.skip("positive_style_prompt")
        return None
    return fields.text("positive_style_prompt", IMAGE)


def _clip_skip(fields: Fields, base: str) -> int | None:
    """Return how many layers are left out; only Stable Diffusion 1 and 2 leave any out there."""
    return fields.whole("clip_skip", IMAGE) if base in ("sd-1", "sd-2") else None


def _prompt(fields: Fields, kind: str) -> str:
    text = fields.text(f"{kind}_prompt", IMAGE)
    if re.search(r"\)[+-]|\w[+-]{1,5}(?:\s|,|$)|\([^()]+\)\d", text):
        message = "weights have no counterpart: the model reads them as they stand."
        fields.about(f"{kind}_prompt", message)
    return text


def _named(value: object) -> tuple[str, str]:
    """Return the name and the base of a model, as 3 and as later versions state them."""
    if not isinstance(value, dict):
        return "", ""
    name = value.get("name") or value.get("model_name") or ""
    return str(name), str(value.get("base") or value.get("base_model") or "")


def _model(fields: Fields, recipe: Recipe) -> str:
    name, base = _named(fields.take("model"))
    if name:
        fields.take("model", MODEL)
        recipe.model = {"type": "hf.model", "repo_id": weights_file(name)}
    vae, _ = _named(fields.take("vae"))
    if vae and recipe.model is not None:
        fields.take("vae", MODEL)
        recipe.model["vae"] = {"type": "hf.model", "repo_id": weights_file(vae)}
    return base


def _loras(fields: Fields) -> list[dict[str, object]]:
    found = []
    for one in fields.entries("loras", IMAGE):
        name, _ = _named(one.get("model") or one.get("lora")) if isinstance(one, dict) else ("", "")
        scale = finite(one.get("weight", 1.0)) if isinstance(one, dict) else None
        if name and scale is not None:
            found.append(lora(name, scale))
        else:
            fields.lost("loras", f"{one!r} is not understood, and left out.")
    return found


def _scheduler(fields: Fields, base: str) -> str | None:
    name = fields.text("scheduler", IMAGE)
    if not name:
        return None
    if base in _FLOW:
        if name != "euler":
            message = f"{name!r} has no counterpart: the model's own scheduler is used."
            fields.about("scheduler", message)
        return "default"
    if name in SCHEDULERS:
        return SCHEDULERS[name]
    plain = SCHEDULERS.get(name.removesuffix("_k"))
    message = (
        f"{name!r} has no counterpart: the model's own scheduler is used."
        if plain is None
        else f"its steps by Karras have no counterpart beside {plain}, which is used."
    )
    fields.about("scheduler", message)
    return plain or "default"


def _controls(fields: Fields, recipe: Recipe) -> None:
    for one in fields.entries("controlnets", IMAGE):
        given = one if isinstance(one, dict) else {}
        name, _ = _named(given.get("control_model"))
        if not name:
            fields.lost("controlnets", f"{one!r} has no counterpart, and is left out.")
            continue
        scale = finite(given.get("control_weight", 1.0))
        network: dict[str, object] = {"type": "hf.controlnet", "repo_id": weights_file(name)}
        begin, end = (finite(given.get(f"{one}_step_percent")) for one in ("begin", "end"))
        control = Control(network, "controlnets", 1.0 if scale is None else scale)
        control.start, control.end = begin or 0.0, 1.0 if end is None else end
        recipe.controls.append(control)
