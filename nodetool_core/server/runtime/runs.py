"""
Requests that wait for their run.

Straight to the one engine, a bounded number at once, the rest in line.

Images stay encoded while their request waits: 116 kB of a PNG can be 200 MB of pixels, and many may
wait. They are decoded when their turn comes, and turns are given only as far as there is room for
pixels.

A run ends with its request: when the client goes away, or when the request's time is up, the run is
cancelled.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from nodetool_core import inputs
from nodetool_core.engine.options import RunOptions
from nodetool_core.errors import Problem, RunCancelled
from nodetool_core.server.http.http_errors import HttpError, busy
from nodetool_core.server.http.requests import ClientGone
from nodetool_core.server.logs import current_client
from nodetool_core.server.runtime.threads import Threads
from nodetool_core.server.runtime.turns import Turns
from nodetool_core.server.runtime.warmup import ModelWarmup

if TYPE_CHECKING:
    from nodetool_core.engine.engine import Engine
    from nodetool_core.engine.events import Event, Listener
    from nodetool_core.engine.result import RunResult
    from nodetool_core.engine.run import Run
    from nodetool_core.server.served_workflow import ServedWorkflow

Decoded = TypeVar("Decoded", covariant=True)


class EncodedInputs(Protocol[Decoded]):
    """Inputs of a request as they wait for its turn: read and checked, with images encoded."""

    @property
    def decoded_bytes(self) -> int:
        """Bytes of pixels once they are decoded."""
        ...

    def decode(self) -> Decoded:
        """Return the inputs with pixels. Raises ImageError. Blocks."""
        ...


Encoded = TypeVar("Encoded", bound=EncodedInputs[Any])

Gone = Callable[[], Awaitable[None]]
"""Returns once the client has gone away."""


class Runs:
    """
    Runs workflows for requests.

    Args:
        concurrency: Runs under way at once.
        queue: Requests that may wait besides.
        share: Requests of one client that may.
        seconds: How long a request waits for its run once it began.
        decoded_bytes: Most bytes of decoded images of the runs under way.
    """

    def __init__(
        self,
        engine: Engine,
        warmup: ModelWarmup,
        threads: Threads,
        *,
        concurrency: int,
        queue: int,
        share: int,
        seconds: float,
        decoded_bytes: int,
    ) -> None:
        self._engine = engine
        self._warmup = warmup
        self._threads = threads
        self._turns = Turns(concurrency, decoded_bytes)
        self._queue = queue
        self._share = share
        self._seconds = seconds
        self._decoded_bytes = decoded_bytes
        self.waiting = 0
        self._waiting_of = Counter[str]()
        self.under_way = 0

    def check_room(self, size: int = 0) -> None:
        """
        Raise HttpError 429 where a request would have to wait and nobody more may.

        Called before an image is looked at.
        """
        if self.waiting >= self._queue and (self.waiting or not self._turns.has_room(size)):
            raise busy(f"{self.waiting} requests are waiting for their run already.")
        own = self._waiting_of[current_client.get()]
        if own >= self._share and (own or not self._turns.has_room(size)):
            raise busy(
                f"{own} requests of this token are waiting for their run already.",
                code="client_queue_full",
            )

    @contextmanager
    def _in_line(self) -> Iterator[None]:
        """While it lasts, somebody waits: for a turn, or for a model."""
        client = current_client.get()
        self.waiting += 1
        self._waiting_of[client] += 1
        try:
            yield
        finally:
            self.waiting -= 1
            self._waiting_of -= Counter((client,))

    async def run(
        self,
        served: ServedWorkflow,
        read: Callable[[], EncodedInputs[Mapping[str, object]]],
        *,
        outputs: list[str] | None = None,
        use_cache: bool = True,
        load_seconds: float,
        gone: Gone,
    ) -> RunResult:
        """
        Run a workflow for a request, from its inputs to its result.

        Raises what `admit` and `Turn.run` raise, and ImageError for an image that can't be decoded.
        """
        async with self.admit(served, read, load_seconds=load_seconds, gone=gone) as (turn, inputs):
            values = await self._threads.work(inputs.decode)
            return await turn.run(values, outputs=outputs, use_cache=use_cache)

    @asynccontextmanager
    async def admit(
        self,
        served: ServedWorkflow,
        read: Callable[[], Encoded],
        *,
        may_fetch: bool = True,
        load_seconds: float,
        gone: Gone,
    ) -> AsyncIterator[tuple[Turn, Encoded]]:
        """
        Bring a request to its turn, which lasts as long as the block, and give its inputs back.

        In order: room in the queue, the inputs, the models, the turn. What a dialect does besides
        (answer from a cache, say) is the block.

        Args:
            read: Checks the inputs and fetches images; those stay encoded. Blocks.
            may_fetch: Whether `read` may wait for another server.
            load_seconds: How long the request waits for its models.
            gone: Returns once the client has gone away.

        Raises what `read` raises; HttpError 429 where too many wait, 503 where a model is not
        loaded in time, 413 where no turn has room for the images; ClientGone.
        """
        self.check_room()
        inputs = await (self._threads.fetch if may_fetch else self._threads.work)(read)
        if missing := await self._threads.work(self._warmup.missing, served):
            with self._in_line():
                await self._warmup.wait(missing, load_seconds)
        async with self._turn(inputs.decoded_bytes, gone) as watcher:
            yield Turn(self._engine, self._threads, served, self._seconds, watcher), inputs

    @asynccontextmanager
    async def _turn(self, size: int, gone: Gone) -> AsyncIterator[asyncio.Future[None]]:
        """
        Wait for a turn, which lasts as long as the block.

        Yield a future that is done once the client is gone.

        Args:
            size: Bytes of the pixels that the request will decode.

        Raises HttpError 413 where no turn has room for them, 429 where too many wait; ClientGone.
        """
        self._check_size(size)
        self.check_room(size)
        watcher = asyncio.ensure_future(gone())
        try:
            await self._take_turn(size, watcher)
            self.under_way += 1
            try:
                yield watcher
            finally:
                self.under_way -= 1
                self._turns.give_back(size)
        finally:
            watcher.cancel()

    def _check_size(self, size: int) -> None:
        if size > self._decoded_bytes:
            message = (
                f"has images of {size / 2**20:.0f} MiB of pixels, and"
                f" {self._decoded_bytes / 2**20:.0f} MiB are the most."
            )
            raise HttpError(
                413,
                Problem("image_too_large", "The request", message, "Send smaller or fewer images."),
            )

    async def _take_turn(self, size: int, watcher: asyncio.Future[None]) -> None:
        turn = self._turns.ask(size)
        try:
            with self._in_line():
                await asyncio.wait({turn, watcher}, return_when=asyncio.FIRST_COMPLETED)
            if watcher.done():
                raise ClientGone
        except (asyncio.CancelledError, ClientGone):
            self._turns.withdraw(turn, size)
            raise


class Turn:
    """A request's turn to run a workflow."""

    def __init__(
        self,
        engine: Engine,
        threads: Threads,
        served: ServedWorkflow,
        seconds: float,
        gone: asyncio.Future[None],
    ) -> None:
        self._engine = engine
        self.threads = threads
        """What blocks is done on these."""
        self._served = served
        self._seconds = seconds
        self._gone = gone

    def of(self, served: ServedWorkflow) -> Turn:
        """Return the same turn to run another workflow, whose models load as it runs."""
        return Turn(self._engine, self.threads, served, self._seconds, self._gone)

    async def run(
        self,
        values: Mapping[str, object],
        *,
        outputs: list[str] | None = None,
        use_cache: bool = True,
        previews: bool = False,
        on_event: Listener | None = None,
    ) -> RunResult:
        """
        Run the workflow with values that are safe and decoded, and wait.

        Args:
            previews: Whether nodes that can show intermediate images do so.
            on_event: Called with what happens, on a thread of its own.

        Raises HttpError 504 where it takes too long; ClientGone; RunError and WorkflowError.
        """
        options = RunOptions(
            outputs=outputs,
            use_cache=use_cache,
            previews=previews,
            confined=self._served.confined,
        )
        run = await self.threads.work(self._start, values, options, on_event)
        try:
            future = asyncio.wrap_future(run.future)
            waited: set[asyncio.Future[RunResult] | asyncio.Future[None]] = {future, self._gone}
            await asyncio.wait(waited, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                run.cancel()
                future.add_done_callback(_look_at)
                if self._gone.done():
                    raise ClientGone
                raise HttpError(
                    504,
                    Problem(
                        "too_slow",
                        "",
                        f"The run took longer than {self._seconds:g} s.",
                        "Ask for less, or use a job.",
                    ),
                )
            try:
                return future.result()
            except RunCancelled:
                raise HttpError(
                    503,
                    Problem("cancelled", "", "The run was cancelled."),
                    headers={"Retry-After": "1"},
                ) from None
        except asyncio.CancelledError:
            run.cancel()
            raise

    async def stream(
        self,
        values: Mapping[str, object],
        kinds: tuple[type[Event], ...],
        *,
        outputs: list[str] | None = None,
        previews: bool = False,
    ) -> AsyncGenerator[Event | RunResult]:
        """
        Run the workflow as `run` does, and yield its events of some kinds, and its result last.

        The run is cancelled where the generator is closed before its end.
        """
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event | None] = asyncio.Queue()

        def listen(event: Event) -> None:
            if isinstance(event, kinds):
                loop.call_soon_threadsafe(events.put_nowait, event)

        running = asyncio.ensure_future(
            self.run(values, outputs=outputs, previews=previews, on_event=listen)
        )
        running.add_done_callback(lambda done: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            yield running.result()
        finally:
            running.cancel()

    def _start(
        self, values: Mapping[str, object], options: RunOptions, on_event: Listener | None
    ) -> Run:
        served = self._served
        return self._engine.start(
            inputs.apply(served.graph, values),
            options=options,
            on_event=on_event,
            base=served.base,
        )


def _look_at(future: asyncio.Future[RunResult]) -> None:
    """Take note of an outcome that nobody waits for: it is no error of the event loop."""
    if not future.cancelled():
        future.exception()
