"""
Collecting what a run is for: values of the targets, by name.

Of targets in loops as lists, in order.
"""

from __future__ import annotations

from typing import Any

from nodetool_core.engine.compiled_node import Values
from nodetool_core.engine.events import OutputReady
from nodetool_core.engine.frames import Frame, Index
from nodetool_core.engine.plan import Plan
from nodetool_core.engine.result import RunResult
from nodetool_core.engine.run_environment import RunEnvironment
from nodetool_core.engine.steps import NodeStep, Step
from nodetool_core.node_base import SKIPPED, Role
from nodetool_core.ownership import own_copy


class Outputs:
    """The outputs of one run."""

    def __init__(self, plan: Plan, environment: RunEnvironment, result: RunResult) -> None:
        self._plan = plan
        self._environment = environment
        self._result = result
        self._targets = {
            step.index: step
            for step in map(plan.steps.__getitem__, plan.targets)
            if isinstance(step, NodeStep) and self._is_wanted(step)
        }
        self._items: dict[int, dict[Index, object]] = {
            number: {} for number, step in self._targets.items() if step.loops or step.streams
        }
        self._missed: dict[int, set[Index]] = {number: set() for number in self._items}
        """For each target in loops: the places of what failed."""
        self._lists: dict[int, set[Index]] = {number: set() for number in self._items}
        """For each target in loops: the indices at which there is a list, be it an empty one."""

    def give(self, frame: Frame, step: Step, values: Values) -> None:
        """Take the values of a target."""
        target = self._targets.get(step.index)
        if target is None or all(value is SKIPPED for value in values):
            return
        value = _named(target, values)
        if step.loops:
            self._items[step.index][frame.index] = value
        else:
            self._publish(target, value)

    def give_item(self, frame: Frame, step: NodeStep, number: int, values: Values) -> None:
        """Take an item of a target that streams."""
        if step.index in self._targets and any(value is not SKIPPED for value in values):
            self._items[step.index][*frame.index, number] = _named(step, values)

    def begin_list(self, region: int, index: Index) -> None:
        """
        Note that a loop has been gone through.

        Targets inside it have a list at this index, though no item may have come so far.
        """
        for number in self._plan.regions[region].groups:
            if number in self._lists:
                self._lists[number].add(index)

    def miss(self, frame: Frame, step: Step) -> None:
        """Keep the place in the list of a target in a loop that failed, with None."""
        if step.index in self._missed and frame.index:
            self._missed[step.index].add(frame.index)

    def miss_list(self, region: int, index: Index) -> None:
        """
        Keep the place of the list of a loop in another that failed.

        None stands there where no item came before.
        """
        for number in self._plan.regions[region].groups:
            if number in self._missed and index:
                self._missed[number].add(index)

    def close(self) -> None:
        """
        Publish the lists: all items are there. Then put the values into the order of the targets.

        A target whose loop was never begun, as in a branch not taken, has no value.
        """
        for number, by_item in self._items.items():
            step, lists = self._targets[number], self._lists[number]
            if lists or by_item:
                self._publish(
                    step,
                    _nested(by_item, lists, self._missed[number], len(step.loops) + step.streams),
                )
        given = self._result.outputs
        for name in map(_name, self._targets.values()):
            if name in given:
                given[name] = given.pop(name)

    def _is_wanted(self, step: NodeStep) -> bool:
        return step.node.role is not Role.SINK or self._environment.options.outputs is not None

    def _publish(self, step: NodeStep, value: object) -> None:
        name = _name(step)
        value = self._environment.finished(name, own_copy(value))
        self._result.outputs[name] = value
        self._environment.emit(OutputReady(name, step.node.id, own_copy(value)))


def _name(step: NodeStep) -> str:
    """Return what a target's value is called in the result."""
    return step.node.name if step.node.role is Role.OUTPUT else step.node.id


def _named(step: NodeStep, values: Values) -> object:
    """
    Return the value as the result shows it.

    By output name where the node has other outputs than the one.
    """
    names = list(step.node.spec.outputs)
    if names == ["output"]:
        return values[0]
    return {name: value for name, value in zip(names, values, strict=True) if value is not SKIPPED}


def _nested(
    by_item: dict[Index, object], lists: set[Index], missed: set[Index], depth: int
) -> list[object]:
    """
    Return the values by index as lists of lists, in order, and None in the places of what failed.
    """
    tree: dict[int, Any] = {}
    for index in lists:
        _branch(tree, index)
    for index, value in by_item.items():
        _branch(tree, index[:-1])[index[-1]] = value
    for index in missed:
        _branch(tree, index[:-1]).setdefault(index[-1], None)
    return _listed(tree, depth)


def _branch(tree: dict[int, Any], index: Index) -> dict[int, Any]:
    for number in index:
        tree = tree.setdefault(number, {})
    return tree


def _listed(tree: dict[int, Any], depth: int) -> list[object]:
    return [
        tree[number] if depth == 1 or tree[number] is None else _listed(tree[number], depth - 1)
        for number in sorted(tree)
    ]
