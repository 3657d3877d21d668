"""
The threads of the devices, shared by all runs of an engine.

One for each slot in which the weights manager lets calls be under way.

What is submitted waits in one list. A device that is free takes, of all that waits, what the
weights manager would have first: the work whose weights are there, else what makes the fewest bytes
move over all runs. Beside other work it takes only what fits into the device's memory with that.
Nothing waits for ever: what has waited longer than `LONGEST_WAIT` goes first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nodetool_core.engine import permits
from nodetool_core.engine.threads import CLOSED

if TYPE_CHECKING:
    from nodetool_core.models.planning.lookahead import ReadyUse
    from nodetool_core.models.residency.replicas import Slot
    from nodetool_core.models.weights_manager import WeightsManager

LONGEST_WAIT = 20.0
"""Seconds after which waiting work is not passed over again."""


@dataclass(eq=False, slots=True)
class _Job:
    offer: ReadyUse | None
    since: float
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class _Seat:
    """
    A slot as its threads see it.

    One of them works there, others only where the first waits for a run of its own.
    """

    def __init__(self, lane: DeviceLane, slot: Slot | None) -> None:
        self.slot = slot
        """None for what was begun without knowing of any: the first, where there are some."""
        self.threads = 0
        self.away = 0
        """Threads that have left, and wait for something."""
        self.returning = 0
        """Of those, the ones that only wait for the seat."""
        self.working: int | None = None
        """The thread that has it."""
        self.is_finishing = False
        """Whether that thread is done with its node, and on its way back."""
        self._lane = lane
        self._left: dict[int, tuple[str, ReadyUse] | None] = {}

    def release(self) -> None:
        """Let another thread have it; the weights that the node holds stay where they are."""
        lane, own = self._lane, threading.get_ident()
        with lane.changed:
            self._left[own] = lane.running.pop(own, None)
            self.away += 1
            self.working = None
            if self.threads <= self.away:
                lane.start(self)
            lane.changed.notify_all()

    def acquire(self) -> None:
        """Have it again, before any further work begins there."""
        lane, own = self._lane, threading.get_ident()
        with lane.changed:
            self.returning += 1
            lane.changed.wait_for(lambda: self.working is None)
            self.returning -= 1
            self.away -= 1
            self.working = own
            before = self._left.pop(own)
            if before is not None:
                lane.running[own] = before
            lane.changed.notify_all()

    def finish(self) -> None:
        """Note that the node is done with its weights."""
        lane, own = self._lane, threading.get_ident()
        with lane.changed:
            lane.running.pop(own, None)
            self.is_finishing = self.working == own

    def is_free(self) -> bool:
        return self.working is None and not self.returning

    def is_idle(self) -> bool:
        """Return whether it takes what waits as soon as its thread gets to it."""
        return not self.returning and (self.working is None or self.is_finishing)

    def has_too_many(self) -> bool:
        """Return whether a thread that has no work may end: those that left are back."""
        return self.threads > 1 + self.away


class DeviceLane:
    """
    One daemon thread per slot, started with the first work. What is submitted must not raise.
    """

    def __init__(self, manager: Callable[[], WeightsManager | None]) -> None:
        """
        Make the lane, without a thread yet.

        Args:
            manager: Returns the weights manager; called only for work that was planned by it.
        """
        self.changed = threading.Condition()
        self.running: dict[int, tuple[str, ReadyUse]] = {}
        """What each thread works on, and for which device."""
        self._find_manager = manager
        self._jobs: list[_Job] = []
        self._seats: list[_Seat] = []
        self._count = 0
        self._idle: dict[int, _Seat] = {}
        """Where the threads sit that wait for work."""
        self._closed = False

    def submit(self, offer: ReadyUse | None, function: Callable[..., Any], *arguments: Any) -> None:
        """
        Call a function on a device's thread.

        `offer` is the use of models that it is. Raises RuntimeError once it is closed.
        """
        with self.changed:
            if self._closed:
                raise RuntimeError(CLOSED)
            self._jobs.append(_Job(offer, time.monotonic(), function, arguments))
            for slot in self._missing(offer):
                seat = _Seat(self, slot)
                self._seats.append(seat)
                self.start(seat)
            # Which thread should take it is found out by each.
            self.changed.notify_all()

    def close(self) -> None:
        """Let the threads end once they have done what was submitted."""
        with self.changed:
            self._closed = True
            self.changed.notify_all()

    def start(self, seat: _Seat) -> None:
        """Begin another thread at a seat. For holders of the lock."""
        seat.threads += 1
        self._count += 1
        threading.Thread(
            target=self._work, args=(seat,), name=f"nodetool-device-{self._count}", daemon=True
        ).start()

    def _missing(self, offer: ReadyUse | None) -> list[Slot | None]:
        """
        Return the slots that have no thread yet.

        Without a model, there is need of any thread only.
        """
        if offer is None:
            return [] if self._seats else [None]
        return list(self._manager().slots[len(self._seats) :])

    def _work(self, seat: _Seat) -> None:
        while (job := self._take(seat)) is not None:
            with self._at(job, seat.slot), permits.held(seat):
                job.function(*job.arguments)
            with self.changed:
                self.running.pop(threading.get_ident(), None)
                seat.working, seat.is_finishing = None, False
                self.changed.notify_all()
            # Not held while waiting for the next one: it may hold large images.
            del job

    def _manager(self) -> WeightsManager:
        """Return the manager of work that it has planned. Raises RuntimeError where it is gone."""
        manager = self._find_manager()
        if manager is None:
            raise RuntimeError("The work was planned by a weights manager that is not there.")
        return manager

    def _at(self, job: _Job, slot: Slot | None) -> AbstractContextManager[None]:
        # Models that nobody foresaw go wherever they are, but the first seat of a device is another
        # thread's.
        if job.offer is None and (slot is None or slot.replica == 0):
            return nullcontext()
        return self._manager().at(self._known(slot))

    def _take(self, seat: _Seat) -> _Job | None:
        own = threading.get_ident()
        with self.changed:
            self._idle[own] = seat
            try:
                while (index := self._choose(seat)) is None:
                    if self._closed or seat.has_too_many():
                        seat.threads -= 1
                        return None
                    self.changed.wait()
            finally:
                del self._idle[own]
            job = self._jobs.pop(index)
            seat.working = own
            if job.offer is not None:
                self.running[own] = (self._known(seat.slot).device, job.offer)
            if self._jobs:
                self.changed.notify_all()
            return job

    def _is_nearer_idle(self, slot: Slot | None) -> bool:
        """
        Return whether a seat before this one is free, so that no more than needed are furnished.
        """
        if slot is None or slot.replica == 0:
            return False
        free = [self._known(seat.slot) for seat in self._idle.values() if seat.is_free()]
        return any(other.device == slot.device and other.replica < slot.replica for other in free)

    def _known(self, slot: Slot | None) -> Slot:
        return slot or self._manager().slots[0]

    def _choose(self, seat: _Seat) -> int | None:
        """Return which of the waiting jobs is next; None where there is none for this seat."""
        if not self._jobs or not seat.is_free() or self._is_nearer_idle(seat.slot):
            return None
        first = self._jobs[0]
        is_due = time.monotonic() - first.since > LONGEST_WAIT
        if len(self._jobs) == len(self._seats) == 1 or (is_due and first.offer is None):
            return 0
        free = next((index for index, job in enumerate(self._jobs) if job.offer is None), None)
        if free is not None and not is_due:
            return free
        manager, device = self._manager(), self._known(seat.slot).device
        beside = [offer for where, offer in self.running.values() if where == device]
        if is_due and first.offer is not None:
            return 0 if manager.fits(first.offer, device, beside) else free
        fitting = [
            (index, job.offer)
            for index, job in enumerate(self._jobs)
            if job.offer is not None and manager.fits(job.offer, device, beside)
        ]
        if not fitting:
            return None
        elsewhere = [offer for where, offer in self.running.values() if where != device]
        idle = {self._known(one.slot).device for one in self._seats if one.is_idle()}
        offers = [offer for _, offer in fitting]
        chosen = manager.pick(offers, device, elsewhere, idle - {device})
        return None if chosen is None else fitting[chosen][0]
