"""
Coroutines of nodes on the engine's event loops, begun and cancelled from other threads.

A run that is begun inside a coroutine node has its own coroutines on a loop one level further in
(`LEVEL`). So a coroutine may wait for such a run by blocking, which it had better not, for it holds
up all others on its loop; it does not wait for itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from contextlib import closing, suppress
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, Final

from nodetool_core.engine.threads import CLOSED

if TYPE_CHECKING:
    import asyncio

    Task = asyncio.Task[Any]

LEVEL: Final[ContextVar[int]] = ContextVar("nodetool_level", default=0)
"""Which loop a run has that is begun here."""


class EventLoops:
    """
    The event loops of an engine by level.

    Each on a daemon thread that starts when it is first needed.
    """

    def __init__(self) -> None:
        self._loops: dict[int, asyncio.AbstractEventLoop] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    def at(self, level: int) -> asyncio.AbstractEventLoop:
        """Return the loop of a level. Raises RuntimeError once they are closed."""
        with self._lock:
            if self._is_closed:
                raise RuntimeError(CLOSED)
            loop = self._loops.get(level)
            if loop is None:
                # Not before: most runs have no coroutine, and it takes long to import.
                import asyncio

                loop = self._loops[level] = asyncio.new_event_loop()
                threading.Thread(
                    target=_run, args=(loop,), name=f"nodetool-loop-{level}", daemon=True
                ).start()
            return loop

    def close(self) -> None:
        """Let the loops end. What is still on them is cancelled."""
        with self._lock:
            self._is_closed = True
            for loop in self._loops.values():
                loop.call_soon_threadsafe(loop.stop)
            self._loops = {}


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """
    Run a loop until it is stopped.

    Then what nodes have left on it ends, and its file descriptors are given back.
    """
    with closing(loop):
        loop.run_forever()
        loop.run_until_complete(_end_all())
        loop.run_until_complete(loop.shutdown_asyncgens())


async def _end_all() -> None:
    import asyncio

    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class Spawned:
    """
    A coroutine on its way.

    `done` gets the task when it has really ended: what it does about a cancel in its `finally`
    belongs to it, which a future of `asyncio.run_coroutine_threadsafe` does not wait for. Only the
    first cancel counts, so that a second can't cut that short.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any],
        done: Callable[[Task], None],
        alive: set[Spawned],
        context: Context,
    ) -> None:
        """
        Begin a coroutine on a loop.

        Args:
            alive: Where it is kept until it has ended: a loop holds its tasks weakly, so that one
                that nothing else knows is lost.
            context: The values of context variables that it sees.
        """
        self._loop = loop
        self._done = done
        self._alive = alive
        self._task: Task | None = None
        self._is_cancelled = False
        alive.add(self)
        loop.call_soon_threadsafe(self._begin, work, context)

    def cancel(self) -> None:
        # The engine may have been closed meanwhile, and its loop with it.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._cancel)

    def _begin(self, work: Coroutine[Any, Any, Any], context: Context) -> None:
        self._task = self._loop.create_task(work, context=context)
        self._task.add_done_callback(self._ended)

    def _ended(self, task: Task) -> None:
        self._alive.discard(self)
        # The callback knows this object, which must know neither it nor the result any more.
        done, self._done, self._task = self._done, _nothing, None
        done(task)

    def _cancel(self) -> None:
        if self._task is not None and not self._is_cancelled:
            self._is_cancelled = True
            self._task.cancel()


def _nothing(task: Task) -> None:
    """Stands for a callback that was called."""
