"""
Calling nodes: here, on a thread, or on the event loop.

What came of it goes back to the scheduler through its inbox.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

from nodetool_core.context import Context
from nodetool_core.engine import events
from nodetool_core.engine.compiled_node import CompiledNode, MisfitError
from nodetool_core.engine.coroutines import LEVEL, Spawned, Task
from nodetool_core.engine.frames import Frame, Frames, Stream, Values
from nodetool_core.engine.inbox import Inbox, Message
from nodetool_core.engine.plan import Feed, Step
from nodetool_core.engine.result import RunResult
from nodetool_core.engine.run_environment import RunEnvironment
from nodetool_core.errors import Problem, RunCancelled
from nodetool_core.graph import GraphNode
from nodetool_core.node import SKIPPED, Lane, Node
from nodetool_core.ownership import own_copy
from nodetool_core.properties import shown
from nodetool_core.types import type_name, value_type_name

Done = Callable[[Frame, Step, Values, float], None]
Failed = Callable[[Frame, Step, BaseException], None]
Begun = Callable[[], None]
Clock = Callable[["Attempt"], None]
"""Begins to count the time of an attempt."""

_ENDED: Any = object()


class Attempt:
    """
    One attempt at a step.

    When its time is up it is given up: its node should stop, and its answer counts no more.
    """

    def __init__(self, lane: Lane, cancelled: threading.Event) -> None:
        self.lane = lane
        self.given_up = False
        self.is_answered = False
        self.holds_place = True
        """Whether it still counts against what its lane can run at once."""
        self.task: Spawned | None = None
        self.make_way: Callable[[], None] | None = None
        """Lets others have the thread's place, though it may hang."""
        self._cancelled = cancelled

    def is_set(self) -> bool:
        return self.given_up or self._cancelled.is_set()

    def give_up(self) -> None:
        self.given_up = True
        if self.task is not None:
            self.task.cancel()


class ItemSource:
    """
    One attempt at a step that streams.

    Called with the first item, and then asked for one item after the other.
    """

    def __init__(self, compiled: CompiledNode, cancelled: threading.Event) -> None:
        self.compiled = compiled
        self.attempt = Attempt(compiled.lane, cancelled)
        """
        What its node asks whether to stop: given up where nobody waits for its items any more.
        """
        self.variables = _further_in() if compiled.spec.is_async else contextvars.copy_context()
        """The context variables that its node sees, from the first item to the last."""
        self.begin: Callable[[], Any] | None = None
        self.is_working = False
        """Whether an item that was asked for has not come."""
        self.items: Any = None
        """The iterator that `process` returned; None before it is called."""

    def next(self) -> tuple[Values | None, float]:
        """Return the next item, None at the end, and how long it took."""
        started = time.perf_counter()
        if self.begin is not None:
            self.items, self.begin = iter(self.begin()), None
        item = next(self.items, _ENDED)
        return None if item is _ENDED else self.compiled.values(item), time.perf_counter() - started

    async def next_awaited(self) -> tuple[Values | None, float]:
        """As `next`, of a coroutine."""
        started = time.perf_counter()
        if self.begin is not None:
            self.items, self.begin = self.begin(), None
        item: Any = await anext(self.items, _ENDED)
        return None if item is _ENDED else self.compiled.values(item), time.perf_counter() - started


class NodeInvoker:
    """Calls the nodes of one run."""

    def __init__(
        self,
        frames: Frames,
        environment: RunEnvironment,
        result: RunResult,
        seeded: dict[int, dict[str, Any]],
    ) -> None:
        self.inbox = Inbox()
        self.cancelled = threading.Event()
        self._frames = frames
        self._environment = environment
        self._result = result
        self._seeded = seeded

    def instance(self, frame: Frame, step: Step) -> Node:
        """
        Return the node with everything that has arrived.

        Raises MisfitError where a value does not fit.
        """
        node, compiled = step.node, step.compiled
        assert node is not None and compiled is not None
        values = dict(self._seeded.get(step.index, node.values))
        dynamic = own_copy(node.dynamic)
        for feed in step.feeds:
            asked = not feed.lazy or feed.property in frame.asked[step.slot]
            value = self._frames.value(frame, feed) if asked else SKIPPED
            if value is SKIPPED:
                _set_default(values, node, feed)
                continue
            if feed.gathered and not feed.in_loop:
                value = [value]
            if feed.accept is not None:
                self.check(step, feed, value)
            (dynamic if feed.is_dynamic else values)[feed.property] = (
                own_copy(value) if feed.copied else value
            )
        for name in step.mutable:
            values[name] = own_copy(values[name])
        if compiled.dynamic:
            values["dynamic_values"] = dynamic
        return compiled.node_class.instantiate(values)

    def here(self, frame: Frame, step: Step) -> Values:
        """Call a step on this thread."""
        compiled = step.compiled
        assert compiled is not None
        returned = contextvars.copy_context().run(
            compiled.call, self.instance(frame, step), self.context(step)
        )
        return compiled.values(returned)

    def submit(
        self,
        frame: Frame,
        step: Step,
        attempt: Attempt,
        done: Done,
        failed: Failed,
        begun: Begun | None = None,
    ) -> None:
        """
        Call a step elsewhere; `begun` is called when it begins.

        Raises MisfitError at once where a value that arrived does not fit.
        """
        compiled = step.compiled
        assert compiled is not None
        instance, context = self.instance(frame, step), self.context(step, attempt)
        if not compiled.spec.is_async:
            threads, variables = self._environment.threads[attempt.lane], contextvars.copy_context()
            attempt.make_way = threads.submit(
                variables.run,
                self._work,
                frame,
                step,
                instance,
                context,
                attempt,
                done,
                failed,
                begun,
            )
            return

        def answer(task: Task) -> None:
            error = _error_of(task, attempt)
            self.inbox.put(
                (failed, attempt, frame, step, error)
                if error
                else (done, attempt, frame, step, *task.result())
            )

        attempt.task = self._environment.spawn(
            _awaited(compiled, instance, context), answer, _further_in()
        )
        if begun is not None:
            begun()

    def _work(
        self,
        frame: Frame,
        step: Step,
        instance: Node,
        context: Context,
        attempt: Attempt,
        done: Done,
        failed: Failed,
        begun: Begun | None,
    ) -> None:
        compiled = step.compiled
        assert compiled is not None
        if begun is not None:
            self.inbox.put((begun, None))
        started = time.perf_counter()
        try:
            values = compiled.values(compiled.call(instance, context))
        except BaseException as error:  # noqa: BLE001 - crosses a thread: it is reported where it is received
            self.inbox.put((failed, attempt, frame, step, error))
            return
        self.inbox.put((done, attempt, frame, step, values, time.perf_counter() - started))

    def open(self, stream: Stream, step: Step) -> None:
        """
        Prepare a step that streams: it is called when its first item is asked for.

        Raises MisfitError.
        """
        compiled = step.compiled
        assert compiled is not None
        source = stream.source = ItemSource(compiled, self.cancelled)
        source.begin = partial(
            compiled.call, self.instance(stream.frame, step), self.context(step, source.attempt)
        )

    def pull(
        self,
        stream: Stream,
        got: Callable[..., None],
        failed: Callable[..., None],
        clock: Clock | None = None,
    ) -> Attempt | None:
        """
        Ask a stream for its next item; `got` is called with it, or with None at the end.

        Args:
            clock: Called when the work at it begins, which is then done elsewhere, so that it can
                be given up.

        Gives the attempt that the answer will carry, or None where the answer is in the inbox
        already.
        """
        source = stream.source
        assert source is not None
        source.is_working = True
        is_async, lane = source.compiled.spec.is_async, source.compiled.lane
        if lane is Lane.INLINE and clock is None and not is_async:
            self.inbox.put(source.variables.run(_next, stream, source, None, got, failed))
            return None
        attempt = Attempt(
            Lane.NETWORK if is_async else (Lane.CPU if lane is Lane.INLINE else lane),
            self.cancelled,
        )
        if not is_async:
            attempt.make_way = self._environment.threads[attempt.lane].submit(
                self._pull, stream, source, attempt, got, failed, clock
            )
            return attempt

        def answer(task: Task) -> None:
            error = _error_of(task, attempt)
            self.inbox.put(
                (failed, attempt, stream, error)
                if error
                else (got, attempt, stream, *task.result())
            )

        attempt.task = self._environment.spawn(source.next_awaited(), answer, source.variables)
        if clock is not None:
            clock(attempt)
        return attempt

    def _pull(
        self,
        stream: Stream,
        source: ItemSource,
        attempt: Attempt,
        got: Callable[..., None],
        failed: Callable[..., None],
        clock: Clock | None,
    ) -> None:
        if clock is not None:
            self.inbox.put((clock, None, attempt))
        self.inbox.put(source.variables.run(_next, stream, source, attempt, got, failed))

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

    def context(self, step: Step, attempt: Attempt | None = None) -> Context:
        """Return what the node of a step sees of the run."""
        assert step.node is not None
        node_id, environment, result = step.node.id, self._environment, self._result

        def report(kind: str, details: dict[str, Any]) -> None:
            if kind == "progress":
                environment.emit(
                    events.NodeProgress(
                        node_id, details["step"], details["total"], details["message"]
                    )
                )
            elif kind == "preview":
                environment.emit(
                    events.NodePreview(node_id, details["step"], details["total"], details["image"])
                )
            else:
                result.warnings.append(
                    Problem("warning", f"node {node_id!r}", details["message"], level="warning")
                )
                environment.emit(
                    events.NodeWarning(node_id, details["message"], details["details"])
                )

        return Context(
            node_id,
            report=report,
            cancelled=attempt or self.cancelled,
            images=environment.images,
            models=environment.models,
            wants_previews=environment.options.previews,
            secrets=environment.secrets,
        )

    def check(self, step: Step, feed: Feed, value: Any) -> None:
        """Raise MisfitError where a value does not fit the property that its edge leads to."""
        prop = feed.accept
        if prop is None:
            return
        for item in value if feed.gathered and isinstance(value, list) else (value,):
            fits = prop.accepts(item)
            complaint = (
                prop.misfit(item)
                if fits
                else f"expects {type_name(prop.annotation)}, got {value_type_name(item)}."
            )
            if complaint:
                hint = "" if fits else f"The value is {shown(item)}."
                raise MisfitError(Problem("wrong_value", self._edge(step, feed), complaint, hint))

    def _edge(self, step: Step, feed: Feed) -> str:
        source, output = self._frames.plan.steps[feed.source], feed.output
        if source.node is None:
            source, output = self._frames.plan.steps[source.gather_source], source.gather_output
        assert source.node is not None and step.node is not None
        return (
            f"{source.node.id}.{list(source.node.spec.outputs)[output]} →"
            f" {step.node.id}.{feed.property}"
        )


def _set_default(values: dict[str, Any], node: GraphNode, feed: Feed) -> None:
    """A connected property whose value does not come, as its node allows, has its default."""
    prop = node.spec.properties.get(feed.property)
    if prop is not None and not prop.required:
        values[feed.property] = own_copy(prop.default)


def _error_of(task: Task, attempt: Attempt) -> BaseException | None:
    """
    How a coroutine failed; one that was cancelled for its run's sake counts as a node that noticed
    the cancel.
    """
    if not task.cancelled():
        return task.exception()
    return (
        RunCancelled()
        if attempt.is_set()
        else RuntimeError("something that it waited for was cancelled, though the run was not.")
    )


def _further_in() -> contextvars.Context:
    """
    Return the context variables of a coroutine node.

    Those of its run, whose own coroutines would share its loop.
    """
    variables = contextvars.copy_context()
    variables.run(LEVEL.set, LEVEL.get() + 1)
    return variables


async def _awaited(
    compiled: CompiledNode, instance: Node, context: Context
) -> tuple[Values, float]:
    started = time.perf_counter()
    values = compiled.values(await compiled.call(instance, context))
    return values, time.perf_counter() - started


def _next(
    stream: Stream,
    source: ItemSource,
    attempt: Attempt | None,
    got: Callable[..., None],
    failed: Callable[..., None],
) -> Message:
    try:
        values, seconds = source.next()
    except BaseException as error:  # noqa: BLE001 - crosses a thread: it is reported where it is received
        return (failed, attempt, stream, error)
    return (got, attempt, stream, values, seconds)


async def _closed(source: Any) -> None:
    await source.aclose()
