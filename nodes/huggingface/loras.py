"""
The tensors of LoRAs as diffusers reads them, at the scale of their files.

diffusers takes a LoRA given as tensors for one of scale 1, unless tensors named `alpha` set
another. Files of PEFT and of diffusers' training scripts store it elsewhere: in
`adapter_config.json` beside them, and in the header under `lora_adapter_metadata`. So the scale of
each layer (alpha by rank, or by its square root) is multiplied into the layer's tensors.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

    from nodetool_core.models.components.networks import ModelPart

_HEADER: Final = "lora_adapter_metadata"

_PEFT: Final = "base_model.model."
"""Prefix of the names of tensors that PEFT saved."""

_UP = re.compile(
    r"\.(lora_B|lora\.up|lora_linear_layer\.up)\.(\w+\.)?(weight|bias)$|\.(lora_embedding_B)$"
)
"""Suffix of the names of a layer's up matrix, its bias, and its embedding."""


def lora_tensors(loaded: ModelPart, denoiser: str) -> dict[str, torch.Tensor]:
    """
    Return the tensors of a LoRA, multiplied by the scale of each layer.

    Args:
        loaded: What `context.models.use` lends for the task `tensors`.
        denoiser: The component of tensors whose names have none, such as `unet`.
    """
    settings = _settings(loaded)
    tensors = {_with_component(name, denoiser): tensor for name, tensor in loaded.tensors.items()}
    if not settings:
        return tensors
    return {
        name: tensor if (scale := _scale(name, tensors, settings)) == 1 else tensor * scale
        for name, tensor in tensors.items()
    }


def _settings(loaded: ModelPart) -> Mapping[str, object]:
    """Return the settings of a file; keys begin with a component where it has several."""
    try:
        found = (
            json.loads(loaded.metadata[_HEADER]) if _HEADER in loaded.metadata else loaded.config
        )
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _with_component(name: str, denoiser: str) -> str:
    if not name.startswith(_PEFT):
        return name
    bare = name.removeprefix(_PEFT)
    return (
        bare if re.match(r"(unet|transformer|text_encoder(_\d)?)\.", bare) else f"{denoiser}.{bare}"
    )


def _scale(name: str, tensors: Mapping[str, torch.Tensor], settings: Mapping[str, object]) -> float:
    """
    Return the factor for a tensor.

    1 for all but the up matrix of each layer, and where the layer has an `alpha` tensor.
    """
    found = _UP.search(name)
    if not found:
        return 1.0
    layer = name[: found.start()]
    component, _, place = layer.partition(".")
    own = {
        key.removeprefix(f"{component}."): value
        for key, value in settings.items()
        if key.startswith(f"{component}.")
    }
    settings_of_component = own or settings
    alpha = _of_layer(
        place, settings_of_component.get("alpha_pattern"), settings_of_component.get("lora_alpha")
    )
    up = (
        tensors.get(name.removesuffix("bias") + "weight", tensors[name])
        if found[3] == "bias"
        else tensors[name]
    )
    rank = int(up.shape[1])
    if f"{layer}.alpha" in tensors or not isinstance(alpha, (int, float)) or rank < 1:
        return 1.0
    return float(alpha) / (math.sqrt(rank) if settings_of_component.get("use_rslora") else rank)


def _of_layer(place: str, pattern: object, usual: object) -> object:
    """Return the value of the first pattern that a layer's name ends with, as PEFT does."""
    for expression, value in pattern.items() if isinstance(pattern, dict) else ():
        if re.match(rf"(.*\.)?({expression})$", place):
            return value
    return usual
