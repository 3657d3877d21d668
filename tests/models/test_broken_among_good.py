"""
M1: models that are broken in any way, among good ones, under small budgets.

Every good one paints the same image to the bit, every broken one is refused in words, and nothing
grows. `NODETOOL_HOSTILE_FILES=2000` tries so many files; some dozens otherwise.
"""

from __future__ import annotations

import gc
import os
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodetool_core.errors import ModelError
from nodetool_core.models.manager import ModelManager
from tests.models.broken import BREAKS, break_file, code_of
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import run

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = int(os.environ.get("NODETOOL_HOSTILE_FILES", "60"))
FAMILIES = ("stable_diffusion", "lcm", "stable_diffusion_pag", "stable_diffusion_xl")
BUDGETS = (0, 1, 200_000, 700_000, 2**30)


class Models:
    """One manager, good models with the images they paint, and copies of them to break."""

    def __init__(self, model: Callable[[str], str], root: Path) -> None:
        self.good = {family: model(family) for family in FAMILIES}
        self._root = root
        self._alone = {
            family: self._image(ModelManager(device="cpu"), path)
            for family, path in self.good.items()
        }

    def paints(self, manager: ModelManager, family: str) -> None:
        assert self._image(manager, self.good[family]) == self._alone[family]

    def is_refused(self, manager: ModelManager, family: str, part: int, how: str, seed: int) -> str:
        """Break a file of a copy, and use it; returns the message."""
        directory = Path(shutil.copytree(self.good[family], self._root / "broken"))
        try:
            files = sorted(directory.rglob("*.safetensors"))
            broken = files[part % len(files)]
            break_file(broken, how, seed)
            with pytest.raises(ModelError) as caught:
                run(Recorder(manager), str(directory))
        finally:
            shutil.rmtree(directory)
        problem = caught.value.problem
        assert problem.code == code_of(how), problem
        assert how == "quantized" or broken.parent.name in problem.message
        assert problem.hint
        return problem.message

    @staticmethod
    def _image(manager: ModelManager, path: str) -> bytes:
        return run(Recorder(manager), path, seed=1, num_inference_steps=2).tobytes()


@pytest.fixture(scope="module")
def models(model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(model, tmp_path_factory.mktemp("broken"))


GOOD = st.tuples(st.sampled_from(FAMILIES), st.none(), st.just(""), st.just(0))
BROKEN = st.tuples(
    st.sampled_from(FAMILIES), st.integers(0, 3), st.sampled_from(BREAKS), st.integers(0, 10**6)
)


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    uses=st.lists(st.one_of(GOOD, BROKEN), min_size=2, max_size=6),
    budget=st.sampled_from(BUDGETS),
    host_budget=st.sampled_from((0, 400_000, 2**30)),
)
def test_m1_good_models_do_not_notice_broken_ones(
    uses: list[tuple[str, int | None, str, int]], budget: int, host_budget: int, models: Models
) -> None:
    manager = ModelManager(device="cpu", budget=budget, host_budget=host_budget)
    for family, part, how, seed in uses:
        if part is None:
            models.paints(manager, family)
        else:
            models.is_refused(manager, family, part, how, seed)
        assert {one.pins for one in manager.runtime.store.components()} <= {0}
        assert manager.runtime.store.used("cpu") <= budget
    used = {family for family, part, *_ in uses if part is None}
    assert {one.name for one in manager.table.models()} == {models.good[family] for family in used}
    manager.free()
    assert manager.runtime.store.components() == []


@pytest.mark.slow
def test_m1_hostile_files_leave_nothing(models: Models) -> None:
    manager = ModelManager(device="cpu", budget=700_000)
    rng = random.Random(HOSTILE)
    tensors: list[int] = []
    for number in range(HOSTILE):
        models.is_refused(
            manager, rng.choice(FAMILIES), rng.randrange(4), rng.choice(BREAKS), number
        )
        if number % (HOSTILE // 4) == HOSTILE // 4 - 1:
            models.paints(manager, "stable_diffusion")
            tensors.append(_tensors_alive())
    assert len(set(tensors[1:])) == 1, tensors
    known = {one.key for one in manager.runtime.store.components()}
    assert manager.runtime.requests.keys() == manager.runtime.estimates.keys() == known


def _tensors_alive() -> int:
    gc.collect()
    return sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects())
