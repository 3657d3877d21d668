"""Behaviour 24: a cancel takes effect at the next step and leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from nodes.nodetool.control import Collect
from nodes.nodetool.output import Output
from nodetool_core import Node, NodetoolError, RunCancelled, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.result import RunError
from nodetool_core.engine.run import Run
from nodetool_core.node_base import Lane
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
def test_a_long_node_stops_and_the_next_run_is_right(
    kind: type[Node], engine: Engine, stage: Stage
) -> None:
    done = Counting(a=1, stage=stage.name)
    long = kind(a=done.output, stage=stage.name)
    workflow = Workflow(
        Output(name="x", value=Counting(a=long["output"], label="after", stage=stage.name).output),
        engine=engine,
    )
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
    run = Workflow(
        *(Output(name=str(number), value=node.output) for number, node in enumerate(nodes)),
        engine=engine,
    ).start()
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
        run = Workflow(
            Output(name="x", value=Collect(input_item=echo.output).output), engine=engine
        ).start()
        assert stage.started.acquire(timeout=LONG)
        cancelled(run)


def test_a_cancel_in_a_loop_begins_no_further_item(engine: Engine, stage: Stage) -> None:
    items = Each(items=list(range(100)))
    step = Gated(a=items.output, stage=stage.name)
    run = Workflow(
        Output(name="x", value=Collect(input_item=Add(a=step.output).output).output), engine=engine
    ).start()
    assert stage.started.acquire(timeout=LONG)
    cancelled(run)
    assert run.partial.ran.count("gated") == 0


def test_a_run_leaves_no_thread(stage: Stage) -> None:
    before = set(threading.enumerate())
    engine = Engine(workers=2)

    async def nothing(number: int) -> None:
        return

    stage.action = nothing
    wanted = [
        AsyncEcho(stage=stage.name),
        Gated(a=1, stage=stage.name),
        Counting(a=2, stage=stage.name),
    ]
    run = Workflow(*wanted, engine=engine).start()
    assert stage.started.acquire(timeout=LONG)
    cancelled(run)
    engine.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(LONG)
        assert not thread.is_alive(), thread.name


@pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="counts open files as Linux shows them"
)
def test_a_closed_engine_leaves_no_file_open(stage: Stage) -> None:
    async def nothing(number: int) -> None:
        return

    stage.action = nothing
    before, threads = len(list(Path("/proc/self/fd").iterdir())), set(threading.enumerate())
    with Engine() as engine:
        Workflow(AsyncEcho(stage=stage.name), engine=engine).run()
    for thread in set(threading.enumerate()) - threads:
        thread.join(LONG)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_cancelling_the_task_that_waits_cancels_the_run(
    engine: Engine, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    workflow = Workflow(
        Output(name="x", value=Counting(a=1, stage=stage.name).output), engine=engine
    )
    run = workflow.start()
    assert dict(run.result(LONG)) == {"x": 1}
    run.cancel()
    run.cancel()
    assert run.partial.status == "completed"
    assert dict(workflow.run()) == {"x": 1}


def test_a_node_that_is_cancelled_by_something_else_has_failed(engine: Engine) -> None:
    class Waits(Node):
        """Waits for a task that is cancelled."""

        async def process(self) -> int:
            task = asyncio.ensure_future(asyncio.sleep(60))
            task.cancel()
            await task
            return 1

    with pytest.raises(RunError, match="something that it waited for was cancelled"):
        Workflow(Output(name="x", value=Waits().output), engine=engine).run()


@pytest.mark.parametrize("chosen", [Lane.INLINE, Lane.CPU, Lane.NETWORK])
def test_a_node_that_wants_to_end_the_program_has_failed(chosen: Lane, engine: Engine) -> None:
    class Leaves(Node):
        """Gives up."""

        lane = chosen

        def process(self) -> int:
            raise SystemExit(3)

    with pytest.raises(RunError, match="SystemExit: 3"):
        Workflow(Output(name="x", value=Leaves().output), engine=engine).run()


@pytest.mark.parametrize("chosen", [Lane.CPU, Lane.DEVICE, Lane.NETWORK])
def test_a_closed_engine_says_so(chosen: Lane) -> None:
    class Works(Node):
        """Works."""

        lane = chosen
        cacheable = False
        a: int = 0

        def process(self) -> int:
            return self.a

    engine = Engine(workers=2)
    workflow = Workflow(
        *(Output(name=str(a), value=Works(a=a).output) for a in range(3)), engine=engine
    )
    assert len(workflow.run()) == 3
    engine.close()
    with pytest.raises(RunError, match="The engine is closed"):
        workflow.start().result(LONG)


def test_a_run_that_fails_itself_leaves_nothing_under_way(engine: Engine, stage: Stage) -> None:
    """As where a fingerprint can't be taken in a later round of a loop."""
    ended: list[str] = []

    class Rounds(Node):
        """Some numbers, from a thread."""

        def process(self) -> Iterator[int]:
            try:
                yield from range(3)
            finally:
                ended.append("generator")

    class Slow(Node):
        """Is at work when the fingerprint fails."""

        cacheable = False
        a: int = 0

        def process(self) -> int:
            stage.gate.wait(0.2)
            ended.append("node")
            return self.a

    class Marked(Node):
        """Can't say what it depends on from the second round on."""

        asked: ClassVar[list[int]] = []
        a: int = 0

        @classmethod
        def fingerprint(cls, values: dict[str, Any], sources: Any) -> str | None:
            cls.asked.append(1)
            if len(cls.asked) > 2:
                raise ValueError("no mark")
            return "mark"

        def process(self) -> int:
            return self.a

    rounds = Rounds().output
    lists = [Collect(input_item=kind(a=rounds).output).output for kind in (Slow, Marked)]
    run = Workflow(
        *(Output(name=f"list {number}", value=value) for number, value in enumerate(lists)),
        engine=engine,
    ).start()
    with pytest.raises(NodetoolError, match="fingerprint failed: ValueError: no mark"):
        run.result(LONG)
    assert ended.count("generator") == 1 and "node" in ended
    count = len(ended)
    assert run.wait(LONG) and run.partial.status == "failed" and len(ended) == count
