"""The embedded default model, loaded the way users' pipelines load it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AutoPipelineForImage2Image,
    AutoPipelineForInpainting,
    AutoPipelineForText2Image,
)
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "nodes" / "huggingface" / "weights" / "tiny-landscapes"
NOON = ROOT / "graphs" / "assets" / "lake_at_noon.png"
SUNSET = "A beautiful landscape with mountains and a lake at sunset"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def to_image() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        pipe = AutoPipelineForImage2Image.from_pretrained(
            WEIGHTS, dtype=torch.float32, use_safetensors=True
        )
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def noon() -> Image.Image:
    return Image.open(NOON).convert("RGB")


def edit(pipe: Any, image: Image.Image, prompt: str, seed: int = 7, **more: Any) -> Image.Image:
    asked = {"strength": 0.8, "num_inference_steps": 15, "guidance_scale": 7.5} | more
    result: Image.Image = pipe(
        prompt, image=image, generator=torch.Generator().manual_seed(seed), **asked
    ).images[0]
    return result


def pixels(image: Image.Image) -> Any:
    return np.asarray(image, np.float32)


def test_the_whole_model_takes_at_most_12_mb() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) <= 12_000_000
    assert not list(WEIGHTS.rglob("*.bin")), "weights are safetensors only"


def test_a_sunset_prompt_makes_the_noon_warm(to_image: Any, noon: Image.Image) -> None:
    before, after = pixels(noon), pixels(edit(to_image, noon, SUNSET))
    assert after.shape == before.shape == (128, 128, 3)
    sky = slice(0, 40)
    assert (
        (after[sky, :, 0] - after[sky, :, 2]).mean()
        > 40
        > (before[sky, :, 0] - before[sky, :, 2]).mean()
    )


def test_night_is_dark_and_winter_is_white(to_image: Any, noon: Image.Image) -> None:
    assert pixels(edit(to_image, noon, "night")).mean() < 0.6 * pixels(noon).mean()
    ground = pixels(edit(to_image, noon, "deep snow, winter, noon"))[105:]
    assert ground.min(axis=2).mean() > pixels(noon)[105:].min(axis=2).mean() + 40


def test_the_same_seed_gives_the_same_bytes(to_image: Any, noon: Image.Image) -> None:
    first, again, other = (
        edit(to_image, noon, SUNSET, seed, num_inference_steps=4) for seed in (1, 1, 2)
    )
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_text_to_image_draws_at_the_native_size(to_image: Any) -> None:
    pipe = AutoPipelineForText2Image.from_pipe(to_image)
    pipe.set_progress_bar_config(disable=True)
    drawn = pipe(
        "mountains at night", num_inference_steps=12, generator=torch.Generator().manual_seed(0)
    ).images[0]
    assert drawn.size == (128, 128)
    assert 5 < pixels(drawn).mean() < 110


def test_inpainting_keeps_what_the_mask_spares(to_image: Any, noon: Image.Image) -> None:
    pipe = AutoPipelineForInpainting.from_pipe(to_image)
    pipe.set_progress_bar_config(disable=True)
    mask = Image.new("L", noon.size)
    ImageDraw.Draw(mask).rectangle((0, 0, 128, 48), fill=255)
    made = edit(pipe, noon, SUNSET, mask_image=mask, strength=1.0)
    change = np.abs(pixels(made) - pixels(noon)).mean(axis=2)
    assert change[60:].mean() < 8 < 25 < change[:40].mean()


@pytest.mark.parametrize("loader", [AutoPipelineForText2Image, AutoPipelineForInpainting])
def test_every_auto_pipeline_loads_the_directory(loader: Any) -> None:
    pipe = loader.from_pretrained(WEIGHTS, dtype=torch.float32, use_safetensors=True)
    assert pipe.unet.config.in_channels == pipe.vae.config.latent_channels == 4
    assert pipe.safety_checker is None
