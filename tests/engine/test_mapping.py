"""Many runs of one workflow: `Workflow.map`, `amap`, plain calls, and events as an iterator."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from nodes.nodetool.input import IntegerInput
from nodes.nodetool.output import Output
from nodetool_core import (
    Context,
    Node,
    NodeError,
    RunCancelled,
    RunError,
    RunResult,
    Workflow,
    WorkflowError,
)
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.events import OutputReady, RunFinished, RunStarted
from tests.engine.nodes import Add, Stage


class Inverse(Node):
    """Divides 12 by a number."""

    cacheable = False

    number: int

    def process(self) -> float:
        if self.number == 0:
            raise NodeError("can't divide by 0.", "Give another number.")
        return 12 / self.number


class Meet(Node):
    """Waits until `parties` of its kind are at work at once."""

    cacheable = False

    number: int

    barrier = threading.Barrier(3)
    """Not annotated, so no property."""

    def process(self) -> int:
        self.barrier.wait(30)
        return self.number


class Inner(Node):
    """Maps a workflow inside of a node."""

    cacheable = False

    count: int

    def process(self) -> list[float]:
        results = inverse().map(range(1, self.count + 1), concurrency=2)
        return [result["value"] for result in results]


def inverse(engine: Engine | None = None) -> Workflow:
    number = IntegerInput(name="number", value=1)
    return Workflow(Output(name="value", value=Inverse(number=number.output).output), engine=engine)


def test_results_come_in_the_order_of_the_items() -> None:
    results = inverse().map([{"number": number} for number in (1, 2, 3, 4, 6)], concurrency=3)
    assert [result["value"] for result in results] == [12, 6, 4, 3, 2]
    assert all(isinstance(result, RunResult) for result in results)


def test_items_of_a_workflow_with_one_input_are_its_values() -> None:
    assert [result["value"] for result in inverse().map([6, 4])] == [2, 3]


def test_as_many_runs_as_allowed_are_under_way() -> None:
    number = IntegerInput(name="number", value=0)
    with Engine(workers=3) as engine:
        workflow = Workflow(
            Output(name="value", value=Meet(number=number.output).output), engine=engine
        )
        results = workflow.map(range(6), concurrency=3)
    assert [result["value"] for result in results] == list(range(6))


def test_items_are_taken_as_room_gets_free() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in (1, 2, 0, 3, 4, 5):
            taken.append(number)
            yield number

    with pytest.raises(RunError):
        inverse().map(numbers(), concurrency=1)
    assert taken == [1, 2, 0, 3]


def test_the_first_failure_ends_the_mapping_and_names_its_item() -> None:
    with pytest.raises(RunError, match="can't divide by 0") as caught:
        inverse().map([3, 0, 2], concurrency=1)
    assert caught.value.__notes__ == ["Item 1 of the mapping, counted from 0."]


def test_an_error_stands_in_the_place_of_its_result() -> None:
    first, second, third, last = inverse().map([3, 0, {"numbr": 1}, 2], on_error="continue")
    assert isinstance(first, RunResult) and first["value"] == 4
    assert isinstance(second, RunError) and second.failures[0].node_id == "inverse"
    assert isinstance(third, WorkflowError) and third.problem.code == "unknown_input"
    assert isinstance(last, RunResult) and last["value"] == 6


def test_a_value_that_does_not_fit_ends_the_mapping() -> None:
    with pytest.raises(WorkflowError, match="expects int") as caught:
        inverse().map([1, "two"])
    assert caught.value.__notes__ == ["Item 1 of the mapping, counted from 0."]


def test_a_source_that_fails_leaves_nothing_under_way() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    with Engine() as engine:
        with pytest.raises(OSError, match="the disk is gone"):
            inverse(engine).map(numbers())
        assert inverse(engine).map([2])[0]["value"] == 6


@pytest.mark.parametrize("how", [{"concurrency": 0}, {"concurrency": 1.5}, {"on_error": "stpo"}])
def test_options_that_cannot_be_meant_are_refused(how: dict[str, Any]) -> None:
    with pytest.raises(WorkflowError, match=f"{next(iter(how))}: expects"):
        inverse().map([1], **how)


def test_an_item_without_names_needs_a_workflow_with_one_input() -> None:
    a, b = IntegerInput(name="a", value=1), IntegerInput(name="b", value=1)
    workflow = Workflow(Output(name="sum", value=Add(a=a.output, b=b.output).output))
    with pytest.raises(WorkflowError, match="expects a mapping of inputs by name, got int"):
        workflow.map([1])


def test_a_node_that_maps_does_not_wait_for_its_own_worker() -> None:
    with Engine(workers=1) as engine:
        result = Workflow(Output(name="values", value=Inner(count=4).output), engine=engine).run()
    assert result["values"] == [12, 6, 4, 3]


def test_a_mapping_in_an_event_loop() -> None:
    async def both() -> tuple[list[RunResult], list[Any]]:
        workflow = inverse()
        return await workflow.amap([3, 2]), await workflow.amap([0, 1], on_error="continue")

    results, outcomes = asyncio.run(both())
    assert [result["value"] for result in results] == [4, 6]
    assert isinstance(outcomes[0], RunError) and outcomes[1]["value"] == 12


def test_a_failure_ends_a_mapping_in_an_event_loop() -> None:
    with pytest.raises(RunError, match="can't divide by 0") as caught:
        asyncio.run(inverse().amap([3, 0, 2], concurrency=1))
    assert caught.value.__notes__ == ["Item 1 of the mapping, counted from 0."]


def test_a_call_gives_the_value_of_the_one_output() -> None:
    assert inverse()(number=4) == 3
    assert inverse()({"inverse.number": 6}) == 2


def test_a_call_gives_several_outputs_by_name() -> None:
    total = Add(a=1, b=2)
    workflow = Workflow(
        Output(name="sum", value=total.output), Output(name="more", value=Add(a=total, b=1).output)
    )
    assert workflow() == {"sum": 3, "more": 4}


def test_events_come_in_order_with_the_results() -> None:
    async def heard() -> list[Any]:
        return [event async for event in inverse().events(number=3)]

    events = asyncio.run(heard())
    assert isinstance(events[0], RunStarted) and isinstance(events[-1], RunFinished)
    assert [event.value for event in events if isinstance(event, OutputReady)] == [4]


def test_a_failed_run_raises_after_its_last_event() -> None:
    heard: list[Any] = []

    async def hear() -> None:
        async for event in inverse().events(number=0):
            heard.append(event)  # noqa: PERF401 - a list of all would be lost with the error

    with pytest.raises(RunError, match="can't divide by 0"):
        asyncio.run(hear())
    assert heard[-1].status == "failed"


class Linger(Node):
    """Works until its run is cancelled."""

    cacheable = False
    stage: str

    def process(self, context: Context) -> int:
        stage = Stage.stages[self.stage]
        stage.started.release()
        while not stage.gate.wait(0.01):
            try:
                context.check_cancelled()
            except RunCancelled:
                stage.count("cancelled")
                stage.gate.set()
                raise
        return 0


def test_leaving_the_events_cancels_the_run() -> None:
    stage = Stage("left")

    async def left() -> None:
        events = Workflow(Output(name="value", value=Linger(stage="left").output)).events()
        async for _ in events:
            assert await asyncio.to_thread(stage.started.acquire, timeout=30)
            break
        await events.aclose()

    asyncio.run(left())
    assert stage.gate.wait(30) and stage.calls["cancelled"] == 1


def test_a_coroutine_function_is_awaited_for_each_event(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    async def listen(event: Any) -> None:
        await asyncio.sleep(0)
        heard.append(type(event).__name__)
        if isinstance(event, OutputReady):
            raise OSError("the socket is gone")

    async def run() -> RunResult:
        return await inverse().arun(number=3, on_event=listen)

    assert asyncio.run(run())["value"] == 4
    assert heard[0] == "RunStarted" and heard[-2:] == ["OutputReady", "RunFinished"]
    assert "the socket is gone" in caplog.text
    with pytest.raises(WorkflowError, match="on_event: is a coroutine function"):
        inverse().run(number=3, on_event=listen)  # type: ignore[arg-type]
