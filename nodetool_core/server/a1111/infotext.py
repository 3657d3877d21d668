"""Fields of a request by the text of an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nodetool_core.importing.infotext import parsed
from nodetool_core.json_types import JsonObject

_FIELDS: Final[Mapping[str, str]] = {
    "Prompt": "prompt",
    "Negative prompt": "negative_prompt",
    "Steps": "steps",
    "Sampler": "sampler_name",
    "Schedule type": "scheduler",
    "CFG scale": "cfg_scale",
    "Seed": "seed",
    "Variation seed": "subseed",
    "Variation seed strength": "subseed_strength",
    "Seed resize from-1": "seed_resize_from_w",
    "Seed resize from-2": "seed_resize_from_h",
    "Size-1": "width",
    "Size-2": "height",
    "Denoising strength": "denoising_strength",
    "Mask blur": "mask_blur",
    "Clip skip": "clip_skip",
    "Hires upscale": "hr_scale",
    "Hires upscaler": "hr_upscaler",
    "Hires steps": "hr_second_pass_steps",
    "Hires resize-1": "hr_resize_x",
    "Hires resize-2": "hr_resize_y",
    "Hires prompt": "hr_prompt",
    "Hires negative prompt": "hr_negative_prompt",
    "Hires sampler": "hr_sampler_name",
    "Hires schedule type": "hr_scheduler",
    "Hires CFG Scale": "hr_cfg",
}
"""Fields of a request by the names of parameters."""
_SECOND_PASS: Final = {"hr_scale", "hr_resize_x"}
"""Fields that only texts of images with a second pass have."""


def fields_of(text: str) -> JsonObject:
    """Return the fields of a request that a text stands for; empty where it holds no parameters."""
    found = parsed(text) if text.strip() else {}
    fields: JsonObject = {field: found[name] for name, field in _FIELDS.items() if found.get(name)}
    return fields | ({"enable_hr": True} if _SECOND_PASS & fields.keys() else {})
