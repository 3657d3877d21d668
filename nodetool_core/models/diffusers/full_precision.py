"""
Pipelines whose numbers overflow in half precision, computed in float32 instead.

float16 ends at 65,504, which activations of some autoencoders, text encoders and denoisers exceed:
then all that follows is no number. The modules are cloned over their weights, and the clones cast,
so that what is shared stays as it is.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from nodetool_core.models.diffusers.modules import modules_of
from nodetool_core.models.residency.replicas import clone_sharing_storage
from nodetool_core.models.residency.transfer import tensors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import torch

    from nodetool_core.context import Pipeline


def is_half(module: torch.nn.Module) -> bool:
    """Return whether a module computes in float16 or bfloat16, with plain weights in it."""
    import torch

    kinds = {tensor.dtype for tensor in tensors(module) if tensor.is_floating_point()}
    plain = all(type(tensor.data) is torch.Tensor for tensor in tensors(module))
    half = {torch.float16, torch.bfloat16}
    return plain and not kinds.isdisjoint(half) and kinds <= half | {torch.float32}


def wide_bytes(modules: Iterable[torch.nn.Module]) -> int:
    """Return how many bytes clones of modules take in float32."""
    return sum(
        4 * tensor.numel()
        for module in modules
        for tensor in tensors(module)
        if tensor.is_floating_point()
    )


def widened(module: torch.nn.Module, device: torch.device | None = None) -> torch.nn.Module:
    """Return a clone of a module in float32, with weights of its own."""
    import torch

    return clone_sharing_storage(module).to(device=device, dtype=torch.float32)


def widened_pipeline(pipeline: Pipeline) -> Pipeline:
    """Return a pipeline like this one whose modules compute in float32."""
    made = copy.copy(pipeline)
    for name, module in modules_of(pipeline).items():
        if is_half(module):
            setattr(made, name, widened(module))
    return made


def wide_arguments(arguments: Mapping[str, object]) -> dict[str, object]:
    """Return arguments with tensors in half precision as float32."""
    import torch

    return {
        name: value.float()
        if isinstance(value, torch.Tensor) and value.dtype in (torch.float16, torch.bfloat16)
        else value
        for name, value in arguments.items()
    }
