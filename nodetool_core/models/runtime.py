"""
What a manager makes on its first use, because it takes torch to know.

The devices, and all that depends on them.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodetool_core.models.calls.batching import Batcher, Member
from nodetool_core.models.calls.oom_recovery import OomRecovery, is_out_of_memory
from nodetool_core.models.diffusers.full_precision import is_half, wide_bytes, widened_pipeline
from nodetool_core.models.diffusers.modules import modules_of
from nodetool_core.models.diffusers.schedulers import mend_schedulers
from nodetool_core.models.planning.lookahead import LookaheadPlanner
from nodetool_core.models.planning.prefetch import Prefetch
from nodetool_core.models.residency.activation_memory import ActivationMemory, Meter
from nodetool_core.models.residency.component import Component, ComponentRequest
from nodetool_core.models.residency.devices import Device, choose_devices, host_memory
from nodetool_core.models.residency.module_state import in_call
from nodetool_core.models.residency.replicas import Slot, slots
from nodetool_core.models.residency.weight_store import WeightStore

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from nodetool_core.models.calls.lease import Lease
    from nodetool_core.models.residency.transfer import ModuleCopier
    from nodetool_core.references import ModelRef


@dataclass(frozen=True)
class RuntimeOptions:
    """Options of devices and memory; `ModelManager` documents each."""

    devices: str | None = None
    budget: int | None = None
    host_budget: int | None = None
    calls: int | None = 1
    batch: int = 1
    copier: ModuleCopier | None = None
    meter: Meter | None = None


class DeviceRuntime:
    """The devices of a manager and what is on them."""

    def __init__(
        self, options: RuntimeOptions, keys_of: Callable[[ModelRef], frozenset[Hashable]]
    ) -> None:
        """
        Choose the devices, and make what depends on them.

        Args:
            keys_of: The keys of the components that a model is made of.
        """
        self.devices = choose_devices(options.devices)
        budget, host_budget = options.budget, options.host_budget
        if host_budget is None:
            # A copy in host memory is worth nothing where the device's memory is the host's.
            host_budget = (
                0 if all(device.is_host for device in self.devices) else host_memory() // 2
            )
        budgets = {
            device.name: device.default_budget() if budget is None else budget
            for device in self.devices
        }
        self.estimates: dict[Hashable, int] = {}
        self.requests: dict[Hashable, ComponentRequest] = {}
        """How to read each component that was used before."""
        self.slots = slots(self.devices, options.calls, options.batch)
        replicated = {slot.device for slot in self.slots if slot.replica}
        self.store = WeightStore(
            budgets, host_budget, self._victims, options.copier, replicated=replicated
        )
        self.lookahead = LookaheadPlanner(self.store, self.devices, keys_of, self._size)
        self.oom_recovery = OomRecovery(self.store, ActivationMemory(), options.meter or Meter())
        self.prefetch = Prefetch(self.store, self.lookahead, self.requests)
        self._batch = options.batch
        self._batchers = {device.name: Batcher(options.batch) for device in self.devices}
        self._thread = threading.local()

    def device(self, name: str) -> Device:
        return next(device for device in self.devices if device.name == name)

    def call(self, lease: Lease, arguments: Mapping[str, object]) -> object:
        """Call the pipeline of a lease, with equal calls of others where there are some."""
        mend_schedulers(lease.pipeline)
        if self._batch == 1:
            return self._call_alone(lease, arguments)
        return self.batcher(lease.device).call(Member(lease, arguments), self._call_alone)

    def _call_alone(self, lease: Lease, arguments: Mapping[str, object]) -> object:
        with in_call(lease.all_states):
            return self.oom_recovery.call(lease, arguments)

    def widen(self, lease: Lease) -> int:
        """
        Have a lease run its pipeline in float32, with weights of its own.

        Return the bytes that are taken for it; 0 where it can't be, or there is no room.
        """
        halves = [one for one in modules_of(lease.pipeline).values() if is_half(one)]
        size, device = wide_bytes(halves), lease.device
        if not size or lease.low_memory is not None:
            return 0
        self.store.make_room(device, size)
        free = self.oom_recovery.meter.free(device)
        if size > (self.store.free_bytes(device.name) if free is None else free):
            return 0
        self.store.reserve(device, size)
        try:
            lease.compose(widened_pipeline(lease.pipeline))
        except BaseException as error:
            self.store.reserve(device, -size)
            if not is_out_of_memory(error):
                raise
            return 0
        return size

    def give_back(self, device: Device, size: int) -> None:
        """Give bytes of a device back that were taken besides weights."""
        self.store.reserve(device, -size)

    def batcher(self, device: Device) -> Batcher:
        """Return the batcher in which a device's equal calls meet."""
        return self._batchers[device.name]

    def preferred_devices(self) -> list[Device]:
        """
        Return where this thread's uses go.

        The device it is bound to, else any, the one with most room first.
        """
        bound = self._slot()
        if bound is not None:
            return [self.device(bound.device)]
        return sorted(self.devices, key=lambda device: -self.store.free_bytes(device.name))

    @property
    def replica(self) -> int:
        """Which replica of its device this thread has."""
        bound = self._slot()
        return bound.replica if bound is not None else 0

    @contextmanager
    def bound(self, slot: Slot) -> Iterator[None]:
        before = self._slot()
        self._thread.slot = slot
        try:
            yield
        finally:
            self._thread.slot = before

    def _slot(self) -> Slot | None:
        found: Slot | None = getattr(self._thread, "slot", None)
        return found

    def _victims(
        self,
        candidates: Sequence[Component],
        shortfall: int,
        coming: Collection[Hashable],
        device: Device | None,
    ) -> list[Component]:
        return self.lookahead.victims(candidates, shortfall, coming, device)

    def _size(self, key: Hashable) -> int:
        return self.store.known_size(key) or self.estimates.get(key, 1)
