"""
E5: runs inside of nodes, and engines that are closed under their runs, work or say why not.

They never hang.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from nodes.nodetool.control import Collect
from nodes.nodetool.output import Output
from nodetool_core import Context, Lane, Node, RunCancelled, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import RunOptions
from nodetool_core.engine.run import Run
from tests.engine.nodes import Stage

LONG = 30.0

LANES = [Lane.INLINE, Lane.CPU, Lane.DEVICE, Lane.NETWORK]


class Twice(Node):
    """Doubles a number, in the lane of the class."""

    cacheable = False
    a: int

    def process(self) -> int:
        return 2 * self.a


class TwiceOnDevice(Twice):
    """As Twice, on a device's thread."""

    lane = Lane.DEVICE


class TwiceAwaited(Twice):
    """As Twice, as a coroutine."""

    async def process(self) -> int:  # type: ignore[override]
        await asyncio.sleep(0)
        return 2 * self.a


KINDS: list[Any] = [Twice, TwiceOnDevice, TwiceAwaited]


def inner_sum(engine: Engine, kinds: list[Any], a: int) -> Workflow:
    """Return a workflow whose nodes need places of all lanes: three at once."""
    outputs = [
        Output(name=f"{number} {kind.__name__}", value=kind(a=a)["output"])
        for number in range(3)
        for kind in kinds
    ]
    return Workflow(*outputs, engine=engine)


def result(run: Run) -> dict[str, Any]:
    return dict(run.result(LONG))


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(workers=2) as engine:
        yield engine


@pytest.mark.parametrize("chosen", LANES)
def test_runs_inside_of_nodes(chosen: Lane, engine: Engine) -> None:
    class Nests(Node):
        """Runs a workflow on its own engine, and waits for it."""

        lane = chosen
        cacheable = False
        a: int
        depth: int = 2

        def process(self) -> int:
            if self.depth:
                inner = [
                    Nests(a=self.a, depth=self.depth - 1),
                    Nests(a=self.a + 1, depth=self.depth - 1),
                ]
                return sum(result(Workflow(*inner, engine=engine).start()).values())
            return sum(result(inner_sum(engine, KINDS, self.a).start()).values())

    outer = Workflow(
        *(Output(name=str(number), value=Nests(a=number).output) for number in range(4)),
        engine=engine,
    )
    for _ in range(10):
        # Which thread is idle when a place is given away differs from time to time.
        assert result(outer.start()) == {str(number): 18 * (4 * number + 4) for number in range(4)}


@pytest.mark.parametrize("is_blocking", [True, False])
def test_runs_inside_of_coroutine_nodes(is_blocking: bool, engine: Engine) -> None:
    class Nests(Node):
        """Runs a workflow on its own engine, and waits for it."""

        cacheable = False
        a: int
        depth: int = 2

        async def process(self) -> int:
            inner = (
                [Nests(a=self.a, depth=self.depth - 1)]
                if self.depth
                else [TwiceAwaited(a=self.a), Twice(a=self.a), TwiceOnDevice(a=self.a)]
            )
            workflow = Workflow(*inner, engine=engine)
            return sum((workflow.run() if is_blocking else await workflow.arun()).values())

    outer = Workflow(
        *(Output(name=str(number), value=Nests(a=number).output) for number in range(4)),
        engine=engine,
    )
    assert result(outer.start()) == {str(number): 6 * number for number in range(4)}


def test_a_run_inside_of_a_stream(engine: Engine) -> None:
    class Nests(Node):
        """Gives what runs give."""

        def process(self) -> Iterator[int]:
            for number in range(5):
                yield sum(result(inner_sum(engine, KINDS, number).start()).values())

    workflow = Workflow(
        Output(name="x", value=Collect(input_item=Twice(a=Nests().output).output).output),
        engine=engine,
    )
    assert result(workflow.start()) == {"x": [36 * number for number in range(5)]}


def test_places_are_as_many_as_before_once_inner_runs_are_over(engine: Engine) -> None:
    """At most `workers` nodes are at work at once, before and after."""
    lock, at_work, most = threading.Lock(), [0], [0]

    class Works(Node):
        """Counts how many are at work."""

        cacheable = False
        a: int

        def process(self) -> int:
            with lock:
                at_work[0] += 1
                most[0] = max(most[0], at_work[0])
            threading.Event().wait(0.01)
            with lock:
                at_work[0] -= 1
            return self.a

    class Nests(Node):
        """Waits for a run."""

        cacheable = False
        a: int

        def process(self) -> int:
            return int(
                result(
                    Workflow(Output(name="x", value=Twice(a=self.a).output), engine=engine).start()
                )["x"]
            )

    result(Workflow(*(Nests(a=number) for number in range(8)), engine=engine).start())
    result(Workflow(*(Works(a=number) for number in range(8)), engine=engine).start())
    assert 1 <= most[0] <= 2


def test_a_cancel_reaches_the_runs_inside(engine: Engine, stage: Stage) -> None:
    class Waits(Node):
        """Waits until it is cancelled."""

        cacheable = False
        stage: str = ""

        def process(self, context: Context) -> int:
            Stage.stages[self.stage].started.release()
            while not Stage.stages[self.stage].gate.wait(0.005):
                context.check_cancelled()
            return 1

    class Nests(Node):
        """Waits for a run."""

        cacheable = False
        stage: str = ""

        def process(self) -> int:
            return int(
                Workflow(
                    Output(name="x", value=Waits(stage=self.stage).output), engine=engine
                ).run()["x"]
            )

    run = Workflow(Output(name="x", value=Nests(stage=stage.name).output), engine=engine).start()
    assert stage.started.acquire(timeout=LONG)
    run.cancel()
    with pytest.raises(RunCancelled):
        run.result(LONG)


class Waits(Node):
    """Waits for something that does not come."""

    cacheable = False
    stage: str = ""

    def process(self, context: Context) -> int:
        stage = Stage.stages[self.stage]
        stage.started.release()
        while not stage.gate.wait(0.005):
            context.check_cancelled()
        return 1


class WaitsAwaited(Waits):
    """As Waits, as a coroutine that takes its time to end."""

    async def process(self, context: Context) -> int:  # type: ignore[override]
        stage = Stage.stages[self.stage]
        stage.started.release()
        try:
            await asyncio.sleep(LONG)
        finally:
            await asyncio.sleep(0.01)
            stage.count("ended")
        return 1


@pytest.mark.parametrize("kind", [Waits, WaitsAwaited])
def test_closing_an_engine_cancels_its_runs(kind: Any, stage: Stage) -> None:
    engine = Engine(workers=2)
    run = Workflow(Output(name="x", value=kind(stage=stage.name).output), engine=engine).start()
    assert stage.started.acquire(timeout=LONG)
    engine.close()
    with pytest.raises(RunCancelled):
        run.result(LONG)
    assert stage.calls["ended"] == (kind is WaitsAwaited)
    with pytest.raises(Exception, match="The engine is closed"):
        Workflow(Output(name="x", value=TwiceAwaited(a=1)["output"]), engine=engine).start().result(
            LONG
        )


def test_a_closed_engine_leaves_no_thread_behind(stage: Stage) -> None:
    before = set(threading.enumerate())
    engine = Engine(workers=2)
    wanted = [WaitsAwaited(stage=stage.name), Waits(stage=stage.name), TwiceOnDevice(a=2)]
    run = Workflow(*wanted, engine=engine).start(options=RunOptions(use_cache=False))
    assert stage.started.acquire(timeout=LONG)
    engine.close()
    with pytest.raises(RunCancelled):
        run.result(LONG)
    for thread in set(threading.enumerate()) - before:
        thread.join(LONG)
        assert not thread.is_alive(), thread.name
