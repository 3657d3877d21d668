"""
Calling nodes: here, on a thread, or on the event loop.

What came of it goes back to the scheduler through its inbox.
"""

from __future__ import annotations

import contextvars
import threading
import time
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from nodetool_core.context import Context, Reporter
from nodetool_core.engine import events, permits
from nodetool_core.engine.attempt import Attempt, ItemSource, further_in
from nodetool_core.engine.compiled_node import CompiledNode, Values
from nodetool_core.engine.frames import Frame, Stream
from nodetool_core.engine.inbox import Inbox
from nodetool_core.engine.messages import Began, Done, Failed, Item, StreamEnded
from nodetool_core.engine.node_inputs import NodeInputs
from nodetool_core.engine.result import RunResult
from nodetool_core.engine.run_environment import RunEnvironment
from nodetool_core.engine.steps import NodeStep
from nodetool_core.errors import Problem, RunCancelled
from nodetool_core.node_base import Lane, Node
from nodetool_core.services import ServiceError, Services

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from PIL import Image

    from nodetool_core.engine.coroutines import Task
    from nodetool_core.engine.events import Event


class NodeInvoker:
    """Calls the nodes of one run."""

    def __init__(self, inputs: NodeInputs, environment: RunEnvironment, result: RunResult) -> None:
        self.inbox = Inbox()
        self.cancelled = threading.Event()
        self._inputs = inputs
        self._environment = environment
        self._result = result

    def here(self, frame: Frame, step: NodeStep) -> Values:
        """Call a step on this thread."""
        compiled = step.compiled
        returned = contextvars.copy_context().run(
            compiled.call, self._inputs.instance(frame, step), self.context(step)
        )
        return compiled.values(returned)

    # -- elsewhere ---------------------------------------------------------------------------------

    def submit(self, frame: Frame, step: NodeStep, attempt: Attempt) -> None:
        """
        Call a step elsewhere.

        Raises MisfitError at once where a value that arrived does not fit.
        """
        compiled = step.compiled
        instance, context = self._inputs.instance(frame, step), self.context(step, attempt)
        if not compiled.spec.is_async:
            threads, variables = self._environment.threads[attempt.lane], contextvars.copy_context()
            attempt.make_way = threads.submit(
                variables.run, self._work, frame, step, instance, context, attempt
            )
            return

        def answer(task: Task) -> None:
            error = _error_of(task, attempt)
            self.inbox.put(
                Failed(attempt, frame, step, error)
                if error
                else Done(attempt, frame, step, *task.result())
            )

        self._begins(attempt, frame, step)
        work = _awaited(compiled, instance, context)
        attempt.task = self._environment.spawn(work, answer, further_in())

    def _work(
        self, frame: Frame, step: NodeStep, instance: Node, context: Context, attempt: Attempt
    ) -> None:
        compiled = step.compiled
        self._begins(attempt, frame, step)
        started = time.perf_counter()
        try:
            values = compiled.values(compiled.call(instance, context))
        except BaseException as error:  # noqa: BLE001 - crosses a thread: it is reported where it is received
            permits.finished()
            self.inbox.put(Failed(attempt, frame, step, error))
            return
        permits.finished()
        self.inbox.put(Done(attempt, frame, step, values, time.perf_counter() - started))

    def _begins(self, attempt: Attempt, frame: Frame, step: NodeStep) -> None:
        # Its time runs from here on: what it waits for a thread or a device that other runs use as
        # well is not its fault.
        if attempt.timeout is not None:
            self.inbox.put(Began(attempt, frame, step, attempt.timeout))

    # -- streams -----------------------------------------------------------------------------------

    def open(self, stream: Stream) -> None:
        """
        Prepare a step that streams: it is called when its first item is wanted.

        Raises MisfitError.
        """
        step = stream.step
        source = stream.source = ItemSource(step.compiled, self.cancelled)
        instance = self._inputs.instance(stream.frame, step)
        context = self.context(step, source.attempt, stream)
        source.begin = partial(step.compiled.call, instance, context)

    def pull(self, stream: Stream, source: ItemSource, timeout: float | None) -> Attempt | None:
        """
        Ask a stream for its next item.

        Args:
            timeout: Seconds that it may take; the work at it is then done elsewhere, so that it can
                be given up.

        Returns the attempt that the answer will carry, or None where the answer is in the inbox
        already.
        """
        source.is_working = True
        is_async, lane = source.compiled.spec.is_async, source.compiled.lane
        if lane is Lane.INLINE and timeout is None and not is_async:
            self.inbox.put(source.variables.run(_next, stream, source, None))
            return None
        if is_async:
            lane = Lane.NETWORK
        attempt = Attempt(Lane.CPU if lane is Lane.INLINE else lane, self.cancelled, timeout)
        if not is_async:
            threads = self._environment.threads[attempt.lane]
            attempt.make_way = threads.submit(self._pull, stream, source, attempt)
            return attempt

        def answer(task: Task) -> None:
            error = _error_of(task, attempt)
            self.inbox.put(
                Failed(attempt, stream.frame, stream.step, error)
                if error
                else _answer(stream, attempt, *task.result())
            )

        self._begins(attempt, stream.frame, stream.step)
        attempt.task = self._environment.spawn(source.next_awaited(), answer, source.variables)
        return attempt

    def _pull(self, stream: Stream, source: ItemSource, attempt: Attempt) -> None:
        self._begins(attempt, stream.frame, stream.step)
        message = source.variables.run(_next, stream, source, attempt)
        permits.finished()
        self.inbox.put(message)

    def end(self, stream: Stream) -> None:
        """
        End a stream that was not exhausted; returns when its generator has ended.

        One that still works at an item that nobody waits for can't be ended. Raises what the
        generator raises.
        """
        source = stream.source
        if source is None or source.is_working:
            return
        if hasattr(source.items, "aclose"):
            ended: SimpleQueue[Task] = SimpleQueue()
            self._environment.spawn(_closed(source.items), ended.put, source.variables)
            ended.get().result()
        elif hasattr(source.items, "close"):
            source.variables.run(source.items.close)

    # -- the context -------------------------------------------------------------------------------

    def context(
        self, step: NodeStep, attempt: Attempt | None = None, stream: Stream | None = None
    ) -> Context:
        """Return what the node of a step sees of the run."""
        environment = self._environment
        return Context(
            step.node.id,
            reporter=_NodeReporter(step.node.id, environment.emit, self._result, stream),
            cancelled=attempt or self.cancelled,
            images=environment.images,
            models=environment.models,
            wants_previews=environment.options.previews,
            secrets=environment.secrets,
            services=partial(_service, environment.services, step.compiled.node_class),
        )


def _service(services: Services, node_class: type[Node], kind: type) -> object:
    """Return a service for a node, which has to declare it: its keys are made of it."""
    if kind not in node_class.services:
        name = kind.__name__
        hint = f"Declare it in the class: services = ({name},)."
        message = f"uses the service {name} without declaring it."
        raise ServiceError(Problem("undeclared_service", "", message, hint))
    return services.get(kind)


class _NodeReporter(Reporter):
    """Turns what a node reports into events of its run."""

    __slots__ = ("_emit", "_node_id", "_result", "_stream")

    def __init__(
        self,
        node_id: str,
        emit: Callable[[Event], None],
        result: RunResult,
        stream: Stream | None,
    ) -> None:
        self._node_id = node_id
        self._emit = emit
        self._result = result
        self._stream = stream

    def expects(self, items: int) -> None:
        if self._stream is not None:
            self._stream.expected = items

    def progress(self, step: int, total: int, message: str) -> None:
        self._emit(events.NodeProgress(self._node_id, step, total, message))

    def preview(self, image: Image.Image, step: int, total: int) -> None:
        self._emit(events.NodePreview(self._node_id, step, total, image))

    def warning(self, message: str, details: Mapping[str, object]) -> None:
        self._result.warnings.append(
            Problem("warning", f"node {self._node_id!r}", message, level="warning")
        )
        self._emit(events.NodeWarning(self._node_id, message, details))


def _error_of(task: Task, attempt: Attempt) -> BaseException | None:
    """
    Return how a coroutine failed.

    One that was cancelled for its run's sake counts as a node that noticed the cancel.
    """
    if not task.cancelled():
        return task.exception()
    return (
        RunCancelled()
        if attempt.is_set()
        else RuntimeError("something that it waited for was cancelled, though the run was not.")
    )


async def _awaited(
    compiled: CompiledNode, instance: Node, context: Context
) -> tuple[Values, float]:
    started = time.perf_counter()
    values = compiled.values(await compiled.call(instance, context))
    return values, time.perf_counter() - started


def _next(
    stream: Stream, source: ItemSource, attempt: Attempt | None
) -> Item | StreamEnded | Failed:
    try:
        values, seconds = source.next()
    except BaseException as error:  # noqa: BLE001 - crosses a thread: it is reported where it is received
        return Failed(attempt, stream.frame, stream.step, error)
    return _answer(stream, attempt, values, seconds)


def _answer(
    stream: Stream, attempt: Attempt | None, values: Values | None, seconds: float
) -> Item | StreamEnded:
    if values is None:
        return StreamEnded(attempt, stream, seconds)
    return Item(attempt, stream, values, seconds)


async def _closed(source: Any) -> None:
    await source.aclose()
