"""Sizes for models as they are configured in the wild, without their weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nodetool_core.models.diffusers.sizes import Size, native_area, side_multiple, supported_size


def configured(**config: Any) -> SimpleNamespace:
    return SimpleNamespace(config={**config})


def latent(scale: int, step: int, **parts: Any) -> SimpleNamespace:
    """Return a pipeline with a VAE and an image processor of these factors."""
    return SimpleNamespace(
        vae=object(),
        vae_scale_factor=scale,
        image_processor=configured(vae_scale_factor=step),
        **parts,
    )


MODELS = {
    "Stable Diffusion 1.5": (latent(8, 8, unet=configured(sample_size=64)), 512**2, 8),
    "SDXL": (latent(8, 8, unet=configured(sample_size=128)), 1024**2, 8),
    "SD3": (latent(8, 8, transformer=configured(sample_size=128, patch_size=2)), 1024**2, 16),
    "Flux": (
        latent(8, 16, transformer=configured(patch_size=1), default_sample_size=128),
        1024**2,
        16,
    ),
    "Z-Image": (latent(8, 16, transformer=configured(all_patch_size=(2,))), 1024**2, 16),
    "Kandinsky 2.2": (
        SimpleNamespace(
            movq=SimpleNamespace(config=SimpleNamespace(block_out_channels=(1, 1, 1, 1))),
            unet=configured(sample_size=64),
        ),
        512**2,
        64,
    ),
    "DeepFloyd IF": (SimpleNamespace(unet=configured(sample_size=64)), 64**2, 32),
    "tiny-landscapes": (latent(4, 4, unet=configured(sample_size=32)), 128**2, 4),
    "Video": (
        latent(8, 8, transformer=configured(sample_size=[60, 90], patch_size=2)),
        480 * 720,
        16,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_native_area_and_multiple(name: str) -> None:
    pipeline, area, multiple = MODELS[name]
    assert native_area(pipeline) == area
    assert side_multiple(pipeline) == multiple


@pytest.mark.parametrize(
    ("name", "parts", "area", "multiple"),
    [
        ("StableCascadeCombinedPipeline", {}, 1024**2, 128),
        (
            "PRXPipeline",
            vars(
                latent(
                    8, 8, transformer=configured(patch_size=2), config={"default_sample_size": 512}
                )
            ),
            512**2,
            16,
        ),
        (
            "QwenImage21Pipeline",
            vars(latent(16, 16, transformer=configured(patch_size=1))),
            1024**2,
            32,
        ),
        ("Ideogram4Pipeline", vars(latent(8, 16, transformer=configured())), 2048**2, 16),
    ],
)
def test_what_parts_do_not_tell(name: str, parts: dict[str, Any], area: int, multiple: int) -> None:
    pipeline = type(name, (SimpleNamespace,), {})(**parts)
    assert native_area(pipeline) == area
    assert side_multiple(pipeline) == multiple


@pytest.mark.parametrize(
    ("name", "given", "used"),
    [
        ("Stable Diffusion 1.5", (512, 512), (512, 512)),
        ("Stable Diffusion 1.5", (768, 767), (768, 760)),
        ("Stable Diffusion 1.5", (4000, 3000), (584, 440)),
        ("Stable Diffusion 1.5", (100, 50), (720, 360)),
        ("SDXL", (1200, 800), (1200, 800)),
        ("Flux", (64, 64), (1024, 1024)),
        ("Kandinsky 2.2", (640, 480), (640, 448)),
        ("DeepFloyd IF", (512, 512), (64, 64)),
        ("tiny-landscapes", (1600, 1200), (144, 108)),
    ],
)
def test_fitting_size(name: str, given: tuple[int, int], used: tuple[int, int]) -> None:
    assert supported_size(MODELS[name][0], Size(*given)) == used


def test_an_upscaler_takes_any_area() -> None:
    assert supported_size(MODELS["SDXL"][0], Size(40, 33), any_area=True) == (40, 32)
