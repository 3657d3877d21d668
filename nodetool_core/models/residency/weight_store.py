"""
Where weights are: on a device, in host memory, or on disk alone.

A component is a module that many pipelines may hold. Its data is on one device, or in host memory,
or nowhere (then it is read again from disk when it is wanted). A budget in bytes bounds each device
and the host.

- Pins. Whoever uses a component holds a pin; what is pinned never leaves its device.
- Single flight. The first to want a component brings it, outside the lock; whoever wants it
  meanwhile waits for that transfer alone, so that what is there already is never waited for. A
  transfer that fails leaves nothing behind and fails all who wait; one that was cancelled lets the
  next one begin.
- Making room. Before a component comes, just enough of those without a pin goes, as the planner
  chooses. What has a copy in host memory goes at no cost. Pins and transfers may exceed a budget (a
  model larger than its device's budget still runs); the excess goes when they end.

Under the lock: a component with a pin or a transfer is in the table; the bytes of a device are the
sum over those on it or on their way to it. Costs: O(components) per acquire, which are some dozens.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING

from nodetool_core.errors import RunCancelled
from nodetool_core.models.residency.component import (
    ChooseVictims,
    Component,
    ComponentRequest,
    Counts,
)
from nodetool_core.models.residency.component_table import ComponentTable
from nodetool_core.models.residency.replicas import clone_sharing_storage
from nodetool_core.models.residency.transfer import ModuleCopier, module_bytes, return_memory

if TYPE_CHECKING:
    import torch

    from nodetool_core.context import Context
    from nodetool_core.models.residency.devices import Device
    from nodetool_core.models.residency.transfer import HostCopy


class WeightStore(ComponentTable):
    """The table of components. Safe to use from many threads."""

    def __init__(
        self,
        budgets: Mapping[str, float],
        host_budget: float,
        choose: ChooseVictims,
        copier: ModuleCopier | None = None,
        *,
        replicated: Collection[str] = (),
    ) -> None:
        """
        Make an empty store.

        Args:
            budgets: Bytes by name of device.
            host_budget: Bytes of copies to keep in host memory, besides what is on a device.
            replicated: Names of the devices with several replicas.
        """
        super().__init__(budgets)
        self.host_budget = host_budget
        self.counts = Counts()
        self.copier = copier or ModuleCopier()
        self._replicated = replicated
        self._choose = choose
        self._tick = 0

    # -- acquiring ---------------------------------------------------------------------------------

    def acquire(
        self, requests: Sequence[ComponentRequest], device: Device, context: Context
    ) -> tuple[list[Component], bool]:
        """
        Return the components on the device, each with a pin, and whether one was read from disk.

        Raises what reading raises, torch.OutOfMemoryError, and RunCancelled where the run of
        `context` ends meanwhile.
        """
        while True:
            parts, transfers, mine = self._claim(requests, device)
            is_read = any(part.module is None for part, _ in mine)
            try:
                self._bring(mine, device)
                for transfer in transfers:
                    _wait(transfer, context)
            except RunCancelled:
                self.release(parts)
                context.check_cancelled()
                # The run that brought it was cancelled, not this one: bring it here.
                continue
            except BaseException:
                self.release(parts)
                raise
            return parts, is_read

    def prefetch(
        self, requests: Sequence[ComponentRequest], device: Device, drops: Collection[Hashable] = ()
    ) -> int:
        """
        Bring components to the device without a pin, as far as there is room without `drops`.

        Gives the number of components that were brought. Where there is no room (something that
        should go is in use), they are read into host memory, if that has room.
        """
        with self._lock:
            missing = [one for one in requests if not self._is_here_or_coming(one.key, device)]
            going = [
                one
                for one in self._table.values()
                if one.device == device and one.key in drops and self._may_leave(one)
            ]
            fits = sum(self.size(one) for one in missing) <= self.free_bytes(device.name) + sum(
                one.bytes for one in going
            )
            if fits:
                for one in going:
                    self.counts.drops += 1
                    self._leave_device(one)
                parts, _, mine = self._claim(missing, device)
            else:
                parts, _, mine = self._claim(
                    [one for one in missing if self._may_stage(one, device)],
                    device,
                    make_room=False,
                )
        try:
            self._bring(mine, device, place=fits)
        finally:
            self.release(parts)
        return len(mine)

    def release(self, parts: Iterable[Component]) -> None:
        """Give pins back."""
        with self._lock:
            devices = {}
            for part in parts:
                part.pins -= 1
                devices[part.device.name] = part.device
            for device in devices.values():
                self._make_room(device, 0, ())

    def reserve(self, device: Device, size: int) -> None:
        """
        Take bytes of a device's budget for intermediate results; weights without a pin make room.

        Negative gives them back.
        """
        with self._lock:
            self.activations[device.name] += size
            if size > 0:
                self._make_room(device, 0, ())

    def make_room(self, device: Device, size: float) -> int:
        """
        Have at least so many bytes of the budget free, as far as pins allow.

        Gives the bytes that went.
        """
        with self._lock:
            before = self.used(device.name)
            self._make_room(device, size, ())
            return before - self.used(device.name)

    def displaced(self, parts: Iterable[Component]) -> None:
        """Note that pinned components have left their device for host memory by other means."""
        with self._lock:
            for part in parts:
                part.is_placed, part.host_copy = False, None

    def drop(self, is_wanted: Callable[[Component], bool]) -> int:
        """
        Let go of every component without a pin that is not wanted, on devices and in host memory.

        Gives the bytes.
        """
        freed = 0
        with self._lock:
            for one in list(self._table.values()):
                if not one.pins and one.transfer is None and not is_wanted(one):
                    freed += one.bytes
                    self._discard(one)
        if freed:
            return_memory()
        return freed

    # -- under the lock ----------------------------------------------------------------------------

    def _claim(
        self, requests: Sequence[ComponentRequest], device: Device, *, make_room: bool = True
    ) -> tuple[
        list[Component], list[Future[None] | None], list[tuple[Component, ComponentRequest]]
    ]:
        """Pin all, take on the transfers that nobody has, and make room for them."""
        with self._lock:
            self._tick += 1
            parts = [self._entry(one, device) for one in requests]
            mine = []
            for part, one in zip(parts, requests, strict=True):
                part.pins += 1
                part.used = self._tick
                if not part.is_placed and part.transfer is None:
                    part.bytes = self.size(one)
                    mine.append((part, one))
            if make_room:
                self._make_room(
                    device, sum(part.bytes for part, _ in mine), [one.key for one in requests]
                )
            for part, _ in mine:
                part.transfer = Future()
            return parts, [part.transfer for part in parts], mine

    def _entry(self, request: ComponentRequest, device: Device) -> Component:
        found = self._table.get((request.key, device.name))
        if found is None:
            # One that another device let go of is taken over from host memory.
            found = next(
                (
                    one
                    for one in self._table.values()
                    if one.key == request.key and not one.pins and self._is_in_host_only(one)
                ),
                None,
            )
            if found is not None:
                del self._table[found.key, found.device.name]
                found.device = device
            else:
                found = Component(request.key, request.name, device, self.size(request))
            self._table[request.key, device.name] = found
        return found

    @staticmethod
    def _may_leave(one: Component) -> bool:
        return one.is_placed and not one.pins and one.transfer is None

    def _may_leave_host(self, one: Component) -> bool:
        return one.host_copy is not None or (self._is_in_host_only(one) and not one.pins)

    def _may_stage(self, request: ComponentRequest, device: Device) -> bool:
        """Return whether a component that is on disk alone has room in host memory now."""
        found = self._table.get((request.key, device.name))
        is_on_disk = found is None or found.module is None
        return is_on_disk and self.host_used() + self.size(request) <= self.host_budget

    def _make_room(self, device: Device, size: float, coming: Collection[Hashable]) -> None:
        shortfall = size - self.free_bytes(device.name)
        if shortfall <= 0:
            return
        candidates = [
            one for one in self._table.values() if one.device == device and self._may_leave(one)
        ]
        for one in (
            self._choose(candidates, int(-(-shortfall // 1)), coming, device) if candidates else ()
        ):
            self.counts.drops += 1
            self._leave_device(one)

    def _leave_device(self, one: Component) -> None:
        if one.host_copy is None or one.module is None:
            self._discard(one)
            return
        self.copier.to_host(one.module, one.host_copy)
        one.host_copy, one.is_placed = None, False
        if one.template is not None:
            self._forget(one)

    def _discard(self, one: Component) -> None:
        self._table.pop((one.key, one.device.name), None)
        self._forget(one)
        if one.module is not None:
            self.copier.discard(one.module)
        one.module, one.host_copy, one.state, one.is_placed = None, None, None, False

    @staticmethod
    def _forget(one: Component) -> None:
        for forget in list(one.holders):
            forget()
        one.holders.clear()
        one.template = None

    def _host_has_room(self, size: int, coming: Hashable) -> bool:
        """
        Return whether a copy of so many bytes may stay in host memory.

        Copies that are wanted less make room.
        """
        with self._lock:
            if size > self.host_budget:
                return False
            shortfall = self.host_used() + size - self.host_budget
            if shortfall <= 0:
                return True
            copies = [
                one
                for one in self._table.values()
                if one.key != coming and self._may_leave_host(one)
            ]
            if sum(one.bytes for one in copies) < shortfall:
                return False
            for one in self._choose(copies, int(shortfall), (coming,), None):
                if one.is_placed:
                    one.host_copy = None
                else:
                    self._discard(one)
            return True

    # -- outside the lock --------------------------------------------------------------------------

    def _bring(
        self,
        mine: Sequence[tuple[Component, ComponentRequest]],
        device: Device,
        *,
        place: bool = True,
    ) -> None:
        """
        Do each of the transfers that were taken on.

        Where one fails, so do the others, and what they brought goes again.
        """
        brought: list[Component] = []
        for index, (part, request) in enumerate(mine):
            try:
                self._transfer(part, request, device, place)
                brought.append(part)
            except BaseException as error:
                with self._lock:
                    for failed, _ in mine[index:]:
                        self._give_up(failed, error)
                    for one in brought:
                        if one.pins == 1:
                            self._discard(one)
                raise

    def _transfer(
        self, part: Component, request: ComponentRequest, device: Device, place: bool
    ) -> None:
        is_read = part.module is None
        module = request.read() if part.module is None else part.module
        size = module_bytes(module) or request.estimate
        keep = place and self._host_has_room(size, part.key)
        host_copy = self._placed(module, device, keep) if place else None
        template = (
            clone_sharing_storage(module) if place and device.name in self._replicated else None
        )
        with self._lock:
            part.template = template
            part.module, part.host_copy, part.is_placed, part.bytes = module, host_copy, place, size
            self._sizes[part.key] = size
            self.counts.reads += is_read
            self.counts.placed += place
            self.counts.bytes_placed += size if place else 0
            transfer, part.transfer = part.transfer, None
        assert transfer is not None
        transfer.set_result(None)

    def _placed(self, module: torch.nn.Module, device: Device, keep: bool) -> HostCopy | None:
        """
        Copy to the device.

        Where its memory runs out, once more after all that nobody uses has left it.
        """
        import torch

        try:
            return self.copier.to_device(module, device, keep=keep)
        except torch.OutOfMemoryError:
            self.make_room(device, self.budgets[device.name])
            return_memory()
            return self.copier.to_device(module, device, keep=keep)

    def _give_up(self, part: Component, error: BaseException) -> None:
        transfer, part.transfer = part.transfer, None
        if part.module is None:
            self._table.pop((part.key, part.device.name), None)
        assert transfer is not None
        transfer.set_exception(error)


def _wait(transfer: Future[None] | None, context: Context) -> None:
    """Wait until a component is brought; leave when the run is cancelled."""
    while transfer is not None:
        context.check_cancelled()
        try:
            transfer.result(timeout=0.1)
        except NotYet:
            if transfer.done():
                raise
            continue
        return
