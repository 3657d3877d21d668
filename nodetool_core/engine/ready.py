"""
Ready steps, sorted by how they run.

Inline steps are taken last in first out: what was just made is used before more is made. Of blocking steps, the one that lets
go of most memory comes first, then the last one in; a heap, so O(log n) each. Device steps are taken by model: that of the last
one first, then one whose weights are loaded, so that weights are changed as seldom as the graph allows.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

from nodetool_core.engine.caching.memory import size_of_all
from nodetool_core.engine.frames import Frame, Stream
from nodetool_core.engine.plan import LOCAL, Step
from nodetool_core.node import Lane
from nodetool_core.references import ModelRef

Job = tuple[Frame, Step]


class Ready:
    """The ready queues of one run."""

    def __init__(self, is_loaded: Callable[[ModelRef], bool]) -> None:
        """
        Args:
            is_loaded: Whether the weights of a model are on the device.
        """
        self.inline: list[Job] = []
        self.pulls: deque[Stream] = deque()
        """Streams that may have room for another item."""
        self._blocking: list[tuple[int, int, Job]] = []
        self._order = itertools.count(0, -1)
        self._waiting: list[Job] = []
        self._device: dict[ModelRef | None, list[Job]] = {}
        self._last_model: ModelRef | None = None
        self._is_loaded = is_loaded

    def add(self, frame: Frame, step: Step) -> None:
        """Queue a step that does not run inline."""
        assert step.kind is not None
        if step.kind.lane is Lane.DEVICE:
            self._device.setdefault(_model_of(step), []).append((frame, step))
        elif step.kind.lane is Lane.NETWORK or step.kind.spec.is_async:
            self._waiting.append((frame, step))
        else:
            heapq.heappush(self._blocking, (-_freed(frame, step), next(self._order), (frame, step)))

    def take(self, outstanding: dict[Lane, int], workers: int) -> tuple[Lane, Job] | None:
        """The next step that may start, and its lane; None where there is none, or no room for it."""
        if self._waiting:
            return Lane.NETWORK, self._waiting.pop()
        if self._device and not outstanding[Lane.DEVICE]:
            return Lane.DEVICE, self._take_device()
        if self._blocking and outstanding[Lane.CPU] < workers:
            job = heapq.heappop(self._blocking)[2]
            alone = not (self._blocking or self.pulls or self._device or any(outstanding.values()))
            return (Lane.INLINE if alone else Lane.CPU), job
        return None

    def wants_items(self, workers: int) -> bool:
        """Whether there is so little to do that a stream should give more."""
        return bool(self.pulls) and len(self._blocking) < workers

    def has_device_work(self) -> bool:
        return bool(self._device)

    def clear(self) -> None:
        for queue in (self.inline, self.pulls, self._blocking, self._waiting, self._device):
            queue.clear()

    def _take_device(self) -> Job:
        model = self._last_model
        if model not in self._device:
            loaded = (waiting for waiting in self._device if waiting is not None and self._is_loaded(waiting))
            model = next(loaded, next(iter(self._device)))
        queue = self._device[model]
        job = queue.pop()
        if not queue:
            del self._device[model]
        self._last_model = model
        return job


def _freed(frame: Frame, step: Step) -> int:
    """Bytes of the values that nobody else waits for: what is let go of once the step is done."""
    last = [frame.values[feed.slot] for feed in step.feeds if feed.kind == LOCAL and frame.uses[feed.slot] == 1]
    return sum(size_of_all(values) for values in last if values is not None)


def _model_of(step: Step) -> ModelRef | None:
    """The model that a device step uses, as far as its values say."""
    assert step.node is not None
    found: Any = next((value for value in step.node.values.values() if isinstance(value, ModelRef)), None)
    return None if found is None else found.model_copy(update={"allow_patterns": None, "ignore_patterns": None})
