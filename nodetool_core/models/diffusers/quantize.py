"""
Quantization while a model is loaded: the linear layers of a component, by torchao or quanto.

Weights are rounded once, in host memory, before the component goes to its device. Layers that the
library's own 8-bit casting leaves alone (embeddings of positions, norms) stay as they are.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

_PACKAGES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"torchao": ("torchao", "torchao"), "quanto": ("optimum.quanto", "optimum-quanto")}
)
"""Library to its module, and to the name under which it is installed."""

_TORCHAO: Final[Mapping[str, str]] = MappingProxyType(
    {"int8": "Int8WeightOnlyConfig", "float8": "Float8WeightOnlyConfig"}
)
_QUANTO: Final[Mapping[str, str]] = MappingProxyType(
    {"int8": "qint8", "int4": "qint4", "float8": "qfloat8"}
)


def quantization_refusal(name: str | None) -> tuple[str, str]:
    """Return why weights can't be quantized so here, and what to do; empty where they can."""
    library = (name or "").partition("_")[0]
    if library not in _PACKAGES:
        return "", ""
    module, package = _PACKAGES[library]
    try:
        is_here = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        is_here = False
    if is_here:
        return "", ""
    return f"needs {package}, which is not installed", f"Install it: `pip install {package}`."


def quantize(module: torch.nn.Module, name: str) -> None:
    """
    Round the weights of the linear layers of a module.

    Args:
        name: Library and format: `torchao_int8`, `quanto_int4`.
    """
    library, _, kind = name.partition("_")
    layers = _layers(module)
    if library == "torchao":
        torchao = importlib.import_module("torchao.quantization")
        config = getattr(torchao, _TORCHAO[kind])()
        torchao.quantize_(module, config, filter_fn=lambda _, layer: layer in layers)
        return
    quanto = importlib.import_module("optimum.quanto")
    quanto.quantize(module, weights=getattr(quanto, _QUANTO[kind]), include=sorted(layers))
    quanto.freeze(module)


def _layers(module: torch.nn.Module) -> set[str]:
    """Return the names of the linear layers that may be rounded."""
    import torch

    kept = [*(getattr(module, "_skip_layerwise_casting_patterns", None) or ()), "norm"]
    return {
        name
        for name, layer in module.named_modules()
        if isinstance(layer, torch.nn.Linear) and not any(re.search(one, name) for one in kept)
    }
