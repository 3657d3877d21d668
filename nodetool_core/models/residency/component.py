"""What the weight store keeps: components, requests for them, and what was moved."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from nodetool_core.models.residency.devices import Device
    from nodetool_core.models.residency.module_state import ModuleState
    from nodetool_core.models.residency.transfer import HostCopy


@dataclass(frozen=True)
class ComponentRequest:
    """A component that is to be on a device."""

    key: Hashable
    name: str
    estimate: int
    """Bytes it will take, known exactly once it was there."""
    read: Callable[[], torch.nn.Module]
    """Reads it from disk into host memory. Raises ModelError, RunCancelled."""


@dataclass(eq=False)
class Component:
    """One component on (or on its way to, or last on) one device."""

    key: Hashable
    name: str
    device: Device
    bytes: int
    module: torch.nn.Module | None = None
    is_placed: bool = False
    """Whether its data is on the device."""
    host_copy: HostCopy | None = None
    """The host's copy, where there is one besides."""
    state: ModuleState | None = None
    """How the module is between calls."""
    template: torch.nn.Module | None = None
    """What the modules of further replicas are copied from, where there are any (`replicas.py`)."""
    pins: int = 0
    transfer: Future[None] | None = None
    used: int = 0
    """The tick of its last use."""
    holders: set[Callable[[], None]] = field(default_factory=set)
    """Called when the module is discarded, or its template is, so that nobody lends it again."""


@dataclass
class Counts:
    """What was moved since the start."""

    reads: int = 0
    """Components read from disk."""
    placed: int = 0
    """Components brought to a device, from disk or from host memory."""
    bytes_placed: int = 0
    drops: int = 0


class ChooseVictims(Protocol):
    """
    The policy: what of `candidates` goes so that `shortfall` bytes become free for `coming`.

    `device` is where; None for copies in host memory.
    """

    def __call__(
        self,
        candidates: Sequence[Component],
        shortfall: int,
        coming: Collection[Hashable],
        device: Device | None,
    ) -> list[Component]: ...
