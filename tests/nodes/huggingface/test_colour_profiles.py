"""M9: models see a photo's colours as sRGB, and what they make says sRGB."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import Image

import nodes
from nodes.huggingface.image_to_image import (
    EditByInstruction,
    ImageToImage,
    Inpainting,
    TiledRefinement,
    Upscale,
    VAEEncode,
)
from nodes.huggingface.model_kinds import AutoencoderModel, InpaintingModel, UpscalerModel
from nodes.huggingface.preprocessing import Canny
from nodetool_core import ImageData, ImageToImageModel
from nodetool_core.assets.profiles import in_profile, in_srgb, srgb_profile, without_profile
from tests.assets.profiles import display_p3
from tests.nodes.huggingface.test_image_to_image import scene
from tests.nodes.huggingface.test_inpainting import spot
from tests.nodes.huggingface.test_upscaling import compact, saved

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.nodes.huggingface.recorder import Recorder

QUICK: dict[str, Any] = {"prompt": "a lake", "num_inference_steps": 2, "seed": 1}


def photo() -> ImageData:
    """Return a photo as an iPhone takes it."""
    return ImageData.of(
        in_profile(
            Image.blend(scene(64, 64), Image.new("RGB", (64, 64), "grey"), 0.4), display_p3()
        )
    )


def as_srgb(source: ImageData) -> ImageData:
    """Return the same photo as another camera takes it."""
    return ImageData.of(without_profile(in_srgb(source.image)))


NODES: dict[str, Callable[[ImageData, Callable[[str], str]], Any]] = {
    "ImageToImage": lambda source, model: ImageToImage(
        model=ImageToImageModel(repo_id=model("stable_diffusion")),
        image=source,
        strength=0.5,
        **QUICK,
    ),
    "Inpainting": lambda source, model: Inpainting(
        model=InpaintingModel(repo_id=model("stable_diffusion")),
        image=source,
        mask_image=ImageData.of(spot()),
        strength=0.6,
        **QUICK,
    ),
    "EditByInstruction": lambda source, model: EditByInstruction(
        model=ImageToImageModel(repo_id=model("instruct_pix2pix")), image=source, **QUICK
    ),
    "TiledRefinement": lambda source, model: TiledRefinement(
        model=ImageToImageModel(repo_id=model("stable_diffusion")),
        image=source,
        scale=1.0,
        strength=0.6,
        **QUICK,
    ),
}


@pytest.mark.parametrize("name", [*NODES, "Upscale"])
def test_a_wide_photo_gives_what_its_srgb_twin_gives(
    name: str, model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    def made(source: ImageData) -> Image.Image:
        network = UpscalerModel(repo_id=saved(compact(), tmp_path / "x4.safetensors"))
        node = (
            Upscale(image=source, model=network)
            if name == "Upscale"
            else NODES[name](source, model)
        )
        result = node.process(recorder.context)
        image: Image.Image = getattr(result, "output", result).image
        return image

    wide, usual = made(photo()), made(as_srgb(photo()))
    assert wide.tobytes() == usual.tobytes()
    assert wide.info["icc_profile"] == srgb_profile() and "icc_profile" not in usual.info


def test_so_do_latents_and_edges(model: Callable[[str], str], recorder: Recorder) -> None:
    own = AutoencoderModel(repo_id=model("stable_diffusion"))
    first, second = (
        VAEEncode(model=own, image=source).process(recorder.context).output
        for source in (photo(), as_srgb(photo()))
    )
    assert torch.equal(first.samples, second.samples)
    lines = [
        Canny(image=source, low_threshold=20, high_threshold=40).process(recorder.context)
        for source in (photo(), as_srgb(photo()))
    ]
    assert lines[0] == lines[1]


@pytest.mark.parametrize("folder", ["huggingface", "qolaba", "services"])
def test_no_model_is_shown_an_image_as_it_comes(folder: str) -> None:
    """
    Find no `context.image` without a mode in model nodes.

    Without one it returns the file's own colours, which only nodes without a model keep.
    """
    for file in (Path(nodes.__file__).parent / folder).rglob("*.py"):
        assert not re.search(r"context\.image\([^,()]*\)", file.read_text()), file
