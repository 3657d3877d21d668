"""
Waking whoever waits in this process when this process has changed something.

Pattern: listen first, look, then wait: what changes between looking and waiting has set the flag
already. What another process changes is not heard here; waiters look again after a bounded time
(`JobSettings.poll`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

QUEUE = ""
"""The topic of whoever waits for work; all others are ids of jobs."""


class Signals:
    """Topics, and who listens to each. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[str, set[Callable[[], None]]] = {}

    def tell(self, *topics: str) -> None:
        """Something has changed."""
        with self._lock:
            listeners = [wake for topic in topics for wake in self._listeners.get(topic, ())]
        for wake in listeners:
            wake()

    @contextmanager
    def listen(self, topic: str) -> Iterator[Ear]:
        """For a thread that waits."""
        ear = Ear()
        with self._listening(topic, ear.wake):
            yield ear

    @contextmanager
    def listen_async(self, topic: str) -> Iterator[AsyncEar]:
        """For a coroutine that waits, in the event loop that runs now."""
        ear = AsyncEar(asyncio.get_running_loop())
        with self._listening(topic, ear.wake):
            yield ear

    @contextmanager
    def _listening(self, topic: str, wake: Callable[[], None]) -> Iterator[None]:
        with self._lock:
            self._listeners.setdefault(topic, set()).add(wake)
        try:
            yield
        finally:
            with self._lock:
                self._listeners[topic].discard(wake)
                if not self._listeners[topic]:
                    del self._listeners[topic]


class Ear:
    """Waits in a thread."""

    def __init__(self) -> None:
        self._heard = threading.Event()
        self.wake = self._heard.set

    def wait(self, timeout: float | None) -> None:
        """Until something has changed since the last wait, or the time is up."""
        self._heard.wait(timeout)
        self._heard.clear()


class AsyncEar:
    """Waits in an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heard = asyncio.Event()

    def wake(self) -> None:
        # A loop that was closed has nobody left who waits.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._heard.set)

    async def wait(self, timeout: float | None) -> None:
        """Until something has changed since the last wait, or the time is up."""
        try:
            await asyncio.wait_for(self._heard.wait(), timeout)
        except TimeoutError:
            return
        self._heard.clear()
