"""
Loops of a run: items in, frames for them, lists out.

When a stream yields an item, a frame is made for each region that runs for it, and the steps of the
frame are demanded as far as something outside wants them. A frame is finished when nothing that
was demanded in it is open; it is then forgotten, and its stream may yield another item: that is the
back-pressure. Where two loops meet in a product, or an item waits for the end of its own loop,
items can't be bounded and are all kept (`Step.limited`).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping

from nodetool_core.engine.compiled_node import Values
from nodetool_core.engine.demand import Demand
from nodetool_core.engine.frame_keys import FrameKeys
from nodetool_core.engine.frames import (
    DONE,
    FAILED,
    LOCAL_KINDS,
    SKIPPED,
    Frame,
    Frames,
    Stream,
    came,
)
from nodetool_core.engine.gaps import FAIL, NONE, Gaps
from nodetool_core.engine.messages import ItemFinished, StreamEnded
from nodetool_core.engine.outputs import Outputs
from nodetool_core.engine.rounds import Came, carry
from nodetool_core.engine.steps import ITEM, GatherStep, Step
from nodetool_core.node_base import SKIPPED as SKIPPED_VALUE
from nodetool_core.ownership import own_copy


class Loops:
    """The loops of one run."""

    def __init__(
        self, frames: Frames, demand: Demand, keys: FrameKeys, outputs: Outputs, gaps: Gaps
    ) -> None:
        self._frames = frames
        self._plan = frames.plan
        self._demand = demand
        self._keys = keys
        self._outputs = outputs
        self._gaps = gaps
        self._to_begin: list[tuple[int, int, int, Frame, int]] = []
        """Frames to make, outer ones first: depth, order, region, parent, item."""
        self._order = itertools.count()

    # -- items -------------------------------------------------------------------------------------

    def take(self, stream: Stream, values: Values) -> None:
        """Take a new item of a stream, and begin what runs for it."""
        frame, step = stream.frame, stream.step
        number = stream.count
        stream.count += 1
        if step.is_target:
            self._outputs.give_item(frame, step, number, values)
        for gather in step.gathers:
            if values[gather.output] is not SKIPPED_VALUE:
                frame.buckets.setdefault(gather.slot, {})[number] = values[gather.output]
            if gather.carried:
                key = self._keys.item(frame, step, number, values, stream.chain)[gather.output]
                self._carry(frame, gather, (DONE, values[gather.output], key))
        regions = [
            region
            for region in self._plan.opened.get(step.index, ())
            if self._plan.regions[region].subtree
        ]
        parents = [
            (region, parent) for region in regions for parent in self._frames.parents(region, frame)
        ]
        if parents or (regions and not step.limited):
            stream.items[number] = values
            stream.keys[number] = self._keys.item(frame, step, number, values, stream.chain)
        stream.in_flight += bool(parents) and step.limited
        for region, parent in parents:
            self._announce(region, parent, number)
        self._begin_announced()
        self._frames.pulls.append(stream)

    # -- frames ------------------------------------------------------------------------------------

    def prepare(self, frame: Frame) -> None:
        """Make the keys of a new frame, and demand its targets."""
        self._keys.make(frame)
        if frame.parent is not None:
            self._join(frame)
        for number in frame.region.targets:
            self._demand.add(frame, self._plan.steps[number])
        if frame.parent is None:
            return
        for gather in frame.region.gathered:
            # Gathers that were demanded before want it of this item too.
            source = self._plan.steps[gather.source]
            if frame.parent.demanded[gather.slot] and not source.streams:
                self._demand.add(frame, source)

    def _announce(self, number: int, parent: Frame, item: int) -> None:
        """Note that a frame is to be made; its parent counts it from now on."""
        region = self._plan.regions[number]
        parent.groups[number] += 1
        for gather in region.gathered:
            if not self._plan.steps[gather.source].streams:
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
        region = self._plan.regions[number]
        frame = self._frames.add(number, parent, item)
        frame.open = 1
        for step_number in region.steps:
            step = self._plan.steps[step_number]
            for feed in step.feeds if step.guard is None else (step.guard, *step.feeds):
                if feed.kind not in LOCAL_KINDS and not feed.lazy:
                    origin = self._frames.source(frame, feed)
                    if origin.state[feed.slot] >= DONE:
                        frame.pending_inputs[step.slot] -= 1
                        self._frames.note_earlier(frame, step, origin, feed)
                elif feed.kind == ITEM and self._frames.value(frame, feed) is SKIPPED_VALUE:
                    self._frames.mark_upstream(frame, step.slot, SKIPPED)
        self.prepare(frame)
        frame.open -= 1
        if not frame.open:
            self.frame_finished(frame)

    def _join(self, frame: Frame) -> None:
        """Let a new frame join a product whose other loop may have begun, or ended, before."""
        for number in frame.region.children:
            origin, opener = self._frames.opener(frame, number)
            if origin is frame or not origin.demanded[opener.slot]:
                continue
            self._frames.expect_group(number, frame)
            stream = self._frames.streams.get((opener.index, origin.index))
            for item in range(stream.count if stream else 0):
                self._announce(number, frame, item)
            if origin.state[opener.slot] >= DONE:
                self._end_group(number, frame, origin.state[opener.slot])

    def frame_finished(self, frame: Frame) -> None:
        """Forget a frame in which nothing is open, and let its stream go on."""
        if frame.parent is None or frame.is_finished:
            return
        frame.is_finished = True
        opener = self._plan.steps[frame.region.opener]
        if opener.limited:
            stream = self._frames.streams[opener.index, frame.parent.index]
            stream.in_flight -= 1
            stream.finished += 1
            if stream.is_reported:
                self._demand.found.append(ItemFinished(stream, stream.finished))
            if not self._may_be_asked(frame):
                stream.items.pop(frame.index[-1], None)
                stream.keys.pop(frame.index[-1], None)
                self._frames.forget(frame)
            if not stream.ended:
                self._frames.pulls.append(stream)
        self._count_down(frame.number, frame.parent)

    def _may_be_asked(self, frame: Frame) -> bool:
        """
        Return whether a list may yet be gathered from a finished frame by somebody who comes late.
        """
        assert frame.parent is not None
        demanded = frame.parent.demanded
        return any(
            gather.may_start_late and not demanded[gather.slot] for gather in frame.region.gathered
        )

    # -- ends and lists ----------------------------------------------------------------------------

    def ended(self, frame: Frame, step: Step, state: int) -> None:
        """End the loops of a stream that is exhausted, or was skipped or failed."""
        stream = self._frames.streams.get((step.index, frame.index))
        if stream is not None:
            stream.ended = True
        for number in self._plan.opened.get(step.index, ()):
            for parent in self._frames.parents(number, frame):
                self._end_group(number, parent, state)

    def _end_group(self, number: int, parent: Frame, state: int) -> None:
        if state == DONE:
            self._outputs.begin_list(number, parent.index)
        elif state == FAILED:
            self._outputs.miss_list(number, parent.index)
        for gather in self._plan.regions[number].gathered:
            self._frames.arrive(parent, gather.slot, state)
        self._count_down(number, parent)

    def _count_down(self, number: int, parent: Frame) -> None:
        parent.groups[number] -= 1
        if not parent.groups[number]:
            parent.open -= 1
            if not parent.open:
                self.frame_finished(parent)

    def collect(self, frame: Frame, step: Step, values: Values | None, state: int) -> None:
        """
        Take the value of a gathered step, which has settled for one item.

        One that was skipped is left out of the list; one that failed fails it, or is a gap.
        """
        assert frame.parent is not None
        parent, item = frame.parent, frame.index[-1]
        for gather in step.gathers:
            outcome = came(values, gather.output, state)
            bucket = parent.buckets.setdefault(gather.slot, {})
            if outcome == DONE and values:
                bucket[item] = values[gather.output]
            is_gap = outcome == FAILED and gather.gap_policy != FAIL
            if is_gap and gather.gap_policy == NONE:
                bucket[item] = None
            if is_gap or step.slot in frame.gaps:
                self._gaps.note(parent, gather.slot)
                if gather.carried:
                    # All further rounds are made of it.
                    self._gaps.note(parent, self._plan.steps[gather.opener].slot)
            if gather.carried:
                value = bucket.get(item)
                self._carry(parent, gather, (outcome, value, frame.keys[step.slot]))
            self._frames.arrive(
                parent, gather.slot, FAILED if outcome == FAILED and not is_gap else DONE
            )

    def _carry(self, parent: Frame, gather: GatherStep, came: Came) -> None:
        """Have a stream go on where all is known that came of its last item."""
        stream = self._frames.streams[gather.opener, parent.index]
        goes_on = carry(self._plan, gather, stream, came)
        if goes_on is None:
            return
        if goes_on:
            self._frames.pulls.append(stream)
        else:
            self._demand.found.append(StreamEnded(None, stream, 0.0))

    def gathered(self, frame: Frame, gather: GatherStep) -> object:
        """Return what a loop that has ended gives: a list, or what was carried to its end."""
        bucket = frame.buckets.pop(gather.slot, {})
        if not gather.carried:
            return [bucket[number] for number in sorted(bucket)]
        stream = self._frames.streams.get((gather.opener, frame.index))
        result = None if stream is None or stream.source is None else stream.source.result
        if isinstance(result, Mapping) and gather.carried in result:
            return own_copy(result[gather.carried])
        return bucket[max(bucket)] if bucket else None
