"""
Guards: whether something behind a branch comes at all, without demanding the thing itself.

An output of a node that branches may stay away, and so may all that needs it. The *guard* of an
output is an output that comes when this one does (or would, if nothing failed) and that needs less:
in the end, that of the branch.

    guard of a branch's output = that output
    guard of a step            = those of its inputs, one after the other in the order of the
                                 properties: a `both` gate
    guard of a merging step    = those of its inputs, until one comes: an `either` gate; none if an
                                 input comes anyway
    guard of a gathered list   = that of the step that opens the loop

A step whose inputs do not all have the same guard waits for its own and demands the inputs then.
So nothing that only it needs runs in vain, whichever of several branches is not taken. A gate is a
step without a node that holds no values: it demands its first input, and the second only where
that decides. Equal gates are made once: O(1) for each edge behind a branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Protocol

from nodetool_core.engine.loop_order import as_declared
from nodetool_core.engine.steps import Feed, GateStep, NodeStep, Step
from nodetool_core.graph import Edge

Source = tuple[Step, int]
"""What an edge comes from: a step, and which of its outputs."""

SECOND = "second"
"""The name of what a gate demands after its first input."""


class NewGate(Protocol):
    """Makes a gate."""

    def __call__(self, first: Source, second: Source, /, *, either: bool) -> GateStep: ...


class Guards:
    """The guards of one plan, while it is made."""

    def __init__(self, new_gate: NewGate, watch: Callable[[Step, Source, str], Feed]) -> None:
        """
        Make the guards of a plan.

        Args:
            new_gate: Makes a gate in the loops of both sources.
            watch: Makes an input of a step by which it learns whether a source comes; one with a
                name has to be demanded.
        """
        self._new_gate = new_gate
        self._watch = watch
        self._of_step: dict[int, Source] = {}
        self._gates: dict[tuple[int, int, int, int, bool], Source] = {}

    def of(self, origin: Step, output: int) -> Source | None:
        """Return the guard of an output; None where it always comes."""
        if origin.streams or not origin.may_drop:
            return None
        return self._of_step.get(origin.index, (origin, output))

    def set(self, step: Step, guard: Source) -> None:
        """Set the guard of a step; one without a guard has to run to be known."""
        self._of_step[step.index] = guard

    def copy(self, opener: Step, gather: Step) -> None:
        """Let a list that is gathered over a loop come when the loop does."""
        if opener.index in self._of_step:
            self._of_step[gather.index] = self._of_step[opener.index]

    def lazy(
        self, step: NodeStep, edges: Sequence[Edge], sources: Sequence[Source]
    ) -> frozenset[str]:
        """
        Find out whether a step may be left out.

        Returns the properties that it demands only once others have come.
        """
        node_class, given = (
            step.node.node_class,
            {edge.property: source for edge, source in zip(edges, sources, strict=True)},
        )
        found = {edge.property: self.of(*given[edge.property]) for edge in as_declared(step.node)}
        guards = [guard for guard in found.values() if guard is not None]
        step.may_drop = node_class.branches or (
            len(guards) == len(found) > 0 if node_class.merges else bool(guards)
        )
        demanded = frozenset(
            name for name in given if name in node_class.lazy and not given[name][0].streams
        )
        step.lazy_rounds = int(bool(demanded))
        if node_class.merges:
            if guards and step.may_drop and not node_class.branches:
                self.set(step, self.either(guards))
            return demanded
        first = {
            name: guard
            for name, guard in found.items()
            if name not in demanded and not given[name][0].streams
        }
        known = list(
            {
                (guard[0].index, guard[1]): guard for guard in first.values() if guard is not None
            }.values()
        )
        if known:
            own = self.both(known)
            if not (node_class.branches or any(found[name] for name in demanded)):
                self.set(step, own)
            if len(known) > 1 or None in first.values():
                step.guard, step.implicitly_lazy = self._watch(step, own, ""), frozenset(first)
                step.in_degree += 1
                step.lazy_rounds += 1
        return demanded | step.implicitly_lazy

    def both(self, guards: Iterable[Source]) -> Source:
        """Return a guard that comes when all of these do."""
        return reduce(lambda first, second: self._gate(first, second, either=False), guards)

    def either(self, guards: Iterable[Source]) -> Source:
        """Return a guard that comes when at least one of these does."""
        return reduce(lambda first, second: self._gate(first, second, either=True), guards)

    def _gate(self, first: Source, second: Source, *, either: bool) -> Source:
        name = (first[0].index, first[1], second[0].index, second[1], either)
        if name not in self._gates:
            step = self._new_gate(first, second, either=either)
            step.guard = self._watch(step, first, "")
            step.in_degree += 1
            step.feeds = [self._watch(step, second, SECOND)]
            step.implicitly_lazy = frozenset({SECOND})
            step.lazy_rounds = 1
            self._gates[name] = step, 0
        return self._gates[name]
