"""E21: a seed of -1 in a loop is another number for each item, and the run can be repeated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from nodes.nodetool.constant import Integer
from nodes.nodetool.control import Collect, ForEach
from nodes.nodetool.input import IntegerInput
from nodes.nodetool.output import Output
from nodetool_core import (
    Context,
    DiskCache,
    Engine,
    Field,
    ImageRef,
    Node,
    Registry,
    RunResult,
    Workflow,
)
from nodetool_core.engine.options import RunOptions
from nodetool_core.jobs.job import JobOptions
from nodetool_core.replay import replay
from tests.engine.nodes import Add, Number


class Roll(Node):
    """Gives its seed, whatever the item is."""

    item: int
    seed: int = Field(default=-1, ge=-1, le=2**32 - 1, seed=True)

    def process(self) -> int:
        return self.seed


class Paint(Node):
    """Paints the seed."""

    item: int
    seed: int = Field(default=-1, ge=-1, le=2**32 - 1, seed=True)

    def process(self, context: Context) -> ImageRef:
        return context.image_from_pil(Image.new("RGB", (4, 4), self.seed % 2**24))


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(workers=2) as engine:
        yield engine


def rolls(engine: Engine, seed: Node | int = -1, items: tuple[int, ...] = (5, 5, 5)) -> Workflow:
    rolled = Roll(item=ForEach(input_list=list(items)).output, seed=seed)
    return Workflow(Output(name="x", value=Collect(input_item=rolled)), engine=engine)


def drawn(result: RunResult) -> list[int]:
    return list(result["x"])


@pytest.mark.parametrize("source", ["own", "constant", "input"])
def test_each_item_has_a_seed_of_its_own(engine: Engine, source: str) -> None:
    """Equal items too, and wherever the number comes from."""
    seeds: dict[str, Node | int] = {
        "own": -1,
        "constant": Integer(value=-1),
        "input": IntegerInput(name="seed", value=-1, min=-1, max=2**32 - 1),
    }
    workflow = rolls(engine, seeds[source])
    first, second = workflow.run(), workflow.run()
    assert len({*drawn(first), *drawn(second)}) == 6
    again = workflow.run(options=RunOptions(seeds=first.seeds))
    assert drawn(again) == drawn(first) and "roll" not in again.ran
    assert drawn(first)[0] in {seed for named in first.seeds.values() for seed in named.values()}


def test_a_fixed_seed_is_the_same_for_all_items(engine: Engine) -> None:
    """And its list is not taken for one of drawn seeds, which begins with the same number."""
    first = drawn(rolls(engine).run())
    fixed = drawn(rolls(engine, first[0]).run())
    assert fixed == [first[0]] * 3 != first


def test_a_seed_outside_of_the_loop_stays_one(engine: Engine) -> None:
    outside = Roll(item=1)
    summed = Add(a=ForEach(input_list=[0, 0]).output, b=outside.output)
    found = drawn(Workflow(Output(name="x", value=Collect(input_item=summed)), engine=engine).run())
    assert found[0] == found[1]


def test_items_of_nested_loops_differ(engine: Engine) -> None:
    rows, columns = ForEach(input_list=[1, 2]), ForEach(input_list=[1, 2, 3])
    rolled = Roll(item=Add(a=rows.output, b=columns.output))
    pairs = Collect(input_item=Collect(input_item=rolled))
    result = Workflow(Output(name="x", value=pairs), engine=engine).run()
    assert len({seed for row in drawn(result) for seed in row}) == 6  # type: ignore[attr-defined]


def test_a_source_that_goes_elsewhere_too_is_no_seed(engine: Engine) -> None:
    """A number that is also computed with is not drawn."""
    number = Number(value=-1)
    rolled = Roll(item=ForEach(input_list=[1, 2]).output, seed=number)
    workflow = Workflow(
        Output(name="x", value=Collect(input_item=rolled)),
        Output(name="y", value=Add(a=number)),
        engine=engine,
    )
    result = workflow.run()
    assert (result["x"], result["y"]) == ([-1, -1], 0)


@pytest.mark.parametrize("source", ["own", "constant"])
def test_an_image_of_a_loop_is_made_again(tmp_path: Path, source: str) -> None:
    registry = Registry(Registry.installed().packs, [Paint])
    seed = -1 if source == "own" else Integer(value=-1)
    painted = Paint(item=ForEach(input_list=[1, 2, 3]).output, seed=seed)
    workflow = Workflow(Output(name="all", value=Collect(input_item=painted)))
    images = workflow.run()["all"]
    assert len({image.digest for image in images}) == 3
    assert replay(images[2].save(tmp_path / "third.png"), registry).is_identical


def test_items_are_found_by_the_next_process(tmp_path: Path) -> None:
    def run(seeds: dict[str, dict[str, int]]) -> RunResult:
        with Engine(cache=DiskCache(tmp_path, least_seconds=0), workers=1) as engine:
            result = rolls(engine).run(options=RunOptions(seeds=seeds))
            engine.cache.flush()  # type: ignore[attr-defined]
            return result

    first = run({})
    again = run(first.seeds)
    assert drawn(again) == drawn(first) and "roll" not in again.ran


def test_a_job_keeps_its_seeds() -> None:
    seeds = {"roll": {"seed": 7}}
    assert JobOptions(seeds=seeds).of_run().seeds == seeds
