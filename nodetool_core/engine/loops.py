"""
Loops of a run: items in, frames for them, lists out.

When a stream gives an item, a frame is made for each region that runs for it, and the steps of the
frame are asked for as far as something outside wants them. A frame is finished when nothing asked
for in it is open; it is then forgotten, and its stream may give another item: that is the
back-pressure. Where two loops meet in a product, or an item waits for the end of its own loop,
items can't be bounded and are all kept (`Step.limited`).
"""

from __future__ import annotations

import heapq
import itertools
from functools import partial
from typing import TYPE_CHECKING

from nodetool_core.engine import events
from nodetool_core.engine.frames import (
    DONE,
    FAILED,
    LOCAL_KINDS,
    RUNNING,
    SKIPPED,
    Frame,
    Stream,
    Values,
    came,
)
from nodetool_core.engine.gaps import FAIL, NONE
from nodetool_core.engine.plan import ITEM, Step
from nodetool_core.errors import Problem
from nodetool_core.node import SKIPPED as SKIPPED_VALUE
from nodetool_core.node import Lane

if TYPE_CHECKING:
    from nodetool_core.engine.scheduler import Scheduler

ITEMS_IN_FLIGHT = 8
ITEMS_IN_FLIGHT_WAITING = 32
"""
How many items of one loop may be under way: where the work computes, and where it mostly waits.
"""


class Loops:
    """The loops of one run."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._plan = scheduler.plan
        self._frames = scheduler.frames
        self._limits: dict[int, int] = {}
        self._to_begin: list[tuple[int, int, int, Frame, int]] = []
        """Frames to make, outer ones first: depth, order, region, parent, item."""
        self._order = itertools.count()

    # -- streams -----------------------------------------------------------------------------------

    def open(self, frame: Frame, step: Step) -> None:
        """Begin a stream."""
        assert step.node is not None
        frame.state[step.slot] = RUNNING
        self._scheduler.gaps.reach(frame, step)
        stream = self._frames.streams[step.index, frame.index] = Stream(step.index, frame)
        self._scheduler.environment.emit(events.NodeStarted(step.node.id, frame.index))
        self._begin(stream, step)

    def _begin(self, stream: Stream, step: Step) -> None:
        try:
            self._scheduler.invoker.open(stream, step)
        except Exception as error:  # noqa: BLE001 - a value that does not fit is this node's failure
            self._scheduler.fail(stream.frame, step, error)
            return
        self._scheduler.ready.pulls.append(stream)

    def may_begin_again(self, frame: Frame, step: Step) -> bool:
        """
        Whether a stream may be begun anew.

        Once it gave items, only one that gives the same ones again.
        """
        stream = self._frames.streams[step.index, frame.index]
        assert step.node is not None and stream.source is not None
        stream.source.attempt.give_up()
        return step.node.node_class.cacheable or not stream.count

    def begin_again(self, frame: Frame, step: Step) -> None:
        """Begin a stream anew: what it gave already is passed over."""
        stream = self._frames.streams[step.index, frame.index]
        frame.state[step.slot] = RUNNING
        stream.passed_over, stream.pulling = stream.count, False
        self._begin(stream, step)

    def pull(self, stream: Stream) -> None:
        """Ask a stream for its next item, where it has room."""
        step = self._plan.steps[stream.step]
        if stream.ended or stream.pulling or stream.in_flight >= self._limit(step):
            return
        stream.pulling = True
        policy = self._scheduler.timers.policy(step)
        seconds = None if policy is None else policy.timeout
        clock = (
            None if seconds is None else partial(self._scheduler.watch, stream.frame, step, seconds)
        )
        attempt = self._scheduler.invoker.pull(stream, self._got, self._broke, clock)
        if attempt is not None:
            self._scheduler.expect(attempt)

    def _broke(self, stream: Stream, error: BaseException) -> None:
        if stream.source is not None:
            stream.source.is_working = False
        self._scheduler.fail(stream.frame, self._plan.steps[stream.step], error)

    def _got(self, stream: Stream, values: Values | None, seconds: float) -> None:
        """An item came, or (None) the end."""
        scheduler, frame, step = self._scheduler, stream.frame, self._plan.steps[stream.step]
        assert step.node is not None and stream.source is not None
        stream.pulling = stream.source.is_working = False
        stream.seconds += seconds
        if stream.passed_over and values is not None:
            stream.passed_over -= 1
            scheduler.ready.pulls.append(stream)
            return
        if values is None:
            scheduler.result.ran.append(step.node.id)
            scheduler.environment.emit(
                events.NodeFinished(step.node.id, frame.index, stream.seconds, False)
            )
            scheduler.settle(frame, step, (), DONE)
            return
        number = stream.count
        stream.count += 1
        if step.is_target:
            scheduler.outputs.give_item(frame, step, number, values)
        for gather_number in step.gathers:
            gather = self._plan.steps[gather_number]
            if values[gather.gather_output] is not SKIPPED_VALUE:
                frame.buckets.setdefault(gather.slot, {})[number] = values[gather.gather_output]
        regions = [
            region for region in self._plan.opened.get(step.index, ()) if self._is_read(region)
        ]
        parents = [
            (region, parent) for region in regions for parent in self._frames.parents(region, frame)
        ]
        if parents or (regions and not step.limited):
            stream.items[number] = values
            stream.keys[number] = scheduler.keys.item(frame, step, number, values)
        stream.in_flight += bool(parents) and step.limited
        for region, parent in parents:
            self._announce(region, parent, number)
        self._begin_announced()
        scheduler.ready.pulls.append(stream)

    def _is_read(self, region: int) -> bool:
        return bool(self._plan.regions[region].subtree)

    def _limit(self, step: Step) -> int:
        if step.index not in self._limits:
            inner = [
                self._plan.steps[number].compiled
                for region in self._plan.opened.get(step.index, ())
                for number in self._plan.regions[region].subtree
            ]
            waits = any(
                compiled is not None and (compiled.lane is Lane.NETWORK or compiled.spec.is_async)
                for compiled in inner
            )
            bound = (
                ITEMS_IN_FLIGHT_WAITING
                if waits
                else max(ITEMS_IN_FLIGHT, 2 * self._scheduler.environment.workers)
            )
            self._limits[step.index] = bound if step.limited else 1 << 60
        return self._limits[step.index]

    def close(self) -> None:
        """The run is over: generators that were not exhausted end now."""
        for stream in self._frames.streams.values():
            if not stream.ended and stream.source is not None:
                try:
                    self._scheduler.invoker.end(stream)
                except Exception as error:  # noqa: BLE001 - a node is foreign code: the run is over, and its fault is shown
                    step = self._plan.steps[stream.step]
                    assert step.node is not None
                    problem = Problem(
                        "close_failed",
                        f"node {step.node.id!r}",
                        f"{type(error).__name__}: {error}",
                        level="warning",
                    )
                    self._scheduler.result.warnings.append(problem)
            # One that was not asked for an item holds the run, by its context.
            stream.source = None

    # -- frames ------------------------------------------------------------------------------------

    def _announce(self, number: int, parent: Frame, item: int) -> None:
        """A frame is to be made. Its parent counts it from now on."""
        region = self._plan.regions[number]
        parent.groups[number] += 1
        for gather_number in region.gathered:
            gather = self._plan.steps[gather_number]
            if not self._plan.steps[gather.gather_source].streams:
                parent.pending_inputs[gather.slot] += 1
        heapq.heappush(self._to_begin, (len(region.loops), next(self._order), number, parent, item))

    def _begin_announced(self) -> None:
        """
        Make frames, and those that they announce in turn.

        By depth, for in a product one reads from several less deep ones.
        """
        while self._to_begin:
            *_, number, parent, item = heapq.heappop(self._to_begin)
            self._begin_item(number, parent, item)

    def _begin_item(self, number: int, parent: Frame, item: int) -> None:
        scheduler, region = self._scheduler, self._plan.regions[number]
        frame = self._frames.add(number, parent, item)
        frame.open = 1
        for step_number in region.steps:
            step = self._plan.steps[step_number]
            for feed in step.feeds if step.guard is None else (step.guard, *step.feeds):
                if feed.kind not in LOCAL_KINDS and not feed.lazy:
                    origin = self._frames.source(frame, feed)
                    if origin.state[feed.slot] >= DONE:
                        frame.pending_inputs[step.slot] -= 1
                        scheduler.demand.note_earlier(frame, step, origin, feed)
                elif feed.kind == ITEM and self._frames.value(frame, feed) is SKIPPED_VALUE:
                    scheduler.mark_upstream(frame, step.slot, SKIPPED)
        scheduler.prepare(frame)
        frame.open -= 1
        if not frame.open:
            self.frame_finished(frame)

    def join(self, frame: Frame) -> None:
        """A new frame inside a product: the other loop may have begun, or ended, before."""
        for number in self._plan.regions[frame.region].children:
            origin, opener = self._frames.opener(frame, number)
            if origin is frame or not origin.demanded[opener.slot]:
                continue
            self._expect_group(number, frame)
            stream = self._frames.streams.get((opener.index, origin.index))
            for item in range(stream.count if stream else 0):
                self._announce(number, frame, item)
            if origin.state[opener.slot] >= DONE:
                self._end_group(number, frame, origin.state[opener.slot])

    def frame_finished(self, frame: Frame) -> None:
        """Nothing in a frame is open: forget it, and let its stream go on."""
        if frame.parent is None or frame.is_finished:
            return
        frame.is_finished = True
        opener = self._plan.steps[self._plan.regions[frame.region].opener]
        if opener.limited:
            stream = self._frames.streams[opener.index, frame.parent.index]
            stream.in_flight -= 1
            if not self._may_be_asked(frame):
                stream.items.pop(frame.index[-1], None)
                stream.keys.pop(frame.index[-1], None)
                self._frames.forget(frame)
            if not stream.ended:
                self._scheduler.ready.pulls.append(stream)
        self._count_down(frame.region, frame.parent)

    def _may_be_asked(self, frame: Frame) -> bool:
        """Whether a list may yet be gathered from a finished frame by somebody who comes late."""
        assert frame.parent is not None
        for number in self._plan.regions[frame.region].gathered:
            gather = self._plan.steps[number]
            if gather.may_start_late and not frame.parent.demanded[gather.slot]:
                return True
        return False

    # -- ends and lists ----------------------------------------------------------------------------

    def expect(self, frame: Frame, step: Step) -> None:
        """
        A stream is asked for: every frame that its items go into has an inner loop to wait for.
        """
        for number in self._plan.opened.get(step.index, ()):
            for parent in self._frames.parents(number, frame):
                self._expect_group(number, parent)

    def _expect_group(self, number: int, parent: Frame) -> None:
        if number not in parent.groups:
            parent.groups[number] = 1
            parent.open += 1

    def ended(self, frame: Frame, step: Step, state: int) -> None:
        """A stream is exhausted, or was skipped or failed."""
        stream = self._frames.streams.get((step.index, frame.index))
        if stream is not None:
            stream.ended = True
        for number in self._plan.opened.get(step.index, ()):
            for parent in self._frames.parents(number, frame):
                self._end_group(number, parent, state)

    def _end_group(self, number: int, parent: Frame, state: int) -> None:
        if state == DONE:
            self._scheduler.outputs.begin_list(number, parent.index)
        elif state == FAILED:
            self._scheduler.outputs.miss_list(number, parent.index)
        for gather_number in self._plan.regions[number].gathered:
            self._scheduler.arrive(parent, self._plan.steps[gather_number].slot, state)
        self._count_down(number, parent)

    def _count_down(self, number: int, parent: Frame) -> None:
        parent.groups[number] -= 1
        if not parent.groups[number]:
            parent.open -= 1
            if not parent.open:
                self.frame_finished(parent)

    def collect(self, frame: Frame, step: Step, values: Values | None, state: int) -> None:
        """
        A gathered step has settled for one item.

        One that was skipped is left out of the list; one that failed fails it, or is a gap.
        """
        assert frame.parent is not None
        for number in step.gathers:
            gather = self._plan.steps[number]
            outcome = came(values, gather.gather_output, state)
            if outcome == DONE and values:
                frame.parent.buckets.setdefault(gather.slot, {})[frame.index[-1]] = values[
                    gather.gather_output
                ]
            is_gap = outcome == FAILED and gather.gap_policy != FAIL
            if is_gap and gather.gap_policy == NONE:
                frame.parent.buckets.setdefault(gather.slot, {})[frame.index[-1]] = None
            if is_gap or step.slot in frame.gaps:
                self._scheduler.gaps.note(frame.parent, gather.slot)
            self._scheduler.arrive(
                frame.parent, gather.slot, FAILED if outcome == FAILED and not is_gap else DONE
            )

    # -- demand ------------------------------------------------------------------------------------

    def needs(self, frame: Frame, gather: Step) -> list[tuple[Frame, Step]]:
        """
        Return what a gather needs.

        The loop it closes, and the collected step in every item that there is.
        """
        source = self._plan.steps[gather.gather_source]
        region = self._plan.by_loops[
            (*source.loops, source.index) if source.streams else source.loops
        ]
        wanted = [self._frames.opener(frame, region)]
        if not source.streams:
            wanted += [(inner, source) for inner in self._frames.inside(frame, region)]
        return wanted

    def demand_gathered(self, frame: Frame) -> None:
        """
        In a new item's frame: ask for what is collected from it by gathers that were asked for
        before.
        """
        if frame.parent is None:
            return
        for number in self._plan.regions[frame.region].gathered:
            gather = self._plan.steps[number]
            source = self._plan.steps[gather.gather_source]
            if frame.parent.demanded[gather.slot] and not source.streams:
                self._scheduler.demand.ask_for(frame, source)
