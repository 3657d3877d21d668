"""
What runs load, through the whole engine.

The fewest bytes that their graphs allow, and none that another run still needs.
"""

from __future__ import annotations

import random
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest

from nodes.nodetool.output import Output
from nodetool_core import Context, ImageToImageModel, Lane, ModelRef, Node, Workflow
from nodetool_core.engine import device_lane
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import RunOptions
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.planning.schedule import Use as PlannedUse
from tests.models.planning.test_load_planner import brute_force

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NO_CACHE = RunOptions(use_cache=False)


class Use(Node):
    """Uses a model, after others."""

    lane = Lane.DEVICE
    dynamic = True

    model: ModelRef
    number: int = 0

    def process(self, context: Context) -> str:
        with context.models.use(self.model, "image-to-image", context=context) as lease:
            pipeline = lease.pipeline
            return type(pipeline).__name__


@pytest.fixture(scope="module")
def names(model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Four models of equal size in directories of their own."""
    root: Path = tmp_path_factory.mktemp("equal")
    return {name: str(shutil.copytree(model("stable_diffusion"), root / name)) for name in "abcd"}


@pytest.fixture(scope="module")
def size(names: dict[str, str]) -> int:
    from tests.nodes.huggingface.recorder import Recorder

    models = ModelManager(device="cpu")
    with models.use(
        ModelRef(repo_id=names["a"]), "image-to-image", context=Recorder(models).context
    ):
        return models.loaded()[0].bytes


def workflow(uses: list[tuple[str, list[int]]], names: dict[str, str], engine: Engine) -> Workflow:
    nodes: list[Any] = []
    for number, (name, after) in enumerate(uses):
        links = {f"after_{index}": nodes[index].output for index in after}
        nodes.append(Use(model=ModelRef(repo_id=names[name]), number=number, **links))
    return Workflow(
        *(Output(name=f"o{number}", value=node.output) for number, node in enumerate(nodes)),
        engine=engine,
    )


def random_uses(seed: int) -> list[tuple[str, list[int]]]:
    chosen = random.Random(seed)
    return [
        (
            chosen.choice("abcd"),
            sorted(chosen.sample(range(index), chosen.randint(0, min(2, index)))),
        )
        for index in range(chosen.randint(4, 6))
    ]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("places", [1, 2])
def test_a_graph_loads_as_little_as_any_order_of_it_can(
    seed: int, places: int, names: dict[str, str], size: int
) -> None:
    uses = random_uses(seed)
    planned = [PlannedUse(frozenset({name}), frozenset(after)) for name, after in uses]
    best = brute_force(planned, dict.fromkeys("abcd", 1), places, [])
    models = ModelManager(device="cpu", budget=places * size + 4096)
    with Engine(models=models) as engine:
        result = workflow(uses, names, engine).run(options=NO_CACHE)
        models.runtime.prefetch.wait()
    assert len(result.ran) >= len(uses)
    assert models.counts.bytes_placed == best * size


def test_a_second_run_loads_nothing(names: dict[str, str]) -> None:
    models = ModelManager(device="cpu")
    with Engine(models=models) as engine:
        made = workflow([("a", []), ("b", [0]), ("a", [1])], names, engine)
        made.run(options=NO_CACHE)
        loads, counts = models.loads, models.counts.reads
        made.run(options=NO_CACHE)
        assert (models.loads, models.counts.reads) == (loads, counts)


def test_a_result_says_which_weights_made_it(names: dict[str, str]) -> None:
    models = ModelManager(device="cpu")
    with Engine(models=models) as engine:
        result = workflow([("a", []), ("b", [])], names, engine).run(options=NO_CACHE)
    assert result.models == {
        names[name]: models.revision(ModelRef(repo_id=names[name])) for name in "ab"
    }
    assert None not in result.models.values()


def test_other_weights_under_the_same_name_are_another_result(
    model: Callable[[str], str], tmp_path: Path
) -> None:
    directory = shutil.copytree(model("stable_diffusion"), tmp_path / "model")
    with Engine(models=ModelManager(device="cpu")) as engine:
        made = workflow([("own", [])], {"own": str(directory)}, engine)
        assert "use" in made.run().ran
        assert "use" in made.run().hits
        shutil.copytree(model("stable_diffusion_pag"), directory, dirs_exist_ok=True)
        assert "use" in made.run().ran


def test_runs_at_once_share_their_loads(names: dict[str, str], size: int) -> None:
    models = ModelManager(device="cpu", budget=size + 4096)
    with Engine(models=models) as engine:
        # Each alone loads two models; one after the other, eight runs would load sixteen times, or
        # nine when they alternate.
        runs = [
            workflow([("a", []), ("b", [0])], names, engine).start(options=NO_CACHE)
            for _ in range(8)
        ]
        for run in runs:
            run.result(60)
    assert models.counts.bytes_placed <= 4 * size


class Hold(Use):
    """Uses a model until it is let go."""

    reached = threading.Event()
    opened = threading.Event()

    def process(self, context: Context) -> str:
        with context.models.use(self.model, "image-to-image", context=context):
            self.reached.set()
            assert self.opened.wait(30)
        return "held"


def test_the_next_weights_come_while_a_node_computes(names: dict[str, str], size: int) -> None:
    Hold.reached, Hold.opened = threading.Event(), threading.Event()
    models = ModelManager(device="cpu", budget=2 * size + 4096)
    with Engine(models=models) as engine:
        first: Any = Hold(model=ModelRef(repo_id=names["a"]))
        then: Any = Use(model=ModelRef(repo_id=names["b"]), after=first.output)
        run = Workflow(Output(name="o", value=then.output), engine=engine).start(options=NO_CACHE)
        assert Hold.reached.wait(30)
        models.runtime.prefetch.wait()
        assert models.is_loaded(ImageToImageModel(repo_id=names["b"]))
        assert models.runtime.prefetch.fetched > 0
        Hold.opened.set()
        run.result(30)
    assert models.counts.bytes_placed == 2 * size


def test_what_was_loaded_for_a_cancelled_run_goes(names: dict[str, str]) -> None:
    Hold.reached, Hold.opened = threading.Event(), threading.Event()
    models = ModelManager(device="cpu")
    with Engine(models=models) as engine:
        first: Any = Hold(model=ModelRef(repo_id=names["a"]))
        then: Any = Use(model=ModelRef(repo_id=names["b"]), after=first.output)
        run = Workflow(Output(name="o", value=then.output), engine=engine).start(options=NO_CACHE)
        assert Hold.reached.wait(30)
        models.runtime.prefetch.wait()
        run.cancel()
        Hold.opened.set()
        assert run.wait(30)
        assert [one.name for one in models.loaded()] == []


def test_two_devices_work_at_once_and_keep_their_models(
    names: dict[str, str], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What waits too long goes first, wherever its model is; a slow machine must not make that so
    # here.
    monkeypatch.setattr(device_lane, "LONGEST_WAIT", 600.0)
    models = ModelManager(device="cpu,cpu:1", budget=size + 4096)
    with Engine(models=models) as engine:
        uses = [(name, []) for name in "abababab"]
        made = workflow(uses, names, engine)
        made.run(options=NO_CACHE)
        assert {one.device for one in models.loaded()} == {"cpu", "cpu:1"}
        assert models.counts.bytes_placed == 2 * size
        made.run(options=NO_CACHE)
        assert models.counts.bytes_placed == 2 * size
