"""
What is demanded: from the targets up.

What becomes of a step that is demanded, in this order:

    1 demanded before   nothing more
    2 duplicate         it settles with the earlier, equal step, which is demanded in its place
    3 hit               its result is in the cache: nothing above it is demanded for it
    4 miss              all that it needs is demanded; it is ready when that has come

What can't be cached (Step.shareable), and all where the run takes nothing from the cache, is a
miss. A lazy property is demanded when its node needs it. A result is put into the cache when
its step is done (Scheduler.finish), unless it is right for this run alone (gaps.py). Nothing
recurses: what is still to be demanded waits in a list.
"""

from __future__ import annotations

from collections import deque

from nodetool_core.engine.frames import DONE, RUNNING, Frame, Frames
from nodetool_core.engine.messages import CacheHit, DuplicateSettled, Failed, Message
from nodetool_core.engine.run_environment import RunEnvironment
from nodetool_core.engine.steps import GateStep, GatherStep, NodeStep, Step
from nodetool_core.ownership import own_copy


class Demand:
    """What has been demanded in one run."""

    def __init__(self, frames: Frames, environment: RunEnvironment) -> None:
        self.found: deque[Message] = deque()
        """What is known at once, for the scheduler to settle."""
        self._frames = frames
        self._steps = frames.plan.steps
        self._cached = environment.cache.get if environment.options.use_cache else None

    def add(self, frame: Frame, step: Step) -> None:
        """Demand a step and all that it needs, as far as the cache does not have it."""
        cached, ready = self._cached, self._frames.ready
        pending = [(frame, step.slot)]
        while pending:
            frame, slot = pending.pop()
            demanded = frame.demanded
            if demanded[slot]:
                continue
            demanded[slot] = 1
            frame.open += 1
            if frame.duplicate_of and slot in frame.duplicate_of:
                first = frame.duplicate_of[slot]
                if frame.state[first] < DONE:
                    pending.append((frame, first))
                elif isinstance(step := frame.steps[slot], NodeStep):
                    self.found.append(DuplicateSettled(frame, step, first))
                continue
            region = frame.region
            if cached is not None and region.shareable[slot]:
                values = cached(frame.keys[slot])
                if values is not None and isinstance(step := frame.steps[slot], NodeStep):
                    frame.state[slot], frame.plain[slot] = RUNNING, 0
                    self.found.append(CacheHit(frame, step, values))
                    continue
            if not frame.pending_inputs[slot]:
                ready.append((frame, frame.steps[slot]))
            if region.local[slot]:
                for source in region.sources[slot]:
                    if not demanded[source]:
                        pending.append((frame, source))  # noqa: PERF401 - mostly one or two
            else:
                pending += self._needs(frame, frame.steps[slot])

    def _needs(self, frame: Frame, step: Step) -> list[tuple[Frame, int]]:
        """Return what a step needs that may be elsewhere: frames and slots."""
        needed: list[tuple[Frame, int]] = []
        if step.streams:
            self._frames.expect(frame, step)
            if step.rounds is not None:
                needed += [(frame, gather.slot) for gather in step.rounds.gathers.values()]
        if step.guard is not None:
            needed.append((self._frames.source(frame, step.guard), step.guard.slot))
        elif isinstance(step, GatherStep):
            needed += [(inner, source.slot) for inner, source in self._frames.needs(frame, step)]
        needed += [
            (self._frames.source(frame, feed), feed.slot) for feed in step.feeds if not feed.lazy
        ]
        return needed

    def add_lazy(self, frame: Frame, step: Step) -> None:
        """
        Find out which lazy properties a step wants now, and demand them.

        All that it waited for so far has arrived.
        """
        slot = step.slot
        try:
            wanted = self._wanted_next(frame, step)
        except Exception as error:  # noqa: BLE001 - a node is foreign code: whatever it raises is its failure
            if isinstance(step, NodeStep):
                self.found.append(Failed(None, frame, step, error))
            return
        frame.lazy_round[slot] = frame.lazy_round.get(slot, 0) + 1
        frame.lazy_demanded[slot] = frame.lazy_demanded.get(slot, frozenset()) | wanted
        # One arrival more than there are feeds to come, so that the step does not begin in the
        # middle of this.
        frame.pending_inputs[slot] += 1
        for feed in step.feeds:
            if feed.lazy and feed.property in wanted:
                origin = self._frames.source(frame, feed)
                if origin.state[feed.slot] >= DONE:
                    self._frames.note_earlier(frame, step, origin, feed)
                else:
                    frame.pending_inputs[slot] += 1
                    self.add(origin, self._steps[feed.source])
        self._frames.arrive(frame, slot, DONE)

    def _wanted_next(self, frame: Frame, step: Step) -> frozenset[str]:
        if step.guard is not None and step.slot not in frame.lazy_round:
            first_came = not frame.upstream_state[step.slot]
            frame.upstream_state[step.slot] = 0
            is_decided = isinstance(step, GateStep) and step.either and first_came
            return frozenset() if is_decided else step.implicitly_lazy
        if not isinstance(step, NodeStep):
            return frozenset()
        node_class = step.node.node_class
        values = step.node.values | {
            feed.property: self._frames.value(frame, feed)
            for feed in step.feeds
            if feed.property not in node_class.lazy
        }
        own = own_copy(values)
        return node_class.instantiate(own).demand(own)
