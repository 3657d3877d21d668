"""
What the runs under way will use: which use is next, what has to go, what to fetch ahead.

Each run has a *forecast*: the uses that are left of it, each with those that come before. All
forecasts together make one problem for `load_planner.plan_loads`, so that runs that share a manager
share its loads as well: what one run needs next is not dropped for another, and of two uses the one
goes first after which fewer bytes are loaded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodetool_core.models.planning.load_planner import least_worth, plan_loads
from nodetool_core.models.planning.schedule import Step, Use

if TYPE_CHECKING:
    from nodetool_core.models.residency.component import Component
    from nodetool_core.models.residency.devices import Device
    from nodetool_core.models.residency.weight_store import WeightStore
    from nodetool_core.references import ModelRef

HORIZON = 96
"""How many uses are looked ahead at, over all runs."""

_EFFORT = 400
_DISK, _HOST = 1.0, 0.1
"""What reading a byte again costs, from disk and from host memory, in units of the former."""


@dataclass(frozen=True, slots=True)
class PlannedUse:
    """A use that is left of a run."""

    models: tuple[ModelRef, ...]
    after: frozenset[int] = frozenset()
    """Names of the uses, of the same run, that it waits for."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadyUse:
    """A use that could begin now."""

    forecast: RunForecast
    """Whose it is."""
    name: int
    parts: frozenset[Hashable]


class RunForecast:
    """
    What is left of one run.

    The engine updates it, and whoever plans reads it. Close it when the run ends, however it ends.
    """

    def __init__(self, lookahead: LookaheadPlanner) -> None:
        self._lookahead = lookahead
        self.planned: dict[int, tuple[frozenset[Hashable], frozenset[int]]] = {}
        """Parts and predecessors of each use, by its name, in an order in which they could run."""

    def update(self, uses: Mapping[int, PlannedUse]) -> None:
        """
        Replace what is left of the run.

        Uses by any names, each after those that it waits for.
        """
        parts = self._lookahead.keys_of
        self.planned = {
            name: (frozenset().union(*(parts(ref) for ref in use.models)), use.after)
            for name, use in uses.items()
        }

    def choose(self, ready: Sequence[int]) -> int:
        """
        Return which of these uses, all of which could begin now, should be next.

        Of those that need no load, the first.
        """
        return ready[self._lookahead.choose([self.ready_use(name) for name in ready])]

    def ready_use(self, name: int) -> ReadyUse:
        """Return a use as it was planned last."""
        return ReadyUse(self, name, self.planned[name][0])

    def close(self) -> None:
        """End the forecast of a run, which will use nothing more."""
        self._lookahead.forget(self)


class LookaheadPlanner:
    """The forecasts of all runs of one manager."""

    def __init__(
        self,
        store: WeightStore,
        devices: Sequence[Device],
        keys_of: Callable[[ModelRef], frozenset[Hashable]],
        size: Callable[[Hashable], int],
    ) -> None:
        """
        Make a planner without a run.

        Args:
            keys_of: The keys of the components that a model is made of.
            size: Bytes of a component.
        """
        self.keys_of = keys_of
        self._store = store
        self._devices = devices
        self._size = size
        self._forecasts: list[RunForecast] = []
        self._lock = threading.Lock()

    def forecast(self) -> RunForecast:
        made = RunForecast(self)
        with self._lock:
            self._forecasts.append(made)
        return made

    def forget(self, forecast: RunForecast) -> None:
        with self._lock:
            if forecast in self._forecasts:
                self._forecasts.remove(forecast)

    def needed(self) -> set[Hashable]:
        """Return every part that some run will use."""
        with self._lock:
            return {
                part
                for forecast in self._forecasts
                for parts, _ in forecast.planned.values()
                for part in parts
            }

    def pick(
        self,
        ready: Sequence[ReadyUse],
        device: Device,
        running: Sequence[ReadyUse] = (),
        idle: Collection[str] = (),
    ) -> int | None:
        """
        Return which of the uses that are ready a device that is free should take.

        None where they are better left to another device, whichever of two free ones looks first.
        Models stay where they are: what another device has is taken only where more than one use
        of it waits, besides the one that this device takes itself where it is idle. What no device
        has is left to an idle one where less has to go for it.

        Args:
            running: What is under way on other devices.
            idle: Names of the other devices that could take something at once.
        """
        if len(self._devices) == 1:
            return self.choose(ready, device)
        parts = [use.parts for use in ready]
        for index, some in enumerate(parts):
            if self._store.is_placed(some, device.name):
                return index
        under_way = {use.parts for use in running}
        left = []
        for index, some in enumerate(parts):
            holders = {one.name for one in self._devices if self._store.is_placed(some, one.name)}
            if holders or some in under_way:
                is_ours = parts.count(some) - len(holders.intersection(idle)) > 1
            else:
                excess = self._excess(some, device.name)
                is_ours = all(self._excess(some, name) >= excess for name in idle)
            if is_ours:
                left.append(index)
        return left[self.choose([ready[index] for index in left], device)] if left else None

    def fits(self, use: ReadyUse, device: str, beside: Sequence[ReadyUse]) -> bool:
        """
        Return whether the budget of a device is enough for a use beside those under way on it.

        Alone, every use is let run.
        """
        if not beside:
            return True
        parts = use.parts.union(*(other.parts for other in beside))
        return (
            sum(self._size(part) for part in parts)
            <= self._store.budgets[device] - self._store.activations[device]
        )

    def choose(self, ready: Sequence[ReadyUse], device: Device | None = None) -> int:
        """
        Return which of the uses that are ready should be next.

        One that needs no load, else the one that the plan has first.
        """
        if len(ready) == 1:
            return 0
        devices = self._devices if device is None else [device]
        parts = [use.parts for use in ready]
        placed = [
            index
            for index, some in enumerate(parts)
            if any(self._store.is_placed(some, one.name) for one in devices)
        ]
        if placed:
            return placed[0]
        if len(set(parts)) == 1:
            return 0
        uses, owners = self._uses()
        position = {owner: index for index, owner in enumerate(owners)}
        order = {step.use: rank for rank, step in enumerate(self._plan(uses, devices[0]))}
        ranks = [
            order.get(position.get((id(use.forecast), use.name), -1), len(order)) for use in ready
        ]
        return ranks.index(min(ranks))

    def victims(
        self,
        candidates: Sequence[Component],
        shortfall: int,
        coming: Collection[Hashable],
        device: Device | None,
    ) -> list[Component]:
        """Return what goes so that `shortfall` bytes become free: see `ChooseVictims`."""
        uses, _ = self._uses()
        needed = {part for use in uses for part in use.parts}
        dead = [one for one in candidates if one.key not in needed]
        sizes = {one: one.bytes for one in candidates}
        if sum(one.bytes for one in dead) >= shortfall:
            return least_worth([(-self._staleness(one), one) for one in dead], sizes, shortfall)
        by_key = {one.key: one for one in candidates}
        chosen = dead
        if device is not None:
            ahead = [
                Use(frozenset(coming)),
                *(Use(use.parts, frozenset(earlier + 1 for earlier in use.after)) for use in uses),
            ]
            pinned = [one.key for one in self._placed(device) if one.key not in by_key]
            first = self._plan(ahead, device, first=0, pinned=pinned)[0]
            chosen = [by_key[key] for key in first.drops if key in by_key]
        missing = shortfall - sum(one.bytes for one in chosen)
        rest = [one for one in candidates if one not in chosen]
        return chosen + least_worth(
            [(-_distance(one.key, uses), one) for one in rest], sizes, missing
        )

    def next_load(self, device: Device) -> Step[Hashable] | None:
        """
        Return the next load that is known to come to a device, with what goes for it.

        None where all that is known of is there.

        What is still used before that load is not among what goes: then the load can't be done
        ahead of its time. Nor does anything go where there are several devices, as another one may
        do what comes.
        """
        uses, _ = self._uses()
        others = [one.name for one in self._devices if one != device]
        if not uses or any(self._store.is_placed(uses[0].parts, name) for name in others):
            return None
        in_between: set[Hashable] = set()
        for step in self._plan(uses, device):
            if step.loads:
                return None if step.drops & in_between or (others and step.drops) else step
            in_between |= uses[step.use].parts
        return None

    def _plan(
        self,
        uses: Sequence[Use[Hashable]],
        device: Device,
        first: int | None = None,
        pinned: Collection[Hashable] = (),
    ) -> list[Step[Hashable]]:
        there = {one.key: one.bytes for one in self._placed(device)}
        sizes: dict[Hashable, int] = {
            part: self._size(part) for use in uses for part in use.parts
        } | there
        budget = self._store.budgets[device.name] - self._store.activations[device.name]
        return plan_loads(
            uses, sizes, budget, list(there), first=first, pinned=pinned, effort=_EFFORT
        ).steps

    def _excess(self, parts: frozenset[Hashable], device: str) -> float:
        """Return the bytes that have to leave a device before parts that it lacks can come."""
        return max(0, sum(self._size(part) for part in parts) - self._store.free_bytes(device))

    def _placed(self, device: Device) -> list[Component]:
        return [one for one in self._store.components() if one.device == device and one.is_placed]

    def _uses(self) -> tuple[list[Use[Hashable]], list[tuple[int, int]]]:
        """
        Return the uses of all runs, up to the horizon, with each use's run and its name there.

        Each run has an equal share.
        """
        with self._lock:
            known = [
                (forecast, forecast.planned) for forecast in self._forecasts if forecast.planned
            ]
        share = max(4, HORIZON // max(1, len(known)))
        uses: list[Use[Hashable]] = []
        owners = []
        for forecast, planned in known:
            position: dict[int, int] = {}
            for name, (parts, after) in list(planned.items())[:share]:
                earlier = frozenset(position[one] for one in after if one in position)
                position[name] = len(uses)
                uses.append(Use(parts, earlier))
                owners.append((id(forecast), name))
        return uses, owners

    def _staleness(self, one: Component) -> float:
        """Return how long it was not used, weighted by how cheap it is to have it back."""
        latest = max((other.used for other in self._store.components()), default=0)
        return (latest - one.used + 1) / (_HOST if one.host_copy is not None else _DISK)


def _distance(key: Hashable, uses: Sequence[Use[Hashable]]) -> int:
    """
    Return how many uses come before the next one of a part, taking them in the order of the list.
    """
    return next((index for index, use in enumerate(uses) if key in use.parts), len(uses))
