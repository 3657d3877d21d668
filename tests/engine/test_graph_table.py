"""
A table of small graphs: what goes in, what comes out, what ran.

Every graph runs with the cache off, in memory and on disk, and is compared with a plain recursive
evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from nodes.nodetool.boolean import ConditionalSwitch
from nodes.nodetool.control import Collect, ForEach, If, Merge, Reroute
from nodes.nodetool.output import Output
from nodetool_core import Node, Workflow
from nodetool_core.engine.options import RunOptions
from tests.engine.conftest import MakeEngine
from tests.engine.nodes import Add, Anything, Each, Fail, IsOdd, Mix, Number, Numbers, Total, Upto
from tests.engine.plain import Plain


@dataclass(frozen=True)
class Case:
    name: str
    """What it shows, and the behaviour's number."""
    wanted: Callable[[], dict[str, Node | Any]]
    """The outputs by name: nodes, or handles."""
    gives: dict[str, Any]
    ran: str | None = None
    """Nodes that ran besides outputs, in alphabetical order; None where the table does not say."""
    again: str = ""
    """
    Nodes that run again though the cache has everything.

    Streams whose items are results, and choices.
    """


def _same_twice() -> dict[str, Any]:
    one = Number(value=3)
    return {"sum": Add(a=Mix(a=one.output).output, b=Mix(a=Number(value=3).output).output)}


def _shared() -> dict[str, Any]:
    shared = Mix(a=Number(value=2).output)
    return {"a": Add(a=shared.output), "b": Add(a=shared.output, b=2), "c": shared}


def _loop(*items: int) -> Any:
    return Each(items=list(items)).output


def _product() -> dict[str, Any]:
    return {
        "table": Collect(
            input_item=Collect(input_item=Mix(a=_loop(1, 2), b=_loop(10, 20, 30)).output).output
        )
    }


def _product_of_work() -> dict[str, Any]:
    left, right = Add(a=_loop(1, 2)).output, Add(a=_loop(10, 20)).output
    return {"table": Collect(input_item=Collect(input_item=Mix(a=left, b=right).output).output)}


def _pairs_and_products_of_equal_loops() -> dict[str, Any]:
    first, second = _loop(0, 1), _loop(0, 1)

    def table(a: Any, b: Any, c: Any) -> Any:
        return Collect(input_item=Collect(input_item=Mix(a=a, b=b, c=c).output).output)

    return {
        "aab": table(first, first, second),
        "abb": table(first, second, second),
        "pairs": Collect(input_item=Mix(a=first, b=first).output),
    }


def _nested_and_product() -> dict[str, Any]:
    outer = _loop(0, 1, 2)
    inner = Each(items=Upto(n=outer).output).output
    other = _loop(5, 6)
    return {
        "cube": Collect(
            input_item=Collect(
                input_item=Collect(input_item=Mix(a=outer, b=inner, c=other).output).output
            ).output
        )
    }


def _ragged(*, collected: bool) -> dict[str, Any]:
    outer = _loop(2, 0, 3)
    inner = Add(a=Each(items=Upto(n=outer).output).output)
    return {
        "rows": Collect(input_item=Collect(input_item=inner.output).output) if collected else inner
    }


def _sum_beside_its_items() -> dict[str, Any]:
    loop = _loop(1, 2, 3)
    total = Total(values=Collect(input_item=loop).output)
    return {"shares": Collect(input_item=Mix(a=loop, b=total.output).output)}


def _list_of_one_loop_inside_another() -> dict[str, Any]:
    first = Add(a=_loop(1, 2))
    total = Total(values=Collect(input_item=first.output).output)
    return {"a": first, "b": Collect(input_item=Mix(a=_loop(10, 20, 30), b=total.output).output)}


def _branch(*, condition: bool) -> dict[str, Any]:
    branch = If(
        condition=IsOdd(a=Number(value=int(condition)).output).output, value=Number(value=5).output
    )
    left = Mix(a=branch.if_true, b=Mix(a=Number(value=1).output).output)
    right = Add(a=branch.if_false, b=Total(values=Numbers(values=[1, 2]).output).output)
    return {"left": left, "right": right, "merged": Merge(a=left.output, b=right.output)}


def _branch_in_a_loop() -> dict[str, Any]:
    loop = _loop(1, 2, 3, 4)
    branch = If(condition=IsOdd(a=loop).output, value=loop)
    odd, even = Mix(a=branch.if_true), Add(a=branch.if_false, b=100)
    return {
        "odd": Collect(input_item=odd.output),
        "even": Collect(input_item=even.output),
        "both": Collect(input_item=Merge(a=odd.output, b=even.output).output),
        "items": odd,
    }


def _loop_not_taken() -> dict[str, Any]:
    branch = If(condition=False, value=Numbers(values=[1, 2]).output)
    loop = ForEach(input_list=branch.if_true)
    return {
        "list": Collect(input_item=Add(a=loop.output).output),
        "items": loop["output"],
        "other": Add(a=Number(value=1).output),
    }


def _switch(*, condition: bool) -> dict[str, Any]:
    return {
        "chosen": ConditionalSwitch(
            condition=condition,
            if_true=Mix(a=Number(value=1).output).output,
            if_false=Fail(a=0).output,
        )
    }


def _switch_in_a_loop() -> dict[str, Any]:
    loop = _loop(1, 2, 3)
    outside = Total(values=Collect(input_item=Add(a=_loop(5, 6)).output).output)
    return {
        "chosen": Collect(
            input_item=ConditionalSwitch(
                condition=IsOdd(a=loop).output, if_true=outside.output, if_false=loop
            ).output
        )
    }


CASES = [
    Case("10-one node", lambda: {"x": Number(value=4)}, {"x": 4}, "Number"),
    Case(
        "10-a chain",
        lambda: {"x": Add(a=Add(a=Number(value=1).output).output)},
        {"x": 3},
        "Add Add Number",
    ),
    Case(
        "11-one output, several consumers", _shared, {"a": 5, "b": 6, "c": 4}, "Add Add Mix Number"
    ),
    Case("11-two identical nodes are one", _same_twice, {"sum": 12}, "Add Mix Number"),
    Case(
        "13-If takes one way, alone",
        lambda: _branch(condition=True),
        {"left": 16, "merged": 16},
        "If IsOdd Merge Mix Mix Number Number",
    ),
    Case(
        "13-If takes the other",
        lambda: _branch(condition=False),
        {"right": 8, "merged": 8},
        "Add If IsOdd Merge Number Number Numbers Total",
    ),
    Case(
        "13-If per item",
        _branch_in_a_loop,
        {"odd": [2, 6], "even": [102, 104], "both": [2, 102, 6, 104], "items": [2, 6]},
        None,
        "Each",
    ),
    Case("13-a loop that is not taken", _loop_not_taken, {"other": 2}, "Add If Number Numbers"),
    Case(
        "13-Switch runs what it chooses",
        lambda: _switch(condition=True),
        {"chosen": 2},
        "ConditionalSwitch Mix Number",
        "ConditionalSwitch",
    ),
    Case(
        "13-Switch in a loop asks for what is outside", _switch_in_a_loop, {"chosen": [13, 2, 13]}
    ),
    Case(
        "14-an empty loop",
        lambda: {"x": Collect(input_item=Add(a=Each(items=[]).output).output)},
        {"x": []},
        "Collect Each",
    ),
    Case(
        "14-order",
        lambda: {"x": Collect(input_item=Mix(a=_loop(3, 1, 2)).output)},
        {"x": [6, 2, 4]},
        "Collect Each Mix Mix Mix",
    ),
    Case(
        "14-nested, ragged, empty",
        lambda: _ragged(collected=True),
        {"rows": [[1, 2], [], [1, 2, 3]]},
    ),
    Case(
        "14-nested, as an output in the loops",
        lambda: _ragged(collected=False),
        {"rows": [[1, 2], [], [1, 2, 3]]},
        None,
        "Each",
    ),
    Case("14-independent loops are a product", _product, {"table": [[32, 62, 92], [34, 64, 94]]}),
    Case(
        "14-a product of what was worked out in each",
        _product_of_work,
        {"table": [[37, 67], [39, 69]]},
    ),
    Case(
        "14-a nested loop times another",
        _nested_and_product,
        {"cube": [[], [[27, 32]], [[29, 34], [32, 37]]]},
    ),
    Case(
        "14-pairs of a loop with itself, products of equal loops",
        _pairs_and_products_of_equal_loops,
        {"aab": [[0, 5], [5, 10]], "abb": [[0, 8], [2, 10]], "pairs": [0, 5]},
    ),
    Case("14-an item beside the list of all", _sum_beside_its_items, {"shares": [20, 22, 24]}),
    Case(
        "14-the list of one loop inside another",
        _list_of_one_loop_inside_another,
        {"a": [2, 3], "b": [35, 55, 75]},
        None,
        "Each",
    ),
    Case(
        "14-items with their numbers",
        lambda: {"x": ForEach(input_list=["a", "b"])["index"]},
        {"x": [0, 1]},
        None,
        "ForEach",
    ),
    Case(
        "14-Collect without a loop",
        lambda: {"x": Collect(input_item=Number(value=2).output)},
        {"x": [2]},
        "Collect Number",
    ),
    Case(
        "8-Reroute passes anything",
        lambda: {"x": Add(a=Reroute(input_value=Anything(value=4).output).output)},
        {"x": 5},
        "Add Anything Reroute",
    ),
]


def workflow_of(case: Case, make_engine: MakeEngine) -> Workflow:
    outputs = [
        Output(name=name, value=node["output"] if isinstance(node, Node) else node)
        for name, node in case.wanted().items()
    ]
    return Workflow(*outputs, engine=make_engine())


def titles(workflow: Workflow, node_ids: list[str]) -> str:
    by_id = {node.id: node.spec.title for node in workflow.graph.nodes}
    return " ".join(sorted(by_id[node_id] for node_id in node_ids if by_id[node_id] != "Output"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_comes_out_and_what_runs(case: Case, make_engine: MakeEngine) -> None:
    workflow = workflow_of(case, make_engine)
    result = workflow.run()
    assert dict(result) == case.gives == Plain(workflow.graph).outputs()
    if case.ran is not None:
        assert titles(workflow, result.ran) == case.ran


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_second_run(case: Case, make_engine: MakeEngine, tier: str) -> None:
    """
    Behaviour 17: runs nothing where there is a cache, all of it where there is none.

    With a cache on disk, another process runs nothing either.
    """
    workflow = workflow_of(case, make_engine)
    first = workflow.run()
    if tier == "disk":
        workflow.engine.cache.flush()  # type: ignore[attr-defined]
        workflow = workflow_of(case, make_engine)
    second = workflow.run()
    assert dict(second) == case.gives
    if tier == "off":
        assert (sorted(second.ran), second.hits) == (sorted(first.ran), [])
    else:
        assert set(titles(workflow, second.ran).split()) == set(case.again.split())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_output_alone(case: Case, make_engine: MakeEngine) -> None:
    """Behaviour 12: only what the chosen output needs runs."""
    for name in case.wanted():
        workflow = workflow_of(case, make_engine)
        result = workflow.run(options=RunOptions(outputs=[name]))
        assert dict(result) == {key: value for key, value in case.gives.items() if key == name}
        needed = _ancestors(workflow, name)
        assert set(result.ran) <= needed


def _ancestors(workflow: Workflow, output: str) -> set[str]:
    nodes = workflow.graph.nodes
    pending, found = [workflow.graph.outputs()[output]], set()
    while pending:
        node = pending.pop()
        found.add(node.id)
        pending.extend(nodes[edge.source] for edge in node.inputs)
    return found
