"""
The text that web UIs write of an image: its prompts, and a line of what else it is made with.

    a lake
    Negative prompt: people
    Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: portraits

The format is the web UI's, and so are the names in the last line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from nodetool_core.json_types import Json, JsonObject

_NEGATIVE: Final = "Negative prompt:"
_PARAMETER: Final = re.compile(r'\s*(\w[\w /-]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_SIZE: Final = re.compile(r"(\d{1,5})x(\d{1,5})")
_FEWEST: Final = 3
"""Parameters that make a last line one of parameters, and not of the prompt."""

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


def infotext(prompt: str, negative_prompt: str, parameters: Mapping[str, Json]) -> str:
    """
    Return the text of an image.

    Args:
        parameters: By their names in the last line, which those without a value are left out of.
    """
    lines = [prompt, f"{_NEGATIVE} {negative_prompt}"] if negative_prompt else [prompt]
    last = ", ".join(
        f"{name}: {_quoted(value)}" for name, value in parameters.items() if value is not None
    )
    return "\n".join([*lines, last]).strip()


def parsed(text: str) -> dict[str, str]:
    """Return the prompts and the parameters in a text, by their names; a size as `Size-1`, `-2`."""
    *lines, last = text.strip().split("\n")
    found = _PARAMETER.findall(last)
    if len(found) < _FEWEST:
        lines, found = [*lines, last], []
    prompt, mark, negative = "\n".join(line.strip() for line in lines).partition(_NEGATIVE)
    if mark and prompt and not prompt.endswith("\n"):
        prompt, negative = prompt + mark + negative, ""
    parameters = {"Prompt": prompt.strip(), "Negative prompt": negative.strip()}
    for name, value in found:
        size = _SIZE.fullmatch(value)
        if size:
            parameters |= {f"{name}-1": size[1], f"{name}-2": size[2]}
        else:
            parameters[name] = _unquoted(value)
    return parameters


def fields_of(text: str) -> JsonObject:
    """Return the fields of a request that a text stands for; empty where it holds no parameters."""
    found = parsed(text) if text.strip() else {}
    return {field: found[name] for name, field in _FIELDS.items() if found.get(name)}


def _quoted(value: Json) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r"[,:\n]", text) else text


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value
