"""References to files on this machine, and directories that must not or can't be loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nodetool_core import ImageToImageModel
from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.sources.component_files import variant_of
from nodetool_core.models.sources.resolver import Resolver
from tests.models.original_layout import write_single_file
from tests.nodes.huggingface.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def directory(model: Callable[[str], str], tmp_path: Path) -> Path:
    """Return a copy of a tiny model, to be damaged."""
    return shutil.copytree(model("stable_diffusion"), tmp_path / "tiny-diffusion")


def refusal(reference: str | ImageToImageModel, recorder: Recorder, **fields: Any) -> Problem:
    """Return the problem with which a model is refused, found before anything is loaded."""
    asked = (
        reference
        if isinstance(reference, ImageToImageModel)
        else ImageToImageModel(repo_id=reference, **fields)
    )
    models = ModelManager(device="cpu")
    with (
        pytest.raises(ModelError) as caught,
        models.use(asked, "image-to-image", context=recorder.context),
    ):
        raise AssertionError("It was loaded.")
    assert models.loaded() == []
    assert caught.value.problem.where
    assert caught.value.problem.hint
    return caught.value.problem


def test_order(directory: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(directory.parent)
    resolver = Resolver({"pack/shipped": directory})
    for name in ("pack/shipped", str(directory), "tiny-diffusion", "./tiny-diffusion"):
        resolved = resolver.resolve(ImageToImageModel(repo_id=name), recorder.context)
        assert (resolved.path, resolved.kind, resolved.name) == (directory, "directory", name)
    single = ImageToImageModel(
        repo_id="tiny-diffusion", path="unet/diffusion_pytorch_model.safetensors"
    )
    assert resolver.resolve(single, recorder.context).kind == "file"
    alone = ImageToImageModel(path="tiny-diffusion/unet/diffusion_pytorch_model.safetensors")
    assert (
        resolver.resolve(alone, recorder.context).path
        == resolver.resolve(single, recorder.context).path
    )


def test_the_revision_of_local_files_follows_their_content(directory: Path) -> None:
    resolver, ref = Resolver(), ImageToImageModel(repo_id=str(directory))
    first = resolver.revision(ref)
    assert first is not None
    assert first.startswith("blake3:")
    copied = shutil.copytree(directory, directory.parent / "copy")
    assert resolver.revision(ImageToImageModel(repo_id=str(copied))) == first
    (directory / "scheduler" / "scheduler_config.json").write_text("{}")
    assert resolver.revision(ref) != first


def test_m1_a_file_that_changes_again_and_again_is_remembered_once(directory: Path) -> None:
    resolver, ref = Resolver(), ImageToImageModel(repo_id=str(directory))
    seen = set()
    for number in range(5):
        (directory / "scheduler" / "scheduler_config.json").write_text(
            json.dumps({"steps_offset": number})
        )
        seen.add(resolver.resolve(ref, Recorder(ModelManager(device="cpu")).context).revision)
    assert len(seen) == 5 and len(resolver._digests) == len(resolver._priors) == 1


@pytest.mark.parametrize(
    "name",
    ["/no/such/place", "./nothing-here", "model.safetensors", "~/nothing-here", "C:\\models\\x"],
)
def test_a_path_that_is_not_there(name: str, recorder: Recorder) -> None:
    with pytest.raises(ModelError) as caught:
        Resolver().resolve(ImageToImageModel(repo_id=name), recorder.context)
    assert caught.value.problem.code == "model_path_missing"


def test_a_misspelled_path_gets_the_nearest_name(directory: Path, recorder: Recorder) -> None:
    problem = refusal(str(directory.parent / "tiny-difusion"), recorder)
    assert (problem.code, problem.hint) == ("model_path_missing", "Did you mean 'tiny-diffusion'?")


def test_an_empty_reference(recorder: Recorder) -> None:
    assert refusal(ImageToImageModel(), recorder).code == "model_empty"


def test_shipped_weights_that_are_gone(tmp_path: Path, recorder: Recorder) -> None:
    with pytest.raises(ModelError, match="ships with a pack"):
        Resolver({"pack/shipped": tmp_path / "gone"}).resolve(
            ImageToImageModel(repo_id="pack/shipped"), recorder.context
        )


def test_pickles_are_refused(directory: Path, recorder: Recorder) -> None:
    weights = directory / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    assert refusal(str(directory), recorder).code == "model_pickled"
    (directory / "old.ckpt").write_bytes(b"x")
    assert refusal(str(directory / "old.ckpt"), recorder).code == "model_pickled"
    assert refusal(str(directory), recorder, path="old.ckpt").code == "model_pickled"


def test_missing_weights_are_refused(directory: Path, recorder: Recorder) -> None:
    (directory / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    problem = refusal(str(directory), recorder)
    assert problem.code == "model_incomplete"
    assert "unet" in problem.message


def test_damaged_weights_are_refused(directory: Path, recorder: Recorder) -> None:
    weights = directory / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    assert refusal(str(directory), recorder).code == "model_load_failed"


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"_class_name": ["my_pipeline", "MyPipeline"]}, "model_custom_code", "never run"),
        ({"unet": ["my_unet", "MyUNet"]}, "model_custom_code", "its own code for unet"),
        ({"_class_name": "StableDifusionPipeline"}, "model_class_unknown", "lacks"),
        ({"_class_name": "StableDiffusionLatentUpscale"}, "model_class_unknown", "lacks"),
        ({"_class_name": "AudioLDM2Pipeline"}, "model_task_unsupported", "makes sound"),
        ({"_class_name": "FluxFillPipeline"}, "model_task_unsupported", "does inpainting"),
    ],
)
def test_pipelines_that_are_refused(
    change: dict[str, Any], code: str, says: str, directory: Path, recorder: Recorder
) -> None:
    index = directory / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | change))
    for place in (directory / "my_pipeline.py", directory / "unet" / "my_unet.py"):
        place.write_text("raise SystemExit('This must never run.')")
    problem = refusal(str(directory), recorder)
    assert (problem.code, says in problem.message) == (code, True), problem


@pytest.mark.parametrize(
    ("files", "code", "hint"),
    [
        ({}, "model_not_diffusers", "model_index.json"),
        ({"sd.safetensors": b""}, "model_not_diffusers", "'sd.safetensors'"),
        ({"adapter_config.json": b"{}", "x.safetensors": b""}, "model_not_diffusers", "LoRA"),
        ({"sd.ckpt": b""}, "model_pickled", "safetensors"),
        ({"model_index.json": b"{"}, "model_incomplete", "again"),
        ({"model_index.json": b"[]"}, "model_incomplete", "again"),
    ],
)
def test_directories_that_are_no_pipeline(
    files: dict[str, bytes], code: str, hint: str, tmp_path: Path, recorder: Recorder
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    problem = refusal(str(tmp_path), recorder)
    assert (problem.code, hint in problem.hint) == (code, True), problem


def test_a_single_file_needs_the_configuration_of_its_family(
    directory: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    problem = refusal(str(write_single_file(directory, directory / "whole.safetensors")), recorder)
    assert problem.code == "model_configuration_missing"
    assert "network" in problem.hint
    (directory / "cut.safetensors").write_bytes(b"not safetensors")
    assert refusal(str(directory / "cut.safetensors"), recorder).code == "model_unreadable"
    (directory / "notes.txt").write_text("x")
    assert refusal(str(directory / "notes.txt"), recorder).code == "model_not_safetensors"


def test_a_variant(model: Callable[[str], str], tmp_path: Path, recorder: Recorder) -> None:
    from tests.nodes.huggingface.tiny_pipelines import save, stable_diffusion

    half = save(stable_diffusion, tmp_path / "half", variant="fp16")
    problem = refusal(str(half), recorder)
    assert (problem.code, "'fp16'" in problem.hint) == ("model_variant_needed", True)
    with ModelManager(device="cpu").use(
        ImageToImageModel(repo_id=str(half), variant="fp16"),
        "image-to-image",
        context=recorder.context,
    ):
        pass


def test_links_that_lead_back_to_where_they_lie(directory: Path) -> None:
    (directory / "again").symlink_to(directory)
    (directory / "unet" / "here").symlink_to(directory / "unet")
    assert Resolver().revision(ImageToImageModel(repo_id=str(directory)))


def test_a_home_of_nobody(recorder: Recorder) -> None:
    with pytest.raises(ModelError) as caught:
        Resolver().resolve(
            ImageToImageModel(repo_id="~nobody-of-this-name/model"), recorder.context
        )
    assert caught.value.problem.code == "model_path_missing"


@pytest.mark.parametrize(
    ("file", "variant"),
    [
        ("model.safetensors", None),
        ("model.fp16.safetensors", "fp16"),
        ("model.fp16-00001-of-00002.safetensors", "fp16"),
        ("model-00001-of-00002.fp16.safetensors", "fp16"),
        ("model-00001-of-00002.safetensors", None),
        ("model.safetensors.index.json", None),
        ("model.safetensors.index.fp16.json", "fp16"),
    ],
)
def test_variant_of(file: str, variant: str | None) -> None:
    assert variant_of(file) == variant
