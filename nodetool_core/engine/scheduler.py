"""
The scheduler: runs a plan, on a thread of its own.

Policy. A step is ready when all it waits for has come (an in-degree counter per frame, never a
search) and somebody asked for it. Ready inline steps run here; blocking steps go to worker threads,
or run here when there is nothing else to do, which saves two hops; coroutines go to the engine's
event loop; device steps to the one thread of their device. Threads answer through one queue, which
is the only thing shared.

Demand goes from the targets up: a step whose result is in the cache asks for nothing above it, and
a lazy property asks when its node does. A value is let go of when its last taker is done with it.
Every edge is handled once per frame, so that a run costs O(V + E) in all; loops are in loops.py.

State of a step in a frame: WAITING until `pending_inputs` is 0, then RUNNING, then *settled* as
DONE, SKIPPED (its branch was not taken) or FAILED. A skipped or failed input settles its readers,
which settle the same way without running.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty
from time import perf_counter
from typing import Any

from nodetool_core.engine import events
from nodetool_core.engine.demand import Demand
from nodetool_core.engine.events import NodeFinished, node_finished
from nodetool_core.engine.failures import failure_of, forget_frames
from nodetool_core.engine.fast_path import FastPath
from nodetool_core.engine.frame_keys import FrameKeys
from nodetool_core.engine.frames import (
    DONE,
    FAILED,
    RUNNING,
    SKIPPED,
    WAITING,
    Frame,
    Frames,
    Values,
    came,
)
from nodetool_core.engine.gaps import Gaps
from nodetool_core.engine.inbox import Message
from nodetool_core.engine.invoker import Attempt, NodeInvoker
from nodetool_core.engine.loops import Loops
from nodetool_core.engine.outputs import Outputs
from nodetool_core.engine.plan import Plan, Step
from nodetool_core.engine.ready import Ready
from nodetool_core.engine.result import RunResult
from nodetool_core.engine.run_environment import RunEnvironment
from nodetool_core.engine.timers import NodeTimeoutError, Timers
from nodetool_core.errors import Problem, RunCancelled
from nodetool_core.node import SKIPPED as SKIPPED_VALUE
from nodetool_core.node import Lane


class Scheduler:
    """One run of one plan."""

    def __init__(
        self,
        plan: Plan,
        environment: RunEnvironment,
        result: RunResult,
        seeded: dict[int, dict[str, Any]],
    ) -> None:
        """
        Args:
            seeded: Values of the steps whose seeds were drawn for this run.
        """
        self.plan = plan
        self.environment = environment
        self.result = result
        self.frames = Frames(plan)
        self.keys = FrameKeys(self.frames, environment, seeded)
        self.ready = Ready(self.frames, environment.models)
        self.invoker = NodeInvoker(self.frames, environment, result, seeded)
        self.gaps = Gaps(self)
        self.outputs = Outputs(plan, environment, result)
        self.loops = Loops(self)
        self.demand = Demand(self)
        self.timers = Timers(environment.options)
        self.fast_path = FastPath(self, seeded)
        self.found: deque[tuple[Callable[[Frame, Step, Any], None], Frame, Step, Any]] = deque()
        """What was there already when it was asked for: who settles the step, and with what."""
        self.outstanding = dict.fromkeys(Lane, 0)
        self._answers_due = 0
        """Answers that are to come, attempts that were given up not counted."""
        self._stopping = False

    # -- the loop ----------------------------------------------------------------------------------

    def execute(self) -> None:
        """
        Run until everything that can be done is done.

        Fills the result. When it returns or raises, nothing is under way.
        """
        try:
            self._run()
        except BaseException:
            self._wait_for_all()
            raise
        finally:
            self.loops.close()
        self.outputs.close()

    def close(self) -> None:
        """
        Let go of everything: the parts of a scheduler know one another in rings, which would hold
        all values of the run.
        """
        self.invoker.inbox.close()
        vars(self).clear()

    def _run(self) -> None:
        self.prepare(self.frames.root)
        inline, found, inbox, cancelled = (
            self.ready.inline,
            self.found,
            self.invoker.inbox,
            self.invoker.cancelled,
        )
        run = self.fast_path.run
        while True:
            if not inbox.empty():
                self._receive(inbox.get())
                continue
            if found:
                settle, frame, step, what = found.popleft()
                settle(frame, step, what)
                continue
            if self._stopping or cancelled.is_set():
                self._begin_nothing_more()
            if inline:
                run()
            elif not self._dispatch() and not self._wait():
                break

    def _wait_for_all(self) -> None:
        """
        The run itself has failed, as by a fingerprint.

        What is under way finishes first, as where a node fails.
        """
        while self._answers_due:
            _, attempt, *_ = self.invoker.inbox.get()
            if attempt is not None and not attempt.given_up:
                self._answers_due -= 1

    def _begin_nothing_more(self) -> None:
        self.ready.clear()
        self.timers.forget_retries()
        if self.invoker.cancelled.is_set():
            self.environment.cancel_spawned()

    def prepare(self, frame: Frame) -> None:
        """Keys of a new frame, and what of it is asked for."""
        self.keys.make(frame)
        if frame.parent is not None:
            self.loops.join(frame)
        for number in self.plan.regions[frame.region].targets:
            self.demand.ask_for(frame, self.plan.steps[number])
        self.loops.demand_gathered(frame)

    def _wait(self) -> bool:
        """
        Wait for an answer or for a clock. False where nothing is to come that the run still wants.
        """
        if not (self._answers_due or self.timers.has_retries() or self.ready.has_device_work()):
            return False
        with suppress(Empty):
            self._receive(self.invoker.inbox.get(timeout=self.timers.sleep()))
        for action in self.timers.due():
            action()
        return True

    def _receive(self, message: Message) -> None:
        handler, attempt, *arguments = message
        if attempt is not None:
            if attempt.holds_place:
                self.outstanding[attempt.lane] -= 1
            if attempt.given_up:
                return
            attempt.is_answered = True
            self._answers_due -= 1
        handler(*arguments)

    def expect(self, attempt: Attempt) -> None:
        """An answer with this attempt will come."""
        self.outstanding[attempt.lane] += 1
        self._answers_due += 1

    def _dispatch(self) -> bool:
        """
        Hand out ready work that does not run inline. False where there is none, or no room for it.
        """
        taken = self.ready.take(self.outstanding, self.environment.workers)
        if taken is not None:
            self._start(*taken)
            return True
        if self.ready.wants_items(self.environment.workers):
            self.loops.pull(self.ready.pulls.popleft())
            return True
        return False

    def begin(self, frame: Frame, step: Step) -> None:
        """Decide what becomes of a step that waits for nothing more."""
        slot = step.slot
        if frame.state[slot] != WAITING:
            return
        if frame.upstream_state[slot] and not (
            step.either and frame.upstream_state[slot] == SKIPPED and slot not in frame.lazy_round
        ):
            self.settle(frame, step, None, frame.upstream_state[slot])
        elif slot in frame.duplicate_of:
            # The earlier, equal step settles this one with its own result.
            return
        elif step.lazy_rounds > frame.lazy_round.get(slot, 0):
            self.demand.ask_next(frame, step)
        elif step.is_gate:
            self.settle(frame, step, (), DONE)
        elif step.node is None:
            bucket = frame.buckets.pop(slot, {})
            self.settle(frame, step, ([bucket[number] for number in sorted(bucket)],), DONE)
        elif step.streams:
            self.loops.open(frame, step)
        elif (
            step.compiled is not None
            and step.compiled.lane is Lane.INLINE
            and not step.compiled.spec.is_async
            and self.timers.policy(step) is None
        ):
            self._run_here(frame, step)
        else:
            self.ready.add(frame, step)

    # -- running a step ----------------------------------------------------------------------------

    def _run_here(self, frame: Frame, step: Step) -> None:
        started = perf_counter()
        try:
            values = self.invoker.here(frame, step)
        except BaseException as error:  # noqa: BLE001 - a node is foreign code: whatever it raises is its failure
            self.fail(frame, step, error)
            return
        self.finish(frame, step, values, perf_counter() - started)

    def _start(self, lane: Lane, job: tuple[Frame, Step]) -> None:
        frame, step = job
        assert step.node is not None
        frame.state[step.slot] = RUNNING
        self.environment.emit(events.NodeStarted(step.node.id, frame.index))
        policy = self.timers.policy(step)
        if lane is Lane.INLINE and policy is None:
            self._run_here(frame, step)
            return
        attempt = Attempt(Lane.CPU if lane is Lane.INLINE else lane, self.invoker.cancelled)
        self.expect(attempt)
        # Its time runs from when it begins: what it waits for a thread or a device that other runs
        # use as well is not its fault.
        clock = (
            partial(self.watch, frame, step, policy.timeout, attempt)
            if policy is not None and policy.timeout is not None
            else None
        )
        try:
            self.invoker.submit(frame, step, attempt, self.finish, self.fail, clock)
        except Exception as error:  # noqa: BLE001 - a value that does not fit is this node's failure
            self._receive((self.fail, attempt, frame, step, error))

    def finish(self, frame: Frame, step: Step, values: Values, seconds: float) -> None:
        """A step's work succeeded."""
        assert step.node is not None
        self.result.ran.append(step.node.id)
        if step.shareable and not self.gaps.reach(frame, step):
            self.environment.cache.put(frame.keys[step.slot], values, seconds)
        self.environment.emit(NodeFinished(step.node.id, frame.index, seconds, False))
        self._done(frame, step, values)

    def fail(self, frame: Frame, step: Step, error: BaseException) -> None:
        """A step's work failed, or was cancelled."""
        assert step.node is not None
        error = self.environment.secrets.scrub(error)
        is_over = step.streams and not self.loops.may_begin_again(frame, step)
        pause = None if is_over else self.timers.next_attempt(frame, step, error)
        if pause is not None:
            self._try_again(frame, step, error, pause)
            return
        if isinstance(error, RunCancelled):
            self.invoker.cancelled.set()
            frame.state[step.slot] = FAILED
            return
        failure = failure_of(step.node, frame.index, error)
        if (
            not self.gaps.absorb(frame, step, failure)
            and self.environment.options.on_error == "stop"
        ):
            self._stopping = True
        self.settle(frame, step, None, FAILED)

    def watch(self, frame: Frame, step: Step, seconds: float, attempt: Attempt) -> None:
        """An attempt has begun: give it up when its time is over."""
        self.timers.deadline(seconds, partial(self._time_out, frame, step, attempt, seconds))

    def _time_out(self, frame: Frame, step: Step, attempt: Attempt, seconds: float) -> None:
        if attempt.is_answered or attempt.given_up:
            return
        attempt.give_up()
        self._answers_due -= 1
        if attempt.lane is not Lane.DEVICE:
            # On a device the next node must not begin before this one has let go; elsewhere its
            # place is free at once.
            attempt.holds_place = False
            self.outstanding[attempt.lane] -= 1
            if attempt.make_way is not None:
                attempt.make_way()
        self.fail(frame, step, NodeTimeoutError(seconds))

    def _try_again(self, frame: Frame, step: Step, error: BaseException, pause: float) -> None:
        assert step.node is not None
        message = f"{step.node.spec.title} failed and is tried again in {pause:g} s: {error}"
        self.result.warnings.append(
            Problem("retry", f"node {step.node.id!r}", message, level="warning")
        )
        self.environment.emit(events.NodeWarning(step.node.id, message, {"seconds": pause}))
        forget_frames(error)
        frame.state[step.slot] = WAITING
        self.timers.retry(
            pause, partial(self.loops.begin_again if step.streams else self.ready.add, frame, step)
        )

    # -- settling ----------------------------------------------------------------------------------

    def _done(self, frame: Frame, step: Step, values: Values) -> None:
        """A step has its values: settle it."""
        if (
            step.is_local
            and len(values) == 1
            and values[0] is not SKIPPED_VALUE
            and step.slot not in frame.duplicates
        ):
            self.fast_path.settle(frame, step, values)
        else:
            self.settle(frame, step, values, DONE)

    def settle(self, frame: Frame, step: Step, values: Values | None, state: int) -> None:
        """A step is done, skipped or failed: tell everything that waits for it."""
        slot = step.slot
        frame.state[slot] = state
        upstream_state = 0 if state == DONE else state
        partly = False
        if step.is_target and state == FAILED:
            self.outputs.miss(frame, step)
        if values:
            if frame.refcount[slot] or slot in frame.duplicates:
                frame.values[slot] = values
            for value in values:
                if value is SKIPPED_VALUE:
                    partly = True
            if partly:
                frame.skipped[slot] = frozenset(
                    number for number, value in enumerate(values) if value is SKIPPED_VALUE
                )
            if step.is_target:
                self.outputs.give(frame, step, values)
        for source in step.sources:
            self._release(frame, source)
        pending_inputs, demanded = frame.pending_inputs, frame.demanded
        for consumer, output in step.local:
            pending_inputs[consumer] -= 1
            if upstream_state or (partly and came(values, output, state) != DONE):
                self.mark_upstream(frame, consumer, upstream_state or SKIPPED)
            if not pending_inputs[consumer] and demanded[consumer]:
                self.ready.inline.append((frame, frame.steps[consumer]))
        if step.outer or step.lazy or step.watched:
            self._tell_others(frame, step, values, state)
        if step.streams:
            self.loops.ended(frame, step, state)
        elif step.gathers:
            self.loops.collect(frame, step, values, state)
        if slot in frame.duplicates:
            self._settle_duplicates(frame, step, values, state)
            self.drop_value(frame, slot)
        frame.open -= 1
        if not frame.open:
            self.loops.frame_finished(frame)

    def hit(self, frame: Frame, step: Step, values: Values) -> None:
        """A step's result was in the cache."""
        assert step.node is not None
        self.result.hits.append(step.node.id)
        if self.environment.event_queue is not None:
            self.environment.event_queue.put(node_finished((step.node.id, frame.index, 0.0, True)))
        self._done(frame, step, values)

    def arrive(self, frame: Frame, slot: int, state: int) -> None:
        """One thing that a step waits for has come, or will not."""
        frame.pending_inputs[slot] -= 1
        if state != DONE:
            self.mark_upstream(frame, slot, state)
        if not frame.pending_inputs[slot] and frame.demanded[slot]:
            self.ready.inline.append((frame, frame.steps[slot]))

    def _tell_others(self, frame: Frame, step: Step, values: Values | None, state: int) -> None:
        """
        The rarer takers: steps of other regions, lazy properties that have been asked for, and who
        waits for a guard.
        """
        for region, slot, output, path in step.outer:
            for reader in self.frames.readers(region, path, frame.index):
                self.arrive(reader, slot, came(values, output, state))
        for region, slot, output, path, name in step.lazy:
            for reader in self.frames.readers(region, path, frame.index):
                if name in reader.asked.get(slot, ()):
                    self.arrive(reader, slot, came(values, output, state))
        for region, slot, output, path, name in step.watched:
            for reader in self.frames.readers(region, path, frame.index):
                if not name or name in reader.asked.get(slot, ()):
                    self.arrive(reader, slot, came(values, output, state))

    def _settle_duplicates(
        self, frame: Frame, step: Step, values: Values | None, state: int
    ) -> None:
        for slot in frame.duplicates[step.slot]:
            if frame.demanded[slot] and frame.state[slot] < DONE:
                self._settle_duplicate(frame, frame.steps[slot], values, state)

    def settle_late_duplicate(self, frame: Frame, step: Step, first: int) -> None:
        """A step is asked for after the earlier, equal one has settled."""
        self._settle_duplicate(frame, step, frame.values[first], frame.state[first])
        self.drop_value(frame, first)

    def _settle_duplicate(
        self, frame: Frame, step: Step, values: Values | None, state: int
    ) -> None:
        assert step.node is not None
        if state == DONE:
            self.environment.emit(NodeFinished(step.node.id, frame.index, 0.0, True))
            self.gaps.reach(frame, step)
        self.settle(frame, step, values, state)

    def mark_upstream(self, frame: Frame, slot: int, state: int) -> None:
        """
        An input of a step was skipped or failed. A merging node minds only when nothing is left.
        """
        step = frame.steps[slot]
        if step.node is not None and step.node.node_class.merges:
            if state == SKIPPED and (
                frame.pending_inputs[slot]
                or any(self.frames.value(frame, feed) is not SKIPPED_VALUE for feed in step.feeds)
            ):
                return
            frame.upstream_state[slot] = max(frame.upstream_state[slot], state)
        elif state == SKIPPED or not frame.upstream_state[slot]:
            # A branch that is not taken is no failure, even where something else that the step
            # needs has failed.
            frame.upstream_state[slot] = state

    def _release(self, frame: Frame, source: int) -> None:
        """One taker of a step's values has taken them."""
        left = frame.refcount[source] - 1
        if left >= 0:
            frame.refcount[source] = left
            if not left and frame.state[source] >= DONE:
                self.drop_value(frame, source)

    def drop_value(self, frame: Frame, slot: int) -> None:
        """Let go of a step's values where nobody will take them any more."""
        if frame.refcount[slot]:
            return
        for duplicate in frame.duplicates.get(slot, ()):
            if frame.state[duplicate] < DONE and (
                frame.demanded[duplicate] or frame.steps[duplicate].may_start_late
            ):
                return
        frame.values[slot] = None
