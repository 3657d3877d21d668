"""
Steps that stream: begun, pulled for one item after the other, begun again, ended.

A stream is pulled for its next item where it has room: where fewer of its items are under way than
may be, which is the back-pressure (loops.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from nodetool_core.engine.attempt import Attempt
from nodetool_core.engine.frames import RUNNING, Frame, Frames, Stream
from nodetool_core.engine.invoker import NodeInvoker
from nodetool_core.engine.on_workers import jobs_at_once
from nodetool_core.engine.steps import NodeStep
from nodetool_core.engine.timers import Timers
from nodetool_core.errors import Problem
from nodetool_core.node_base import Lane

ITEMS_IN_FLIGHT = 8
ITEMS_IN_FLIGHT_WAITING = 32
"""
How many items of one loop may be under way: where the work computes, and where it mostly waits.
"""


class Streams:
    """The streams of one run."""

    def __init__(self, frames: Frames, invoker: NodeInvoker, timers: Timers, workers: int) -> None:
        self._frames = frames
        self._invoker = invoker
        self._timers = timers
        self._workers = workers
        self._limits: dict[int, int] = {}

    def open(self, frame: Frame, step: NodeStep) -> None:
        """Begin a stream. Raises MisfitError where a value does not fit."""
        frame.state[step.slot] = RUNNING
        stream = self._frames.streams[step.index, frame.index] = Stream(step, frame)
        self._begin(stream)

    def _begin(self, stream: Stream) -> None:
        self._invoker.open(stream)
        self._frames.pulls.append(stream)

    def may_begin_again(self, frame: Frame, step: NodeStep) -> bool:
        """
        Give up an attempt at a stream that failed; return whether it may be begun anew.

        Once it yielded items, only one that yields the same ones again.
        """
        stream = self._frames.streams[step.index, frame.index]
        if stream.source is not None:
            stream.source.attempt.give_up()
        can_be_repeated = step.node.node_class.cacheable and step.rounds is None
        return can_be_repeated or not stream.count

    def begin_again(self, frame: Frame, step: NodeStep) -> None:
        """
        Begin a stream anew: what it yielded already is skipped.

        Raises MisfitError where a value does not fit.
        """
        stream = self._frames.streams[step.index, frame.index]
        frame.state[step.slot] = RUNNING
        stream.passed_over, stream.pulling = stream.count, False
        self._begin(stream)

    def pull(self, stream: Stream) -> Attempt | None:
        """
        Ask a stream for its next item, where it has room.

        Returns the attempt at it; None where there is none to wait for.
        """
        step, source = stream.step, stream.source
        if source is None or stream.ended or stream.pulling:
            return None
        if step.rounds is not None and stream.count and stream.sent is None:
            # What came of the last item is not known yet.
            return None
        if stream.in_flight >= self._limit(step):
            return None
        stream.pulling = True
        source.sent, stream.sent = stream.sent, None
        policy = self._timers.policy(step)
        return self._invoker.pull(stream, source, None if policy is None else policy.timeout)

    def gave_new(self, stream: Stream, seconds: float) -> bool:
        """Take note of an item; False where an earlier attempt yielded it already."""
        self.answered(stream, seconds)
        if not stream.passed_over:
            return True
        stream.passed_over -= 1
        self._frames.pulls.append(stream)
        return False

    def answered(self, stream: Stream, seconds: float) -> None:
        """Take note of an item, or of the end."""
        stream.pulling = False
        stream.seconds += seconds
        if stream.source is not None:
            stream.source.is_working = False

    def failed(self, frame: Frame, step: NodeStep) -> None:
        """Note that the work at an item has failed, and so hangs no more."""
        stream = self._frames.streams.get((step.index, frame.index))
        if stream is not None and stream.source is not None:
            stream.source.is_working = False

    def close(self) -> Iterator[Problem]:
        """
        End the generators that were not exhausted: the run is over.

        Yields a warning for each that fails to.
        """
        for stream in self._frames.streams.values():
            if not stream.ended and stream.source is not None:
                try:
                    self._invoker.end(stream)
                except Exception as error:  # noqa: BLE001 - a node is foreign code: the run is over, and its fault is shown
                    yield Problem(
                        "close_failed",
                        f"node {stream.step.node.id!r}",
                        f"{type(error).__name__}: {error}",
                        level="warning",
                    )
            # One that was not pulled holds the run, by its context.
            stream.source = None

    def _limit(self, step: NodeStep) -> int:
        """Return how many items of a step may be under way."""
        if step.index not in self._limits:
            plan = self._frames.plan
            inner = [
                plan.steps[number]
                for region in plan.opened.get(step.index, ())
                for number in plan.regions[region].subtree
            ]
            waits = any(
                isinstance(one, NodeStep)
                and (one.compiled.lane is Lane.NETWORK or one.compiled.spec.is_async)
                for one in inner
            )
            computing = max(ITEMS_IN_FLIGHT, 2 * self._workers)
            bound = ITEMS_IN_FLIGHT_WAITING if waits else computing
            bound = max([bound, *map(jobs_at_once, inner)])
            self._limits[step.index] = bound if step.limited else 1 << 60
        return self._limits[step.index]
