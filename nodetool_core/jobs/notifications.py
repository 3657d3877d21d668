"""
Waking whoever waits in this process when this process has changed something.

Pattern: subscribe first, look, then wait: what changes between looking and waiting has set the flag
already. What another process changes causes no notification here; waiters look again after a
bounded time (`JobSettings.poll`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

QUEUE = ""
"""The topic of whoever waits for work; all others are ids of jobs."""


class Notifier:
    """Topics, and who is subscribed to each. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: dict[str, set[Callable[[], None]]] = {}

    def notify(self, *topics: str) -> None:
        """Notify those who wait that something has changed."""
        with self._lock:
            subscribers = [wake for topic in topics for wake in self._subscribers.get(topic, ())]
        for wake in subscribers:
            wake()

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[Subscription]:
        """Subscribe a thread that waits."""
        subscription = Subscription()
        with self._subscribed(topic, subscription.wake):
            yield subscription

    @contextmanager
    def subscribe_async(self, topic: str) -> Iterator[AsyncSubscription]:
        """Subscribe a coroutine that waits, in the event loop that runs now."""
        subscription = AsyncSubscription(asyncio.get_running_loop())
        with self._subscribed(topic, subscription.wake):
            yield subscription

    @contextmanager
    def _subscribed(self, topic: str, wake: Callable[[], None]) -> Iterator[None]:
        with self._lock:
            self._subscribers.setdefault(topic, set()).add(wake)
        try:
            yield
        finally:
            with self._lock:
                self._subscribers[topic].discard(wake)
                if not self._subscribers[topic]:
                    del self._subscribers[topic]


class Subscription:
    """Waits in a thread."""

    def __init__(self) -> None:
        self._heard = threading.Event()
        self.wake = self._heard.set

    def wait(self, timeout: float | None) -> None:
        """Until something has changed since the last wait, or the time is up."""
        self._heard.wait(timeout)
        self._heard.clear()


class AsyncSubscription:
    """Waits in an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heard = asyncio.Event()

    def wake(self) -> None:
        # A loop that was closed has nobody left who waits.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._heard.set)

    async def wait(self, timeout: float | None) -> bool:
        """
        Wait until something has changed since the last wait, or the time is up.

        Returns whether something has changed.
        """
        try:
            await asyncio.wait_for(self._heard.wait(), timeout)
        except TimeoutError:
            return False
        self._heard.clear()
        return True
