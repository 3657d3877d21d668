"""
M11, M18: what a stopped download or a tidy user left.

Links that lead nowhere, missing shards, variants, no safety checker.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from safetensors.torch import load_file, save_file

from nodetool_core import ModelRef
from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.components.tokenizers import check_vocabularies
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.sources.component_files import missing_files
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import run

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def directory(model: Callable[[str], str], tmp_path: Path) -> Path:
    """Return a copy of a tiny model, to be halved."""
    return Path(shutil.copytree(model("stable_diffusion"), tmp_path / "tiny-diffusion"))


def refused(repo_id: Path | str, task: str = "image-to-image", **fields: Any) -> Problem:
    models = ModelManager(device="cpu")
    ref = ModelRef(repo_id=str(repo_id), **fields)
    with (
        pytest.raises(ModelError) as caught,
        models.use(ref, task, context=Recorder(models).context),
    ):
        pass
    assert caught.value.problem.hint
    return caught.value.problem


def cut(file: Path) -> None:
    """Leave what a stopped download leaves: a link to a file that is not there."""
    file.unlink()
    file.symlink_to(file.parent / "blobs" / "0123456789abcdef")


@pytest.mark.parametrize(
    "file",
    [
        "unet/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
        "vae/config.json",
        "tokenizer/tokenizer.json",
        "scheduler/scheduler_config.json",
    ],
)
def test_m11_links_that_lead_nowhere_are_named(file: str, directory: Path) -> None:
    cut(directory / file)
    problem = refused(directory)
    assert problem.code == "model_incomplete"
    assert (
        file.split("/")[0] in problem.message
        and file.split("/")[1] in problem.message
        and "download" in problem.message
    )


def test_m11_other_links_that_lead_nowhere(directory: Path, tmp_path: Path) -> None:
    cut(directory / "model_index.json")
    assert "model_index.json" in refused(directory).message
    cut(directory / "vae" / "diffusion_pytorch_model.safetensors")
    assert "diffusion_pytorch_model.safetensors" in refused(directory / "vae", "network").message
    single = tmp_path / "single.safetensors"
    single.symlink_to(tmp_path / "gone")
    for task in ("image-to-image", "tensors"):
        problem = refused(single, task)
        assert problem.code == "model_incomplete" and "link" in problem.message, problem
    folder = tmp_path / "lora"
    folder.mkdir()
    (folder / "lora.safetensors").symlink_to(tmp_path / "gone")
    assert refused(folder, "tensors").code == "model_incomplete"


def test_m11_links_of_another_variant_do_not_matter(directory: Path) -> None:
    (directory / "unet" / "diffusion_pytorch_model.fp16.safetensors").symlink_to(directory / "gone")
    assert missing_files(directory / "unet", None) == []
    models = ModelManager(device="cpu")
    run(Recorder(models), str(directory))


def test_m11_shards_that_are_not_there_are_named(directory: Path) -> None:
    weights = directory / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    weights.unlink()
    shards = [f"diffusion_pytorch_model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    save_file(tensors, directory / "unet" / shards[0], {"format": "pt"})
    index = {
        "metadata": {},
        "weight_map": {name: shards[number % 2] for number, name in enumerate(tensors)},
    }
    (directory / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(
        json.dumps(index)
    )
    problem = refused(directory)
    assert (
        problem.code == "model_incomplete"
        and shards[1] in problem.message
        and "unet" in problem.message
    )


@pytest.mark.parametrize("variant", ["fp16", "no"])
def test_m18_a_variant_that_a_folder_does_not_have(variant: str, directory: Path) -> None:
    problem = refused(directory, variant=variant)
    assert (problem.code, "leave `variant` out" in problem.hint) == (
        "model_variant_missing",
        True,
    ), problem
    (directory / "unet" / "diffusion_pytorch_model.bf16.safetensors").write_bytes(b"")
    assert "'bf16'" in refused(directory, variant=variant).hint


def test_m18_a_component_that_has_only_another_variant(directory: Path) -> None:
    for part, variant in (("unet", "fp16"), ("vae", "bf16")):
        weights = directory / part / "diffusion_pytorch_model.safetensors"
        weights.rename(weights.with_name(f"diffusion_pytorch_model.{variant}.safetensors"))
    problem = refused(directory, variant="fp16")
    assert (
        problem.code == "model_variant_needed"
        and "vae" in problem.message
        and "'bf16'" in problem.message
    )


def with_checker(directory: Path) -> Path:
    index = directory / "model_index.json"
    names = {
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "requires_safety_checker": True,
    }
    index.write_text(json.dumps(json.loads(index.read_text()) | names))
    return directory


@pytest.mark.parametrize("left", [[], ["config.json"], ["config.json", "pytorch_model.bin"]])
def test_m18_a_model_runs_without_its_safety_checker_and_says_so(
    left: list[str], directory: Path, model: Callable[[str], str]
) -> None:
    folder = with_checker(directory) / "safety_checker"
    folder.mkdir()
    for file in left:
        (folder / file).write_text("{}")
    recorder = Recorder(ModelManager(device="cpu"))
    expected = run(Recorder(recorder.context.models), model("stable_diffusion"), seed=1).tobytes()
    for uses in (1, 2):
        assert run(recorder, str(directory), seed=1).tobytes() == expected
        assert len(recorder.warnings) == uses
        assert "runs without feature_extractor and safety_checker" in recorder.warnings[-1]


def test_m18_a_component_that_is_needed_is_not_left_out(
    model: Callable[[str], str], tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(model("image_variation"), tmp_path / "variation"))
    shutil.rmtree(directory / "feature_extractor")
    problem = refused(directory)
    assert problem.code == "model_incomplete" and "feature_extractor" in problem.message
    shutil.rmtree(directory / "unet")
    assert "unet" in refused(directory).message


def test_m1_weights_without_a_configuration(directory: Path) -> None:
    (directory / "text_encoder" / "config.json").unlink()
    assert "no config.json" in refused(directory).message


@pytest.mark.parametrize("text", ["", "{ no json", "[1]"])
@pytest.mark.parametrize(
    "file",
    [
        "unet/config.json",
        "text_encoder/config.json",
        "scheduler/scheduler_config.json",
        "tokenizer/tokenizer_config.json",
    ],
)
def test_m19_settings_that_can_not_be_read_are_named(text: str, file: str, directory: Path) -> None:
    (directory / file).write_text(text)
    problem = refused(directory)
    assert problem.code == "model_incomplete" and file in problem.message


@pytest.mark.parametrize(
    ("files", "is_whole"),
    [
        (["tokenizer_config.json"], False),
        (["tokenizer_config.json", "special_tokens_map.json", "vocab.json"], False),
        (["tokenizer_config.json", "vocab.json", "merges.txt"], True),
        (["tokenizer_config.json", "tokenizer.json"], True),
        (["tokenizer_config.json", "tokenizer.model"], True),
    ],
)
def test_m1_a_tokenizer_without_words_is_refused(
    files: list[str], is_whole: bool, tmp_path: Path
) -> None:
    (tmp_path / "tokenizer").mkdir()
    for file in files:
        (tmp_path / "tokenizer" / file).write_text("{}")
    kind = {"tokenizer": ("transformers", "CLIPTokenizer")}
    if is_whole:
        check_vocabularies(tmp_path, kind, "x")
        return
    with pytest.raises(ModelError, match=r"tokenizer \(CLIPTokenizer\) lacks its vocabulary"):
        check_vocabularies(tmp_path, kind, "x")


def test_m1_a_model_without_its_vocabulary_paints_nothing_else(directory: Path) -> None:
    (directory / "tokenizer" / "tokenizer.json").unlink()
    assert refused(directory).code == "model_incomplete"


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("unet/config.json", "norm_num_groups", 10**6),
        ("unet/config.json", "timestep_post_act", 0),
        ("vae/config.json", "latent_channels", "four"),
        ("vae/config.json", "layers_per_block", "one"),
        ("text_encoder/config.json", "initializer_factor", -3),
        ("scheduler/scheduler_config.json", "beta_schedule", "none"),
        ("tokenizer/tokenizer_config.json", "pad_token", 7),
        ("model_index.json", "scheduler", None),
    ],
)
def test_m19_settings_that_do_not_fit_together_are_told_in_a_sentence_of_our_own(
    file: str, key: str, value: Any, directory: Path
) -> None:
    settings = json.loads((directory / file).read_text())
    (directory / file).write_text(json.dumps(settings | {key: value}))
    problem = refused(directory)
    assert (
        problem.code == "model_load_failed"
        and "its settings do not fit together" in problem.message
    ), problem
    assert not problem.message.endswith(":")
