"""Behaviours 17 to 19, 22 and 26: what runs again, what keys depend on, and what they don't."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nodes.nodetool.control import Collect
from nodes.nodetool.output import Output
from nodes.nodetool.text import FormatText
from nodetool_core import Field, ImageRef, Node, NodetoolError, Workflow
from nodetool_core.context import Context
from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import RunOptions
from nodetool_core.workflow import GraphRecord, WorkflowDocument
from tests.assets.images import scene
from tests.engine.nodes import Acting, Add, Clock, Counting, Dice, Each, Mix, Number, Stage, Total


def chain(engine: Engine, value: int = 1) -> Workflow:
    """1 → 2a → +1 → 2a, beside a branch of its own."""
    first = Mix(a=Number(value=value).output)
    last = Mix(a=Add(a=first.output).output)
    return Workflow(
        Output(name="x", value=last.output),
        Output(name="beside", value=Mix(a=7).output),
        engine=engine,
    )


def test_a_change_runs_what_depends_on_it_and_back_is_a_hit(engine: Engine) -> None:
    """A → B → A."""
    workflow = chain(engine)
    assert sorted(workflow.run().ran) == [
        "add",
        "mix",
        "mix_2",
        "mix_3",
        "number",
        "output",
        "output_2",
    ]
    changed = workflow.run({"add.b": 5})
    assert sorted(node_id for node_id in changed.ran if "output" not in node_id) == ["add", "mix_2"]
    assert changed["x"] == 14
    back = workflow.run()
    assert {node_id for node_id in back.ran if "output" not in node_id} == set()
    assert back["x"] == 6


def test_a_hit_asks_for_nothing_above_it(engine: Engine) -> None:
    workflow = chain(engine)
    workflow.run()
    assert sorted(workflow.run().hits) == ["mix_2", "mix_3"]


def test_items_of_a_loop_are_found_by_what_they_are(engine: Engine, stage: Stage) -> None:
    """A longer list computes only the new items, wherever the old ones are in it."""

    def workflow(*items: int) -> Workflow:
        work = Counting(a=Each(items=list(items)).output, stage=stage.name)
        return Workflow(
            Output(name="x", value=Collect(input_item=work.output).output), engine=engine
        )

    assert workflow(1, 2).run()["x"] == [1, 2]
    result = workflow(3, 2, 1).run()
    assert result["x"] == [3, 2, 1]
    assert (stage.calls["x"], sorted(result.hits)) == (3, ["counting", "counting"])


@settings(deadline=None)
@given(order=st.permutations(range(8)), names=st.permutations("abcdefgh"))
def test_keys_do_not_depend_on_ids_or_order(order: list[int], names: list[str]) -> None:
    """Behaviour 18: the same graph written down otherwise is found in the cache."""
    first, second = Each(items=[1, 2]), Each(items=[3, 4])
    table = Collect(
        input_item=Collect(input_item=Mix(a=first.output, b=second.output).output).output
    )
    with Engine(workers=1) as engine:
        workflow = Workflow(
            Output(name="x", value=table.output),
            Output(name="y", value=Mix(a=3).output),
            engine=engine,
        )
        expected = dict(workflow.run())
        nodes, edges = workflow.document.graph.nodes, workflow.document.graph.edges
        new_id = {node.id: names[place] for place, node in enumerate(nodes)}
        shuffled = [
            nodes[place].model_copy(update={"id": new_id[nodes[place].id]}) for place in order
        ]
        renamed = [
            edge.model_copy(update={"source": new_id[edge.source], "target": new_id[edge.target]})
            for edge in edges
        ]
        random.Random(order[0]).shuffle(renamed)
        document = WorkflowDocument(graph=GraphRecord(nodes=shuffled, edges=renamed))
        again = Workflow.from_document(document, workflow.registry, engine=engine).run()
    assert dict(again) == expected
    assert [
        node_id for node_id in again.ran if node_id not in (new_id["output"], new_id["output_2"])
    ] == []


def test_keys_depend_on_a_files_content_not_its_name_or_time(
    engine: Engine, tmp_path: Path
) -> None:
    class Width(Node):
        """The width of an image."""

        image: ImageRef = Field(description="Image.")

        def process(self, context: Context) -> int:
            return context.image(self.image).width

    def widths(path: Path) -> Any:
        return Workflow(
            Output(name="x", value=Width(image=ImageRef(uri=str(path))).output), engine=engine
        ).run()

    first, second = tmp_path / "a.png", tmp_path / "b.png"
    scene().save(first)
    second.write_bytes(first.read_bytes())
    assert "width" in widths(first).ran
    assert "width" in widths(second).hits
    scene().resize((5, 5)).save(first)
    changed = widths(first)
    assert ("width" in changed.ran, changed["x"]) == (True, 5)


def test_a_fingerprint_says_whether_a_node_runs_again(engine: Engine, stage: Stage) -> None:
    """
    Behaviour 19: unchanged, it is a hit; changed or unknown, it runs.

    One that fails names its node.
    """
    marks: list[Callable[[], str | None]] = []

    class Marked(Node):
        """Depends on something outside."""

        @classmethod
        def fingerprint(cls, values: dict[str, Any], sources: Any) -> str | None:
            return marks[-1]()

        def process(self) -> int:
            stage.count("marked")
            return stage.calls["marked"]

    workflow = Workflow(Output(name="x", value=Marked().output), engine=engine)
    runs = []
    for mark in ("a", "a", "b", None, None, "a"):
        marks.append(lambda mark=mark: mark)  # type: ignore[misc]
        runs.append(workflow.run()["x"])
    assert runs == [1, 1, 2, 3, 4, 1]
    marks.append(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    with pytest.raises(
        NodetoolError, match=r"node 'marked' .*fingerprint failed: ZeroDivisionError"
    ):
        workflow.run()


def test_what_depends_on_a_clock_runs_again(engine: Engine, stage: Stage) -> None:
    workflow = Workflow(
        Output(name="x", value=Mix(a=Clock(stage=stage.name).output, b=Mix(a=1).output).output),
        engine=engine,
    )
    assert [workflow.run()["x"] for _ in range(3)] == [8, 10, 12]


def test_without_the_cache_everything_runs_and_is_kept_all_the_same(engine: Engine) -> None:
    workflow = chain(engine)
    first = workflow.run()
    fresh = workflow.run(options=RunOptions(use_cache=False))
    assert (sorted(fresh.ran), fresh.hits) == (sorted(first.ran), [])
    assert workflow.run().hits


def test_a_result_larger_than_the_cache_is_not_kept_and_the_run_succeeds() -> None:
    """Behaviour 22."""
    cache = MemoryCache(bound=5_000)
    with Engine(cache=cache, workers=1) as engine:
        big = Total(values=Collect(input_item=Each(items=list(range(2_000))).output).output)
        workflow = Workflow(
            Output(name="x", value=big.output),
            Output(name="y", value=Mix(a=2).output),
            engine=engine,
        )
        assert dict(workflow.run()) == dict(workflow.run()) == {"x": 1_999_000, "y": 4}
    assert cache.info.bytes <= 5_000


def test_a_seed_of_minus_one_is_drawn_recorded_and_repeatable(engine: Engine) -> None:
    """Behaviour 26."""
    workflow = Workflow(Output(name="x", value=Dice().output), engine=engine)
    first, second = workflow.run(), workflow.run()
    assert first["x"] != second["x"]
    assert first.seeds == {"dice": {"seed": first["x"]}}
    again = workflow.run({"dice.seed": first["x"]})
    assert (again["x"], "dice" in again.hits) == (first["x"], True)


def test_a_seed_that_was_given_is_recorded_as_well(engine: Engine) -> None:
    workflow = Workflow(Output(name="x", value=Dice(seed=7).output), engine=engine)
    for _ in ("made", "found in the cache"):
        assert workflow.run().seeds == {"dice": {"seed": 7}}


def test_values_of_free_names_count(engine: Engine) -> None:
    def filled(**values: Any) -> Any:
        return Workflow(
            Output(name="x", value=FormatText(template="{{ a }}", **values).output), engine=engine
        ).run()

    assert [
        filled(**values)["x"] for values in ({"a": "lake"}, {"a": "hut"}, {"a": "lake", "b": 1})
    ] == ["lake", "hut", "lake"]
    assert "format_text" in filled(a="hut").hits


def test_a_result_of_a_failed_run_is_kept(engine: Engine, stage: Stage) -> None:
    stage.action = lambda number: 1 / 0
    before = Counting(a=1, stage=stage.name)
    workflow = Workflow(
        Output(name="x", value=Acting(a=before.output, stage=stage.name).output), engine=engine
    )
    for _ in range(2):
        with pytest.raises(NodetoolError, match="ZeroDivisionError"):
            workflow.run()
    assert stage.calls["x"] == 1


class Passes(Node):
    """Gives the image on as it came: by its name."""

    image: ImageRef = Field(description="Image.")

    def process(self) -> ImageRef:
        return self.image


class Tone(Node):
    """The first pixel, and more."""

    image: ImageRef = Field(description="Image.")
    more: int = 0

    def process(self, context: Context) -> int:
        return int(context.image(self.image, "L").getpixel((0, 0))) + self.more  # type: ignore[arg-type]


def tone(folder: Path, name: str, more: int, engine: Engine) -> Any:
    workflow = Workflow(
        Output(
            name="x", value=Tone(image=Passes(image=ImageRef(uri=name)).output, more=more).output
        )
    )
    return Workflow.from_document(
        workflow.document, workflow.registry, base=folder, engine=engine
    ).run()["x"]


def test_a_result_that_names_a_file_is_no_hit_once_the_file_is_elsewhere(
    engine: Engine, tmp_path: Path
) -> None:
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    Image.new("L", (2, 2), 10).save(first)
    assert tone(tmp_path, str(first), 0, engine) == 10
    first.rename(second)
    assert tone(tmp_path, str(second), 1, engine) == 11


def test_a_name_means_the_file_in_the_folder_of_its_own_workflow(
    engine: Engine, tmp_path: Path
) -> None:
    for folder, name, grey in (("one", "x.png", 10), ("two", "y.png", 10), ("two", "x.png", 200)):
        (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("L", (2, 2), grey).save(tmp_path / folder / name)
    assert tone(tmp_path / "one", "x.png", 0, engine) == 10
    assert tone(tmp_path / "two", "y.png", 1, engine) == 11


def test_what_is_inline_in_a_reference_counts_as_memory() -> None:
    cache = MemoryCache(bound=100_000)
    for number in range(10):
        cache.put(bytes([number]), ([ImageRef(data="A" * 30_000)],))
    assert len(cache) == 3


def test_a_node_that_changes_its_value_changes_no_other_run(engine: Engine) -> None:
    class Greedy(Node):
        """Adds to what it was given."""

        cacheable = False
        options: dict[str, Any] = {"seen": []}

        def process(self) -> int:
            self.options["seen"].append(1)
            return len(self.options["seen"])

    workflow = Workflow(
        Output(name="x", value=Greedy().output),
        Output(name="y", value=Greedy().output),
        engine=engine,
    )
    assert [dict(workflow.run()) for _ in range(2)] == [{"x": 1, "y": 1}] * 2
