"""
E6: what only a branch that is not taken needs does not run, and can't fail the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from nodes.nodetool.control import Collect, If, Merge
from nodes.nodetool.output import Output
from nodetool_core import Node, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import RunOptions
from tests.engine.nodes import Add, Each, Fail, IsOdd, Mix, Number
from tests.engine.random_graphs import JOIN_KINDS, Step, programs, workflow_of
from tests.engine.test_against_plain import QUICK, check


def _way(value: int, *, taken: bool) -> Any:
    return If(
        condition=IsOdd(a=Number(value=int(taken)).output).output, value=Number(value=value).output
    ).if_true


def _fails(number: int = 0) -> Any:
    return Fail(a=Number(value=number).output).output


def _work_behind_the_taken_one() -> Node:
    return Mix(
        a=Mix(a=_way(1, taken=False), b=_fails()).output,
        b=Mix(a=_way(2, taken=True), b=_fails(2)).output,
    )


def _work_behind_the_taken_one_first() -> Node:
    return Mix(
        a=Mix(a=_way(2, taken=True), b=_fails(2)).output,
        b=Mix(a=_way(1, taken=False), b=_fails()).output,
    )


def _a_later_decision() -> Node:
    later = If(condition=IsOdd(a=_fails()).output, value=3)
    return Mix(a=_way(1, taken=False), b=later.if_true)


def _a_third_input() -> Node:
    return Mix(a=_way(1, taken=True), b=_way(2, taken=False), c=_fails())


def _nested() -> Node:
    inner = If(condition=True, value=_way(1, taken=True)).if_false
    return Mix(a=Mix(a=_way(2, taken=True), b=_fails()).output, b=Add(a=inner).output)


def _behind_a_merge() -> Node:
    neither = Merge(a=_way(1, taken=False), b=_way(2, taken=False)).output
    return Mix(a=Mix(a=_way(3, taken=True), b=_fails()).output, b=neither)


def _in_a_loop() -> Node:
    items = Each(items=[2, 4, 6]).output
    odd = If(condition=IsOdd(a=items).output, value=items).if_true
    return Mix(a=Mix(a=_way(1, taken=True), b=Fail(a=items).output).output, b=odd)


GRAPHS: list[Callable[[], Node]] = [
    _work_behind_the_taken_one,
    _work_behind_the_taken_one_first,
    _a_later_decision,
    _a_third_input,
    _nested,
    _behind_a_merge,
    _in_a_loop,
]


@pytest.mark.parametrize("graph", GRAPHS)
def test_what_nobody_takes_does_not_run(graph: Callable[[], Node], engine: Engine) -> None:
    """E6: cold and warm, without a failure."""
    joined = graph()
    outputs = [
        Output(name="joined", value=joined["output"]),
        Output(name="instead", value=Merge(a=joined["output"], b=7).output),
    ]
    workflow = Workflow(*outputs, engine=engine)
    for _ in range(2):
        result = workflow.run()
        assert not result.failures
        assert "joined" not in result.outputs or result["joined"] == []
        assert not [node_id for node_id in result.ran if node_id.startswith(("fail", "mix"))]


def test_what_all_branches_let_through_runs(engine: Engine) -> None:
    """E6: two ways that are taken, with work behind each."""
    joined = Mix(
        a=Add(a=_way(1, taken=True)).output,
        b=Add(a=_way(2, taken=True)).output,
        c=Number(value=1).output,
    )
    assert (
        Workflow(Output(name="x", value=joined.output), engine=engine).run()["x"]
        == 2 * 2 + 3 * 3 + 5 * 1
    )


def test_items_of_a_loop_decide_for_themselves(engine: Engine) -> None:
    """E6: two branches per item, and a list of the items that pass both."""
    items = Each(items=[1, 2, 3, 4, 5]).output
    odd = If(condition=IsOdd(a=items).output, value=items).if_true
    again = If(condition=IsOdd(a=Add(a=items).output).output, value=items).if_false
    both = Collect(input_item=Mix(a=Add(a=odd).output, b=Add(a=again).output).output)
    assert Workflow(Output(name="x", value=both.output), engine=engine).run()["x"] == [10, 20, 30]


@QUICK
@given(program=programs(JOIN_KINDS, most=24))
def test_partly_warm(program: list[Step], engine: Engine) -> None:
    """E6: where some of the results are known already, a run gives what it gives without them."""
    workflow = workflow_of(program, engine)
    for name in sorted(workflow.graph.outputs())[::2]:
        workflow.start(options=RunOptions(outputs=[name], on_error="continue")).result(10)
    check(workflow, workflow.start(options=RunOptions(on_error="continue")).result(10), cached=True)
