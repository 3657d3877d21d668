"""
The threads of the devices, shared by all runs of an engine: one each, or more where equal calls are done as one.

What is submitted waits in one place. A device that is free takes, of all that waits, what the weights manager would have first: the
work whose weights are there, else what makes the fewest bytes move over all runs. Nothing waits for ever: what has waited longer
than `PATIENCE` goes first.
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

PATIENCE = 20.0
"""Seconds after which waiting work is not passed over again."""


@dataclass(eq=False, slots=True)
class _Job:
    offer: Offer | None
    since: float
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class DeviceLane:
    """One daemon thread per device, started with the first work. What is submitted must not raise."""

    def __init__(self, manager: Callable[[], Any]) -> None:
        """
        Args:
            manager: Gives the weights manager, which is asked only for work that uses models.
        """
        self._manager = manager
        self._jobs: list[_Job] = []
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._running: dict[int, tuple[str | None, Offer]] = {}
        """What each thread works on, and for which device."""
        self._closed = False

    def submit(self, offer: Offer | None, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function on a device's thread. `offer` says which use of models it is. Raises RuntimeError once it is closed."""
        with self._changed:
            if self._closed:
                raise RuntimeError(CLOSED)
            self._jobs.append(_Job(offer, time.monotonic(), function, arguments))
            for name in self._missing(offer):
                thread = threading.Thread(target=self._work, args=(name,), name=f"nodetool-device-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            # Which thread should take it is found out by each.
            self._changed.notify_all()

    def close(self) -> None:
        """Let the threads end once they have done what was submitted."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _missing(self, offer: Offer | None) -> list[str | None]:
        """The devices that have no thread yet; without a model, there is need of any thread only."""
        if offer is None:
            return [] if self._threads else [None]
        manager = self._manager()
        # Calls that may become one have to be under way together: then a device has as many threads as it takes calls at once.
        names = [device.name for device in manager.devices] * manager.batch
        return list(names[len(self._threads) :])

    def _work(self, device: str | None) -> None:
        while (job := self._take(device)) is not None:
            with self._on(job, device):
                job.function(*job.arguments)
            with self._changed:
                self._running.pop(threading.get_ident(), None)
                self._changed.notify_all()
            # Not held while waiting for the next one: it may hold large pictures.
            del job

    def _on(self, job: _Job, device: str | None) -> Any:
        if job.offer is None:
            return nullcontext()
        manager = self._manager()
        return manager.on(device or manager.device.name)

    def _take(self, device: str | None) -> _Job | None:
        with self._changed:
            while (index := self._choose(device)) is None:
                if self._closed:
                    return None
                self._changed.wait()
            job = self._jobs.pop(index)
            if job.offer is not None:
                self._running[threading.get_ident()] = (device, job.offer)
            return job

    def _choose(self, device: str | None) -> int | None:
        """Which of the waiting jobs is next; None where there is none for this device."""
        if not self._jobs:
            return None
        if time.monotonic() - self._jobs[0].since > PATIENCE or (len(self._jobs) == len(self._threads) == 1):
            return 0
        free = next((index for index, job in enumerate(self._jobs) if job.offer is None), None)
        if free is not None:
            return free
        manager = self._manager()
        running = [offer for where, offer in self._running.values() if where != device]
        chosen: int | None = manager.pick([job.offer for job in self._jobs], device or manager.device.name, running)
        return chosen
