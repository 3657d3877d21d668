"""
Requests that wait for their run: straight to the one engine, a bounded number at once, the rest in line.

A run ends with its request: when the client goes away, or when the request's time is up, the run is cancelled.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from nodetool_core import inputs
from nodetool_core.engine.options import RunOptions
from nodetool_core.errors import Problem, RunCancelled
from nodetool_core.server.failures import HttpError, busy

if TYPE_CHECKING:
    from nodetool_core.engine.engine import Engine, Run
    from nodetool_core.engine.result import RunResult
    from nodetool_core.server.catalog import Served

Result = TypeVar("Result")

FETCHERS: Final = 16
"""Pictures that are fetched from the web at once."""

Gone = Callable[[], Awaitable[None]]
"""Returns once the client has gone away."""


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Runs:
    """
    Args:
        concurrency: Runs under way at once.
        queue: Requests that may wait besides.
        seconds: How long a request waits for its run once it began.
    """

    def __init__(self, engine: Engine, *, concurrency: int, queue: int, seconds: float) -> None:
        self._engine = engine
        self._turns = asyncio.Semaphore(concurrency)
        self._queue = queue
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(max(4, concurrency), "nodetool-server")
        self._fetchers = ThreadPoolExecutor(FETCHERS, "nodetool-fetch")
        self.waiting = 0
        self.under_way = 0

    async def blocking(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """The result of work that would hold up the event loop: decoding, encoding, files."""
        return await self._on(self._threads, work, arguments)

    async def fetching(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """`blocking` for work that may wait for a foreign server, so that it holds up nobody else."""
        return await self._on(self._fetchers, work, arguments)

    def check_room(self) -> None:
        """Raise HttpError 429 where a request would have to wait and nobody more may: asked before a picture is decoded."""
        if self.waiting >= self._queue and (self.waiting or self._turns.locked()):
            raise busy(f"{self.waiting} requests are waiting for their run already.")

    @contextmanager
    def in_line(self) -> Iterator[None]:
        """While it lasts, somebody waits: for a turn, or for a model."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    async def run(
        self, served: Served, values: Mapping[str, Any], *, outputs: list[str] | None = None, use_cache: bool = True, gone: Gone
    ) -> RunResult:
        """
        Run a workflow with values that are safe, and wait.

        Raises HttpError 429 where too many wait, 504 where it takes too long; ClientGone; RunError and WorkflowError.
        """
        self.check_room()
        watcher = asyncio.ensure_future(gone())
        try:
            await self._take_turn(watcher)
            try:
                return await self._run(served, values, RunOptions(outputs=outputs, use_cache=use_cache, confined=served.confined), watcher)
            finally:
                self.under_way -= 1
                self._turns.release()
        finally:
            watcher.cancel()

    def close(self) -> None:
        for threads in (self._threads, self._fetchers):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _on(self, threads: ThreadPoolExecutor, work: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(threads, lambda: context.run(work, *arguments))

    async def _take_turn(self, watcher: asyncio.Future[None]) -> None:
        turn = asyncio.ensure_future(self._turns.acquire())
        waited: set[asyncio.Future[Any]] = {turn, watcher}
        try:
            with self.in_line():
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            _give_back(turn, self._turns)
            raise
        if watcher.done():
            _give_back(turn, self._turns)
            raise ClientGone
        self.under_way += 1

    async def _run(self, served: Served, values: Mapping[str, Any], options: RunOptions, watcher: asyncio.Future[None]) -> RunResult:
        run = await self.blocking(self._start, served, values, options)
        try:
            future = asyncio.wrap_future(run.future)
            waited: set[asyncio.Future[Any]] = {future, watcher}
            await asyncio.wait(waited, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                run.cancel()
                future.add_done_callback(_look_at)
                if watcher.done():
                    raise ClientGone
                raise HttpError(
                    504, Problem("too_slow", "", f"The run took longer than {self._seconds:g} s.", "Ask for less, or use a job.")
                )
            try:
                return future.result()
            except RunCancelled:
                raise HttpError(503, Problem("cancelled", "", "The run was cancelled."), headers={"Retry-After": "1"}) from None
        except asyncio.CancelledError:
            run.cancel()
            raise

    def _start(self, served: Served, values: Mapping[str, Any], options: RunOptions) -> Run:
        return self._engine.start(inputs.apply(served.graph, values), options=options, base=served.base)


def _give_back(turn: asyncio.Future[Any], turns: asyncio.Semaphore) -> None:
    if turn.done() and not turn.cancelled():
        turns.release()
    else:
        turn.cancel()


def _look_at(future: asyncio.Future[Any]) -> None:
    """An outcome that nobody waits for is no error of the event loop."""
    if not future.cancelled():
        future.exception()
