"""
Who is asked for: from the targets up.

A step whose result is in the cache asks for nothing above it; one that is equal to an earlier one
asks for that; a lazy property asks when its node does. Nothing recurses: what is still to be asked
for waits in a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodetool_core.engine.frames import DONE, RUNNING, Frame
from nodetool_core.engine.plan import Feed, Step
from nodetool_core.ownership import own_copy

if TYPE_CHECKING:
    from nodetool_core.engine.scheduler import Scheduler


class Demand:
    """What has been asked for in one run."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._steps = scheduler.plan.steps
        self._frames = scheduler.frames
        self._environment = scheduler.environment

    def ask_for(self, frame: Frame, step: Step) -> None:
        """Ask for a step and for all it needs, as far as the cache does not have it."""
        scheduler, steps = self._scheduler, self._steps
        cached = self._environment.cache.get if self._environment.options.use_cache else None
        pending = [(frame, step)]
        while pending:
            frame, step = pending.pop()
            slot = step.slot
            if frame.demanded[slot]:
                continue
            frame.demanded[slot] = 1
            frame.open += 1
            if slot in frame.duplicate_of:
                first = frame.steps[frame.duplicate_of[slot]]
                if frame.state[first.slot] >= DONE:
                    scheduler.found.append(
                        (scheduler.settle_late_duplicate, frame, step, first.slot)
                    )
                else:
                    pending.append((frame, first))
                continue
            if cached is not None and step.shareable:
                values = cached(frame.keys[slot])
                if values is not None:
                    frame.state[slot] = RUNNING
                    scheduler.found.append((scheduler.hit, frame, step, values))
                    continue
            if step.streams:
                scheduler.loops.expect(frame, step)
            if not frame.pending_inputs[slot]:
                scheduler.ready.inline.append((frame, step))
            if step.guard is not None:
                pending.append((self._frames.source(frame, step.guard), steps[step.guard.source]))
            elif step.node is None:
                pending.extend(scheduler.loops.needs(frame, step))
            if step.is_local:
                for source in step.sources:
                    # Mostly one or two: a comprehension would cost more than it saves.
                    pending.append((frame, frame.steps[source]))  # noqa: PERF401
            else:
                pending.extend(
                    [
                        (self._frames.source(frame, feed), steps[feed.source])
                        for feed in step.feeds
                        if not feed.lazy
                    ]
                )

    def ask_next(self, frame: Frame, step: Step) -> None:
        """
        What a step waits for has come.

        Find out which of its lazy properties it wants now, and ask for them.
        """
        scheduler, slot = self._scheduler, step.slot
        try:
            asked = self._wanted_next(frame, step)
        except Exception as error:  # noqa: BLE001 - a node is foreign code: whatever it raises is its failure
            scheduler.fail(frame, step, error)
            return
        frame.lazy_round[slot] = frame.lazy_round.get(slot, 0) + 1
        frame.asked[slot] = frame.asked.get(slot, frozenset()) | asked
        # One arrival more than there are feeds to come, so that the step does not begin in the
        # middle of this.
        frame.pending_inputs[slot] += 1
        for feed in step.feeds:
            if feed.lazy and feed.property in asked:
                origin = self._frames.source(frame, feed)
                if origin.state[feed.slot] >= DONE:
                    self.note_earlier(frame, step, origin, feed)
                else:
                    frame.pending_inputs[slot] += 1
                    self.ask_for(origin, self._steps[feed.source])
        scheduler.arrive(frame, slot, DONE)

    def _wanted_next(self, frame: Frame, step: Step) -> frozenset[str]:
        if step.guard is not None and step.slot not in frame.lazy_round:
            first_came = not frame.upstream_state[step.slot]
            frame.upstream_state[step.slot] = 0
            return frozenset() if step.either and first_came else step.implicitly_lazy
        node = step.node
        assert node is not None
        lazy = node.node_class.lazy
        values = node.values | {
            feed.property: self._frames.value(frame, feed)
            for feed in step.feeds
            if feed.property not in lazy
        }
        own = own_copy(values)
        return node.node_class.instantiate(own).demand(own)

    def note_earlier(self, frame: Frame, step: Step, origin: Frame, feed: Feed) -> None:
        """A feed had settled before the step began to wait: only what became of it is left to take."""
        state = origin.came(feed)
        if state != DONE:
            self._scheduler.mark_upstream(frame, step.slot, state)
