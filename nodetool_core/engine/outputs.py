"""Collecting what a run is for: values of the targets, by name; of targets in loops as lists, in order."""

from __future__ import annotations

from typing import Any

from nodetool_core.engine.events import OutputReady
from nodetool_core.engine.frames import Frame, Index, Values
from nodetool_core.engine.plan import Plan, Step
from nodetool_core.engine.result import RunResult
from nodetool_core.engine.services import Services
from nodetool_core.node import SKIPPED, Role


class Outputs:
    """The outputs of one run."""

    def __init__(self, plan: Plan, services: Services, result: RunResult) -> None:
        self._plan = plan
        self._services = services
        self._result = result
        self._items: dict[int, dict[Index, Any]] = {
            number: {}
            for number in plan.targets
            if (plan.steps[number].loops or plan.steps[number].streams) and self._is_wanted(plan.steps[number])
        }

    def give(self, frame: Frame, step: Step, values: Values) -> None:
        """A target is done."""
        if not self._is_wanted(step):
            return
        value = _named(step, values)
        if step.loops:
            self._items[step.index][frame.index] = value
        elif value is not SKIPPED:
            self._publish(step, value)

    def give_item(self, frame: Frame, step: Step, number: int, values: Values) -> None:
        """A target that streams gave an item."""
        if self._is_wanted(step):
            self._items[step.index][*frame.index, number] = _named(step, values)

    def close(self) -> None:
        """All items are there."""
        for number, by_item in self._items.items():
            self._publish(self._plan.steps[number], _nested(by_item))

    def _is_wanted(self, step: Step) -> bool:
        assert step.node is not None
        return step.node.role is not Role.SINK or self._services.options.outputs is not None

    def _publish(self, step: Step, value: Any) -> None:
        node = step.node
        assert node is not None
        name = node.name if node.role is Role.OUTPUT else node.id
        value = self._services.finished(name, value)
        self._result.outputs[name] = value
        self._services.emit(OutputReady(name, node.id, value))


def _named(step: Step, values: Values) -> Any:
    """The value as the result shows it: by output name where the node has other outputs than the one."""
    assert step.node is not None
    names = list(step.node.spec.outputs)
    return values[0] if names == ["output"] else dict(zip(names, values, strict=True))


def _nested(by_item: dict[Index, Any]) -> Any:
    """Values by index as lists of lists, in order; what was skipped is left out."""
    if () in by_item:
        return by_item[()]
    grouped: dict[int, dict[Index, Any]] = {}
    for index, value in by_item.items():
        if value is not SKIPPED:
            grouped.setdefault(index[0], {})[index[1:]] = value
    return [_nested(grouped[number]) for number in sorted(grouped)]
