"""
Ready steps, sorted by how they run.

Inline steps are taken last in first out: what was just made is used before more is made. Of
blocking steps, the one that lets go of most memory comes first, then the last one in; a heap, so
O(log n) each. Device steps are taken by model: that of the last one first, then one whose weights
are loaded, then as the weights manager plans it (model_lookahead.py), so that weights are changed
as seldom as the graph allows.
"""

from __future__ import annotations

import heapq
import itertools

from nodetool_core.context import Models
from nodetool_core.engine.caching.sizes import size_of_all
from nodetool_core.engine.frames import Frame, Frames
from nodetool_core.engine.model_lookahead import ModelLookahead, models_of
from nodetool_core.engine.steps import LOCAL, NodeStep, Step
from nodetool_core.node_base import Lane
from nodetool_core.references import ModelRef

Job = tuple[Frame, NodeStep]


class Ready:
    """The ready queues of one run."""

    def __init__(self, frames: Frames, models: Models, lookahead: ModelLookahead) -> None:
        """
        Make empty queues.

        Args:
            models: Which models are loaded, where nothing plans ahead.
        """
        self.inline = frames.ready
        self.pulls = frames.pulls
        self._blocking: list[tuple[int, int, Job]] = []
        self._order = itertools.count(0, -1)
        self._waiting: list[Job] = []
        self._device: dict[tuple[ModelRef, ...], list[Job]] = {}
        self._last_models: tuple[ModelRef, ...] = ()
        self._is_loaded = models.is_loaded
        self.lookahead = lookahead

    def add(self, frame: Frame, step: NodeStep) -> None:
        """Queue a step that does not run inline."""
        if step.compiled.lane is Lane.DEVICE:
            self._device.setdefault(models_of(frame, step), []).append((frame, step))
        elif step.compiled.lane is Lane.NETWORK or step.compiled.spec.is_async:
            self._waiting.append((frame, step))
        else:
            heapq.heappush(self._blocking, (-_freed(frame, step), next(self._order), (frame, step)))

    def take(self, outstanding: dict[Lane, int], workers: int) -> tuple[Lane, Job] | None:
        """
        Return the next step that may start, and its lane.

        None where there is none, or no room for it.
        """
        if self._waiting:
            return Lane.NETWORK, self._waiting.pop()
        if self._device and outstanding[Lane.DEVICE] < self.lookahead.calls_at_once:
            return Lane.DEVICE, self._take_device(is_busy=outstanding[Lane.DEVICE] > 0)
        if self._blocking and outstanding[Lane.CPU] < workers:
            job = heapq.heappop(self._blocking)[2]
            alone = not (self._blocking or self.pulls or self._device or any(outstanding.values()))
            return (Lane.INLINE if alone else Lane.CPU), job
        return None

    def wants_items(self, workers: int) -> bool:
        """Return whether there is so little to do that a stream should yield more."""
        return bool(self.pulls) and len(self._blocking) < workers

    def has_device_work(self) -> bool:
        return bool(self._device)

    def clear(self) -> None:
        for queue in (self.inline, self.pulls, self._blocking, self._waiting, self._device):
            queue.clear()

    def close(self, *, cancelled: bool) -> None:
        """Let go of the lookahead: the run has ended."""
        self.lookahead.close(cancelled=cancelled)

    def _take_device(self, *, is_busy: bool) -> Job:
        if not self.lookahead.looks_ahead():
            models = self._by_what_is_loaded()
        elif is_busy and len(self._device) > 1 and self.lookahead.devices > 1:
            # A device is busy with those already: another one can do something else meanwhile.
            rest = {
                models: jobs for models, jobs in self._device.items() if models != self._last_models
            }
            models = self.lookahead.choose(rest, self._last_models)
        else:
            models = self.lookahead.choose(self._device, self._last_models)
        queue = self._device[models]
        job = queue.pop()
        if not queue:
            del self._device[models]
        self._last_models = models
        return job

    def _by_what_is_loaded(self) -> tuple[ModelRef, ...]:
        if self._last_models in self._device:
            return self._last_models
        loaded = (
            models
            for models in self._device
            if models and all(self._is_loaded(ref) for ref in models)
        )
        return next(loaded, next(iter(self._device)))


def _freed(frame: Frame, step: Step) -> int:
    """Return the bytes that are let go of once the step is done: nobody else waits for them."""
    last = [
        frame.values[feed.slot]
        for feed in step.feeds
        if feed.kind == LOCAL and frame.refcount[feed.slot] == 1
    ]
    return sum(size_of_all(values) for values in last if values is not None)
