"""
Fetching from a Hub: what is fetched, its names afterwards, and every way in which it fails.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodetool_core import Context, ImageToImageModel, RunCancelled
from nodetool_core.context import Reporter
from nodetool_core.errors import ModelError
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.sources.hub import Hub
from nodetool_core.models.sources.repository_files import pipeline_files
from tests.models.hub_server import COMMIT, HubServer
from tests.nodes.huggingface.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = "owner/tiny"


@pytest.fixture
def hub(hub_server: HubServer, tmp_path: Path, model: Callable[[str], str]) -> Hub:
    """Return a Hub that has a tiny Stable Diffusion, with the clutter that repositories have."""
    directory = Path(model("stable_diffusion"))
    files = {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }
    clutter = (
        "v1-5-pruned.safetensors",
        "v1-5-pruned.ckpt",
        "unet/diffusion_pytorch_model.bin",
        "vae/flax_model.msgpack",
        "unet/model.onnx",
    )
    hub_server.repositories[REPOSITORY] = files | dict.fromkeys(clutter, b"x" * 1000)
    return Hub(tmp_path / "cache", hub_server.endpoint)


def ref(repo_id: str = REPOSITORY, **fields: object) -> ImageToImageModel:
    return ImageToImageModel.model_validate({"repo_id": repo_id, **fields})


def refusal(hub: Hub, recorder: Recorder, asked: ImageToImageModel) -> ModelError:
    with pytest.raises(ModelError) as caught:
        hub.pipeline(asked, recorder.context)
    assert caught.value.problem.hint
    assert caught.value.problem.where
    return caught.value


def test_fetches_what_a_pipeline_reads_and_no_more(
    hub: Hub, hub_server: HubServer, recorder: Recorder
) -> None:
    models = ModelManager(hub=hub, device="cpu")
    assert models.revision(ref()) is None
    with models.use(ref(), "image-to-image", context=recorder.context) as lease:
        pipeline = lease.pipeline
        assert type(pipeline).__name__ == "StableDiffusionImg2ImgPipeline"

    assert models.revision(ref()) == COMMIT
    assert not [
        name
        for name in hub_server.fetched
        if name.endswith((".bin", ".ckpt", ".msgpack", ".onnx")) or name.startswith("v1-5")
    ]
    fetching = [
        details
        for kind, details in recorder.events
        if kind == "progress" and details["message"] == f"Fetching {REPOSITORY}"
    ]
    assert fetching
    assert all(details["step"] <= details["total"] for details in fetching)


@pytest.mark.parametrize(
    ("class_name", "says"),
    [
        ("StableVideoDiffusionPipeline", "makes videos"),
        ("FluxPriorReduxPipeline", "does image-prior"),
    ],
)
def test_m8_a_model_for_something_else_is_refused_before_its_weights_are_fetched(
    class_name: str, says: str, hub: Hub, hub_server: HubServer, recorder: Recorder
) -> None:
    index = hub_server.repositories[REPOSITORY]["model_index.json"]
    hub_server.repositories[REPOSITORY]["model_index.json"] = index.replace(
        b"StableDiffusionPipeline", class_name.encode()
    )
    models = ModelManager(hub=hub, device="cpu")
    with (
        pytest.raises(ModelError, match=says),
        models.use(ref(), "image-to-image", context=recorder.context),
    ):
        pass
    assert set(hub_server.fetched) == {"model_index.json"}


def test_the_cache_answers_without_a_network(
    hub: Hub, hub_server: HubServer, recorder: Recorder
) -> None:
    first = hub.pipeline(ref(), recorder.context)
    hub_server.refusals[REPOSITORY] = (503, "")
    assert hub.pipeline(ref(), recorder.context) == first
    hub_server.stop()
    assert hub.pipeline(ref(), recorder.context) == first
    assert hub.cached(ref()) == first


def test_one_file_of_a_repository(hub: Hub, recorder: Recorder) -> None:
    path, commit = hub.file(ref(path="v1-5-pruned.safetensors"), recorder.context)
    assert (path.read_bytes(), commit) == (b"x" * 1000, COMMIT)
    with pytest.raises(ModelError, match=r"Did you mean 'v1-5-pruned\.safetensors'"):
        hub.file(ref(path="v1-5-prund.safetensors"), recorder.context)


@pytest.mark.parametrize(
    ("answer", "code", "hint"),
    [
        ((401, "RepoNotFound"), "model_not_found", "hf auth login"),
        ((404, "RepoNotFound"), "model_not_found", "spelling"),
        ((403, "GatedRepo"), "model_gated", "Agree at"),
        ((500, ""), "hub_unavailable", "later"),
    ],
)
def test_refusals_say_what_to_do(
    answer: tuple[int, str],
    code: str,
    hint: str,
    hub: Hub,
    hub_server: HubServer,
    recorder: Recorder,
) -> None:
    hub_server.refusals[REPOSITORY] = answer
    problem = refusal(hub, recorder, ref()).problem
    assert (problem.code, problem.where) == (code, REPOSITORY)
    assert hint in problem.hint


def test_a_revision_that_is_not_there(hub: Hub, recorder: Recorder) -> None:
    assert refusal(hub, recorder, ref(revision="v9")).problem.code == "model_revision_missing"
    assert hub.pipeline(ref(revision=COMMIT), recorder.context)[1] == COMMIT


@pytest.mark.parametrize("repo_id", ["a/b/c", "owner/na me", "-name", "owner//name", "x" * 200])
def test_malformed_ids(repo_id: str, hub: Hub, recorder: Recorder) -> None:
    assert refusal(hub, recorder, ref(repo_id)).problem.code == "model_id_malformed"


def test_no_network_ends_at_once(tmp_path: Path, recorder: Recorder) -> None:
    began = time.monotonic()
    problem = refusal(Hub(tmp_path, "http://127.0.0.1:9"), recorder, ref()).problem
    assert problem.code == "model_offline"
    assert "can't be reached" in problem.message
    assert time.monotonic() - began < 20, "it is not tried again and again"


def test_offline_by_choice_ends_at_once(
    hub: Hub, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    problem = refusal(hub, recorder, ref()).problem
    assert problem.code == "model_offline"
    assert "HF_HUB_OFFLINE" in problem.message


def test_cancel_ends_a_download_and_the_next_one_completes_it(hub: Hub, recorder: Recorder) -> None:
    stopped = threading.Event()
    reports: list[str] = []

    class Stopping(Reporter):
        def progress(self, step: int, total: int, message: str) -> None:
            reports.append(message)
            stopped.set()

    context = Context(
        "node",
        reporter=Stopping(),
        cancelled=stopped,
        images=recorder,
        models=ModelManager(hub=hub),
    )
    with pytest.raises(RunCancelled):
        hub.pipeline(ref(), context)
    assert reports == [f"Fetching {REPOSITORY}"]
    root, _ = hub.pipeline(ref(), recorder.context)
    assert (root / "unet" / "diffusion_pytorch_model.safetensors").is_file()


NAMES = [
    "README.md",
    "model_index.json",
    "scheduler/scheduler_config.json",
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
    "unet/config.json",
    "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
    "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
    "unet/diffusion_pytorch_model.safetensors.index.json",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.bin",
    "onnx/unet/model.json",
    "sd.safetensors",
]


@pytest.mark.parametrize(
    ("fields", "weights"),
    [
        ({}, [NAMES[6], NAMES[7], NAMES[8], NAMES[11]]),
        ({"variant": "fp16"}, [NAMES[9], NAMES[11]]),
        ({"ignore_patterns": ["vae/*"]}, [NAMES[6], NAMES[7], NAMES[8]]),
        ({"allow_patterns": ["vae/*"]}, [NAMES[11]]),
    ],
)
def test_choice_of_files(fields: dict[str, object], weights: list[str]) -> None:
    chosen = pipeline_files(NAMES, ref(**fields))
    assert [name for name in chosen if ".safetensors" in name] == weights
    assert not [name for name in chosen if name.endswith(".bin") or name.startswith("onnx")]


@pytest.mark.parametrize(
    ("names", "fields", "code"),
    [
        (["sd.safetensors"], {}, "model_not_diffusers"),
        (["model_index.json", "unet/model.bin"], {}, "model_pickled"),
        (["model_index.json", "unet/model.fp16.safetensors"], {}, "model_variant_needed"),
        (NAMES, {"variant": "bf16"}, "model_variant_missing"),
    ],
)
def test_repositories_that_are_refused(
    names: list[str], fields: dict[str, object], code: str
) -> None:
    with pytest.raises(ModelError) as caught:
        pipeline_files(names, ref(**fields))
    assert caught.value.problem.code == code
    assert caught.value.problem.hint


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "disk_full"), (errno.EROFS, "unwritable_file")]
)
def test_a_cache_that_can_not_be_written(
    number: int, code: str, hub: Hub, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("huggingface_hub.snapshot_download", fails)
    error = refusal(hub, recorder, ref())
    assert error.problem.code == code and "cache" in error.problem.where
