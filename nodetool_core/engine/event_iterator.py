"""The events of a run as an async iterator."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Final

from nodetool_core.engine.events import DROPPABLE, AsyncListener, Event, Listener, RunFinished

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from nodetool_core.engine.result import RunResult
    from nodetool_core.engine.run import Run

_log = logging.getLogger(__name__)

MAX_WAITING: Final = 1000
"""Events that may wait for a reader before it does without those of `DROPPABLE`."""


async def iterate_events(begin: Callable[[Listener], Run]) -> AsyncGenerator[Event, None]:
    """
    Begin a run with a listener and yield what it hears.

    Raises the run's error after the last event. Leaving early cancels the run.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[Event] = asyncio.Queue()

    def listen(event: Event) -> None:
        if isinstance(event, DROPPABLE) and waiting.qsize() >= MAX_WAITING:
            return
        if not loop.is_closed():
            loop.call_soon_threadsafe(waiting.put_nowait, event)

    run = begin(listen)
    try:
        while True:
            event = await waiting.get()
            yield event
            if isinstance(event, RunFinished):
                break
        await asyncio.wrap_future(run.future)
    finally:
        run.cancel()


def is_awaited(listener: Listener | AsyncListener | None) -> TypeIs[AsyncListener]:
    """Return whether a listener is a coroutine function."""
    return inspect.iscoroutinefunction(listener) or inspect.iscoroutinefunction(
        getattr(listener, "__call__", None)  # noqa: B004 - whether it is a coroutine function, not whether it is there
    )


async def run_with_listener(begin: Callable[[Listener], Run], listener: AsyncListener) -> RunResult:
    """
    Begin a run, await its listener for each event, and return the result.

    Raises the run's error, after the last event.
    """
    runs: list[Run] = []

    def begun(listen: Listener) -> Run:
        runs.append(begin(listen))
        return runs[0]

    async for event in iterate_events(begun):
        try:
            await listener(event)
        except Exception:  # noqa: BLE001 - a listener is foreign code: its fault is logged, and does not end the run
            _log.exception("An event listener failed on %s.", type(event).__name__)
    return runs[0].future.result()
