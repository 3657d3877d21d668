"""The events of a run on their way to the database: collected, and of progress only the last."""

from __future__ import annotations

import threading
import time

from nodetool_core.engine.events import Event, NodeFailed, NodePreview, NodeProgress, event_json
from nodetool_core.jobs.records import TimedEvent


class EventBuffer:
    """
    The listener of one run.

    Of a node's progress since the last `seal`, the newest counts. Of previews, the newest of each
    node is held while the run lasts, and none is stored. Tracebacks go to the worker's log and not
    to clients.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sealed: list[TimedEvent] = []
        self._open: dict[object, TimedEvent] = {}
        self._previews: dict[str, tuple[int, NodePreview]] = {}
        self._shown = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, NodePreview):
            with self._lock:
                self._shown += 1
                self._previews[event.node_id] = self._shown, event
            return
        if isinstance(event, NodeFailed):
            event = event._replace(traceback="")
        timed = TimedEvent(time.time(), event_json(event))
        key: object = event.node_id if isinstance(event, NodeProgress) else id(timed)
        with self._lock:
            self._open.pop(key, None)
            self._open[key] = timed

    def previews(self, after: int) -> list[tuple[int, NodePreview]]:
        """Return the newest preview of each node, numbered, of those after a number."""
        with self._lock:
            found = [one for one in self._previews.values() if one[0] > after]
        return sorted(found, key=lambda one: one[0])

    def seal(self) -> bool:
        """Set apart what has happened so far; return whether there is anything to be stored."""
        with self._lock:
            self._sealed += self._open.values()
            self._open.clear()
            return bool(self._sealed)

    def take_sealed(self) -> list[TimedEvent]:
        """Return what was set apart."""
        with self._lock:
            taken, self._sealed = self._sealed, []
            return taken

    def take(self) -> list[TimedEvent]:
        """Return everything that has happened."""
        self.seal()
        return self.take_sealed()

    def give_back(self, events: list[TimedEvent]) -> None:
        """Put back events that could not be stored; they come before all others next time."""
        with self._lock:
            self._sealed = events + self._sealed
