"""Models that are not listed: nothing of them is looked at, whichever way their name comes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodetool_core import ModelRef
from nodetool_core.errors import ModelError
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.planning.lookahead import PlannedUse
from nodetool_core.models.sources.allowlist import ModelAllowlist
from nodetool_core.models.sources.hub import Hub

if TYPE_CHECKING:
    from tests.models.hub_server import HubServer
    from tests.nodes.huggingface.recorder import Recorder


@pytest.fixture
def folder(model: Callable[[str], str], tmp_path: Path) -> str:
    """Return a model in a folder, with another one beside it."""
    shutil.copytree(model("stable_diffusion"), tmp_path / "other")
    return str(shutil.copytree(model("stable_diffusion"), tmp_path / "listed"))


@pytest.fixture
def manager(folder: str) -> ModelManager:
    pinned = ModelRef(repo_id="somebody/pinned", revision="abc")
    allowlist = ModelAllowlist([folder, "somebody/model"])
    allowlist.add(pinned)
    return ModelManager(device="cpu", allowlist=allowlist)


def refused(manager: ModelManager, ref: ModelRef, recorder: Recorder) -> str:
    """Return what is said where a model is refused: by everything that is asked of the manager."""
    with (
        pytest.raises(ModelError) as by_use,
        manager.use(ref, "image-to-image", context=recorder.context),
    ):
        raise AssertionError("It was loaded.")
    with pytest.raises(ModelError) as by_key:
        manager.revision(ref)
    assert by_use.value.problem == by_key.value.problem
    assert by_use.value.problem.code == "model_unlisted"
    assert "`models`" in by_use.value.problem.hint
    assert not manager.is_loaded(ref)
    return by_use.value.problem.message


def test_a_listed_model_is_used(manager: ModelManager, folder: str, recorder: Recorder) -> None:
    with manager.use(ModelRef(repo_id=folder), "image-to-image", context=recorder.context):
        assert manager.is_loaded(ModelRef(repo_id=folder))
    inside = ModelRef(repo_id=folder, path="unet/diffusion_pytorch_model.safetensors")
    with manager.use(inside, "tensors", context=recorder.context) as lease:
        part = lease.part
        assert part.tensors


def test_others_are_not(manager: ModelManager, folder: str, recorder: Recorder) -> None:
    beside = str(Path(folder).parent / "other")
    file = "unet/diffusion_pytorch_model.safetensors"
    for ref in (
        ModelRef(repo_id=beside),
        ModelRef(path=f"{beside}/{file}"),
        ModelRef(repo_id="somebody/else"),
        ModelRef(repo_id=f"{folder}/../other"),
        ModelRef(repo_id=folder, path=f"../other/{file}"),
        ModelRef(repo_id=folder, path=f"{beside}/{file}"),
        ModelRef(repo_id="somebody/model", revision="refs/pr/1"),
        ModelRef(repo_id="somebody/pinned", revision="def"),
    ):
        assert refused(manager, ref, recorder).endswith("is not served here.")
    assert manager.loaded() == []


def test_nothing_of_it_is_fetched_ahead(manager: ModelManager, folder: str) -> None:
    """A run that tells what it will use makes nobody look at weights that are not listed."""
    forecast = manager.forecast()
    beside = ModelRef(repo_id=str(Path(folder).parent / "other"))
    forecast.update({0: PlannedUse((beside,))})
    assert forecast.planned[0][0] == frozenset({beside})
    forecast.update({0: PlannedUse((ModelRef(repo_id=folder),))})
    assert len(forecast.planned[0][0]) > 1, "the components of the listed one are known"
    forecast.close()


def test_the_hub_is_not_asked(hub_server: HubServer, tmp_path: Path, recorder: Recorder) -> None:
    hub_server.repositories["somebody/else"] = {"model_index.json": b"{}"}
    manager = ModelManager(
        device="cpu",
        hub=Hub(endpoint=hub_server.endpoint, cache_dir=tmp_path),
        allowlist=ModelAllowlist(["a/b"]),
    )
    refused(manager, ModelRef(repo_id="somebody/else"), recorder)
    assert hub_server.fetched == []
