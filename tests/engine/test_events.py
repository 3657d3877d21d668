"""Behaviour 25: events reach their own listener, in small pieces, and no listener holds a run."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import ClassVar

import pytest

from nodes.nodetool.control import Collect
from nodes.nodetool.output import Output
from nodetool_core import Context, Node, Workflow
from nodetool_core.engine import events
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.events import NodeWarning, event_json
from nodetool_core.node_base import Lane
from tests.engine.nodes import Add, Each, Gated, Mix, Number, Stage

LONG = 10.0


class Steps(Node):
    """Reports its steps."""

    a: int = 0
    steps: int = 3

    def process(self, context: Context) -> int:
        for step in range(1, self.steps + 1):
            context.progress(step, self.steps, "working")
        context.warn("a little late", minutes=5)
        return self.a


class StepsAsync(Node):
    """Reports its steps from a coroutine."""

    a: int = 0
    steps: int = 3

    async def process(self, context: Context) -> int:
        for step in range(1, self.steps + 1):
            context.progress(step, self.steps)
        return self.a


@pytest.mark.parametrize("kind", [Steps, StepsAsync])
def test_progress_and_warnings_come_in_order(kind: type[Node], engine: Engine) -> None:
    seen: list[events.Event] = []
    result = Workflow(Output(name="x", value=kind(a=1)["output"]), engine=engine).run(
        on_event=seen.append
    )
    steps = [(event.step, event.total) for event in seen if isinstance(event, events.NodeProgress)]
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert isinstance(seen[0], events.RunStarted)
    assert isinstance(seen[-1], events.RunFinished)
    assert seen[0].run_id == seen[-1].run_id == result.run_id
    outputs = [event for event in seen if isinstance(event, events.OutputReady)]
    assert [(event.name, event.value) for event in outputs] == [("x", 1)]
    if kind is Steps:
        assert [problem.message for problem in result.warnings] == ["a little late"]
        assert [event.details for event in seen if isinstance(event, events.NodeWarning)] == [
            {"minutes": 5}
        ]


def test_a_finished_node_names_its_result_in_the_cache(engine: Engine) -> None:
    """Computed or known, in line or on a thread; one that is not kept has no key."""

    class Fresh(Node):
        """Is made anew each time."""

        cacheable: ClassVar[bool] = False

        a: int = 0

        def process(self) -> int:
            return self.a

    source = Add(a=Number(value=2).output, b=3)
    workflow = Workflow(
        Output(name="x", value=source.output),
        Output(name="y", value=Fresh(a=source.output).output),
        engine=engine,
    )
    keys = []
    for _ in range(2):
        seen: list[events.Event] = []
        workflow.run(on_event=seen.append)
        ended = {one.node_id: one for one in seen if isinstance(one, events.NodeFinished)}
        keys.append(ended["add"].key)
        assert ended["fresh"].key == b"" and "key" not in event_json(ended["fresh"])
        assert event_json(ended["add"])["key"] == ended["add"].key.hex()
    assert keys[0] == keys[1] != b""
    assert engine.cache.get(keys[0]) == (5,)


def test_events_of_one_run_never_reach_anothers_listener(engine: Engine, stage: Stage) -> None:
    """Two runs of one workflow at the same time: what each listener sees is one whole run."""
    workflow = Workflow(
        Output(name="x", value=Steps(a=Gated(a=1, stage=stage.name).output, steps=5).output),
        engine=engine,
    )
    seen: list[list[events.Event]] = [[], []]
    runs = [
        workflow.start({"gated.a": number}, on_event=heard.append)
        for number, heard in enumerate(seen)
    ]
    for _ in runs:
        assert stage.started.acquire(timeout=LONG)
    stage.gate.set()
    for run, heard in zip(runs, seen, strict=True):
        run.result(LONG)
        assert (
            sum(
                isinstance(event, events.NodeProgress) and event.node_id == "steps"
                for event in heard
            )
            == 5
        )
        assert {
            event.run_id
            for event in heard
            if isinstance(event, (events.RunStarted, events.RunFinished))
        } == {run.run_id}
    assert [
        event.value for heard in seen for event in heard if isinstance(event, events.OutputReady)
    ] == [0, 1]


def test_a_listener_that_blocks_for_ever_does_not_hold_the_run(engine: Engine) -> None:
    forever = threading.Event()
    workflow = Workflow(Output(name="x", value=Steps(a=1).output), engine=engine)
    try:
        run = workflow.start(on_event=lambda event: forever.wait())
        assert dict(run.result(LONG)) == {"x": 1}
    finally:
        forever.set()


def test_a_listener_that_raises_ends_neither_the_run_nor_the_events(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[events.Event] = []

    def listen(event: events.Event) -> None:
        seen.append(event)
        raise KeyError("mine")

    assert dict(
        Workflow(Output(name="x", value=Number(value=1).output), engine=engine).run(on_event=listen)
    ) == {"x": 1}
    assert isinstance(seen[-1], events.RunFinished)
    assert "An event listener failed" in caplog.text


def test_a_failure_is_told_with_its_item_and_traceback(engine: Engine) -> None:
    class Divide(Node):
        """Divides one by its number."""

        a: int

        def process(self) -> float:
            return 1 / self.a

    seen: list[events.Event] = []
    workflow = Workflow(
        Output(
            name="x", value=Collect(input_item=Divide(a=Each(items=[1, 0]).output).output).output
        ),
        engine=engine,
    )
    with pytest.raises(Exception, match="item 1"):
        workflow.run(on_event=seen.append)
    failed = next(event for event in seen if isinstance(event, events.NodeFailed))
    assert (failed.node_id, failed.item) == ("divide", (1,))
    assert "ZeroDivisionError" in failed.traceback
    assert "return 1 / self.a" in failed.traceback


@pytest.mark.parametrize("length", [100, 1000])
def test_the_bytes_of_events_grow_with_the_work_alone(length: int, engine: Engine) -> None:
    node = Mix(a=1)
    for _ in range(length - 1):
        node = Mix(a=Add(a=0).output, b=node.output)
    seen: list[events.Event] = []
    Workflow(Output(name="x", value=node.output), engine=engine).run(on_event=seen.append)
    written = sum(len(json.dumps(events.event_json(event))) for event in seen)
    assert written <= 350 * length


def test_equal_nodes_each_say_that_they_are_finished(engine: Engine) -> None:
    """Two equal nodes are computed once; whoever counts finished nodes still hears of both."""
    seen: list[events.Event] = []
    workflow = Workflow(
        Output(name="x", value=Steps(a=1).output),
        Output(name="y", value=Steps(a=1).output),
        engine=engine,
    )
    result = workflow.run(on_event=seen.append)
    finished = {
        event.node_id: event.cached for event in seen if isinstance(event, events.NodeFinished)
    }
    assert [name for name in result.ran if name.startswith("steps")] == ["steps"]
    assert finished["steps"] is False
    assert finished["steps_2"] is True


def test_a_warning_about_anything_has_a_json_form() -> None:
    details = {
        "seconds": 1.5,
        "place": Path("a"),
        "because": [ValueError("b")],
        "kind": {"of": Lane.CPU},
    }
    written = event_json(NodeWarning("1", "Beware.", details))
    assert json.loads(json.dumps(written))["details"] == {
        "seconds": 1.5,
        "place": {"type": type(Path("a")).__name__},
        "because": [{"type": "ValueError"}],
        "kind": {"of": "cpu"},
    }
