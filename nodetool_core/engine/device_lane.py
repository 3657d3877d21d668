"""
The threads of the devices, shared by all runs of an engine: one for each place where the weights manager lets calls be under way.

What is submitted waits in one place. A device that is free takes, of all that waits, what the weights manager would have first: the
work whose weights are there, else what makes the fewest bytes move over all runs. Beside other work it takes only what fits into the
device's memory with that. Nothing waits for ever: what has waited longer than `PATIENCE` goes first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nodetool_core.engine.threads import CLOSED

if TYPE_CHECKING:
    from nodetool_core.models.foresight import Offer
    from nodetool_core.models.seats import Place

PATIENCE = 20.0
"""Seconds after which waiting work is not passed over again."""


@dataclass(eq=False, slots=True)
class _Job:
    offer: Offer | None
    since: float
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class DeviceLane:
    """One daemon thread per place, started with the first work. What is submitted must not raise."""

    def __init__(self, manager: Callable[[], Any]) -> None:
        """
        Args:
            manager: Gives the weights manager, which is asked only for work that uses models.
        """
        self._manager = manager
        self._jobs: list[_Job] = []
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._running: dict[int, tuple[str, Offer]] = {}
        """What each thread works on, and for which device."""
        self._idle: dict[int, Place | None] = {}
        """Where the threads sit that wait for work."""
        self._closed = False

    def submit(self, offer: Offer | None, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function on a device's thread. `offer` says which use of models it is. Raises RuntimeError once it is closed."""
        with self._changed:
            if self._closed:
                raise RuntimeError(CLOSED)
            self._jobs.append(_Job(offer, time.monotonic(), function, arguments))
            for place in self._missing(offer):
                thread = threading.Thread(target=self._work, args=(place,), name=f"nodetool-device-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            # Which thread should take it is found out by each.
            self._changed.notify_all()

    def close(self) -> None:
        """Let the threads end once they have done what was submitted."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _missing(self, offer: Offer | None) -> list[Place | None]:
        """The places that have no thread yet; without a model, there is need of any thread only."""
        if offer is None:
            return [] if self._threads else [None]
        return list(self._manager().places[len(self._threads) :])

    def _work(self, place: Place | None) -> None:
        """`place` is None for what was begun without knowing of any: the first, where there are some."""
        while (job := self._take(place)) is not None:
            with self._at(job, place):
                job.function(*job.arguments)
            with self._changed:
                self._running.pop(threading.get_ident(), None)
                self._changed.notify_all()
            # Not held while waiting for the next one: it may hold large pictures.
            del job

    def _at(self, job: _Job, place: Place | None) -> Any:
        # Models that nobody foresaw go wherever they are, but the first seat of a device is another thread's.
        if job.offer is None and (place is None or place.seat == 0):
            return nullcontext()
        return self._manager().at(self._known(place))

    def _take(self, place: Place | None) -> _Job | None:
        own = threading.get_ident()
        with self._changed:
            self._idle[own] = place
            try:
                while (index := self._choose(place)) is None:
                    if self._closed:
                        return None
                    self._changed.wait()
            finally:
                del self._idle[own]
            job = self._jobs.pop(index)
            if job.offer is not None:
                self._running[own] = (self._known(place).device, job.offer)
            if self._jobs:
                self._changed.notify_all()
            return job

    def _is_nearer_idle(self, place: Place | None) -> bool:
        """Whether a seat before this one is free, so that no more are furnished than are used at once."""
        if place is None or place.seat == 0:
            return False
        return any(other.device == place.device and other.seat < place.seat for other in map(self._known, self._idle.values()))

    def _known(self, place: Place | None) -> Place:
        found: Place = place or self._manager().places[0]
        return found

    def _choose(self, place: Place | None) -> int | None:
        """Which of the waiting jobs is next; None where there is none for this place."""
        if not self._jobs or self._is_nearer_idle(place):
            return None
        first = self._jobs[0]
        is_due = time.monotonic() - first.since > PATIENCE
        if len(self._jobs) == len(self._threads) == 1 or (is_due and first.offer is None):
            return 0
        free = next((index for index, job in enumerate(self._jobs) if job.offer is None), None)
        if free is not None and not is_due:
            return free
        manager, device = self._manager(), self._known(place).device
        beside = [offer for where, offer in self._running.values() if where == device]
        if is_due:
            return 0 if manager.fits(first.offer, device, beside) else free
        fitting = [index for index, job in enumerate(self._jobs) if manager.fits(job.offer, device, beside)]
        elsewhere = [offer for where, offer in self._running.values() if where != device]
        chosen = manager.pick([self._jobs[index].offer for index in fitting], device, elsewhere) if fitting else None
        return None if chosen is None else fitting[chosen]
