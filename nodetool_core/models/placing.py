"""
Moving the tensors of a module: to a device, back to what the host kept, and away.

A module stays the same object wherever its weights are, so that pipelines that hold it need not know. Its tensors are given
other data in place, as `Module.to` does, but with the copy in host memory kept: to leave the device is then to let go of the
device's copy, and moves nothing. Host copies are pinned where the device is a card, which is what lets a copy overlap with
computing; each copy has a stream of its own and is waited for by its own thread alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from nodetool_core.models.devices import Device

Master = dict[int, "torch.Tensor"]
"""The host's copy of a module: identity of each tensor to its data."""


def tensors(module: torch.nn.Module) -> Iterator[torch.Tensor]:
    """Every parameter and buffer of a module, shared ones once."""
    seen: set[int] = set()
    for group in (module.parameters(), module.buffers()):
        for tensor in group:
            if id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor


def module_bytes(module: torch.nn.Module) -> int:
    """Bytes of a module's tensors; storage that several share counts once."""
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors(module)}.values())


class Placer:
    """Copies modules to one kind of device. Another one can stand in for it where copies are counted or made to fail."""

    def to_device(self, module: torch.nn.Module, device: Device, *, keep: bool) -> Master | None:
        """
        Move a module from host memory to a device; gives the host's copy where it is to be kept.

        Where the device's memory is the host's and nothing is to be kept, nothing is copied. Raises torch.OutOfMemoryError;
        the module is then as it was.
        """
        if device.is_host and not keep:
            return None
        import torch

        is_cuda = device.name.startswith("cuda")
        master = {id(tensor): self._pinned(tensor.data) if is_cuda and keep else tensor.data for tensor in tensors(module)}
        stream: Any = torch.cuda.Stream(torch.device(device.name)) if is_cuda else None  # type: ignore[no-untyped-call]
        placed: dict[int, torch.Tensor] = {}
        copies: dict[tuple[int, tuple[int, ...], tuple[int, ...]], torch.Tensor] = {}
        with torch.cuda.stream(stream):
            for tensor in tensors(module):
                host = master[id(tensor)]
                # Tied weights stay tied.
                same = (host.data_ptr(), tuple(host.shape), tuple(host.stride()))
                if same not in copies:
                    copies[same] = self.copy(host, device)
                placed[id(tensor)] = copies[same]
        if stream is not None:
            stream.synchronize()
        for tensor in tensors(module):
            tensor.data = placed[id(tensor)]
        return master if keep else None

    def copy(self, host: torch.Tensor, device: Device) -> torch.Tensor:
        """One tensor on the device. Raises torch.OutOfMemoryError."""
        return host.clone() if device.is_host else host.to(device.place, non_blocking=host.is_pinned())

    def to_host(self, module: torch.nn.Module, master: Master) -> None:
        """Give a module the host's copy back; its device copy is let go of. Nothing is moved."""
        for tensor in tensors(module):
            tensor.data = master[id(tensor)]

    def discard(self, module: torch.nn.Module) -> None:
        """Let go of all data of a module, whoever still holds the module itself."""
        for tensor in tensors(module):
            tensor.data = tensor.data.new_empty(0)

    @staticmethod
    def _pinned(tensor: torch.Tensor) -> torch.Tensor:
        return tensor if tensor.is_pinned() else tensor.pin_memory()


def return_memory() -> None:
    """Hand memory that was let go of back to the device."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
