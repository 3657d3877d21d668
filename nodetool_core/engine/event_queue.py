"""
Bringing events to a listener without the run waiting for it.

Events go into a queue that a thread of its own empties. A listener that falls far behind loses
progress and previews, never results, warnings or errors.
"""

from __future__ import annotations

import logging
import threading
from queue import SimpleQueue

from nodetool_core.engine.events import DROPPABLE, Event, Listener

_log = logging.getLogger(__name__)

BEHIND = 10_000
"""Events waiting, from which on a listener counts as behind."""


class EventQueue:
    """One listener of one run."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._is_closed = False
        self._queue: SimpleQueue[Event | None] = SimpleQueue()
        self.put = self._queue.put
        """`send` for an event that is never dropped."""
        self._thread = threading.Thread(target=self._deliver, name="nodetool-events", daemon=True)
        self._thread.start()

    def send(self, event: Event) -> None:
        if self._is_closed or (isinstance(event, DROPPABLE) and self._queue.qsize() > BEHIND):
            return
        self._queue.put(event)

    def close(self, timeout: float) -> None:
        """Take no further events; leave the listener `timeout` seconds for those that are there."""
        self._is_closed = True
        self._queue.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _deliver(self) -> None:
        while (event := self._queue.get()) is not None:
            try:
                self._listener(event)
            except Exception:  # noqa: BLE001 - a listener is foreign code: its fault is logged, and ends neither the run nor the events
                _log.exception("An event listener failed on %s.", type(event).__name__)
