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
    "Size-1": "width",
    "Size-2": "height",
    "Denoising strength": "denoising_strength",
    "Mask blur": "mask_blur",
}
"""Fields of a request by the names of parameters."""


def fields_of(text: str) -> JsonObject:
    """Return the fields of a request that a text stands for; empty where it holds no parameters."""
    found = parsed(text) if text.strip() else {}
    return {field: found[name] for name, field in _FIELDS.items() if found.get(name)}
