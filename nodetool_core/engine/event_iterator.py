"""The events of a run as an async iterator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Final

from nodetool_core.engine.events import DROPPABLE, Event, Listener, RunFinished

if TYPE_CHECKING:
    from nodetool_core.engine.run import Run

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
