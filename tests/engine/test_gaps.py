"""E14: one item that fails does not cost the whole list, and no other item its place."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes.nodetool.control import Collect, ForEach, If
from nodes.nodetool.output import Output
from nodetool_core import Node, Workflow, WorkflowError
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.events import NodeFailed
from nodetool_core.engine.options import NodePolicy, RunOptions
from nodetool_core.engine.result import RunError
from tests.engine.nodes import Acting, Add, Each, Fail, IsOdd, Stage, Total

GOES_ON = RunOptions(on_error="continue")


def odd_ones(items: list[int], on_error: Literal["fail", "skip", "none"]) -> Node:
    return Collect(input_item=Add(a=Fail(a=Each(items=items), on=2)), on_error=on_error)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(items=st.lists(st.integers(0, 5), max_size=30))
def test_the_list_is_what_python_would_make(items: list[int], engine: Engine) -> None:
    """E14: cold and warm; nothing of it is a failure of the run."""
    skip, none = odd_ones(items, "skip"), odd_ones(items, "none")
    workflow = Workflow(
        Output(name="skip", value=skip), Output(name="none", value=none), engine=engine
    )
    for _ in range(2):
        result = workflow.run()
        assert result["skip"] == [item + 1 for item in items if item % 2]
        assert result["none"] == [item + 1 if item % 2 else None for item in items]
        assert result.status == "completed" and not result.failures
        even = {item for item in items if item % 2 == 0}
        assert bool(result.warnings) == bool(even)
        assert all("ValueError: no" in str(problem) for problem in result.warnings)


def test_without_it_the_list_fails(engine: Engine) -> None:
    """E14: the default is as before."""
    with pytest.raises(RunError, match="no 2"):
        Workflow(Output(name="x", value=odd_ones([1, 2, 3], "fail")), engine=engine).run()


def test_an_output_in_the_loop_keeps_the_places(engine: Engine) -> None:
    """E14: None for an item that failed; one whose branch was not taken is left out as before."""
    items = ForEach(input_list=[1, 2, 3, 4]).output
    odd = Fail(a=items, on=2)
    way = If(condition=IsOdd(a=items), value=items).if_true
    workflow = Workflow(Output(name="x", value=odd), Output(name="way", value=way), engine=engine)
    result = workflow.run(options=GOES_ON)
    assert (result["x"], result["way"], len(result.failures)) == ([1, None, 3, None], [1, 3], 2)


def test_a_loop_that_fails_inside_another_keeps_its_place(engine: Engine) -> None:
    """E14: None for its list, in an output and in a list of lists."""
    outer = Each(items=[1, 2, 3])
    inner = ForEach(input_list=[Fail(a=outer, on=2), 7]).output
    rows = Collect(input_item=Collect(input_item=inner), on_error="none")
    result = Workflow(Output(name="rows", value=rows), engine=engine).run()
    assert (result["rows"], len(result.warnings)) == ([[1, 7], None, [3, 7]], 1)
    seen = Workflow(Output(name="items", value=inner), engine=engine).run(options=GOES_ON)
    assert seen["items"] == [[1, 7], None, [3, 7]]


def test_a_failure_that_others_need_fails_the_run(engine: Engine) -> None:
    """E14: only one that reaches nothing but lists with gaps is a warning."""
    item = Fail(a=Each(items=[1, 2]), on=2)
    kept = Collect(input_item=item, on_error="skip")
    needed = Collect(input_item=Add(a=item))
    workflow = Workflow(
        Output(name="kept", value=kept), Output(name="needed", value=needed), engine=engine
    )
    with pytest.raises(RunError):
        workflow.run()
    result = workflow.run(options=GOES_ON)
    assert (dict(result), len(result.failures)) == ({"kept": [1]}, 1)


def test_an_equal_node_that_others_need_fails_the_run(engine: Engine) -> None:
    """E14: two equal nodes run once; the failure is that of both."""
    items = Each(items=[1, 2])
    kept = Collect(input_item=Fail(a=items, on=2), on_error="skip")
    needed = Collect(input_item=Fail(a=items, on=2))
    with pytest.raises(RunError):
        Workflow(
            Output(name="kept", value=kept), Output(name="needed", value=needed), engine=engine
        ).run()


def test_what_is_made_of_a_list_with_a_gap_is_not_kept(engine: Engine, stage: Stage) -> None:
    """
    E14: an item that succeeds in the next run is in its list then, and in all that is made of it.
    """
    failing = {2}

    def sometimes(number: int) -> None:
        if number in failing:
            raise ValueError(f"busy with {number}")

    stage.action = sometimes
    items = Collect(input_item=Acting(a=Each(items=[1, 2, 3]), stage=stage.name), on_error="skip")
    again = Collect(input_item=Add(a=ForEach(input_list=items).output))
    workflow = Workflow(
        Output(name="sum", value=Add(a=Total(values=items))),
        Output(name="again", value=again),
        engine=engine,
    )
    assert dict(workflow.run()) == {"sum": 5, "again": [2, 4]}
    failing.clear()
    assert dict(workflow.run()) == {"sum": 7, "again": [2, 3, 4]}
    third = workflow.run()
    assert dict(third) == {"sum": 7, "again": [2, 3, 4]} and "acting" not in third.ran


def test_what_is_told_of_a_gap(engine: Engine) -> None:
    """E14: a warning with the item, and no failure."""
    told: list[Any] = []
    workflow = Workflow(Output(name="x", value=odd_ones([1, 4], "skip")), engine=engine)
    result = workflow.run(on_event=told.append)
    assert [problem.where for problem in result.warnings] == [
        "node 'fail' (tests.engine.nodes.Fail) item 1"
    ]
    assert result.warnings[0].level == "warning"
    assert not [event for event in told if isinstance(event, NodeFailed)]


def test_how_gaps_are_treated_is_no_value_of_an_edge(engine: Engine) -> None:
    """E14: it says how the loop is run."""

    class Policy(Node):
        """Says what to do."""

        def process(self) -> Literal["skip"]:
            return "skip"

    collect = Collect(input_item=Each(items=[1]), on_error=Policy())
    with pytest.raises(
        WorkflowError, match="on_error sets how the loop is run, so it takes no connection"
    ):
        Workflow(Output(name="x", value=collect), engine=engine).run()


def test_more_attempts_come_before_a_gap(engine: Engine, stage: Stage) -> None:
    """E14: with E10's attempts, an item is tried again before it is left out."""
    tried: list[int] = []

    def second_time(number: int) -> None:
        tried.append(number)
        if tried.count(number) < 2:
            raise ValueError("busy")

    stage.action = second_time
    items = Collect(input_item=Acting(a=Each(items=[1, 2]), stage=stage.name), on_error="skip")
    options = RunOptions(policies={"acting": NodePolicy(attempts=2, wait=0)})
    assert Workflow(Output(name="x", value=items), engine=engine).run(options=options)["x"] == [
        1,
        2,
    ]
