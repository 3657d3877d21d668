"""A coroutine of a node on the engine's event loop, begun and cancelled from another thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

Task = asyncio.Task[Any]


class Spawned:
    """
    A coroutine on its way.

    `done` gets the task when it has really ended: what it does about a cancel in its `finally` belongs to it, which a future of
    `asyncio.run_coroutine_threadsafe` does not wait for. Only the first cancel counts, so that a second can't cut that short.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], done: Callable[[Task], None], alive: set[Spawned]
    ) -> None:
        """
        Args:
            alive: Where it is kept until it has ended: a loop holds its tasks weakly, so that one that nothing else knows is lost.
        """
        self._loop = loop
        self._done = done
        self._alive = alive
        self._task: Task | None = None
        self._is_cancelled = False
        alive.add(self)
        loop.call_soon_threadsafe(self._begin, work)

    def cancel(self) -> None:
        # The engine may have been closed meanwhile, and its loop with it.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._cancel)

    def _begin(self, work: Coroutine[Any, Any, Any]) -> None:
        self._task = self._loop.create_task(work)
        self._task.add_done_callback(self._ended)

    def _ended(self, task: Task) -> None:
        self._alive.discard(self)
        # Whoever is told knows this object, which must know neither him nor the result any more.
        done, self._done, self._task = self._done, _nothing, None
        done(task)

    def _cancel(self) -> None:
        if self._task is not None and not self._is_cancelled:
            self._is_cancelled = True
            self._task.cancel()


def _nothing(task: Task) -> None:
    """Stands for whoever was told."""
