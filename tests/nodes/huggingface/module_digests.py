"""What shared modules are like, to the last attribute: for tests of what calls leave behind."""

from __future__ import annotations

import types
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import torch
from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from nodetool_core.models.manager import ModelManager

_LIBRARIES = ("diffusers.", "transformers.")


def digests(manager: ModelManager, of: Collection[str] | None = None) -> dict[str, str]:
    """
    Return everything about the modules that a manager has, or of the components of those names.

    Component and place to a text.

    Tensors are told by number format, device, shape, strides, address and content; mappings and
    lists by what is in them; the objects of libraries (settings, attention processors, registries
    of hooks) by their attributes; whatever else by its identity.
    """
    found = {}
    for one in manager.runtime.store.components():
        if of is not None and one.name not in of:
            continue
        assert one.module is not None
        for place, module in one.module.named_modules():
            for name, value in vars(module).items():
                if name != "_modules":
                    found[f"{one.name} {place}.{name}"] = " ".join(_told(value, 3))
            found[f"{one.name} {place} children"] = " ".join(
                f"{name}:{id(inner)}" for name, inner in module._modules.items()
            )
    return found


def _told(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, torch.Tensor):
        yield _told_of(value)
    elif value is None or isinstance(value, (bool, int, float, str, torch.dtype, torch.device)):
        yield repr(value)
    elif isinstance(value, (dict, OrderedDict)) and depth:
        yield "{"
        for name, item in value.items():
            yield f"{name if isinstance(name, (str, int)) else id(name)}:"
            yield from _told(item, depth - 1)
        yield "}"
    elif isinstance(value, (list, tuple)) and depth:
        yield "["
        for item in value:
            yield from _told(item, depth - 1)
        yield "]"
    elif isinstance(value, (set, frozenset)):
        yield repr(sorted(map(repr, value)))
    elif (
        type(value).__module__.startswith(_LIBRARIES)
        and not isinstance(value, torch.nn.Module)
        and hasattr(value, "__dict__")
        and depth
    ):
        yield f"{type(value).__name__}@{id(value)}("
        yield from _told(vars(value), depth - 1)
        yield ")"
    elif isinstance(value, types.MethodType):
        yield f"{value.__func__.__qualname__} of {id(value.__self__)}"
    else:
        yield f"{type(value).__name__}@{id(value)}"


def _told_of(tensor: torch.Tensor) -> str:
    told = (
        tensor.dtype,
        tensor.device,
        tuple(tensor.shape),
        tensor.stride(),
        tensor.requires_grad,
        tensor.data_ptr(),
        id(tensor),
    )
    content = (
        tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        if tensor.numel()
        else b""
    )
    return f"{told} {blake3(content).hexdigest()[:16]}"


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return what is not the same, named, with how it was and how it is."""
    names = sorted(before.keys() | after.keys())
    return [
        f"{name}: {before.get(name)} -> {after.get(name)}"
        for name in names
        if before.get(name) != after.get(name)
    ]
