"""
Images of NovelAI, whose text `Comment` is what was asked of its servers.

Its models are not published, so another one has to be given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from nodes.importers.metadata.fields import Fields
from nodes.importers.metadata.novelai_weights import with_our_weights
from nodes.importers.metadata.prompts import read_syntax
from nodes.importers.metadata.recipe import IMAGE, Recipe
from nodes.importers.metadata.web_ui import scheduler

_SAYS_NOTHING: Final = (
    *("n_samples", "request_type", "signed_hash", "version", "Title", "Software", "params_version"),
    *("Generation time", "add_original_image", "extra_noise_seed", "hide_debug_overlay"),
    *("prefer_brownian", "legacy", "legacy_v3_extend", "deliberate_euler_ancestral_bug", "stream"),
    *("image_format", "normalize_reference_strength_multiple", "explike_fine_detail"),
)
_WITHOUT_EFFECT: Final[Mapping[str, tuple[object, ...]]] = {
    "cfg_rescale": (0, 0.0),
    "controlnet_strength": (1, 1.0),
    "controlnet_model": ("None",),
    "dynamic_thresholding": (False,),
    "dynamic_thresholding_mimic_scale": (10.0, 10),
    "dynamic_thresholding_percentile": (0.999,),
    "lora_clip_weights": ("None",),
    "lora_unet_weights": ("None",),
    "sm": (False,),
    "sm_dyn": (False,),
    "autoSmea": (False,),
    "uncond_per_vibe": (True, False),
    "wonky_vibe_correlation": (True, False),
    "skip_cfg_above_sigma": ("None",),
    "skip_cfg_below_sigma": (0, 0.0),
    "uncond_scale": (0, 0.0, 1, 1.0),
    "cfg_sched_eligibility": ("enable_for_post_summer_samplers",),
    "minimize_sigma_inf": (False,),
    "hypernetwork_strength": (1, 1.0),
}


def fields_of(texts: Mapping[str, str]) -> dict[str, object]:
    """Return the fields of an image; none where it is of another tool."""
    if not texts.get("Software", "").startswith("NovelAI") or "Comment" not in texts:
        return {}
    try:
        asked = json.loads(texts["Comment"])
    except (ValueError, RecursionError):
        return {}
    if not isinstance(asked, dict):
        return {}
    source = {"Source": texts["Source"]} if "Source" in texts else {}
    return source | {str(name): value for name, value in asked.items()}


def recipe_of(fields: Fields) -> Recipe:
    """Return what an image says of its making."""
    request = fields.text("request_type")
    fields.skip(*_SAYS_NOTHING)
    for name, usual in _WITHOUT_EFFECT.items():
        fields.usual(name, *usual)
    prompt = _with_people(fields, fields.text("prompt", IMAGE), "v4_prompt")
    negative = _with_people(fields, fields.text("uc", IMAGE), "v4_negative_prompt")
    prompts = {"prompt": with_our_weights(prompt), "uc": with_our_weights(negative)}
    texts, syntax = read_syntax(fields, prompts, is_clip=True)
    for name, asked in (("prompt", prompt), ("uc", negative)):
        if texts[name] != asked:
            fields.note(name, f"its weights are those of our syntax: {texts[name]!r}.")
    recipe = Recipe(texts["prompt"], texts["uc"])
    recipe.model_field = "Source" if fields.has("Source") else "model"
    width, height = fields.whole("width", IMAGE), fields.whole("height", IMAGE)
    recipe.size = (width, height) if width and height else None
    fields.take("Source")
    recipe.properties = {
        "num_inference_steps": fields.whole("steps", IMAGE),
        "guidance_scale": fields.number("scale", IMAGE),
        "seed": fields.whole("seed", IMAGE),
        **scheduler(fields, "sampler", "noise_schedule", is_flow=False),
        **syntax,
    }
    if re.search("img2img|infill", request, re.IGNORECASE):
        strength = fields.number("strength", IMAGE)
        recipe.strength = 1.0 if strength is None else strength
        recipe.start_field = "strength" if fields.has("strength") else "request_type"
        recipe.is_masked = "infill" in request.lower()
    else:
        fields.skip("strength", "noise")
    return recipe


def _with_people(fields: Fields, text: str, name: str) -> str:
    """Return a prompt with those of the people in the image, who have prompts of their own."""
    value = fields.take(name, IMAGE)
    caption = value.get("caption") if isinstance(value, dict) else None
    if not isinstance(caption, dict):
        return text
    base = str(caption.get("base_caption") or text)
    people = caption.get("char_captions")
    texts = [
        str(one.get("char_caption", "")).strip()
        for one in (people if isinstance(people, list) else [])
        if isinstance(one, dict)
    ]
    texts = [one for one in texts if one]
    if texts:
        message = "people have prompts and places of their own there: here, their texts come after."
        fields.about(name, message)
    return ", ".join([base, *texts])
