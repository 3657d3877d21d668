"""The queue by which threads reach a run's scheduler."""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue

from nodetool_core.engine.messages import Message


class Inbox:
    """
    A queue until it is closed.

    What comes later, as from a node that was given up, is let go of: nobody would take it.
    """

    def __init__(self) -> None:
        self._messages: SimpleQueue[Message] = SimpleQueue()
        self._is_closed = False
        self.empty = self._messages.empty

    def put(self, message: Message) -> None:
        self._messages.put(message)
        if self._is_closed:
            self._clear()

    def get(self, timeout: float | None = None) -> Message:
        """Return the next message. Raises queue.Empty where none comes within `timeout` seconds."""
        return self._messages.get(timeout=timeout)

    def close(self) -> None:
        """Let go of what is there and of all that comes."""
        self._is_closed = True
        self._clear()

    def _clear(self) -> None:
        with suppress(Empty):
            while True:
                self._messages.get_nowait()
