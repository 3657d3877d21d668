"""
The threads of a server's blocking work, so that none of it holds up the event loop.

There are two pools: one for work of this machine, and one for work that may wait for another
server, which then delays nobody else. Routes that do nothing but block are plain functions; the
framework runs them on as many threads again (`app.create_app`).
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

FEWEST: Final = 4
"""Threads that a server has at least, however few runs it does at once."""

FETCHERS: Final = 16
"""Images that are fetched from the web at once."""


class Threads:
    """
    Runs blocking work.

    Args:
        concurrency: Runs under way at once.
    """

    def __init__(self, concurrency: int) -> None:
        self.count = max(FEWEST, concurrency)
        self._workers = ThreadPoolExecutor(self.count, "nodetool-server")
        self._fetchers = ThreadPoolExecutor(FETCHERS, "nodetool-fetch")

    async def work(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Return the result of blocking work: decoding, encoding, files, the database."""
        return await _run_on(self._workers, lambda: function(*args, **kwargs))

    async def fetch(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Return the result of work that may wait for another server."""
        return await _run_on(self._fetchers, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Drop what has not begun."""
        for pool in (self._workers, self._fetchers):
            pool.shutdown(wait=False, cancel_futures=True)


async def _run_on(pool: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(pool, lambda: context.run(work))
