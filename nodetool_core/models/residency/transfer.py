"""
Moving the tensors of a module: to a device, back to what the host kept, and away.

A module stays the same object wherever its weights are, so that pipelines that hold it need not
know. Its tensors are given other data in place, as `Module.to` does, but with the copy in host
memory kept: to leave the device is then to let go of the device's copy, and moves nothing. Host
copies are pinned where the device is a card, which is what lets a copy overlap with computing; each
copy has a stream of its own and is waited for by its own thread alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    import torch

    from nodetool_core.models.residency.devices import Device

HostCopy = dict[int, "torch.Tensor"]
"""The host's copy of a module: identity of each tensor to its data."""


def tensors(module: torch.nn.Module) -> Iterator[torch.Tensor]:
    """Yield every parameter and buffer of a module, shared ones once."""
    seen: set[int] = set()
    for group in (module.parameters(), module.buffers()):
        for tensor in group:
            if id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor


def is_wrapper(tensor: torch.Tensor) -> bool:
    """
    Return whether a tensor has no memory of its own, but is made of others.

    Quantized weights of torchao are.
    """
    from torch.utils._python_dispatch import is_traceable_wrapper_subclass

    return is_traceable_wrapper_subclass(tensor)


def plain_parts(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the tensors that hold the memory of one: itself, or what a wrapper is made of."""
    if not is_wrapper(tensor):
        yield tensor
        return
    names, _ = tensor.__tensor_flatten__()  # type: ignore[attr-defined]
    for name in names:
        yield from plain_parts(getattr(tensor, name))


def beside(tensor: torch.Tensor, *, as_parameter: bool | None = None) -> torch.Tensor:
    """
    Return another tensor over the same memory.

    A parameter where this one is a parameter, or where that is asked for.
    """
    from torch.nn import Parameter

    data = tensor.detach() if is_wrapper(tensor) else tensor.data
    wants_parameter = isinstance(tensor, Parameter) if as_parameter is None else as_parameter
    return Parameter(data, requires_grad=False) if wants_parameter else data


def module_bytes(module: torch.nn.Module) -> int:
    """Return the bytes of a module's tensors; storage that several share counts once."""
    storages = [
        part.untyped_storage() for tensor in tensors(module) for part in plain_parts(tensor)
    ]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


class ModuleCopier:
    """
    Copies modules to one kind of device.

    Another one can stand in for it where copies are counted or made to fail.
    """

    def to_device(self, module: torch.nn.Module, device: Device, *, keep: bool) -> HostCopy | None:
        """
        Move a module from host memory to a device; return the host's copy where it is kept.

        Where the device's memory is the host's and nothing is to be kept, nothing is copied. Raises
        torch.OutOfMemoryError; the module is then as it was.
        """
        if device.is_host and not keep:
            return None
        import torch

        is_cuda = device.name.startswith("cuda")
        bare = {id(tensor): beside(tensor, as_parameter=False) for tensor in tensors(module)}
        host_copy = (
            {key: self._pinned(data) for key, data in bare.items()} if is_cuda and keep else bare
        )
        stream: Any = torch.cuda.Stream(torch.device(device.name)) if is_cuda else None  # type: ignore[no-untyped-call]
        placed: dict[int, torch.Tensor] = {}
        copies: dict[Hashable, torch.Tensor] = {}
        with torch.cuda.stream(stream):
            for tensor in tensors(module):
                host = host_copy[id(tensor)]
                # Tied weights stay tied.
                same = tuple(
                    (part.data_ptr(), tuple(part.shape), tuple(part.stride()))
                    for part in plain_parts(host)
                )
                if same not in copies:
                    copies[same] = self.copy(host, device)
                placed[id(tensor)] = copies[same]
        if stream is not None:
            stream.synchronize()
        for tensor in tensors(module):
            _give(tensor, placed[id(tensor)])
        return host_copy if keep else None

    def copy(self, host: torch.Tensor, device: Device) -> torch.Tensor:
        """Return one tensor on the device. Raises torch.OutOfMemoryError."""
        return (
            host.clone() if device.is_host else host.to(device.place, non_blocking=host.is_pinned())
        )

    def to_host(self, module: torch.nn.Module, host_copy: HostCopy) -> None:
        """Give a module the host's copy back; its device copy is let go of. Nothing is moved."""
        for tensor in tensors(module):
            _give(tensor, host_copy[id(tensor)])

    def discard(self, module: torch.nn.Module) -> None:
        """Let go of all data of a module, whoever still holds the module itself."""
        for tensor in tensors(module):
            for part in plain_parts(tensor):
                part.data = part.data.new_empty(0)

    @staticmethod
    def _pinned(tensor: torch.Tensor) -> torch.Tensor:
        # Most wrappers can't pass it on to what they are made of.
        return tensor if is_wrapper(tensor) or tensor.is_pinned() else tensor.pin_memory()


def _give(tensor: torch.Tensor, data: torch.Tensor) -> None:
    """Put other data into a tensor, which stays the same object for whoever holds it."""
    import torch

    if is_wrapper(tensor):
        # Its parts are attributes of it, and its device is set when it is made: all that is
        # exchanged.
        made = beside(data, as_parameter=isinstance(tensor, torch.nn.Parameter))
        torch.utils.swap_tensors(tensor, made)  # type: ignore[no-untyped-call]
    else:
        tensor.data = data


def return_memory() -> None:
    """Hand memory that was let go of back to the device."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
