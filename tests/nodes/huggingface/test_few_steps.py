"""Models that were distilled to few steps run with theirs, where nobody set any (M13)."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from nodes.huggingface.few_steps import with_few_steps
from nodes.huggingface.image_to_image import ImageToImage
from nodes.huggingface.model_kinds import LoraModel, TextToImageModel
from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.nodes.huggingface.recorder import Recorder


@pytest.mark.parametrize(
    ("name", "lora", "steps", "guidance"),
    [
        ("stabilityai/sdxl-turbo", "", 4, 1.0),
        ("stabilityai/sd-turbo", "", 4, 1.0),
        ("stabilityai/stable-diffusion-3.5-large-turbo", "", 4, 1.0),
        ("black-forest-labs/FLUX.1-schnell", "", 4, 1.0),
        ("black-forest-labs/FLUX.2-klein-4B", "", 4, 1.0),
        ("black-forest-labs/FLUX.2-klein-base-4B", "", 25, 7.5),
        ("Tongyi-MAI/Z-Image-Turbo", "", 9, 1.0),
        ("SimianLuo/LCM_Dreamshaper_v7", "", 4, 7.5),
        ("Efficient-Large-Model/Sana_Sprint_1.6B_1024px_diffusers", "", 2, 4.5),
        ("models/sdxl_lightning_8step.safetensors", "", 8, 1.0),
        ("stabilityai/stable-diffusion-xl-base-1.0", "latent-consistency/lcm-lora-sdxl", 4, 1.5),
        ("Qwen/Qwen-Image", "Qwen-Image-Lightning-8steps-V1.0.safetensors", 8, 1.0),
        ("stabilityai/stable-diffusion-xl-base-1.0", "Hyper-SDXL-2steps-lora.safetensors", 2, 1.0),
        ("/home/turbo/models/plain.safetensors", "", 25, 7.5),
        ("owner/turbocharged-photos", "", 25, 7.5),
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", "", 25, 7.5),
    ],
)
def test_what_names_say(
    name: str, lora: str, steps: int, guidance: float, recorder: Recorder
) -> None:
    wanted: dict[str, object] = {"num_inference_steps": 25, "guidance_scale": 7.5}
    loras = [LoraModel(repo_id=lora)] if lora else []
    model = TextToImageModel(repo_id=name)
    found = with_few_steps(TextToImage(), wanted, model, loras, recorder.context)
    assert found == {"num_inference_steps": steps, "guidance_scale": guidance}
    assert len(recorder.warnings) == (steps != 25)


def test_values_that_are_set_stay(recorder: Recorder) -> None:
    model = TextToImageModel(repo_id="stabilityai/sdxl-turbo")
    wanted: dict[str, object] = {"num_inference_steps": 12, "guidance_scale": 7.5}
    assert with_few_steps(TextToImage(), wanted, model, [], recorder.context) == wanted
    guided: dict[str, object] = {"num_inference_steps": 25, "guidance_scale": 2.0}
    assert with_few_steps(TextToImage(), guided, model, [], recorder.context) == {
        "num_inference_steps": 4,
        "guidance_scale": 2.0,
    }
    neutral = [LoraModel(repo_id="lightning-4step", scale=0.0)]
    plain = TextToImageModel(repo_id="owner/plain")
    usual: dict[str, object] = {"num_inference_steps": 25, "guidance_scale": 7.5}
    assert with_few_steps(TextToImage(), usual, plain, neutral, recorder.context) == usual


def test_a_model_runs_with_its_own_steps_and_says_so(
    model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    turbo = shutil.copytree(model("stable_diffusion"), tmp_path / "tiny-turbo")
    settings: dict[str, Any] = {"prompt": "a lake", "seed": 1, "width": 64, "height": 64}
    node = TextToImage(model=str(turbo), **settings)
    node.process(recorder.context)
    assert {total for _, total in recorder.steps} == {4}
    assert recorder.warnings == [
        "num_inference_steps is 4 and guidance_scale is 1.0, which tiny-turbo was made for. Set"
        " them to others than the usual 25 of num_inference_steps and 7.5 of guidance_scale to"
        " have your own."
    ]


def test_strength_leaves_the_steps_that_a_model_was_made_for(
    model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    turbo = shutil.copytree(model("stable_diffusion"), tmp_path / "tiny-turbo")
    photo = ImageData.of(scene(64, 64))
    node = ImageToImage(model=str(turbo), image=photo, prompt="a lake", seed=1, strength=0.2)
    node.process(recorder.context)
    assert {total for _, total in recorder.steps} == {4}
