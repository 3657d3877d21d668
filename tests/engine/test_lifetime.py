"""
V2: a run that is over keeps nothing.

Its values go with the last reference to its result, without the garbage collector.
"""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, ClassVar

import pytest
from PIL import Image

from nodes.nodetool.control import Collect, ForEach
from nodes.nodetool.input import ImageInput, IntegerInput
from nodes.nodetool.output import Output
from nodetool_core import Context, ImageRef, Lane, Node, NodeError, RunCancelled, Workflow
from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import NodePolicy, RunOptions
from nodetool_core.engine.result import RunError
from tests.engine.nodes import Stage

LONG = 60.0


class Heavy:
    """Something large. `alive` holds all that there are."""

    alive: ClassVar[weakref.WeakSet[Heavy]] = weakref.WeakSet()

    def __init__(self) -> None:
        Heavy.alive.add(self)


class Work(Node):
    """Makes something heavy of something heavy, as its `how` says."""

    before: Any = None
    how: str = ""

    def process(self, context: Context) -> Any:
        made = Heavy()
        if self.how == "cancel":
            context.check_cancelled()
        if self.how == "fail":
            raise ValueError("no")
        if self.how == "refuse":
            try:
                raise KeyError("first")
            except KeyError as error:
                held = error
                raise NodeError("no") from held
        return made


class Inline(Work):
    """As Work, inline."""

    lane = Lane.INLINE


class Device(Work):
    """As Work, on a device's thread."""

    lane = Lane.DEVICE


class Network(Work):
    """As Work, on one of many threads."""

    lane = Lane.NETWORK


class Awaited(Work):
    """As Work, as a coroutine."""

    async def process(self, context: Context) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().process(context)


class Size(Node):
    """The width of an image, and something heavy that a failure of it holds."""

    image: ImageRef
    before: Any = None
    how: str = ""

    def process(self, context: Context) -> int:
        pixels, _made = context.image(self.image), Heavy()
        if self.how == "fail":
            raise ValueError("no")
        return pixels.width


class Stream(Node):
    """Gives heavy things one by one."""

    before: Any = None
    how: str = ""

    def process(self) -> Iterator[Any]:
        for number in range(4):
            if self.how == "fail" and number == 2:
                raise ValueError("no")
            yield Heavy()


class StreamAwaited(Stream):
    """As Stream, as a coroutine."""

    async def process(self) -> AsyncIterator[Any]:  # type: ignore[override]
        for made in super().process():
            await asyncio.sleep(0)
            yield made


class Waits(Node):
    """Waits until it is cancelled, with something heavy in its hands."""

    before: Any = None
    stage: str = ""

    def process(self, context: Context) -> int:
        made = Heavy()
        Stage.stages[self.stage].started.release()
        while made is not None:
            context.check_cancelled()
            time.sleep(0.001)
        return 1


class WaitsAwaited(Waits):
    """As Waits, as a coroutine."""

    async def process(self, context: Context) -> int:  # type: ignore[override]
        made = Heavy()
        Stage.stages[self.stage].started.release()
        while made is not None:
            await asyncio.sleep(60)
        return 1


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    Heavy.alive.clear()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(cache=MemoryCache(0), workers=2) as engine:
        yield engine


def all_gone(*others: weakref.ref[Any]) -> None:
    """Nothing heavy is left, once the threads have gone back to wait; nor are the others."""
    end = time.monotonic() + LONG
    while (Heavy.alive or any(other() is not None for other in others)) and time.monotonic() < end:
        time.sleep(0.001)
    assert not Heavy.alive
    assert all(other() is None for other in others)


KINDS: list[Any] = [Work, Inline, Device, Network, Awaited]


def chain(kind: Any, how: str = "") -> Any:
    return kind(before=kind(before=kind()["output"], how=how)["output"])


def outcome(workflow: Workflow, options: RunOptions | None = None, **values: Any) -> str:
    """
    Return how a run ends.

    The way to ask, and to catch, that a program has: with names for all that it got.
    """
    run = workflow.start(values, options=options, on_event=lambda event: None)
    try:
        result = run.result(LONG)
    except RunError as error:
        return error.result.status
    except RunCancelled:
        return run.partial.status
    assert result.outputs
    return result.status


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_run(kind: Any, engine: Engine) -> None:
    assert (
        outcome(Workflow(Output(name="x", value=chain(kind)["output"]), engine=engine))
        == "completed"
    )
    all_gone()


@pytest.mark.parametrize("how", ["fail", "refuse"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("on_error", ["stop", "continue"])
def test_after_a_failure(kind: Any, how: str, on_error: Any, engine: Engine) -> None:
    beside = Output(name="y", value=chain(kind)["output"])
    workflow = Workflow(Output(name="x", value=chain(kind, how)["output"]), beside, engine=engine)
    assert outcome(workflow, RunOptions(on_error=on_error)) == "failed"
    all_gone()


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_that_is_kept_holds_no_values(kind: Any, engine: Engine) -> None:
    """
    What a failed node had in its hands goes with the run, while where it failed is still known.
    """
    with pytest.raises(RunError) as raised:
        Workflow(Output(name="x", value=chain(kind, "fail")["output"]), engine=engine).run()
    all_gone()
    (failure,) = raised.value.failures
    assert failure.exception is not None and failure.exception.__traceback__ is not None


@pytest.mark.parametrize("kind", KINDS)
def test_after_further_attempts(kind: Any, engine: Engine) -> None:
    options = RunOptions(policies={"*": NodePolicy(attempts=3, wait=0, timeout=LONG)})
    assert (
        outcome(
            Workflow(Output(name="x", value=chain(kind, "fail")["output"]), engine=engine), options
        )
        == "failed"
    )
    all_gone()


@pytest.mark.parametrize("kind", [Waits, WaitsAwaited])
def test_after_a_cancel(kind: Any, engine: Engine, stage: Stage) -> None:
    run = Workflow(
        Output(name="x", value=kind(before=Work().output, stage=stage.name).output), engine=engine
    ).start()
    assert stage.started.acquire(timeout=LONG)
    run.cancel()
    with pytest.raises(RunCancelled):
        run.result(LONG)
    all_gone()


def test_after_a_cancel_by_a_node(engine: Engine) -> None:
    class Cancels(Node):
        """Ends its run."""

        before: Any = None

        def process(self) -> int:
            raise RunCancelled

    with pytest.raises(RunCancelled):
        Workflow(Output(name="x", value=Cancels(before=Work().output).output), engine=engine).run()
    all_gone()


def test_after_a_node_that_took_too_long(engine: Engine, stage: Stage) -> None:
    options = RunOptions(policies={"*Deaf*": NodePolicy(timeout=0.01)})

    class Deaf(Node):
        """Notices nothing."""

        before: Any = None
        stage: str = ""

        def process(self) -> Any:
            Stage.stages[self.stage].gate.wait(LONG)
            return Heavy()

    workflow = Workflow(
        Output(name="x", value=Deaf(before=Work().output, stage=stage.name).output), engine=engine
    )
    assert outcome(workflow, options) == "failed"
    stage.gate.set()
    all_gone()


@pytest.mark.parametrize("how", ["", "fail"])
@pytest.mark.parametrize("kind", [Stream, StreamAwaited])
@pytest.mark.parametrize("step", [Work, Inline, Awaited])
def test_after_a_stream(kind: Any, how: str, step: Any, engine: Engine) -> None:
    items = kind(before=Work().output, how=how)
    listed = Collect(input_item=step(before=items["output"])["output"])
    workflow = Workflow(Output(name="x", value=listed.output), engine=engine)
    assert outcome(workflow) == ("failed" if how else "completed")
    all_gone()


@pytest.mark.parametrize("how", ["", "fail"])
def test_after_a_loop_in_a_loop(how: str, engine: Engine) -> None:
    outer = ForEach(input_list=[1, 2, 3])
    inner = Stream(before=outer.output)
    listed = Collect(
        input_item=Collect(input_item=Work(before=inner["output"], how=how)["output"]).output
    )
    assert outcome(Workflow(Output(name="x", value=listed.output), engine=engine)) == (
        "failed" if how else "completed"
    )
    all_gone()


@pytest.mark.parametrize("how", ["", "fail"])
def test_after_a_run_with_an_input(how: str, engine: Engine) -> None:
    workflow = Workflow(
        Output(name="x", value=Size(image=ImageInput(name="photo").output, how=how).output),
        engine=engine,
    )
    for _ in range(2):
        image = Image.new("RGB", (8, 8))
        seen = weakref.ref(image)
        assert outcome(workflow, photo=image) == ("failed" if how else "completed")
        del image
        all_gone(seen)


def test_after_a_run_with_a_value_of_a_node(engine: Engine) -> None:
    """A value in place of a connection makes another graph."""
    workflow = Workflow(
        Output(
            name="x", value=Size(image=ImageInput(name="photo").output, before=Work().output).output
        ),
        engine=engine,
    )
    image, other = Image.new("RGB", (8, 8)), Image.new("RGB", (9, 9))
    seen = [weakref.ref(image), weakref.ref(other)]
    assert outcome(workflow, **{"photo": image, "size.image": other}) == "completed"
    del image, other
    all_gone(*seen)


def test_after_a_workflow_is_let_go_of(engine: Engine) -> None:
    """A workflow, its graph and the plans of it hold one another in no ring."""
    image = Image.new("RGB", (8, 8))
    seen = weakref.ref(image)
    workflow = Workflow(
        Output(name="x", value=Size(image=engine_image(image)).output), engine=engine
    )
    assert outcome(workflow) == "completed"
    gone = [seen, weakref.ref(workflow)]
    del image, workflow
    all_gone(*gone)


def engine_image(image: Image.Image) -> ImageRef:
    from nodetool_core import ImageData

    return ImageData.of(image)


def test_after_a_run_that_fails_itself(engine: Engine) -> None:
    class Marked(Node):
        """Can't say what it depends on."""

        image: ImageRef
        before: Any = None

        @classmethod
        def fingerprint(cls, values: dict[str, Any], sources: Any) -> str | None:
            raise ValueError("no mark")

        def process(self) -> int:
            return 1

    image = Image.new("RGB", (8, 8))
    seen = weakref.ref(image)
    run = Workflow(
        Output(name="x", value=Marked(image=engine_image(image), before=Work().output).output),
        engine=engine,
    ).start()
    with pytest.raises(Exception, match="fingerprint failed"):
        run.result(LONG)
    del image, run
    all_gone(seen)


@pytest.mark.parametrize("how", ["", "fail"])
def test_after_a_run_that_was_awaited(how: str, engine: Engine) -> None:
    async def ask() -> str:
        try:
            return (
                await Workflow(
                    Output(name="x", value=chain(Awaited, how)["output"]), engine=engine
                ).arun()
            ).status
        except RunError as error:
            return error.result.status

    assert asyncio.run(ask()) == ("failed" if how else "completed")
    all_gone()


def test_while_the_handle_of_a_run_is_kept(engine: Engine) -> None:
    """A handle holds the result, and nothing else of its run."""
    run = Workflow(
        Output(
            name="x",
            value=Size(image=ImageInput(name="photo").output, before=chain(Work)["output"]).output,
        ),
        engine=engine,
    )
    image = Image.new("RGB", (8, 8))
    seen = weakref.ref(image)
    handle = run.start({"photo": image})
    assert handle.result(LONG)["x"] == 8
    del image
    all_gone(seen)
    assert handle.partial["x"] == 8


def test_the_error_is_raised_anew_for_each_who_asks(engine: Engine) -> None:
    """So that a run is not held by the frames of those that asked it."""
    run = Workflow(Output(name="x", value=Work(how="fail").output), engine=engine).start()
    caught: list[RunError] = []
    ask: Callable[[], Any] = run.result
    for _ in range(2):
        with pytest.raises(RunError) as raised:
            ask()
        caught.append(raised.value)
    assert caught[0] is not caught[1] and caught[0].problems == caught[1].problems
    assert caught[0].result is run.partial


def test_many_runs_with_inputs_leave_no_more_than_one(engine: Engine) -> None:
    workflow = Workflow(
        Output(name="x", value=Work(before=IntegerInput(name="n").output).output), engine=engine
    )
    workflow.run(n=0)
    before = len(gc.get_objects())
    for number in range(20):
        workflow.run(n=number)
    all_gone()
    assert len(gc.get_objects()) - before < 200
