"""
E19: nodes see the context variables of whoever begins the run, in every lane.

What they set stays theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from nodes.nodetool.control import Collect
from nodes.nodetool.output import Output
from nodetool_core import Engine, Lane, Node, NodePolicy, RunOptions, Workflow

WHO: ContextVar[str] = ContextVar("who", default="nobody")


class Who(Node):
    """Says what it sees, and leaves something else behind."""

    cacheable = False
    before: Any = None

    def process(self) -> str:
        seen = WHO.get()
        if self.lane is not Lane.INLINE:
            WHO.set("a node")
        return seen


class Inline(Who):
    """As Who, inline."""

    lane = Lane.INLINE


class Device(Who):
    """As Who, on a device's thread."""

    lane = Lane.DEVICE


class Network(Who):
    """As Who, on one of many threads."""

    lane = Lane.NETWORK


class Awaited(Who):
    """As Who, as a coroutine."""

    async def process(self) -> str:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().process()


class Stream(Node):
    """Says what it sees from item to item, which is its own from the first on."""

    cacheable = False
    before: Any = None

    def process(self) -> Iterator[str]:
        for number in range(3):
            yield WHO.get()
            WHO.set(str(number))


class StreamAwaited(Stream):
    """As Stream, as a coroutine."""

    async def process(self) -> AsyncIterator[str]:  # type: ignore[override]
        for number in range(3):
            yield WHO.get()
            await asyncio.sleep(0)
            WHO.set(str(number))


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(workers=2) as engine:
        yield engine


def by(name: str, workflow: Workflow, options: RunOptions | None = None) -> Any:
    token = WHO.set(name)
    try:
        run = workflow.start(options=options)
    finally:
        WHO.reset(token)
    return run.result(30)["x"]


@pytest.mark.parametrize("kind", [Who, Inline, Device, Network, Awaited])
@pytest.mark.parametrize("options", [None, RunOptions(policies={"*": NodePolicy(timeout=30)})])
def test_a_node_sees_who_began_the_run(
    kind: Any, options: RunOptions | None, engine: Engine
) -> None:
    beside = [kind(), kind()]
    workflow = Workflow(
        Output(name="x", value=kind(before=beside[0]["output"])["output"]), beside[1], engine=engine
    )
    assert [by(name, workflow, options) for name in ("ada", "grace")] == ["ada", "grace"]
    assert WHO.get() == "nobody"


@pytest.mark.parametrize("kind", [Stream, StreamAwaited])
def test_a_stream_has_variables_of_its_own(kind: Any, engine: Engine) -> None:
    workflow = Workflow(
        Output(name="x", value=Collect(input_item=kind()["output"]).output), engine=engine
    )
    assert by("ada", workflow) == ["ada", "0", "1"]
