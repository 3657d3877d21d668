"""Which of several devices takes a use does not depend on which of them looks first."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from nodetool_core import ModelRef
from nodetool_core.engine import permits
from nodetool_core.engine.device_lane import DeviceLane
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.planning.lookahead import PlannedUse, ReadyUse
from nodetool_core.models.residency.replicas import Slot
from tests.nodes.huggingface.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def refs(model: Callable[[str], str], tmp_path: Path) -> dict[str, ModelRef]:
    """Two models of equal size in directories of their own."""
    return {
        name: ModelRef(repo_id=str(shutil.copytree(model("stable_diffusion"), tmp_path / name)))
        for name in "ab"
    }


@pytest.fixture
def models(refs: dict[str, ModelRef]) -> ModelManager:
    """Two devices with room for one model each; the first has model `a`."""
    alone = ModelManager(device="cpu")
    load(alone, refs["a"], "cpu")
    made = ModelManager(device="cpu,cpu:1", budget=alone.loaded()[0].bytes + 4096)
    load(made, refs["a"], "cpu")
    return made


def load(models: ModelManager, ref: ModelRef, device: str) -> None:
    context = Recorder(models).context
    with models.at(Slot(device)), models.use(ref, "image-to-image", context=context):
        pass


def uses(models: ModelManager, *refs: ModelRef) -> list[ReadyUse]:
    forecast = models.forecast()
    forecast.update({name: PlannedUse((ref,)) for name, ref in enumerate(refs)})
    return [forecast.ready_use(name) for name in range(len(refs))]


def test_a_device_that_is_full_leaves_what_is_nowhere_to_an_empty_one(
    models: ModelManager, refs: dict[str, ModelRef]
) -> None:
    ready = uses(models, refs["b"], refs["b"])
    assert models.pick(ready, "cpu", [], {"cpu:1"}) is None
    assert models.pick(ready, "cpu:1", [], {"cpu"}) == 0
    # It takes one; the other waits for it.
    assert models.pick(ready[1:], "cpu", ready[:1], set()) is None


def test_a_device_that_is_idle_takes_one_of_its_own_before_others_help(
    models: ModelManager, refs: dict[str, ModelRef]
) -> None:
    load(models, refs["b"], "cpu:1")
    ready = uses(models, refs["b"], refs["b"], refs["b"])
    assert models.pick(ready[:2], "cpu", [], {"cpu:1"}) is None
    assert models.pick(ready, "cpu", [], {"cpu:1"}) == 0
    assert models.pick(ready[1:], "cpu", ready[:1], set()) == 0
    assert models.pick(ready[2:], "cpu", ready[:1], set()) is None


def test_a_node_that_is_done_is_not_under_way_when_that_is_reported(
    models: ModelManager, refs: dict[str, ModelRef]
) -> None:
    lane = DeviceLane(lambda: models)
    noted: list[tuple[int, int]] = []
    is_done = threading.Event()

    def work() -> None:
        before = len(lane.running)
        permits.finished()
        noted.append((before, len(lane.running)))
        is_done.set()

    lane.submit(uses(models, refs["a"])[0], work)
    assert is_done.wait(30)
    lane.close()
    assert noted == [(1, 0)]
