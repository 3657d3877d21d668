"""E10: timeouts and further attempts of nodes that give items."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from nodes.nodetool.control import Collect
from nodes.nodetool.output import Output
from nodetool_core import Context, Lane, Node, NodeError, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import NodePolicy, RunOptions
from nodetool_core.engine.result import RunError
from tests.engine.nodes import Add

SOON = 0.05

Make = Callable[[int], None]


class _Attempts:
    """What the nodes of one test did."""

    def __init__(self) -> None:
        self.begun = 0
        self.released = threading.Event()


ATTEMPTS: dict[str, _Attempts] = {}


class Breaks(Node):
    """Gives n items; its first attempts break before one of them."""

    n: int = 4
    breaks_at: int = 2
    times: int = 1
    key: str = ""

    def process(self) -> Iterator[int]:
        attempts = ATTEMPTS[self.key]
        attempts.begun += 1
        for number in range(self.n):
            if number == self.breaks_at and attempts.begun <= self.times:
                raise ConnectionError("gone")
            yield number


class BreaksInline(Breaks):
    """On the scheduler's thread."""

    lane = Lane.INLINE


class BreaksAsync(Node):
    """As Breaks, awaited."""

    n: int = 4
    breaks_at: int = 2
    times: int = 1
    key: str = ""

    async def process(self) -> AsyncIterator[int]:
        attempts = ATTEMPTS[self.key]
        attempts.begun += 1
        for number in range(self.n):
            await asyncio.sleep(0)
            if number == self.breaks_at and attempts.begun <= self.times:
                raise ConnectionError("gone")
            yield number


class NeverTheSame(Breaks):
    """Gives other items each time."""

    cacheable = False


class Refuses(Node):
    """Can't do it, whatever is tried."""

    key: str = ""

    def process(self) -> Iterator[int]:
        ATTEMPTS[self.key].begun += 1
        raise NodeError("no")
        yield 0


class Hangs(Node):
    """Its first attempt hangs before one of its items, until it is told to stop."""

    hangs_at: int = 1
    key: str = ""

    def process(self, context: Context) -> Iterator[int]:
        attempts = ATTEMPTS[self.key]
        attempts.begun += 1
        first = attempts.begun == 1
        for number in range(3):
            while first and number == self.hangs_at and not context.cancelled:
                attempts.released.wait(0.005)
            yield number


class HangsInline(Hangs):
    """On the scheduler's thread, unless it may be given up."""

    lane = Lane.INLINE


class Deaf(Node):
    """Hangs and hears of nothing."""

    key: str = ""

    def process(self) -> Iterator[int]:
        ATTEMPTS[self.key].begun += 1
        yield 0
        ATTEMPTS[self.key].released.wait(30)


class HangsAsync(Node):
    """Waits for ever for its second item, the first time."""

    key: str = ""

    async def process(self) -> AsyncIterator[int]:
        attempts = ATTEMPTS[self.key]
        attempts.begun += 1
        first = attempts.begun == 1
        yield 0
        if first:
            await asyncio.Event().wait()
        yield 1
        yield 2


@pytest.fixture
def attempts(request: pytest.FixtureRequest) -> Iterator[_Attempts]:
    ATTEMPTS[request.node.name] = _Attempts()
    yield ATTEMPTS[request.node.name]
    ATTEMPTS.pop(request.node.name).released.set()


def run(node: Node, engine: Engine, **policy: float) -> list[int]:
    options = RunOptions(policies={node.spec.node_type: NodePolicy(wait=0, **policy)})  # type: ignore[arg-type]
    found: list[int] = Workflow(
        Output(name="x", value=Collect(input_item=Add(a=node))), engine=engine
    ).run(options=options)["x"]
    return found


@pytest.mark.parametrize("kind", [Breaks, BreaksInline, BreaksAsync])
@pytest.mark.parametrize("breaks_at", [0, 2])
def test_a_stream_that_breaks_is_begun_again(
    kind: Callable[..., Node],
    breaks_at: int,
    attempts: _Attempts,
    engine: Engine,
    request: pytest.FixtureRequest,
) -> None:
    """E10: each item comes once, in order, whenever the stream broke."""
    node = kind(breaks_at=breaks_at, times=2, key=request.node.name)
    assert run(node, engine, attempts=3) == [1, 2, 3, 4]
    assert attempts.begun == 3


def test_attempts_are_bounded(
    attempts: _Attempts, engine: Engine, request: pytest.FixtureRequest
) -> None:
    """E10."""
    with pytest.raises(RunError, match="gone"):
        run(Breaks(times=9, key=request.node.name), engine, attempts=3)
    assert attempts.begun == 3


@pytest.mark.parametrize(("breaks_at", "begun"), [(0, 2), (1, 1)])
def test_what_is_never_the_same_is_begun_again_only_before_its_first_item(
    breaks_at: int, begun: int, attempts: _Attempts, engine: Engine, request: pytest.FixtureRequest
) -> None:
    """E10: else items of two attempts would be mixed."""
    node = NeverTheSame(breaks_at=breaks_at, key=request.node.name)
    if begun == 1:
        with pytest.raises(RunError, match="gone"):
            run(node, engine, attempts=5)
    else:
        assert run(node, engine, attempts=5) == [1, 2, 3, 4]
    assert attempts.begun == begun


def test_what_cannot_get_better_is_not_tried_again(
    attempts: _Attempts, engine: Engine, request: pytest.FixtureRequest
) -> None:
    """E10."""
    with pytest.raises(RunError, match="no"):
        run(Refuses(key=request.node.name), engine, attempts=5)
    assert attempts.begun == 1


@pytest.mark.parametrize("kind", [Hangs, HangsInline, HangsAsync, Deaf])
def test_an_item_that_does_not_come_ends_the_stream(
    kind: Callable[..., Node], attempts: _Attempts, engine: Engine, request: pytest.FixtureRequest
) -> None:
    """E10: with the timeout's own message."""
    with pytest.raises(RunError, match=r"took longer than its 0.05 s"):
        run(kind(key=request.node.name), engine, timeout=SOON)
    assert attempts.begun == 1


@pytest.mark.parametrize("kind", [Hangs, HangsInline, HangsAsync])
def test_an_item_that_does_not_come_is_tried_again(
    kind: Callable[..., Node], attempts: _Attempts, engine: Engine, request: pytest.FixtureRequest
) -> None:
    """E10."""
    assert run(kind(key=request.node.name), engine, timeout=SOON * 10, attempts=2) == [1, 2, 3]
    assert attempts.begun == 2


def test_the_time_is_that_of_one_item(
    attempts: _Attempts, engine: Engine, request: pytest.FixtureRequest
) -> None:
    """E10: what takes the items may take longer, and so may all of them together."""

    class Slow(Node):
        """Takes its time."""

        a: int

        def process(self) -> int:
            attempts.released.wait(SOON)
            return self.a

    node = Breaks(n=12, times=0, key=request.node.name)
    workflow = Workflow(Output(name="x", value=Collect(input_item=Slow(a=node))), engine=engine)
    options = RunOptions(policies={"breaks": NodePolicy(timeout=SOON * 4)})
    assert workflow.run(options=options)["x"] == list(range(12))
