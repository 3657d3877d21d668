"""
Ready steps, sorted by how they run.

Inline steps and blocking ones are taken last in first out: what was just made is used before more is made. Device steps are
taken by model, that of the last one first, so that weights are changed as seldom as the graph allows.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from nodetool_core.engine.frames import Frame, Stream
from nodetool_core.engine.plan import Step
from nodetool_core.node import Lane
from nodetool_core.references import ModelRef

Job = tuple[Frame, Step]


class Ready:
    """The ready queues of one run."""

    def __init__(self) -> None:
        self.inline: list[Job] = []
        self.pulls: deque[Stream] = deque()
        """Streams that may have room for another item."""
        self._blocking: list[Job] = []
        self._waiting: list[Job] = []
        self._device: dict[ModelRef | None, list[Job]] = {}
        self._last_model: ModelRef | None = None

    def add(self, frame: Frame, step: Step) -> None:
        """Queue a step that does not run inline."""
        assert step.kind is not None
        if step.kind.lane is Lane.DEVICE:
            self._device.setdefault(_model_of(step), []).append((frame, step))
        elif step.kind.lane is Lane.NETWORK or step.kind.spec.is_async:
            self._waiting.append((frame, step))
        else:
            self._blocking.append((frame, step))

    def take(self, outstanding: dict[Lane, int], workers: int) -> tuple[Lane, Job] | None:
        """The next step that may start, and its lane; None where there is none, or no room for it."""
        if self._waiting:
            return Lane.NETWORK, self._waiting.pop()
        if self._device and not outstanding[Lane.DEVICE]:
            return Lane.DEVICE, self._take_device()
        if self._blocking and outstanding[Lane.CPU] < workers:
            job = self._blocking.pop()
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
        model = self._last_model if self._last_model in self._device else next(iter(self._device))
        queue = self._device[model]
        job = queue.pop()
        if not queue:
            del self._device[model]
        self._last_model = model
        return job


def _model_of(step: Step) -> ModelRef | None:
    """The model that a device step uses, as far as its values say."""
    assert step.node is not None
    found: Any = next((value for value in step.node.values.values() if isinstance(value, ModelRef)), None)
    return None if found is None else found.model_copy(update={"allow_patterns": None, "ignore_patterns": None})
