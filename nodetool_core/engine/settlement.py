"""
Settling: a step is done, skipped or failed, and all that waits for it is to know.

There is one way for all steps. What few of them have (a name in the result, takers in other
regions, loops, equal steps) stands apart, so that most leave early; O(1) for the step and each of
its edges.
"""

from __future__ import annotations

from nodetool_core.engine.compiled_node import Values
from nodetool_core.engine.events import NodeProgress, node_finished
from nodetool_core.engine.frames import DONE, FAILED, Frame, Frames, Stream, came
from nodetool_core.engine.gaps import Gaps
from nodetool_core.engine.loops import Loops
from nodetool_core.engine.outputs import Outputs
from nodetool_core.engine.result import RunResult
from nodetool_core.engine.run_environment import RunEnvironment
from nodetool_core.engine.steps import LOCAL, NodeStep, Step
from nodetool_core.node_base import SKIPPED as SKIPPED_VALUE


class Settlement:
    """Settles the steps of one run."""

    def __init__(
        self,
        frames: Frames,
        loops: Loops,
        outputs: Outputs,
        gaps: Gaps,
        environment: RunEnvironment,
        result: RunResult,
    ) -> None:
        self._frames = frames
        self._drop_value, self._ready = frames.drop_value, frames.ready
        self._loops = loops
        self._outputs = outputs
        self._gaps = gaps
        self._hits = result.hits
        self._emit = environment.emit
        queue = environment.event_queue
        self.put_event = None if queue is None else queue.put
        """Takes events that are never dropped; None where nobody listens."""

    def report_finished(
        self,
        step: NodeStep,
        frame: Frame,
        seconds: float,
        *,
        is_cached: bool = False,
        is_kept: bool = True,
    ) -> None:
        if self.put_event is not None:
            key = frame.keys[step.slot] if is_kept and step.shareable else b""
            self.put_event(node_finished((step.node.id, frame.index, seconds, is_cached, key)))

    def report_item(self, stream: Stream, done: int) -> None:
        """Report how far a loop is, and its end with the last item."""
        total = stream.expected
        message = "" if total else f"{done} done"
        self._emit(NodeProgress(stream.step.node.id, done, total, message))
        if stream.ended and not stream.in_flight and done == stream.finished:
            self.report_loop(stream)

    def report_loop(self, stream: Stream) -> None:
        """Report that a loop is over."""
        self.report_finished(stream.step, stream.frame, stream.seconds, is_kept=False)

    def settle(self, frame: Frame, step: Step, values: Values | None, state: int) -> None:
        """Let everything that waits for a step know that it is done, skipped or failed."""
        slot, refcount, states, local = step.slot, frame.refcount, frame.state, frame.local
        states[slot] = state
        if values and (refcount[slot] or not local[slot]):
            frame.values[slot] = values
        for source in step.sources:
            # One taker of the source's values has taken them.
            left = refcount[source] - 1
            if left >= 0:
                refcount[source] = left
                if not left and states[source] >= DONE:
                    if local[source]:
                        frame.values[source] = None
                    else:
                        self._drop_value(frame, source)
        if state != DONE or (
            values
            and (values[0] is SKIPPED_VALUE or len(values) > 1)
            and _note_skipped(frame, slot, values)
        ):
            self._settle_lacking(frame, step, values, state)
        else:
            pending, demanded = frame.pending_inputs, frame.demanded
            for consumer in step.local:
                left = pending[consumer] = pending[consumer] - 1
                if not left and demanded[consumer]:
                    self._ready.append((frame, frame.steps[consumer]))
        if not local[slot]:
            self._settle_rarer(frame, step, values, state)
        frame.open -= 1
        if not frame.open:
            self._loops.frame_finished(frame)

    def _settle_lacking(self, frame: Frame, step: Step, values: Values | None, state: int) -> None:
        """Let the consumers of its region know which outputs a step left out."""
        for consumer in dict.fromkeys(step.local):
            for feed in frame.steps[consumer].feeds:
                if feed.slot == step.slot and feed.kind == LOCAL and not feed.lazy:
                    self._frames.arrive(frame, consumer, came(values, feed.output, state))

    def _settle_rarer(self, frame: Frame, step: Step, values: Values | None, state: int) -> None:
        """Do what few steps need: a name in the result, takers elsewhere, loops, equal steps."""
        if step.is_target:
            if state == FAILED:
                self._outputs.miss(frame, step)
            elif values:
                self._outputs.give(frame, step, values)
        if step.outer or step.lazy or step.watched:
            self._frames.reach_others(frame, step, values, state)
        if step.streams:
            self._loops.ended(frame, step, state)
        elif step.gathers:
            self._loops.collect(frame, step, values, state)
        if step.slot in frame.duplicates:
            for slot in frame.duplicates[step.slot]:
                duplicate = frame.steps[slot]
                if frame.demanded[slot] and frame.state[slot] < DONE:
                    self.settle_duplicate(frame, duplicate, values, state)
        self._drop_value(frame, step.slot)

    def settle_hit(self, frame: Frame, step: NodeStep, values: Values) -> None:
        """Settle a step whose result is in the cache."""
        node_id, put_event = step.node.id, self.put_event
        self._hits.append(node_id)
        if put_event is not None:
            put_event(node_finished((node_id, frame.index, 0.0, True, frame.keys[step.slot])))
        self.settle(frame, step, values, DONE)

    def settle_late_duplicate(self, frame: Frame, step: Step, first: int) -> None:
        """Settle a step that was demanded after the earlier, equal one had settled."""
        self.settle_duplicate(frame, step, frame.values[first], frame.state[first])
        self._drop_value(frame, first)

    def settle_duplicate(self, frame: Frame, step: Step, values: Values | None, state: int) -> None:
        if state == DONE and isinstance(step, NodeStep):
            self.report_finished(step, frame, 0.0, is_cached=True)
            self._gaps.reach(frame, step)
        self.settle(frame, step, values, state)


def _note_skipped(frame: Frame, slot: int, values: Values) -> bool:
    """Note which outputs a step left out; False where it left out none."""
    skipped = [number for number, value in enumerate(values) if value is SKIPPED_VALUE]
    if skipped:
        frame.skipped[slot] = frozenset(skipped)
    return bool(skipped)
