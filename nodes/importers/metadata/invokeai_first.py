"""
Images of InvokeAI 1 and 2, in the words of later versions.

Version 2 states an object (`sd-metadata`), version 1 the command that made the image (`Dream`).
Both give a prompt with what is not wanted in brackets.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Final

_UNWANTED: Final = re.compile(r"(?<!\\)\[([^\[\]]*)\]")
_OPTIONS: Final[Mapping[str, str]] = {
    "-s": "steps",
    "-S": "seed",
    "-W": "width",
    "-H": "height",
    "-C": "cfg_scale",
    "-A": "scheduler",
    "-f": "strength",
    "-I": "init_image",
    "-G": "facetool_strength",
    "-cf": "codeformer_fidelity",
    "-U": "upscale",
}
_SAMPLERS: Final[Mapping[str, str]] = {
    "ddim": "ddim",
    "plms": "pndm",
    "k_lms": "lms",
    "k_heun": "heun",
    "k_euler": "euler",
    "k_euler_a": "euler_a",
    "k_dpm_2": "kdpm_2",
    "k_dpm_2_a": "kdpm_2_a",
    "k_dpmpp_2": "dpmpp_2m",
    "k_dpmpp_2_a": "dpmpp_2s",
}
"""Its names of samplers to those of later versions."""
_WITHOUT_EFFECT: Final[Mapping[str, object]] = {
    "threshold": 0,
    "perlin": 0,
    "seamless": False,
    "hires_fix": False,
    "variations": [],
}
"""Fields of an image, and the values at which they do nothing."""


def fields_of(texts: Mapping[str, str]) -> dict[str, object]:
    """Return the fields of an image; none where it is of another tool."""
    stated = _object(texts.get("sd-metadata", ""))
    image = stated.get("image")
    if isinstance(image, dict):
        return _of_object(stated, image)
    return _of_command(texts["Dream"]) if "Dream" in texts else {}


def _of_object(stated: Mapping[str, object], image: Mapping[str, object]) -> dict[str, object]:
    found = {
        str(name): value
        for name, value in image.items()
        if name not in _WITHOUT_EFFECT or value != _WITHOUT_EFFECT[name]
    }
    found |= _afterwards(found.pop("postprocessing", None))
    parts = found.pop("prompt", "")
    texts = parts if isinstance(parts, list) else [{"prompt": parts}]
    words = [str(one.get("prompt", "")) for one in texts if isinstance(one, dict)]
    found["generation_mode"] = str(found.pop("type", "txt2img"))
    if model := stated.get("model_weights"):
        found["model"] = {"name": str(model), "base": "sd-1"}
    found["scheduler"] = found.pop("sampler", "")
    return _completed(found, ", ".join(words))


def _afterwards(steps: object) -> dict[str, object]:
    """Return what was done to an image after it was made, in the words of the command."""
    found: dict[str, object] = {}
    left: list[object] = []
    listed: list[object] = steps if isinstance(steps, list) else [steps] if steps else []
    for one in listed:
        step: dict[str, object] = one if isinstance(one, dict) else {}
        kind = step.get("type")
        if kind in ("codeformer", "gfpgan"):
            found["facetool_strength"] = step.get("strength", 1.0)
            found |= {"codeformer_fidelity": step["fidelity"]} if "fidelity" in step else {}
        elif kind == "esrgan":
            found["upscale"] = f"{step.get('scale', 4)} {step.get('strength', 1.0)}"
        else:
            left.append(one)
    return found | ({"postprocessing": left} if left else {})


def _of_command(command: str) -> dict[str, object]:
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    if not words:
        return {}
    found: dict[str, object] = {}
    name = ""
    for word in words[1:]:
        if word in _OPTIONS:
            name = _OPTIONS[word]
        elif name in found:
            found[name] = f"{found[name]} {word}"
        else:
            found[name or "options"] = word
    if "init_image" in found:
        found["generation_mode"] = "img2img"
    return _completed(found, words[0])


def _completed(found: dict[str, object], prompt: str) -> dict[str, object]:
    """Return the fields with the prompts apart, and the sampler by its later name."""
    found["positive_prompt"] = " ".join(_UNWANTED.sub("", prompt).split())
    found["negative_prompt"] = ", ".join(_UNWANTED.findall(prompt))
    sampler = str(found.get("scheduler", ""))
    found["scheduler"] = _SAMPLERS.get(sampler, sampler)
    return found


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text or "null")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
