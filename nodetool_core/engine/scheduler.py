"""
The scheduler: runs a plan, on a thread of its own, as one loop over messages.

Policy. A step is ready when all it waits for has come (an in-degree counter per frame, never a
search) and it is demanded. Ready inline steps run here; blocking steps go to worker threads,
or run here when there is nothing else to do, which saves two hops; coroutines go to the engine's
event loop; device steps to the one thread of their device. Threads answer through one inbox
(messages.py), which is the only thing shared.

Demand goes from the targets up (demand.py); values go down, and are let go of when their last taker
is done with them. Every edge is handled once per frame, so that a run costs O(V + E) in all. What
is known of each step stands at the top of frames.py; loops are in loops.py. Calls go one way:
scheduler -> loops -> demand -> frames. None knows the one above it.

A node that adds two numbers takes less time than all that has to be found out of an arbitrary step
before and after it. For a plain step (`Region.plain`) that is known when the plan is made:
`_run_ready` calls it without a detour. Whatever turns out to be different after all (an equal step,
a skipped input, a message from a thread) goes the general way, which does the same.
"""

from __future__ import annotations

from contextlib import suppress
from queue import Empty
from time import perf_counter

from nodetool_core.engine import events, messages
from nodetool_core.engine.attempt import Attempt, Attempts
from nodetool_core.engine.compiled_node import Values
from nodetool_core.engine.cut_off import CutOff
from nodetool_core.engine.demand import Demand
from nodetool_core.engine.events import node_finished
from nodetool_core.engine.failures import failure_of, forget_frames, retry_warning
from nodetool_core.engine.frame_keys import FrameKeys
from nodetool_core.engine.frames import (
    DONE,
    FAILED,
    RUNNING,
    SKIPPED,
    WAITING,
    Frame,
    Frames,
    Stream,
)
from nodetool_core.engine.gaps import Gaps
from nodetool_core.engine.invoker import NodeInvoker
from nodetool_core.engine.loops import Loops
from nodetool_core.engine.messages import Answer, Message
from nodetool_core.engine.model_lookahead import ModelLookahead
from nodetool_core.engine.node_inputs import NodeInputs
from nodetool_core.engine.outputs import Outputs
from nodetool_core.engine.plan import Plan
from nodetool_core.engine.ready import Ready
from nodetool_core.engine.result import NodeFailure, RunResult
from nodetool_core.engine.run_environment import RunEnvironment
from nodetool_core.engine.seeds import Seeds
from nodetool_core.engine.settlement import Settlement
from nodetool_core.engine.steps import GateStep, GatherStep, NodeStep, Step
from nodetool_core.engine.streams import Streams
from nodetool_core.engine.timers import NodeTimeoutError, Timers, run_timeout
from nodetool_core.errors import RunCancelled
from nodetool_core.node_base import Lane
from nodetool_core.ownership import own_copy

_new, _set = object.__new__, object.__setattr__


class Scheduler:
    """One run of one plan."""

    def __init__(
        self,
        plan: Plan,
        environment: RunEnvironment,
        result: RunResult,
        seeds: Seeds,
    ) -> None:
        """
        Put the parts of a run together.

        Args:
            seeds: Those that were drawn for this run.
        """
        self.plan = plan
        self.environment = environment
        self.result = result
        self.frames = Frames(plan)
        self.timers = Timers(environment.options)
        self.inputs = NodeInputs(self.frames, seeds)
        self.invoker = NodeInvoker(self.inputs, environment, result)
        self.gaps = Gaps(self.frames, environment, result)
        self.outputs = Outputs(plan, environment, result)
        self.demand = Demand(self.frames, environment)
        keys = FrameKeys(self.frames, environment, seeds)
        self.cut_off = CutOff(self.inputs, keys, environment)
        self.loops = Loops(self.frames, self.demand, keys, self.outputs, self.gaps)
        self.settlement = Settlement(
            self.frames, self.loops, self.outputs, self.gaps, environment, result
        )
        lookahead = ModelLookahead(self.frames, environment.manager)
        self.ready = Ready(self.frames, environment.models, lookahead)
        self.streams = Streams(self.frames, self.invoker, self.timers, environment.workers)
        self.attempts = Attempts()
        self._stopping = False
        self.timed_out = False
        """Whether the time of the whole run was up."""

    # -- the loop ----------------------------------------------------------------------------------

    def execute(self) -> None:
        """Run until all that can be done is done; leave nothing under way, even where it raises."""
        try:
            self._run()
        except BaseException:
            self._wait_for_all()
            raise
        finally:
            self.result.warnings.extend(self.streams.close())
        self.outputs.close()

    def _run(self) -> None:
        self.loops.prepare(self.frames.root)
        ready, found = self.ready.inline, self.demand.found
        inbox, cancelled = self.invoker.inbox, self.invoker.cancelled
        while True:
            if not inbox.empty():
                self._receive(inbox.get())
                continue
            if found:
                message = found.popleft()
                if isinstance(message, messages.CacheHit):
                    # A cached run is made of these: they need no look at what else it may be.
                    self.settlement.settle_hit(message.frame, message.step, message.values)
                else:
                    self._handle(message)
                continue
            if self._stopping or cancelled.is_set():
                self._begin_nothing_more()
            if ready:
                self._run_ready()
            elif not self._dispatch() and not self._wait():
                break

    def _receive(self, message: Message) -> None:
        """Handle what comes from elsewhere, unless it is of an attempt that was given up."""
        if not isinstance(message, Answer) or self.attempts.answered(message.attempt):
            self._handle(message)

    def _handle(self, message: Message) -> None:
        match message:
            case messages.Done(_, frame, step, values, seconds):
                self.finish(frame, step, values, seconds)
            case messages.Item(_, stream, values, seconds):
                if self.streams.gave_new(stream, seconds):
                    self.loops.take(stream, values)
            case messages.StreamEnded(_, stream, seconds):
                self._end_stream(stream, seconds)
            case messages.ItemFinished(stream, done):
                self.settlement.report_item(stream, done)
            case messages.Failed(_, frame, step, error):
                self.streams.failed(frame, step)
                self.fail(frame, step, error)
            case messages.DuplicateSettled(frame, step, first):
                self.settlement.settle_late_duplicate(frame, step, first)
            case messages.Began(attempt, frame, step, seconds):
                self.timers.add(seconds, messages.TimedOut(attempt, frame, step, seconds))
            case messages.TimedOut():
                self._time_out(message)
            case messages.Retry(frame, step):
                self._begin_again(frame, step)
            case messages.RunTimedOut(seconds):
                self._end_in_time(seconds)
            case messages.Wake():
                pass

    def _wait_for_all(self) -> None:
        """Wait for what is under way: the run itself has failed, as by a fingerprint."""
        while self.attempts.due:
            message = self.invoker.inbox.get()
            if isinstance(message, Answer):
                self.attempts.answered(message.attempt)

    def _begin_nothing_more(self) -> None:
        self.ready.clear()
        self.timers.forget_retries()
        if self.invoker.cancelled.is_set():
            self.environment.cancel_spawned()

    def _wait(self) -> bool:
        """Wait for an answer or a clock; False where nothing is to come that the run wants."""
        if not (self.attempts.due or self.timers.has_retries() or self.ready.has_device_work()):
            return False
        with suppress(Empty):
            self._receive(self.invoker.inbox.get(timeout=self.timers.sleep()))
        for message in self.timers.due():
            self._handle(message)
        return True

    def close(self) -> None:
        """
        Let go of everything.

        The parts of a run know one another in rings, which would hold all its values.
        """
        self.invoker.inbox.close()
        vars(self).clear()

    # -- beginning a step --------------------------------------------------------------------------

    def _run_ready(self) -> None:
        """Begin ready steps, until one was not plain, one failed, or a message came."""
        ready, no_message = self.ready.inline, self.invoker.inbox.empty
        ran, settle, takes_long_way = (
            self.result.ran.append,
            self.settlement.settle,
            self.gaps.any or bool(self.environment.options.policies),
        )
        keep, put_event = self.environment.cache.put, self.settlement.put_event
        step: NodeStep
        before = perf_counter()
        while ready and no_message():
            frame, step = ready.pop()  # type: ignore[assignment]
            slot = step.slot
            if takes_long_way or not frame.plain[slot]:
                self.begin(frame, step)
                return
            node, compiled, results = step.node, step.compiled, frame.values
            try:
                given = node.values.copy()
                if step.mutable:
                    for name in step.mutable:
                        given[name] = own_copy(given[name])
                if compiled.dynamic:
                    given["dynamic_values"] = dynamic = own_copy(node.dynamic)
                for name, source, output, feed in step.arguments:
                    value = results[source][output]  # type: ignore[index]
                    if feed is None:
                        given[name] = value
                        continue
                    if feed.accept is not None:
                        self.inputs.check(step, feed, value)
                    (dynamic if feed.is_dynamic else given)[name] = (
                        own_copy(value) if feed.copied else value
                    )
                instance = _new(compiled.node_class)
                _set(instance, "__dict__", given)
                returned = (
                    compiled.process(instance, self.invoker.context(step))
                    if compiled.takes_context
                    else compiled.process(instance)
                )
                values = (
                    (returned,) if type(returned) is compiled.exact else compiled.values(returned)
                )
            except BaseException as error:  # noqa: BLE001 - a node is foreign code: whatever it raises is its failure
                self.fail(frame, step, error)
                return
            now = perf_counter()
            # With what settling the step before it took, which is microseconds as well.
            seconds, before = now - before, now
            ran(node.id)
            key = b""
            if compiled.shareable:
                key = frame.keys[slot]
                keep(key, values, seconds)
            if put_event is not None:
                put_event(node_finished((node.id, frame.index, seconds, False, key)))
            settle(frame, step, values, DONE)

    def begin(self, frame: Frame, step: Step) -> None:
        """Decide what becomes of a step that waits for nothing more."""
        slot = step.slot
        if frame.state[slot] != WAITING:
            return
        upstream = frame.upstream_state[slot]
        is_open = isinstance(step, GateStep) and step.either and slot not in frame.lazy_round
        if upstream and not (is_open and upstream == SKIPPED):
            self.settlement.settle(frame, step, None, upstream)
        elif slot in frame.duplicate_of:
            # The earlier, equal step settles this one with its own result.
            return
        elif step.lazy_rounds > frame.lazy_round.get(slot, 0):
            self.demand.add_lazy(frame, step)
        elif isinstance(step, GatherStep):
            self.settlement.settle(frame, step, (self.loops.gathered(frame, step),), DONE)
        elif not isinstance(step, NodeStep):
            self.settlement.settle(frame, step, (), DONE)
        elif step.streams:
            self._open_stream(frame, step)
        elif (
            step.compiled.lane is Lane.INLINE
            and not step.compiled.spec.is_async
            and self.timers.policy(step) is None
        ):
            self._run_here(frame, step)
        elif not self.gaps.any and (known := self.cut_off.find(frame, step)) is not None:
            self.settlement.settle_hit(frame, step, known)
        else:
            self.ready.add(frame, step)

    def _dispatch(self) -> bool:
        """Hand out work that does not run inline; False where there is none, or no room for it."""
        taken = self.ready.take(self.attempts.outstanding, self.environment.workers)
        if taken is not None:
            self._start(*taken)
            return True
        if self.ready.wants_items(self.environment.workers):
            attempt = self.streams.pull(self.ready.pulls.popleft())
            if attempt is not None:
                self.attempts.expect(attempt)
            return True
        return False

    def _run_here(self, frame: Frame, step: NodeStep) -> None:
        started = perf_counter()
        try:
            values = self.invoker.here(frame, step)
        except BaseException as error:  # noqa: BLE001 - a node is foreign code: whatever it raises is its failure
            self.fail(frame, step, error)
            return
        self.finish(frame, step, values, perf_counter() - started)

    def _start(self, lane: Lane, job: tuple[Frame, NodeStep]) -> None:
        frame, step = job
        frame.state[step.slot] = RUNNING
        self.environment.emit(events.NodeStarted(step.node.id, frame.index))
        policy = self.timers.policy(step)
        if (
            lane is Lane.INLINE
            and policy is None
            # Else nothing could end the run while the node works.
            and self.environment.options.timeout is None
        ):
            self._run_here(frame, step)
            return
        attempt = Attempt(
            Lane.CPU if lane is Lane.INLINE else lane,
            self.invoker.cancelled,
            None if policy is None else policy.timeout,
        )
        self.attempts.expect(attempt)
        try:
            self.invoker.submit(frame, step, attempt)
        except Exception as error:  # noqa: BLE001 - a value that does not fit is this node's failure
            self._receive(messages.Failed(attempt, frame, step, error))

    # -- streams -----------------------------------------------------------------------------------

    def _open_stream(self, frame: Frame, step: NodeStep) -> None:
        self.gaps.reach(frame, step)
        self.environment.emit(events.NodeStarted(step.node.id, frame.index))
        try:
            self.streams.open(frame, step)
        except Exception as error:  # noqa: BLE001 - a value that does not fit is this node's failure
            self.fail(frame, step, error)

    def _end_stream(self, stream: Stream, seconds: float) -> None:
        self.streams.answered(stream, seconds)
        if stream.step.rounds is not None:
            # It may wait for what came of a round that failed.
            self.invoker.end(stream)
        self.result.ran.append(stream.step.node.id)
        if not (stream.is_reported and stream.in_flight):
            # Else the loop goes on, and its last item reports it.
            self.settlement.report_loop(stream)
        self.settlement.settle(stream.frame, stream.step, (), DONE)

    # -- how it went -------------------------------------------------------------------------------

    def finish(self, frame: Frame, step: NodeStep, values: Values, seconds: float) -> None:
        """Keep, report and settle what a step returned."""
        self.result.ran.append(step.node.id)
        is_kept = step.shareable and not self.gaps.reach(frame, step)
        if is_kept:
            self.environment.cache.put(frame.keys[step.slot], values, seconds)
            self.cut_off.note(frame, step, seconds)
        self.settlement.report_finished(step, frame, seconds, is_kept=is_kept)
        self.settlement.settle(frame, step, values, DONE)

    def fail(self, frame: Frame, step: NodeStep, error: BaseException) -> None:
        """Try a step that failed again, or settle it; a cancelled one ends the run."""
        error = self.environment.secrets.scrub(error)
        is_over = step.streams and not self.streams.may_begin_again(frame, step)
        pause = None if is_over else self.timers.next_attempt(frame, step, error)
        if pause is not None:
            self._try_again(frame, step, error, pause)
            return
        if isinstance(error, RunCancelled):
            self.invoker.cancelled.set()
            frame.state[step.slot] = FAILED
            return
        failure = failure_of(step.node, frame.index, error)
        is_absorbed = self.gaps.absorb(frame, step, failure)
        if not is_absorbed and self.environment.options.on_error == "stop":
            self._stopping = True
        self.settlement.settle(frame, step, None, FAILED)

    def _time_out(self, message: messages.TimedOut) -> None:
        attempt = message.attempt
        if attempt.is_answered or attempt.given_up:
            return
        self.attempts.give_up(attempt)
        self.fail(message.frame, message.step, NodeTimeoutError(message.seconds))

    def _end_in_time(self, seconds: float) -> None:
        """End the run as failed, and wait for nothing that is under way."""
        self.timed_out = True
        self.result.failures.append(NodeFailure("", "", (), run_timeout(seconds)))
        self.invoker.cancelled.set()
        for attempt in list(self.attempts.under_way):
            self.attempts.give_up(attempt)

    def _try_again(self, frame: Frame, step: NodeStep, error: BaseException, pause: float) -> None:
        problem = retry_warning(step.node, error, pause)
        self.result.warnings.append(problem)
        self.environment.emit(events.NodeWarning(step.node.id, problem.message, {"seconds": pause}))
        forget_frames(error)
        frame.state[step.slot] = WAITING
        self.timers.add(pause, messages.Retry(frame, step))

    def _begin_again(self, frame: Frame, step: NodeStep) -> None:
        if not step.streams:
            self.ready.add(frame, step)
            return
        try:
            self.streams.begin_again(frame, step)
        except Exception as error:  # noqa: BLE001 - a value that does not fit is this node's failure
            self.fail(frame, step, error)
