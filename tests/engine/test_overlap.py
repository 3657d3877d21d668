"""Behaviours 10 and 11: what runs at the same time, what never does, and what runs once."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest

from nodes.nodetool.control import Collect
from nodes.nodetool.output import Output
from nodetool_core import Node, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import RunOptions
from tests.engine.nodes import (
    Acting,
    Add,
    AsyncEcho,
    Clock,
    Counting,
    CountingInline,
    DeviceStep,
    Each,
    Fail,
    Gated,
    Mix,
    Number,
    Stage,
)

LONG = 10.0
"""Seconds after which a test that waits for others to come has failed."""


def sum_of(a: Node, b: Node, engine: Engine) -> Workflow:
    return Workflow(
        Output(name="sum", value=Add(a=a["output"], b=b["output"])["output"]), engine=engine
    )


def test_independent_blocking_nodes_overlap(engine: Engine, stage: Stage) -> None:
    """Each waits for the other: together they end, one after the other they never would."""
    barrier = threading.Barrier(2)
    stage.action = lambda number: barrier.wait(LONG)
    result = sum_of(Acting(a=1, stage=stage.name), Acting(a=2, stage=stage.name), engine).run()
    assert result["sum"] == 3


def test_coroutine_nodes_overlap(engine: Engine, stage: Stage) -> None:
    arrived: list[int] = []
    together = asyncio.Event()

    async def meet(number: int) -> None:
        arrived.append(number)
        if len(arrived) == 8:
            together.set()
        await asyncio.wait_for(together.wait(), LONG)

    stage.action = meet
    nodes = [AsyncEcho(a=number, stage=stage.name) for number in range(8)]
    result = Workflow(
        *(Output(name=str(number), value=node.output) for number, node in enumerate(nodes)),
        engine=engine,
    ).run()
    assert dict(result) == {str(number): number for number in range(8)}


def test_items_of_a_loop_overlap(engine: Engine, stage: Stage) -> None:
    barrier = threading.Barrier(2)
    stage.action = lambda number: barrier.wait(LONG)
    items = Each(items=[1, 2])
    result = Workflow(
        Output(
            name="all",
            value=Collect(input_item=Acting(a=items.output, stage=stage.name).output).output,
        ),
        engine=engine,
    ).run()
    assert result["all"] == [1, 2]


def test_device_nodes_never_overlap_in_two_runs_of_one_engine(engine: Engine, stage: Stage) -> None:
    inside = threading.Semaphore(1)

    def alone(number: int) -> None:
        assert inside.acquire(blocking=False), "two at once on one device"
        stage.started.release()
        stage.count("device")
        inside.release()

    stage.action = alone
    workflows = [
        Workflow(
            *(DeviceStep(a=100 * run + number, stage=stage.name) for number in range(20)),
            engine=engine,
        )
        for run in range(2)
    ]
    runs = [workflow.start() for workflow in workflows]
    for run in runs:
        assert run.result(LONG).status == "completed"
    assert stage.calls["device"] == 40


def test_a_step_begins_after_all_it_needs(engine: Engine, stage: Stage) -> None:
    """Dependency order, always: the order of the results is a topological one."""
    left, right = Mix(a=Number(value=1).output), Acting(a=2, stage=stage.name)
    workflow = Workflow(
        Output(name="x", value=Mix(a=left.output, b=Add(a=right.output).output).output),
        engine=engine,
    )
    ran = workflow.run().ran
    position = {node_id: place for place, node_id in enumerate(ran)}
    nodes = workflow.graph.nodes
    assert all(
        position[nodes[edge.source].id] < position[node.id]
        for node in nodes
        for edge in node.inputs
    )


@pytest.mark.parametrize("kind", [Counting, CountingInline])
def test_one_output_for_several_consumers_is_computed_once(
    kind: type[Node], engine: Engine, stage: Stage
) -> None:
    shared = kind(a=1, stage=stage.name)
    Workflow(
        *(
            Output(name=str(number), value=Add(a=shared["output"], b=number).output)
            for number in range(5)
        ),
        engine=engine,
    ).run()
    assert stage.calls["x"] == 1


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("kind", [Counting, CountingInline])
def test_identical_nodes_are_computed_once(
    kind: type[Node], use_cache: bool, engine: Engine, stage: Stage
) -> None:
    duplicates = [kind(a=Add(a=1, b=1).output, stage=stage.name) for _ in range(3)]
    outputs = [
        Output(name=str(number), value=duplicate["output"])
        for number, duplicate in enumerate(duplicates)
    ]
    result = Workflow(*outputs, engine=engine).run(options=RunOptions(use_cache=use_cache))
    assert dict(result) == {"0": 2, "1": 2, "2": 2}
    assert stage.calls["x"] == 1


def test_identical_nodes_that_fail_fail_once(engine: Engine, stage: Stage) -> None:
    stage.action = lambda number: stage.count("tried") or 1 / 0
    duplicates = [Acting(a=7, stage=stage.name) for _ in range(2)]
    outputs = [
        Output(name=str(number), value=Add(a=duplicate.output, b=number).output)
        for number, duplicate in enumerate(duplicates)
    ]
    result = Workflow(*outputs, engine=engine).run(options=RunOptions(on_error="continue"))
    assert stage.calls["tried"] == len(result.failures) == 1
    assert dict(result) == {}


def test_a_duplicate_that_is_asked_for_late_finds_the_value(engine: Engine, stage: Stage) -> None:
    """The first of two equal nodes has long been taken when a loop asks for the second."""
    first, second = (Counting(a=5, stage=stage.name) for _ in range(2))
    early = Add(a=first.output)
    loop = Each(items=[1, 2])
    late = Mix(a=loop.output, b=Mix(a=second.output).output)
    workflow = Workflow(
        Output(name="early", value=early.output),
        Output(name="late", value=Collect(input_item=late.output).output),
        engine=engine,
    )
    result = workflow.run(options=RunOptions(use_cache=False))
    assert dict(result) == {"early": 6, "late": [32, 34]}
    assert stage.calls["x"] == 1


def test_what_is_never_the_same_runs_for_each_node_and_run(engine: Engine, stage: Stage) -> None:
    """Behaviour 19: two equal clocks are two clocks, and run again."""
    workflow = Workflow(
        Output(name="a", value=Clock(stage=stage.name).output),
        Output(name="b", value=Clock(stage=stage.name).output),
        engine=engine,
    )
    assert sorted(workflow.run().values()) == [1, 2]
    assert sorted(workflow.run().values()) == [3, 4]


def test_a_failure_leaves_what_runs_beside_it(engine: Engine, stage: Stage) -> None:
    """
    Behaviour 23: a sibling that has begun finishes, and its work is kept; nothing further begins.
    """
    beside = Gated(a=1, stage=stage.name)
    never = Counting(a=beside.output, stage=stage.name)

    def fail_once_the_other_runs(number: int) -> None:
        assert stage.started.acquire(timeout=LONG)
        stage.gate.set()
        raise OSError("disk on fire")

    stage.action = fail_once_the_other_runs
    workflow = Workflow(
        Output(name="x", value=never.output),
        Output(name="y", value=Acting(stage=stage.name).output),
        engine=engine,
    )
    run = workflow.start()
    with pytest.raises(Exception, match="disk on fire") as caught:
        run.result(LONG)
    failure = caught.value.failures[0]  # type: ignore[attr-defined]
    assert (failure.node_id, failure.node_type) == ("acting", "tests.engine.nodes.Acting")
    assert isinstance(failure.exception, OSError)
    assert failure.exception.__traceback__ is not None
    assert stage.calls["x"] == 0
    stage.action = lambda number: None
    again = workflow.run()
    assert "gated" in again.hits
    assert dict(again) == {"x": 1, "y": 0}


def test_on_error_continue_finishes_every_branch_that_can(engine: Engine, stage: Stage) -> None:
    loop = Each(items=[1, 2, 3])
    part = Fail(a=loop.output, on=2)
    workflow = Workflow(
        Output(name="broken", value=Collect(input_item=part.output).output),
        Output(name="items", value=Mix(a=part.output).output),
        Output(name="fine", value=Collect(input_item=Mix(a=loop.output).output).output),
        engine=engine,
    )
    result = workflow.run(options=RunOptions(on_error="continue"))
    assert dict(result) == {"items": [2, None, 6], "fine": [2, 4, 6]}
    assert result.status == "failed"
    assert [(failure.node_id, failure.item) for failure in result.failures] == [("fail", (1,))]
    assert Counter(result.ran)["fail"] == 2
