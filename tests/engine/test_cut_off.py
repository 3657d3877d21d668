"""Early cut-off: where an upstream change gives an equal value, what is below keeps its results."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from PIL import Image

from nodes.nodetool.control import Collect
from nodes.nodetool.output import Output
from nodetool_core import Context, Field, ImageRef, Node, Workflow
from nodetool_core.assets.image_data import ImageData
from nodetool_core.engine.caching.tiered import TieredCache
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.forecast import Outlook
from nodetool_core.engine.options import RunOptions
from tests.engine.conftest import MakeEngine
from tests.engine.nodes import Anything, Counting, Each, Number, Stage, Total, Upto
from tests.engine.random_graphs import ALL_KINDS, Step, programs, workflow_of
from tests.engine.test_against_plain import QUICK, change, check

CUT_OFF = "nodetool_core.engine.cut_off"


@pytest.fixture
def whatever_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for every result, however little time it took."""
    monkeypatch.setattr(f"{CUT_OFF}.LEAST_SECONDS", 0.0)
    monkeypatch.setattr(f"{CUT_OFF}.SHARE", 1e9)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(workers=2) as engine:
        yield engine


class Flat(Node):
    """An image of one tone, of which there are few."""

    tone: int

    def process(self, context: Context) -> ImageRef:
        return context.image_from_pil(Image.new("L", (64, 64), 100 * (self.tone // 10)))


class Bright(Node):
    """How bright an image is."""

    image: ImageRef
    stage: str

    def process(self, context: Context) -> float:
        stage = Stage.stages[self.stage]
        stage.count("bright")
        stage.action(self.image)
        return float(context.image(self.image).getpixel((0, 0)))  # type: ignore[arg-type]


class ReadsFile(Node):
    """Reads the file of a name."""

    name: str = Field(default="", place="file")
    stage: str = ""

    def process(self) -> str:
        Stage.stages[self.stage].count("read")
        return self.name


def sums(engine: Engine, n: int, stage: Stage) -> Workflow:
    """Return the sum of the numbers below n modulo 4, counted."""
    total = Total(values=Upto(n=Number(value=n).output).output)
    return Workflow(
        Output(name="x", value=Counting(a=total.output, stage=stage.name).output), engine=engine
    )


@pytest.mark.usefixtures("whatever_it_takes")
def test_what_is_below_an_equal_value_keeps_its_result(
    make_engine: MakeEngine, tier: str, stage: Stage
) -> None:
    with make_engine() as first:
        assert sums(first, 2, stage).run()["x"] == 1
        assert sums(first, 6, stage).run()["x"] == 1
        assert stage.calls["x"] == (2 if tier == "off" else 1)
        if isinstance(first.cache, TieredCache):
            assert first.cache.flush(30), "the other engine reads what is written"
    with make_engine() as second:
        result = sums(second, 10, stage).run()
        assert result["x"] == 1
        if tier != "disk":
            return
        assert sorted(result.hits) == ["counting", "total"]
        assert stage.calls["x"] == 1
        assert sums(second, 3, stage).run()["x"] == 3
        assert stage.calls["x"] == 2


@pytest.mark.usefixtures("whatever_it_takes")
def test_the_next_plan_knows_what_was_cut_off(engine: Engine, stage: Stage) -> None:
    sums(engine, 2, stage).run()
    changed = sums(engine, 6, stage)
    assert engine.forecast(changed.graph)["counting"].outlook is Outlook.MISSING
    changed.run()
    assert engine.forecast(changed.graph)["counting"].outlook is Outlook.KNOWN
    assert changed.run().hits == ["counting"]


@pytest.mark.usefixtures("whatever_it_takes")
def test_images_are_compared_by_their_pixels(engine: Engine, stage: Stage) -> None:
    image = Flat(tone=11)
    node = Bright(image=image.output, stage=stage.name)
    workflow = Workflow(Output(name="x", value=node.output), engine=engine)
    assert workflow.run()["x"] == 100.0
    assert workflow.run({"flat.tone": 12})["x"] == 100.0
    assert stage.calls["bright"] == 1
    assert workflow.run({"flat.tone": 22})["x"] == 200.0
    assert stage.calls["bright"] == 2


@pytest.mark.usefixtures("whatever_it_takes")
def test_items_of_loops_are_cut_off(engine: Engine, stage: Stage) -> None:
    def run(*items: int) -> object:
        total = Total(values=Upto(n=Each(items=list(items)).output).output)
        work = Counting(a=total.output, stage=stage.name)
        collected = Collect(input_item=work.output)
        return Workflow(Output(name="x", value=collected.output), engine=engine).run()["x"]

    assert run(1, 2, 3) == [0, 1, 3]
    assert run(7, 6, 5) == [3, 1, 0]
    assert stage.calls["x"] == 3


@pytest.mark.usefixtures("whatever_it_takes")
def test_a_name_of_a_file_does_not_say_what_is_in_it(engine: Engine, stage: Stage) -> None:
    name = Anything(value="a.txt")
    node = ReadsFile(name=name.output, stage=stage.name)
    workflow = Workflow(Output(name="x", value=node.output), engine=engine)
    workflow.run()
    workflow.run({"anything.value": "b.txt"})
    other = Workflow(
        Output(name="x", value=ReadsFile(name=Reads().output, stage=stage.name).output),
        engine=engine,
    )
    other.run()
    assert stage.calls["read"] == 3


class Reads(Node):
    """Gives the name that `Anything` gave."""

    def process(self) -> str:
        return "a.txt"


@pytest.mark.usefixtures("whatever_it_takes")
def test_without_the_cache_nothing_is_cut_off(engine: Engine, stage: Stage) -> None:
    sums(engine, 2, stage).run()
    sums(engine, 6, stage).start(options=RunOptions(use_cache=False)).result(10)
    assert stage.calls["x"] == 2


def test_no_digest_is_made_for_work_of_microseconds(
    engine: Engine, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{CUT_OFF}.LEAST_SECONDS", 60.0)
    seen: list[ImageData] = []
    stage.action = seen.append
    node = Bright(image=Flat(tone=31).output, stage=stage.name)
    workflow = Workflow(Output(name="x", value=node.output), engine=engine)
    for _ in range(2):
        workflow.start(options=RunOptions(use_cache=False)).result(10)
    assert [image.has_digest for image in seen] == [False, False]


@pytest.mark.usefixtures("whatever_it_takes")
@QUICK
@given(programs(ALL_KINDS))
def test_random_graphs_give_what_they_give_without_a_cache(
    engine: Engine, program: list[Step]
) -> None:
    workflow = workflow_of(program, engine)
    changes = change(workflow)
    for given_values in ({}, changes, {}, changes):
        run = workflow.start(given_values, options=RunOptions(on_error="continue"))
        result = run.result(10)
        check(workflow, result, cached=True, changes=given_values)
