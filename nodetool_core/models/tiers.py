"""
Where weights are: on a device, in host memory, or on disk alone.

A component is a module that many pipelines may hold. Its data is on one device, or in host memory,
or nowhere (then it is read again from disk when it is wanted). A budget in bytes bounds each device
and the host.

- Pins. Whoever uses a component holds a pin; what is pinned never leaves its device.
- Single flight. The first to want a component brings it, outside the lock; whoever wants it
  meanwhile waits for that flight alone, so that what is there already is never waited for. A flight
  that fails leaves nothing behind and tells all who wait; one that was cancelled lets the next one
  fly.
- Making room. Before a component comes, just enough of those without a pin goes, as the policy
  chooses. What has a copy in host memory goes at no cost. Pins and flights may exceed a budget (a
  model larger than its device's budget still runs); the excess goes when they end.

Under the lock: a component with a pin or a flight is in the table; the bytes of a device are the
sum over those on it or on their way to it. Costs: O(components) per acquire, which are some dozens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING

from nodetool_core.errors import RunCancelled
from nodetool_core.models.placing import Placer, module_bytes, return_memory
from nodetool_core.models.resident import ChooseVictims, Component, Counts, Wanted
from nodetool_core.models.seats import twin

if TYPE_CHECKING:
    import torch

    from nodetool_core.context import Context
    from nodetool_core.models.devices import Device
    from nodetool_core.models.placing import Master


class Tiers:
    """The table of components. Safe to use from many threads."""

    def __init__(
        self,
        budgets: Mapping[str, float],
        host_budget: float,
        choose: ChooseVictims,
        placer: Placer | None = None,
        *,
        moulded: Collection[str] = (),
    ) -> None:
        """
        Args:
            budgets: Bytes by name of device.
            host_budget: Bytes of copies to keep in host memory, besides what is on a device.
            moulded: Names of the devices with several seats.
        """
        self.budgets = dict(budgets)
        self.host_budget = host_budget
        self.counts = Counts()
        self.placer = placer or Placer()
        self.working: dict[str, int] = dict.fromkeys(budgets, 0)
        """Bytes that operations have reserved for their intermediate results, by device."""
        self._moulded = moulded
        self._choose = choose
        self._table: dict[tuple[Hashable, str], Component] = {}
        self._sizes: dict[Hashable, int] = {}
        self._tick = 0
        self._lock = threading.RLock()

    # -- looking -----------------------------------------------------------------------------------

    def components(self) -> list[Component]:
        """All that are on a device or in host memory, or on their way."""
        with self._lock:
            return list(self._table.values())

    def size(self, wanted: Wanted) -> int:
        """Bytes of a component: measured where it was there before, else the estimate."""
        return self._sizes.get(wanted.key, wanted.estimate)

    def known_size(self, key: Hashable) -> int | None:
        """Bytes of a component that was there before."""
        return self._sizes.get(key)

    def is_placed(self, keys: Iterable[Hashable], device: str) -> bool:
        """Whether all are on the device."""
        with self._lock:
            found = [self._table.get((key, device)) for key in keys]
        return all(one is not None and one.is_placed for one in found)

    def used(self, device: str) -> int:
        """Bytes of weights on a device or on their way to it."""
        with self._lock:
            return sum(
                one.bytes
                for one in self._table.values()
                if one.device.name == device and (one.is_placed or one.flight)
            )

    def free_bytes(self, device: str) -> float:
        """Bytes of the budget that nothing takes; below 0 where pins exceed it."""
        return self.budgets[device] - self.working[device] - self.used(device)

    def host_used(self) -> int:
        """Bytes of copies in host memory."""
        with self._lock:
            return sum(
                one.bytes
                for one in self._table.values()
                if one.master is not None or self._is_in_host_only(one)
            )

    # -- acquiring ---------------------------------------------------------------------------------

    def acquire(
        self, wanted: Sequence[Wanted], device: Device, context: Context
    ) -> tuple[list[Component], bool]:
        """
        Return the components on the device, each with a pin.

        And whether something was read from disk for it.

        Raises what reading raises, torch.OutOfMemoryError, and RunCancelled where the run of
        `context` ends meanwhile.
        """
        while True:
            parts, flights, mine = self._claim(wanted, device)
            is_read = any(part.module is None for part, _ in mine)
            try:
                self._bring(mine, device)
                for flight in flights:
                    _wait(flight, context)
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
        self, wanted: Sequence[Wanted], device: Device, drops: Collection[Hashable] = ()
    ) -> int:
        """
        Bring components to the device without keeping a pin, as far as there is room once `drops`
        are gone.

        Gives the number of components that were brought. Where there is no room (something that
        should go is in use), they are read into host memory, if that has room.
        """
        with self._lock:
            missing = [one for one in wanted if not self._is_here_or_coming(one.key, device)]
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
            self.working[device.name] += size
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
        """Components that are pinned have left their device for host memory by other means."""
        with self._lock:
            for part in parts:
                part.is_placed, part.master = False, None

    def drop(self, is_wanted: Callable[[Component], bool]) -> int:
        """
        Let go of every component without a pin that is not wanted, on devices and in host memory.

        Gives the bytes.
        """
        freed = 0
        with self._lock:
            for one in list(self._table.values()):
                if not one.pins and one.flight is None and not is_wanted(one):
                    freed += one.bytes
                    self._discard(one)
        if freed:
            return_memory()
        return freed

    # -- under the lock ----------------------------------------------------------------------------

    def _claim(
        self, wanted: Sequence[Wanted], device: Device, *, make_room: bool = True
    ) -> tuple[list[Component], list[Future[None] | None], list[tuple[Component, Wanted]]]:
        """Pin all, take the flights that nobody has, and make room for them."""
        with self._lock:
            self._tick += 1
            parts = [self._entry(one, device) for one in wanted]
            mine = []
            for part, one in zip(parts, wanted, strict=True):
                part.pins += 1
                part.used = self._tick
                if not part.is_placed and part.flight is None:
                    part.bytes = self.size(one)
                    mine.append((part, one))
            if make_room:
                self._make_room(
                    device, sum(part.bytes for part, _ in mine), [one.key for one in wanted]
                )
            for part, _ in mine:
                part.flight = Future()
            return parts, [part.flight for part in parts], mine

    def _entry(self, wanted: Wanted, device: Device) -> Component:
        found = self._table.get((wanted.key, device.name))
        if found is None:
            # One that another device let go of is taken over from host memory.
            found = next(
                (
                    one
                    for one in self._table.values()
                    if one.key == wanted.key and not one.pins and self._is_in_host_only(one)
                ),
                None,
            )
            if found is not None:
                del self._table[found.key, found.device.name]
                found.device = device
            else:
                found = Component(wanted.key, wanted.name, device, self.size(wanted))
            self._table[wanted.key, device.name] = found
        return found

    def _is_here_or_coming(self, key: Hashable, device: Device) -> bool:
        found = self._table.get((key, device.name))
        return found is not None and (found.is_placed or found.flight is not None)

    @staticmethod
    def _may_leave(one: Component) -> bool:
        return one.is_placed and not one.pins and one.flight is None

    def _may_leave_host(self, one: Component) -> bool:
        return one.master is not None or (self._is_in_host_only(one) and not one.pins)

    def _may_stage(self, wanted: Wanted, device: Device) -> bool:
        """Whether a component that is on disk alone has room in host memory now."""
        found = self._table.get((wanted.key, device.name))
        is_on_disk = found is None or found.module is None
        return is_on_disk and self.host_used() + self.size(wanted) <= self.host_budget

    @staticmethod
    def _is_in_host_only(one: Component) -> bool:
        return one.module is not None and not one.is_placed and one.flight is None

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
        if one.master is None or one.module is None:
            self._discard(one)
            return
        self.placer.to_host(one.module, one.master)
        one.master, one.is_placed = None, False
        if one.mould is not None:
            self._forget(one)

    def _discard(self, one: Component) -> None:
        self._table.pop((one.key, one.device.name), None)
        self._forget(one)
        if one.module is not None:
            self.placer.discard(one.module)
        one.module, one.master, one.state, one.is_placed = None, None, None, False

    @staticmethod
    def _forget(one: Component) -> None:
        for forget in list(one.holders):
            forget()
        one.holders.clear()
        one.mould = None

    def _host_has_room(self, size: int, coming: Hashable) -> bool:
        """
        Whether a copy of so many bytes may stay in host memory.

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
                    one.master = None
                else:
                    self._discard(one)
            return True

    # -- outside the lock --------------------------------------------------------------------------

    def _bring(
        self, mine: Sequence[tuple[Component, Wanted]], device: Device, *, place: bool = True
    ) -> None:
        """
        Fly each of the flights that were taken.

        Where one fails, so do the others, and what they brought goes again.
        """
        brought: list[Component] = []
        for index, (part, wanted) in enumerate(mine):
            try:
                self._fly(part, wanted, device, place)
                brought.append(part)
            except BaseException as error:
                with self._lock:
                    for failed, _ in mine[index:]:
                        self._give_up(failed, error)
                    for one in brought:
                        if one.pins == 1:
                            self._discard(one)
                raise

    def _fly(self, part: Component, wanted: Wanted, device: Device, place: bool) -> None:
        is_read = part.module is None
        module = wanted.read() if part.module is None else part.module
        size = module_bytes(module) or wanted.estimate
        keep = place and self._host_has_room(size, part.key)
        master = self._placed(module, device, keep) if place else None
        mould = twin(module) if place and device.name in self._moulded else None
        with self._lock:
            part.mould = mould
            part.module, part.master, part.is_placed, part.bytes = module, master, place, size
            self._sizes[part.key] = size
            self.counts.reads += is_read
            self.counts.placed += place
            self.counts.bytes_placed += size if place else 0
            flight, part.flight = part.flight, None
        assert flight is not None
        flight.set_result(None)

    def _placed(self, module: torch.nn.Module, device: Device, keep: bool) -> Master | None:
        """
        Copy to the device; where its memory runs out, once more after all that nobody uses has left
        it.
        """
        import torch

        try:
            return self.placer.to_device(module, device, keep=keep)
        except torch.OutOfMemoryError:
            self.make_room(device, self.budgets[device.name])
            return_memory()
            return self.placer.to_device(module, device, keep=keep)

    def _give_up(self, part: Component, error: BaseException) -> None:
        flight, part.flight = part.flight, None
        if part.module is None:
            self._table.pop((part.key, part.device.name), None)
        assert flight is not None
        flight.set_exception(error)


def _wait(flight: Future[None] | None, context: Context) -> None:
    """Until whoever brings a component has brought it; leaves when the run is cancelled."""
    while flight is not None:
        context.check_cancelled()
        try:
            flight.result(timeout=0.1)
        except NotYet:
            if flight.done():
                raise
            continue
        return
