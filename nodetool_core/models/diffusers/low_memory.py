"""Pipelines that take less memory and more time: tiles, and weights in host memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from nodetool_core.models.diffusers.modules import modules_of
from nodetool_core.models.residency.transfer import tensors

if TYPE_CHECKING:
    import torch

    from nodetool_core.context import Pipeline
    from nodetool_core.models.residency.devices import Device


@contextmanager
def tiled(pipeline: Pipeline) -> Iterator[None]:
    """Have the autoencoder of a pipeline work in tiles until the block ends."""
    vae: Any = getattr(pipeline, "vae", None)
    if not hasattr(vae, "enable_tiling"):
        yield
        return
    before = getattr(vae, "use_tiling", False)
    vae.enable_tiling()
    try:
        yield
    finally:
        if not before:
            vae.disable_tiling()


@contextmanager
def offloaded(pipeline: Pipeline, device: Device) -> Iterator[set[int]]:
    """
    Have the modules of a pipeline keep their weights in host memory.

    They take them to the device as they run. Gives the identities of those that do. When the block
    ends, the weights of all are in host memory.
    """
    import torch
    from diffusers.hooks.group_offloading import apply_group_offloading

    place, uses_stream = torch.device(device.place), device.name.startswith("cuda")
    moved = set()
    with ExitStack() as stack:
        for name, module in {
            id(one): (name, one) for name, one in modules_of(pipeline).items()
        }.values():
            stack.callback(_unhook, module)
            if name == "vae" and hasattr(pipeline, "upcast_vae"):
                # It is cast to another number format and back, which its copies in host memory
                # would not be.
                continue
            apply_group_offloading(
                module, onload_device=place, offload_type="leaf_level", use_stream=uses_stream
            )
            moved.add(id(module))
        yield moved


def _unhook(module: torch.nn.Module) -> None:
    from diffusers.hooks.hooks import HookRegistry

    for inner in module.modules():
        registry = getattr(inner, "_diffusers_hook", None)
        if isinstance(registry, HookRegistry):
            for name in [name for name in registry.hooks if "group_offloading" in name]:
                registry.remove_hook(name, recurse=False)
            own = vars(inner)
            if not registry.hooks:
                del own["_diffusers_hook"]
                if getattr(own.get("forward"), "__func__", None) is type(inner).forward:
                    del own["forward"]
    for tensor in tensors(module):
        tensor.data = tensor.data.cpu()
