"""
Single files: those of whole models paint what their folder paints; M1 what lacks is named.

M16 what else a file may be.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from nodetool_core import ModelRef
from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.sources.hub import Hub
from tests.models.broken import BREAKS, OF_BYTES, break_file
from tests.models.components.test_networks import files_of
from tests.models.hub_server import HubServer
from tests.models.original_layout import write_single_file
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAMILY = "stable-diffusion-v1-5/stable-diffusion-v1-5"


@pytest.fixture(scope="module")
def family(model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Yield a Hub that has the settings of Stable Diffusion 1.5, of a tiny one."""
    with HubServer() as server:
        server.repositories[FAMILY] = files_of(model("stable_diffusion"))
        yield Hub(tmp_path_factory.mktemp("cache"), server.endpoint)


@pytest.fixture(scope="module")
def whole(model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_single_file(
        model("stable_diffusion"), tmp_path_factory.mktemp("single") / "sd.safetensors"
    )


def refused(file: Path, hub: Hub) -> Problem:
    models = ModelManager(device="cpu", hub=hub)
    with (
        pytest.raises(ModelError) as caught,
        models.use(ModelRef(repo_id=str(file)), "text-to-image", context=Recorder(models).context),
    ):
        pass
    assert models.runtime.store.components() == []
    assert caught.value.problem.hint and caught.value.problem.where == str(file)
    return caught.value.problem


def test_a_single_file_paints_what_its_folder_paints(
    whole: Path, family: Hub, model: Callable[[str], str]
) -> None:
    recorder = Recorder(ModelManager(device="cpu", hub=family))
    assert (
        run(recorder, str(whole), seed=1).tobytes()
        == run(recorder, model("stable_diffusion"), seed=1).tobytes()
    )
    assert recorder.warnings == []


@pytest.mark.parametrize("name", ["copy.sft", "copy.SAFETENSORS", "copy.Sft"])
def test_m15_other_spellings_of_the_suffix(
    name: str, whole: Path, family: Hub, tmp_path: Path
) -> None:
    recorder = Recorder(ModelManager(device="cpu", hub=family))
    file = shutil.copy(whole, tmp_path / name)
    assert run(recorder, str(file), seed=1).tobytes() == run(recorder, str(whole), seed=1).tobytes()
    with recorder.context.models.use(
        ModelRef(repo_id=str(file)), "tensors", context=recorder.context
    ) as lease:
        part = lease.part
        assert part.tensors


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        (
            "model.diffusion_model.input_blocks.0.0.weight",
            "unet of StableDiffusionPipeline lacks 1 of its",
        ),
        ("model.diffusion_model.input_blocks.0.0.weight", "conv_in.weight"),
        (
            "model.diffusion_model.middle_block.0.in_layers.2.weight",
            "mid_block.resnets.0.conv1.weight",
        ),
        ("first_stage_model.decoder.conv_in.weight", "vae of StableDiffusionPipeline"),
        (
            "cond_stage_model.transformer.text_model.final_layer_norm.weight",
            "text_encoder of StableDiffusionPipeline",
        ),
    ],
)
def test_m1_what_lacks_in_a_single_file_is_named(
    tensor: str, says: str, whole: Path, family: Hub, tmp_path: Path
) -> None:
    file = Path(shutil.copy(whole, tmp_path))
    break_file(file, "without", name=tensor)
    problem = refused(file, family)
    assert problem.code == "model_incomplete" and says in problem.message, problem


NAMES = [
    "model.diffusion_model.out.2.weight",
    "first_stage_model.encoder.conv_in.weight",
    "first_stage_model.decoder.mid.attn_1.q.weight",
]


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("tensor", NAMES)
def test_m1_broken_single_files_are_refused_in_words(
    how: str, tensor: str, whole: Path, family: Hub, tmp_path: Path
) -> None:
    file = Path(shutil.copy(whole, tmp_path))
    break_file(file, how, name=tensor)
    problem = refused(file, family)
    assert problem.code in (
        {"model_unreadable"}
        if how in OF_BYTES
        else {"model_incomplete", "model_unfit", "model_quantization_unsupported"}
    ), problem


@pytest.mark.parametrize("part", ["vae", "text_encoder"])
def test_m1_a_component_that_is_not_in_the_file_is_named(
    part: str, family: Hub, model: Callable[[str], str], tmp_path: Path
) -> None:
    others = [one for one in ("unet", "vae", "text_encoder") if one != part]
    problem = refused(
        write_single_file(model("stable_diffusion"), tmp_path / "part.safetensors", others), family
    )
    assert problem.code == "model_incomplete" and f"holds no {part} (" in problem.message, problem


def test_m1_tensors_of_deeper_networks_in_a_single_file_are_told(
    whole: Path, family: Hub, tmp_path: Path
) -> None:
    deeper = {
        f"cond_stage_model.transformer.text_model.encoder.layers.{number}.mlp.fc1.bias": torch.ones(
            4
        )
        for number in (7, 8, 9)
    }
    save_file(load_file(whole) | deeper, tmp_path / "deeper.safetensors")
    recorder = Recorder(ModelManager(device="cpu", hub=family))
    run(recorder, str(tmp_path / "deeper.safetensors"))
    (warning,) = recorder.warnings
    assert "text_encoder: 3 tensors" in warning and "encoder.layers.7.mlp.fc1.bias" in warning


def test_m1_fp8_without_scales_is_taken(whole: Path, family: Hub, tmp_path: Path) -> None:
    half = {
        name: tensor.to(torch.float8_e4m3fn) if tensor.is_floating_point() else tensor
        for name, tensor in load_file(whole).items()
    }
    save_file(half, tmp_path / "fp8.safetensors")
    recorder = Recorder(ModelManager(device="cpu", hub=family))
    run(recorder, str(tmp_path / "fp8.safetensors"))
    assert recorder.warnings == []


def test_m16_a_file_that_is_no_model_says_what_it_looks_like(
    family: Hub, adapter: Callable[[str, str], str], model: Callable[[str], str], tmp_path: Path
) -> None:
    pipeline, net = Path(model("stable_diffusion")), Path(adapter("controlnet", "stable_diffusion"))
    save_file({"first": torch.ones(2), "second": torch.ones(2)}, tmp_path / "unknown.safetensors")
    save_file({}, tmp_path / "empty.safetensors")
    for file, says in {
        Path(adapter("lora", "stable_diffusion")): "a LoRA",
        pipeline / "vae" / "diffusion_pytorch_model.safetensors": "an autoencoder",
        pipeline
        / "unet"
        / "diffusion_pytorch_model.safetensors": "a denoiser alone of Stable Diffusion 1",
        net / "diffusion_pytorch_model.safetensors": "a ControlNet",
        tmp_path / "unknown.safetensors": "first, second",
        tmp_path / "empty.safetensors": "none at all",
    }.items():
        problem = refused(file, family)
        assert problem.code == "model_unfit" and says in problem.message, problem


def test_m1_the_second_name_of_t5s_embeddings_is_tied(model: Callable[[str], str]) -> None:
    """
    Single files of Stable Diffusion 3 have `shared.weight` alone.

    diffusers leaves the other name without numbers.
    """
    from diffusers.loaders.single_file_utils import create_diffusers_t5_model_from_checkpoint
    from transformers import T5EncoderModel

    from nodetool_core.models.diffusers.single_file import _looking_on

    directory = model("stable_diffusion_3")
    stored = load_file(Path(directory) / "text_encoder_3" / "model.safetensors")
    checkpoint = {
        f"text_encoders.t5xxl.transformer.{name}": tensor for name, tensor in stored.items()
    }
    with _looking_on(checkpoint):
        made = create_diffusers_t5_model_from_checkpoint(
            T5EncoderModel,
            checkpoint,
            subfolder="text_encoder_3",
            config=directory,
            torch_dtype=torch.float32,
            local_files_only=True,
        )
    assert torch.equal(made.encoder.embed_tokens.weight, stored["shared.weight"])


@pytest.mark.parametrize("prop", [{"quantization": "fp8"}, {"compile": True}])
def test_m6_what_is_asked_of_a_single_file_is_done(
    prop: dict[str, Any], whole: Path, family: Hub
) -> None:
    models = ModelManager(device="cpu", hub=family)
    recorder = Recorder(models)
    with models.use(
        ModelRef(repo_id=str(whole), **prop), "text-to-image", context=recorder.context
    ) as lease:
        pipeline = lease.pipeline
        if "compile" in prop:
            compiled = [
                inner for inner in pipeline.unet.modules() if inner._compiled_call_impl is not None
            ]
            assert compiled
        else:
            assert {tensor.dtype for tensor in pipeline.unet.parameters()} == {
                torch.float8_e4m3fn,
                torch.float32,
            }
    assert recorder.warnings == []


def test_m6_the_prompt_encodings_of_a_single_file_are_kept(whole: Path, family: Hub) -> None:
    models = ModelManager(device="cpu", hub=family)
    recorder = Recorder(models)
    first = run(recorder, str(whole), seed=1)
    hits = models.encoder_cache.hits
    assert run(recorder, str(whole), seed=1).tobytes() == first.tobytes()
    assert models.encoder_cache.hits > hits


@pytest.mark.parametrize("prop", ["quantization", "compile"])
def test_m6_what_a_part_can_not_do_is_told(prop: str, model: Callable[[str], str]) -> None:
    recorder = Recorder(ModelManager(device="cpu"))
    ref = ModelRef(
        repo_id=model("stable_diffusion"), **{prop: "fp8" if prop == "quantization" else True}
    )
    with recorder.context.models.use(ref, "network:vae", context=recorder.context):
        pass
    assert recorder.warnings == [f"{prop} is not used: {ref.repo_id} is no whole model."]
