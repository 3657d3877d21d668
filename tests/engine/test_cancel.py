"""Behaviour 24: a cancel takes effect at the next step and leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from nodes.nodetool.control import Collect
from nodes.nodetool.output import Output
from nodetool_core import Node, RunCancelled, Workflow
from nodetool_core.engine.engine import Engine, Run
from nodetool_core.node import Lane
from tests.engine.nodes import Add, AsyncEcho, Counting, Each, Gated, Stage

LONG = 10.0


class GatedInline(Gated):
    """As Gated, on the scheduler's thread."""

    lane = Lane.INLINE


class GatedDevice(Gated):
    """As Gated, in the lane of the device."""

    lane = Lane.DEVICE


def cancelled(run: Run) -> None:
    run.cancel()
    with pytest.raises(RunCancelled):
        run.result(LONG)
    assert run.wait(LONG)
    assert run.partial.status == "cancelled"


@pytest.mark.parametrize("kind", [Gated, GatedInline, GatedDevice])
def test_a_long_node_stops_and_the_next_run_is_right(kind: type[Node], engine: Engine, stage: Stage) -> None:
    done = Counting(a=1, stage=stage.name)
    long = kind(a=done.output, stage=stage.name)
    workflow = Workflow(Output(name="x", value=Counting(a=long["output"], label="after", stage=stage.name).output), engine=engine)
    run = workflow.start()
    assert stage.started.acquire(timeout=LONG)
    cancelled(run)
    assert stage.calls["after"] == 0
    stage.gate.set()
    again = workflow.run()
    assert dict(again) == {"x": 1}
    assert "counting" in again.hits, "what was finished before the cancel is kept"


def test_a_coroutine_is_cancelled_and_ends_its_own_way(engine: Engine, stage: Stage) -> None:
    """The run is over when the coroutine's `finally` is, and not before."""

    async def wait(number: int) -> None:
        stage.started.release()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(20):
                await asyncio.sleep(0)
            stage.count("cleaned")

    stage.action = wait
    nodes = [AsyncEcho(a=number, stage=stage.name) for number in range(3)]
    run = Workflow(*(Output(name=str(number), value=node.output) for number, node in enumerate(nodes)), engine=engine).start()
    for _ in nodes:
        assert stage.started.acquire(timeout=LONG)
    cancelled(run)
    assert stage.calls["cleaned"] == 3


def test_a_cancel_while_coroutines_are_being_begun(engine: Engine, stage: Stage) -> None:
    """However the cancel meets the scheduler, no coroutine is forgotten."""

    async def wait(number: int) -> None:
        stage.started.release()
        await asyncio.Event().wait()

    stage.action = wait
    for _ in range(20):
        items = Each(items=list(range(40)))
        echo = AsyncEcho(a=items.output, stage=stage.name)
        run = Workflow(Output(name="x", value=Collect(input_item=echo.output).output), engine=engine).start()
        assert stage.started.acquire(timeout=LONG)
        cancelled(run)


def test_a_cancel_in_a_loop_begins_no_further_item(engine: Engine, stage: Stage) -> None:
    items = Each(items=list(range(100)))
    step = Gated(a=items.output, stage=stage.name)
    run = Workflow(Output(name="x", value=Collect(input_item=Add(a=step.output).output).output), engine=engine).start()
    assert stage.started.acquire(timeout=LONG)
    cancelled(run)
    assert run.partial.ran.count("gated") == 0


def test_a_run_leaves_no_thread(stage: Stage) -> None:
    before = set(threading.enumerate())
    engine = Engine(workers=2)

    async def nothing(number: int) -> None:
        return

    stage.action = nothing
    wanted = [AsyncEcho(stage=stage.name), Gated(a=1, stage=stage.name), Counting(a=2, stage=stage.name)]
    run = Workflow(*wanted, engine=engine).start()
    assert stage.started.acquire(timeout=LONG)
    cancelled(run)
    engine.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(LONG)
        assert not thread.is_alive(), thread.name


def test_cancelling_the_task_that_waits_cancels_the_run(engine: Engine, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    broken: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", broken.append)
    workflow = Workflow(Output(name="x", value=Gated(a=1, stage=stage.name).output), engine=engine)

    async def give_up() -> None:
        task = asyncio.create_task(workflow.arun())
        assert await asyncio.to_thread(stage.started.acquire, timeout=LONG)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    stage.gate.set()
    assert dict(workflow.run()) == {"x": 1}
    for thread in threading.enumerate():
        if thread.name.startswith("nodetool-run"):
            thread.join(LONG)
    assert not broken


def test_cancelling_twice_or_after_the_end_does_nothing(engine: Engine, stage: Stage) -> None:
    workflow = Workflow(Output(name="x", value=Counting(a=1, stage=stage.name).output), engine=engine)
    run = workflow.start()
    assert dict(run.result(LONG)) == {"x": 1}
    run.cancel()
    run.cancel()
    assert run.partial.status == "completed"
    assert dict(workflow.run()) == {"x": 1}
