"""Loops whose items are jobs: `ForEach(on_workers=True)` in an engine with an executor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from nodes.nodetool.control import Collect, ForEach, If
from nodes.nodetool.output import Output
from nodetool_core import RunError, Workflow
from nodetool_core.assets.image_data import ImageData
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.events import Event, NodeProgress
from nodetool_core.engine.options import RunOptions
from nodetool_core.jobs.executor import JobExecutor
from nodetool_core.jobs.job import JobOptions
from nodetool_core.jobs.service import Jobs
from nodetool_core.registry import Registry
from tests.jobs.pack.work import Both, Darken, Drawn, IsA, Refuse, Work
from tests.jobs.processes import fleet


@pytest.fixture
def engine(jobs: Jobs) -> Iterator[Engine]:
    """Yield an engine with workers of this process."""
    with JobExecutor(jobs) as workers, Engine(executor=workers, workers=2) as engine:
        yield engine


def worked(words: list[str], log: Path, engine: Engine | None = None) -> Workflow:
    """Return two nodes in a loop over words."""
    items = ForEach(input_list=words, on_workers=True)
    first = Work(value=items.output, log=str(log), label="one", seconds=0.0)
    second = Work(value=first.output, log=str(log), label="two", seconds=0.0)
    return Workflow(
        Output(name="words", value=Collect(input_item=second.output).output), engine=engine
    )


def test_items_of_a_loop_are_jobs(engine: Engine, tmp_path: Path) -> None:
    events: list[Event] = []
    words = [f"{number}" for number in range(12)]
    result = worked(words, tmp_path / "log", engine).run(on_event=events.append)
    assert result["words"] == [f"{word}one;two;" for word in words]
    assert result.ran.count("work") == 12
    progress = [event.step for event in events if isinstance(event, NodeProgress)]
    assert progress == list(range(1, 13))


def test_without_an_executor_the_loop_runs_here(tmp_path: Path) -> None:
    with Engine() as engine:
        assert worked(["a"], tmp_path / "log", engine).run()["words"] == ["aone;two;"]


def test_what_was_sent_once_is_not_sent_again(engine: Engine, tmp_path: Path) -> None:
    log = tmp_path / "log"
    worked(["a", "b"], log, engine).run()
    again = worked(["b", "c", "a"], log, engine).run()
    assert again["words"] == ["bone;two;", "cone;two;", "aone;two;"]
    assert log.read_text().count("begin one") == 3


def test_images_and_what_all_items_share_go_along(engine: Engine, tmp_path: Path) -> None:
    shown = [ImageData.of(Image.new("L", (2, 2), tone)) for tone in (60, 100)]
    shared = Darken(image=ImageData.of(Image.new("L", (2, 2), 40)))
    items = ForEach(input_list=shown, on_workers=True)
    workflow = Workflow(
        Output(name="images", value=Collect(input_item=Darken(image=items.output).output).output),
        Output(
            name="shared",
            value=Collect(input_item=Both(first=items.output, second=shared.output).output).output,
        ),
        engine=engine,
    )
    result = workflow.run()
    assert [image.image.getpixel((0, 0)) for image in result["images"]] == [30, 50]
    assert [image.image.getpixel((0, 0)) for image in result["shared"]] == [80, 120]
    assert result["images"][0].provenance["workflow"]["graph"]["nodes"]


def test_a_failed_item_is_the_failure_of_its_node(engine: Engine) -> None:
    items = ForEach(input_list=["a", "b"], on_workers=True)
    refused = Refuse(value=items.output)
    collected = Collect(input_item=refused.output)
    workflow = Workflow(Output(name="x", value=collected.output), engine=engine)
    with pytest.raises(RunError, match="This can't be done") as caught:
        workflow.run()
    assert caught.value.failures[0].node_id == "refuse"


def test_gaps_of_failed_items(engine: Engine) -> None:
    items = ForEach(input_list=["a", "b"], on_workers=True)
    collected = Collect(input_item=Refuse(value=items.output).output, on_error="none")
    result = Workflow(Output(name="x", value=collected.output), engine=engine).run()
    assert result["x"] == [None, None]
    assert [warning.code for warning in result.warnings] == ["node_failed"] * 2


def test_seeds_are_those_of_the_run_here(engine: Engine) -> None:
    def drawn(engine: Engine) -> Workflow:
        items = ForEach(input_list=[1, 2, 3], on_workers=True)
        collected = Collect(input_item=Drawn(value=items.output).output)
        return Workflow(Output(name="x", value=collected.output), engine=engine)

    away = drawn(engine).run()
    assert len(set(away["x"])) == 3
    with Engine() as plain:
        here = drawn(plain).run(options=RunOptions(seeds=away.seeds))
    assert here["x"] == away["x"]


def test_branches_inside_of_a_part(engine: Engine, tmp_path: Path) -> None:
    items = ForEach(input_list=["a", "b"], on_workers=True)
    branch = If(condition=IsA(value=items.output).output, value=items.output)
    work = Work(value=branch.if_true, log=str(tmp_path / "log"), seconds=0.0)
    collected = Collect(input_item=work.output)
    assert Workflow(Output(name="x", value=collected.output), engine=engine).run()["x"] == [
        "awork;"
    ]


@pytest.mark.slow
def test_a_loop_over_two_workers(tmp_path: Path, redis_url: str, registry: Registry) -> None:
    with fleet(tmp_path, "--broker", redis_url) as started:
        started.start()
        started.start()
        with (
            JobExecutor.open(
                started.database,
                started.storage,
                broker=redis_url,
                registry=registry,
                options=JobOptions(node_attempts=2),
            ) as workers,
            Engine(executor=workers) as engine,
        ):
            words = [str(number) for number in range(40)]
            result = worked(words, tmp_path / "log", engine).run()
        assert result["words"] == [f"{word}one;two;" for word in words], started.said()
