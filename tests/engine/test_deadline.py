"""The time of a whole run (`RunOptions.timeout`)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from nodes.nodetool.control import Collect, ForEach
from nodes.nodetool.output import Output
from nodetool_core import Context, Lane, Node, Workflow, WorkflowError
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import RunOptions
from nodetool_core.engine.result import RunError

SOON = 0.1
"""Seconds after which the runs here are over; they would take for ever."""
AT_ONCE = 5.0
"""Seconds within which a run whose time is up has ended, on a busy machine."""


class Deaf(Node):
    """Hears nothing until it is let go."""

    cacheable = False
    gate = threading.Event()

    def process(self) -> int:
        self.gate.wait(60)
        return 1


class Attentive(Node):
    """Works until it is told to stop."""

    cacheable = False
    stopped = threading.Event()

    def process(self, context: Context) -> int:
        while not context.cancelled:
            time.sleep(0.001)
        self.stopped.set()
        return 1


class Sleeping(Node):
    """Waits in an event loop."""

    cacheable = False

    async def process(self) -> int:
        await asyncio.sleep(60)
        return 1


class Endless(Node):
    """Gives items for ever."""

    cacheable = False
    lane = Lane.INLINE

    def process(self) -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1


class DeafStream(Node):
    """Gives an item, and then hears nothing."""

    cacheable = False

    def process(self) -> Iterator[int]:
        yield 1
        Deaf.gate.wait(60)
        yield 2


class Outer(Node):
    """Runs a workflow that ends by its own stop alone."""

    cacheable = False

    def process(self) -> int:
        return int(Attentive().run())


@pytest.fixture(autouse=True)
def gates() -> Iterator[None]:
    Deaf.gate.clear()
    Attentive.stopped.clear()
    yield
    Deaf.gate.set()


def seconds_of(node: Node, **options: Any) -> float:
    """Return how long a run took until it had failed because its time was up."""
    started = time.monotonic()
    with pytest.raises(RunError, match=r"took longer than its 0\.1 s") as caught:
        Workflow(Output(name="value", value=node)).run(options=RunOptions(timeout=SOON, **options))
    assert caught.value.result.status == "failed"
    assert caught.value.problem.code == "run_timeout"
    return time.monotonic() - started


@pytest.mark.parametrize("kind", [Deaf, Attentive, Sleeping, Outer])
def test_a_run_whose_time_is_up_fails_at_once(kind: type[Node]) -> None:
    assert seconds_of(kind()) < AT_ONCE


def test_what_is_under_way_is_told_to_stop() -> None:
    seconds_of(Outer())
    assert Attentive.stopped.wait(30)


@pytest.mark.parametrize("kind", [Endless, DeafStream])
def test_generators_are_ended(kind: type[Node]) -> None:
    assert seconds_of(Collect(input_item=kind())) < AT_ONCE


def test_a_run_that_continues_after_failures_returns_what_is_finished() -> None:
    workflow = Workflow(
        Output(name="late", value=Deaf()),
        Output(name="list", value=Collect(input_item=ForEach(input_list=[1, 2]).output)),
    )
    result = workflow.run(options=RunOptions(timeout=0.5, on_error="continue"))
    assert (result.status, dict(result)) == ("failed", {"list": [1, 2]})
    assert [failure.problem.code for failure in result.failures] == ["run_timeout"]


def test_a_run_in_time_is_as_any_other() -> None:
    with Engine() as engine:
        workflow = Workflow(Output(name="value", value=[1]), engine=engine)
        assert workflow.run(options=RunOptions(timeout=60)).status == "completed"
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(30)
            assert not thread.is_alive()


@pytest.mark.parametrize("seconds", [0, -1, "1", True])
def test_a_time_that_can_not_be_meant_is_refused(seconds: Any) -> None:
    with pytest.raises(WorkflowError, match=r"RunOptions\.timeout: expects seconds above 0"):
        RunOptions(timeout=seconds)
