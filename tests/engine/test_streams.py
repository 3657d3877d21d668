"""Behaviour 15: generators feed what follows item by item, within bounds, and are closed."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest

from nodes.nodetool.control import Collect
from nodes.nodetool.output import Output
from nodetool_core import Lane, Node, RunCancelled, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.events import Event, NodeFinished
from nodetool_core.engine.options import RunOptions
from nodetool_core.engine.result import RunError
from nodetool_core.engine.streams import ITEMS_IN_FLIGHT
from tests.engine.nodes import (
    Acting,
    Add,
    Anything,
    Each,
    Gated,
    Mix,
    Number,
    Produce,
    ProduceAsync,
    Stage,
    Total,
)

LONG = 10.0


class Heavy:
    """An item that says how many of its kind are alive, and were at most."""

    alive = 0
    most = 0
    lock = threading.Lock()

    def __init__(self) -> None:
        with Heavy.lock:
            Heavy.alive += 1
            Heavy.most = max(Heavy.most, Heavy.alive)
        weakref.finalize(self, Heavy.gone)

    @classmethod
    def gone(cls) -> None:
        with cls.lock:
            cls.alive -= 1


class Look(Node):
    """Looks at an item and gives a number."""

    item: Any

    def process(self) -> int:
        return 1


class LookInline(Look):
    """As Look, inline."""

    lane = Lane.INLINE


@pytest.mark.parametrize("look", [Look, LookInline])
@pytest.mark.parametrize("late", [False, True])
def test_the_items_alive_are_bounded(look: type[Node], late: bool, stage: Stage) -> None:
    gc.collect()
    Heavy.most = Heavy.alive = 0
    stage.action = lambda number: Heavy()
    with Engine(workers=2) as engine:
        items = Produce(n=200, stage=stage.name)
        total = Total(values=Collect(input_item=look(item=items.output)["output"]).output)
        wanted = [Output(name="seen", value=total.output)]
        if late:
            # Another loop that takes the sum is no reason to keep items.
            wanted.append(
                Output(name="beside", value=Mix(a=Each(items=[1, 2]).output, b=total.output).output)
            )
        result = Workflow(*wanted, engine=engine).run()
    assert result["seen"] == 200
    assert Heavy.most <= ITEMS_IN_FLIGHT + 4


@pytest.mark.parametrize("producer", [Produce, ProduceAsync])
def test_items_arrive_in_order_and_the_generator_ends(
    producer: type[Node], engine: Engine, stage: Stage
) -> None:
    stream = producer(n=20, stage=stage.name)
    result = Workflow(
        Output(name="x", value=Collect(input_item=Add(a=stream["output"]).output).output),
        engine=engine,
    ).run()
    assert result["x"] == list(range(1, 21))
    assert stage.calls["closed"] == 1


def test_a_consumer_runs_while_the_generator_goes_on(engine: Engine, stage: Stage) -> None:
    """Item 1 is only made once item 0 has been consumed."""
    consumed = threading.Event()

    def act(number: int) -> None:
        if number == 100:
            consumed.set()
        elif number == 1:
            assert consumed.wait(LONG)

    stage.action = act
    stream = Produce(n=2, stage=stage.name)
    Workflow(
        Output(
            name="x", value=Acting(a=Add(a=stream.output, b=100).output, stage=stage.name).output
        ),
        engine=engine,
    ).run()
    assert consumed.is_set()


@pytest.mark.parametrize("on_error", ["stop", "continue"])
def test_a_stream_that_fails_in_the_middle(on_error: Any, engine: Engine, stage: Stage) -> None:
    stream = Produce(n=5, fails_at=2, stage=stage.name)
    workflow = Workflow(
        Output(name="all", value=Collect(input_item=Mix(a=stream.output).output).output),
        Output(name="each", value=Mix(a=stream.output).output),
        Output(name="other", value=Mix(a=Number(value=1).output).output),
        engine=engine,
    )
    run = workflow.start(options=RunOptions(on_error=on_error))
    if on_error == "stop":
        with pytest.raises(RunError, match="no item 2"):
            run.result(LONG)
    else:
        assert dict(run.result(LONG)) == {"each": [0, 2], "other": 2}
    assert [failure.node_id for failure in run.partial.failures] == ["produce"]
    assert stage.calls["closed"] == 1


def test_a_stream_as_a_result(engine: Engine, stage: Stage) -> None:
    assert dict(Workflow(Produce(n=3, stage=stage.name), engine=engine).run()) == {
        "produce": [0, 1, 2]
    }
    assert dict(Workflow(Produce(n=0, stage=stage.name), engine=engine).run()) == {"produce": []}


@pytest.mark.parametrize("producer", [Produce, ProduceAsync])
def test_generators_are_closed_after_a_cancel(
    producer: type[Node], engine: Engine, stage: Stage
) -> None:
    stream = producer(n=1000, stage=stage.name)
    run = Workflow(
        Output(name="x", value=Gated(a=stream["output"], stage=stage.name).output), engine=engine
    ).start()
    assert stage.started.acquire(timeout=LONG)
    run.cancel()
    with pytest.raises(RunCancelled):
        run.result(LONG)
    assert stage.calls["closed"] == 1


def test_a_generator_that_fails_to_close_is_a_warning(engine: Engine, stage: Stage) -> None:
    class Loud(Produce):
        """A generator whose end fails."""

        def process(self) -> Any:
            try:
                while True:
                    yield 1
            finally:
                raise OSError("can't let go")

    run = Workflow(
        Output(
            name="x", value=Gated(a=Loud(n=1, stage=stage.name).output, stage=stage.name).output
        ),
        engine=engine,
    ).start()
    assert stage.started.acquire(timeout=LONG)
    run.cancel()
    with pytest.raises(RunCancelled):
        run.result(LONG)
    assert [problem.code for problem in run.partial.warnings] == ["close_failed"]


def test_the_list_of_a_loop_that_is_over_can_still_be_asked_for(stage: Stage) -> None:
    """
    An item of one loop asks for a list from another that is over.

    The other's items have been let go of by then.
    """
    first = Each(items=[1, 2, 3])
    total = Total(values=Collect(input_item=Add(a=first.output).output).output)
    second = Each(items=Anything(value=[10, 20]).output)
    gated = Gated(a=second.output, stage=stage.name)

    def open_gate(event: Event) -> None:
        if isinstance(event, NodeFinished) and event.node_id == "each":
            stage.gate.set()

    workflow = Workflow(
        Output(name="first", value=first.output),
        Output(name="second", value=Mix(a=gated.output, b=total.output).output),
        engine=Engine(workers=4),
    )
    with workflow.engine:
        assert dict(workflow.run(on_event=open_gate)) == {"first": [1, 2, 3], "second": [47, 67]}
