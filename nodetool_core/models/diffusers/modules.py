"""The modules of a pipeline, and clones of them for calls that change modules of shared weights."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from nodetool_core.context import Pipeline

_HOOKS = "_diffusers_hook"
"""Where diffusers keeps the hooks of a module, which replace its `forward`."""


def modules_of(pipeline: Pipeline) -> Mapping[str, torch.nn.Module]:
    """Return the modules of a pipeline by name."""
    import torch

    return {
        name: part
        for name, part in pipeline.components.items()
        if isinstance(part, torch.nn.Module)
    }


def shallow_clone(module: torch.nn.Module) -> torch.nn.Module:
    """Return a new module over the same children and parameters."""
    clone = copy.copy(module)
    for kind in ("_modules", "_parameters", "_buffers"):
        vars(clone)[kind] = dict(vars(module)[kind])
    return clone


def clone_sharing_parameters(module: torch.nn.Module) -> torch.nn.Module:
    """Clone a module tree over the same parameters, with its layerwise casting."""
    from diffusers.hooks import layerwise_casting

    shared: dict[int, object] = {
        id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())
    }
    clone = copy.deepcopy(module, shared)
    for original, layer in zip(module.modules(), clone.modules(), strict=True):
        registry = vars(original).get(_HOOKS)
        if registry is None:
            continue
        # The hooks of a copy call the module that it was copied from.
        for name in (_HOOKS, "forward"):
            vars(layer).pop(name, None)
        cast = registry.get_hook("layerwise_casting")
        if cast is not None:
            layerwise_casting.apply_layerwise_casting_hook(
                layer, cast.storage_dtype, cast.compute_dtype, cast.non_blocking
            )
    return clone


def compute_dtype(layer: torch.nn.Module, parameter: torch.Tensor) -> torch.dtype:
    """Return the number format that a layer computes in, which layerwise casting sets."""
    registry = vars(layer).get(_HOOKS)
    cast = None if registry is None else registry.get_hook("layerwise_casting")
    found: torch.dtype = parameter.dtype if cast is None else cast.compute_dtype
    return found
