"""
Random workflows.

Layered graphs with duplicates and fan-out, loops (nested, ragged, empty, products), branches,
failures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from nodes.nodetool.boolean import ConditionalSwitch
from nodes.nodetool.control import Collect, ForEach, If, Merge, Reroute
from nodes.nodetool.output import Output
from nodetool_core import Node, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.node_base import OutputHandle
from tests.engine.nodes import Add, Each, Fail, IsOdd, Mix, Number, Total, Upto

MOST_LOOPS = 3

PLAIN_KINDS = ("number", "add", "mix", "mix", "mix3", "reroute")
LOOP_KINDS = (*PLAIN_KINDS, "each", "each", "for_each", "upto", "collect", "collect", "total")
BRANCH_KINDS = (*LOOP_KINDS, "odd", "if", "if", "merge", "switch")
ALL_KINDS = (*BRANCH_KINDS, "fail")
JOIN_KINDS = (
    "number",
    "mix",
    "mix",
    "mix3",
    "odd",
    "if",
    "if",
    "if",
    "merge",
    "switch",
    "fail",
    "fail",
    "collect",
    "each",
)
"""Several branches, in each other and side by side, that meet again, with failures in between."""

Step = tuple[str, int, int, int, int]
"""What to add, and numbers that choose its inputs among what there is."""


def programs(kinds: tuple[str, ...], most: int = 16) -> st.SearchStrategy[list[Step]]:
    number = st.integers(0, 11)
    return st.lists(
        st.tuples(st.sampled_from(kinds), number, number, number, number), min_size=1, max_size=most
    )


@dataclass
class Builder:
    """Reads a program as a graph. Whatever the numbers say, the graph is valid."""

    ints: list[OutputHandle[Any]] = field(default_factory=list)
    lists: list[OutputHandle[Any]] = field(default_factory=list)
    bools: list[OutputHandle[Any]] = field(default_factory=list)
    loops: int = 0

    def pick(
        self, pool: list[OutputHandle[Any]], number: int, make: Callable[[], Node]
    ) -> OutputHandle[Any]:
        """Return an output, likely one of the latest, so that graphs grow deep rather than wide."""
        return pool[-1 - number % len(pool)] if pool else make()["output"]

    def int_(self, number: int) -> OutputHandle[Any]:
        return self.pick(self.ints, number, lambda: Number(value=number))

    def list_(self, number: int) -> OutputHandle[Any]:
        return self.pick(self.lists, number, lambda: Upto(n=number))

    def bool_(self, number: int) -> OutputHandle[Any]:
        return self.pick(self.bools, number, lambda: IsOdd(a=self.int_(number)))

    def add(self, step: Step) -> None:
        kind, a, b, c, d = step
        if kind in ("each", "for_each") and self.loops >= MOST_LOOPS:
            kind = "mix"
        if kind in ("each", "for_each"):
            self.loops += 1
            items = self.list_(a) if b % 3 else [c, d][: b // 3 % 3]
            node: Node = Each(items=items) if kind == "each" else ForEach(input_list=items)
            self.ints.extend(node[name] for name in node.spec.outputs)
        elif kind == "number":
            self.ints.append(Number(value=a % 4)["output"])
        elif kind in ("upto", "collect"):
            node = Upto(n=self.int_(a)) if kind == "upto" else Collect(input_item=self.int_(a))
            self.lists.append(node["output"])
        elif kind == "total":
            self.ints.append(Total(values=self.list_(a))["output"])
        elif kind == "odd":
            self.bools.append(IsOdd(a=self.int_(a))["output"])
        elif kind == "if":
            branch = If(condition=self.bool_(a), value=self.int_(b))
            self.ints += [branch["if_true"], branch["if_false"]]
        else:
            self.ints.append(self._of_ints(kind, a, b, c, d)["output"])

    def _of_ints(self, kind: str, a: int, b: int, c: int, d: int) -> Node:
        if kind == "switch":
            return ConditionalSwitch(
                condition=self.bool_(a), if_true=self.int_(b), if_false=self.int_(c)
            )
        if kind == "merge":
            return Merge(a=self.int_(a), b=self.int_(b))
        if kind == "fail":
            return Fail(a=self.int_(a), on=2 + b % 3)
        if kind == "reroute":
            return Reroute(input_value=self.int_(a))
        if kind == "add":
            return Add(a=self.int_(a), b=c % 3)
        if kind == "mix3":
            # Given in another order than declared: it must not matter.
            return Mix(c=self.int_(c), b=self.int_(b), a=self.int_(a))
        return Mix(a=self.int_(a), b=self.int_(b)) if d % 2 else Mix(b=self.int_(b), a=self.int_(a))


def workflow_of(program: list[Step], engine: Engine) -> Workflow:
    builder = Builder()
    for step in program:
        builder.add(step)
    wanted = [*builder.ints[-3:], *builder.lists[-2:], *builder.bools[-1:]] or [
        Number(value=0)["output"]
    ]
    return Workflow(
        *(Output(name=f"out_{place}", value=handle) for place, handle in enumerate(wanted)),
        engine=engine,
    )
