"""
M1: weights are whole or refused, in words that name what lacks; and what is whole in life is taken.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from nodetool_core import ImageToImageModel, ModelRef
from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.manager import ModelManager
from tests.models.broken import BREAKS, OF_TENSORS, break_file, code_of
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import run

if TYPE_CHECKING:
    from collections.abc import Callable

UNET, VAE = "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"
ENCODER = "text_encoder/model.safetensors"


def weights(directory: Path, part: str) -> Path:
    return next((directory / part).glob("*.safetensors"))


def changed(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    save_file(change(load_file(file)), file, {"format": "pt"})


def refused(
    directory: Path | str, task: str = "image-to-image", models: ModelManager | None = None
) -> Problem:
    models = models or ModelManager(device="cpu")
    with (
        pytest.raises(ModelError) as caught,
        models.use(ModelRef(repo_id=str(directory)), task, context=Recorder(models).context),
    ):
        pass
    assert models.runtime.store.components() == []
    assert models.runtime.requests == {} and models.runtime.estimates == {}
    assert caught.value.problem.hint
    return caught.value.problem


@pytest.fixture
def copied(model: Callable[[str], str], tmp_path: Path) -> Callable[[str], Path]:
    return lambda family: Path(shutil.copytree(model(family), tmp_path / family))


@pytest.mark.parametrize(
    ("family", "part", "name"),
    [
        ("stable_diffusion", "unet", "conv_in.weight"),
        ("stable_diffusion", "unet", "conv_out.bias"),
        (
            "stable_diffusion",
            "unet",
            "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight",
        ),
        ("stable_diffusion", "unet", "time_embedding.linear_1.weight"),
        ("stable_diffusion", "vae", "decoder.conv_in.weight"),
        ("stable_diffusion", "text_encoder", "final_layer_norm.weight"),
        ("stable_diffusion_3", "text_encoder_3", "encoder.block.0.layer.0.SelfAttention.k.weight"),
        ("stable_diffusion_3", "transformer", "context_embedder.weight"),
        ("flux2", "vae", "bn.running_mean"),
    ],
)
@pytest.mark.parametrize("how", ["without", "renamed", "reshaped", "retyped"])
def test_m1_a_tensor_that_is_not_there_as_it_should_be_is_named(
    family: str, part: str, name: str, how: str, copied: Callable[[str], Path]
) -> None:
    directory = copied(family)
    break_file(weights(directory, part), how, name=name)
    problem = refused(directory, "text-to-image")
    assert problem.code == "model_incomplete" and problem.where == str(directory)
    assert f"({part}: " in problem.message and name in problem.message, problem


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_m1_broken_files_are_refused_in_words(
    how: str, part: str, copied: Callable[[str], Path]
) -> None:
    directory = copied("stable_diffusion")
    break_file(weights(directory, part), how)
    problem = refused(directory)
    assert problem.code == code_of(how)
    assert how == "quantized" or part in problem.message
    assert "Error" not in problem.message


def test_m1_an_index_that_names_more_than_its_shards_hold(copied: Callable[[str], Path]) -> None:
    directory = copied("stable_diffusion")
    tensors = load_file(directory / UNET)
    (directory / UNET).unlink()
    halves = {
        f"diffusion_pytorch_model-0000{n}-of-00002.safetensors": dict(
            sorted(tensors.items())[n - 1 :: 2]
        )
        for n in (1, 2)
    }
    for file, half in halves.items():
        save_file(half, directory / "unet" / file, {"format": "pt"})
    index = {
        "metadata": {},
        "weight_map": {name: file for file, half in halves.items() for name in half},
    }
    (directory / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(
        json.dumps(index)
    )
    models = ModelManager(device="cpu")
    with models.use(
        ModelRef(repo_id=str(directory)), "image-to-image", context=Recorder(models).context
    ):
        pass
    changed(directory / "unet" / file, lambda half: {name: half[name] for name in sorted(half)[1:]})
    assert sorted(halves[file])[0] in refused(directory).message


@pytest.mark.parametrize("how", OF_TENSORS)
def test_m1_networks_beside_pipelines_are_looked_at_too(
    how: str, adapter: Callable[[str, str], str], tmp_path: Path
) -> None:
    for kind, task in (("controlnet", "network"), ("eye", "network:image_encoder")):
        directory = Path(shutil.copytree(adapter(kind, "stable_diffusion"), tmp_path / kind))
        break_file(next(directory.rglob("*.safetensors")), how)
        assert refused(directory, task).code == code_of(how)


def as_ever(
    directory: Path,
    part: str,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    task: str = "text-to-image",
) -> list[str]:
    """Return the warnings of a model whose file is changed in a way that is harmless in life."""
    changed(weights(directory, part), change)
    models = ModelManager(device="cpu")
    recorder = Recorder(models)
    with models.use(ModelRef(repo_id=str(directory)), task, context=recorder.context):
        return recorder.warnings


OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def with_old_names(tensors: dict[str, Any]) -> dict[str, Any]:
    """Return an autoencoder's attention as diffusers called it until 0.15."""
    for new, old in OLD_NAMES.items():
        tensors = {
            name.replace(f"attentions.0.{new}.", f"attentions.0.{old}."): tensor
            for name, tensor in tensors.items()
        }
    return tensors


@pytest.mark.parametrize(
    ("family", "part", "change"),
    [
        (
            "stable_diffusion",
            "text_encoder",
            lambda all_: all_ | {"embeddings.position_ids": torch.arange(77)[None]},
        ),
        (
            "stable_diffusion",
            "text_encoder",
            lambda all_: {f"text_model.{name}": tensor for name, tensor in all_.items()},
        ),
        (
            "stable_diffusion",
            "text_encoder",
            lambda all_: (
                {f"text_model.{name}": tensor for name, tensor in all_.items()}
                | {
                    "text_model.embeddings.position_ids": torch.arange(77)[None],
                    "logit_scale": torch.tensor(4.6),
                }
            ),
        ),
        (
            "stable_diffusion_xl",
            "text_encoder_2",
            lambda all_: all_ | {"logit_scale": torch.tensor(4.6)},
        ),
        (
            "stable_diffusion_3",
            "text_encoder_3",
            lambda all_: {n: t for n, t in all_.items() if n != "encoder.embed_tokens.weight"},
        ),
        (
            "stable_diffusion_3",
            "text_encoder_3",
            lambda all_: all_ | {"encoder.embed_tokens.weight": all_["shared.weight"].clone()},
        ),
        (
            "stable_diffusion_3",
            "text_encoder_3",
            lambda all_: (
                all_
                | {
                    "decoder.final_layer_norm.weight": torch.ones(8),
                    "lm_head.weight": torch.ones(8, 8),
                }
            ),
        ),
        ("stable_diffusion", "vae", with_old_names),
        (
            "stable_diffusion",
            "unet",
            lambda all_: {name: tensor.half() for name, tensor in all_.items()},
        ),
        (
            "stable_diffusion",
            "unet",
            lambda all_: {name: tensor.double() for name, tensor in all_.items()},
        ),
        (
            "stable_diffusion",
            "unet",
            lambda all_: {name: tensor.to(torch.float8_e4m3fn) for name, tensor in all_.items()},
        ),
        (
            "flux2",
            "vae",
            lambda all_: {
                name: tensor for name, tensor in all_.items() if "num_batches_tracked" not in name
            },
        ),
    ],
)
def test_m1_what_is_whole_in_life_is_taken_without_a_word(
    family: str,
    part: str,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    copied: Callable[[str], Path],
) -> None:
    assert as_ever(copied(family), part, change) == []


def test_m1_tensors_of_deeper_networks_are_told_at_each_use(copied: Callable[[str], Path]) -> None:
    directory = copied("stable_diffusion")
    deeper = {f"encoder.layers.{number}.mlp.fc1.weight": torch.ones(4, 4) for number in (7, 8, 9)}
    changed(directory / ENCODER, lambda tensors: tensors | deeper)
    models = ModelManager(device="cpu")
    for _ in range(2):
        recorder = Recorder(models)
        with models.use(
            ModelRef(repo_id=str(directory)), "image-to-image", context=recorder.context
        ):
            (warning,) = recorder.warnings
            assert (
                "3 tensors" in warning
                and "encoder.layers.7.mlp.fc1.weight" in warning
                and "CLIPTextModel" in warning
            )


def test_m1_a_broken_model_leaves_the_others_as_they_are(
    copied: Callable[[str], Path], model: Callable[[str], str]
) -> None:
    """One without `mid_block`, which was only found out when a later model wanted its memory."""
    directory, good = copied("lcm"), model("stable_diffusion")
    changed(
        directory / UNET,
        lambda tensors: {
            name: tensor for name, tensor in tensors.items() if "mid_block" not in name
        },
    )
    expected = run(Recorder(ModelManager(device="cpu")), good, seed=1).tobytes()
    models = ModelManager(device="cpu", budget=1)
    for _ in range(2):
        with pytest.raises(ModelError, match="mid_block"):
            run(Recorder(models), str(directory))
        assert run(Recorder(models), good, seed=1).tobytes() == expected
        assert [model.name for model in models.table.models()] == [good]
    models.free()


def test_m1_a_model_that_shares_with_a_broken_one_stays(
    model: Callable[[str], str], tmp_path: Path
) -> None:
    from tests.models.components.test_recipes import as_in_the_cache

    broken = shutil.copytree(model("stable_diffusion"), tmp_path / "broken")
    break_file(broken / UNET, "without")
    good, bad = (
        ImageToImageModel(repo_id=as_in_the_cache(str(one), tmp_path / "cache"))
        for one in (model("stable_diffusion"), broken)
    )
    models = ModelManager(device="cpu")
    first = run(Recorder(models), good.repo_id, seed=1).tobytes()
    reads = models.counts.reads
    with pytest.raises(ModelError):
        run(Recorder(models), bad.repo_id)
    assert run(Recorder(models), good.repo_id, seed=1).tobytes() == first
    assert models.counts.reads == reads, "what both have was kept, and nothing was read again"
