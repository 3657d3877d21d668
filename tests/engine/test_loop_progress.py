"""A run reports how far its loops are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nodes.nodetool.control import Collect, ForEach, Next, Reduce, While
from nodes.nodetool.output import Output
from nodetool_core import Engine, Node, Workflow
from nodetool_core.engine.events import Event, NodeFinished, NodeProgress
from tests.engine.nodes import Add, Each, Fail, Mix


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(workers=2) as engine:
        yield engine


def reported(engine: Engine, value: Node, loop: str) -> list[Any]:
    """Return how far the loop was said to be, and where it was said to have ended."""
    seen: list[Event] = []
    workflow = Workflow(Output(name="x", value=value), engine=engine)
    workflow.run(on_event=seen.append)
    own = [
        event
        for event in seen
        if isinstance(event, NodeProgress | NodeFinished) and event.node_id == loop
    ]
    return [
        (event.step, event.total) if isinstance(event, NodeProgress) else "end" for event in own
    ]


COUNTED = [(1, 3), (2, 3), (3, 3), "end"]
UNCOUNTED = [(1, 0), (2, 0), (3, 0), "end"]


def test_items_are_counted_as_they_are_done(engine: Engine) -> None:
    """And the loop ends with its last item."""
    for step in (Mix, Add):
        mixed = step(a=ForEach(input_list=[1, 2, 3]).output)
        assert reported(engine, Collect(input_item=mixed), "for_each") == COUNTED
    each = Collect(input_item=Mix(a=Each(items=[4, 5, 6])))
    assert reported(engine, each, "each") == UNCOUNTED


def test_rounds_are_counted(engine: Engine) -> None:
    loop = Reduce(input_list=[1, 2, 3, 4])
    end = Next(value=Mix(a=loop.accumulated, b=loop.output))
    assert reported(engine, end, "reduce") == COUNTED
    again = While(initial=1, max_rounds=3)
    assert reported(engine, Next(value=Mix(a=again.output)), "while") == UNCOUNTED


def test_items_that_fail_count_as_well(engine: Engine) -> None:
    failing = Fail(a=ForEach(input_list=[1, 2, 3]).output, on=2)
    assert reported(engine, Collect(input_item=failing, on_error="skip"), "for_each") == COUNTED


def test_an_empty_loop_ends(engine: Engine) -> None:
    assert reported(engine, Collect(input_item=ForEach().output), "for_each") == ["end"]


def test_loops_inside_of_loops_report_no_items(engine: Engine) -> None:
    rows = ForEach(input_list=[[1], [2]])
    inner = Collect(input_item=Mix(a=ForEach(input_list=rows.output).output))
    found = reported(engine, Collect(input_item=inner), "for_each_2")
    assert found == ["end", "end"]
