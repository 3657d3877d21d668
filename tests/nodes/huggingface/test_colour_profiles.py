"""M9: models see a photo's colours as sRGB, and what they make says sRGB."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import Image

import nodes
from nodes.huggingface.image_to_image import EditByInstruction, ImageToImage, Inpainting, TiledRefinement, Upscale, VAEEncode
from nodes.huggingface.model_kinds import AutoencoderModel, InpaintingModel, UpscalerModel
from nodes.huggingface.preprocessing import Canny
from nodetool_core import ImageToImageModel, Picture
from nodetool_core.assets.profiles import in_profile, in_srgb, srgb_profile, without_profile
from tests.assets.profiles import display_p3
from tests.nodes.huggingface.test_image_to_image import scene
from tests.nodes.huggingface.test_inpainting import spot
from tests.nodes.huggingface.test_upscaling import compact, saved

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.nodes.huggingface.recorder import Recorder

QUICK: dict[str, Any] = {"prompt": "a lake", "num_inference_steps": 2, "seed": 1}


def photo() -> Picture:
    """A photo as an iPhone takes it."""
    return Picture.of(in_profile(Image.blend(scene(64, 64), Image.new("RGB", (64, 64), "grey"), 0.4), display_p3()))


def as_srgb(picture: Picture) -> Picture:
    """The same photo as another camera takes it."""
    return Picture.of(without_profile(in_srgb(picture.image)))


NODES: dict[str, Callable[[Picture, Callable[[str], str]], Any]] = {
    "ImageToImage": lambda picture, model: ImageToImage(
        model=ImageToImageModel(repo_id=model("stable_diffusion")), image=picture, strength=0.5, **QUICK
    ),
    "Inpainting": lambda picture, model: Inpainting(
        model=InpaintingModel(repo_id=model("stable_diffusion")), image=picture, mask_image=Picture.of(spot()), strength=0.6, **QUICK
    ),
    "EditByInstruction": lambda picture, model: EditByInstruction(
        model=ImageToImageModel(repo_id=model("instruct_pix2pix")), image=picture, **QUICK
    ),
    "TiledRefinement": lambda picture, model: TiledRefinement(
        model=ImageToImageModel(repo_id=model("stable_diffusion")), image=picture, scale=1.0, strength=0.6, **QUICK
    ),
}


@pytest.mark.parametrize("name", [*NODES, "Upscale"])
def test_a_wide_photo_gives_what_its_srgb_twin_gives(name: str, model: Callable[[str], str], recorder: Recorder, tmp_path: Path) -> None:
    def made(picture: Picture) -> Image.Image:
        network = UpscalerModel(repo_id=saved(compact(), tmp_path / "x4.safetensors"))
        node = Upscale(image=picture, model=network) if name == "Upscale" else NODES[name](picture, model)
        result = node.process(recorder.context)
        image: Image.Image = getattr(result, "output", result).image
        return image

    wide, usual = made(photo()), made(as_srgb(photo()))
    assert wide.tobytes() == usual.tobytes()
    assert wide.info["icc_profile"] == srgb_profile() and "icc_profile" not in usual.info


def test_so_do_latents_and_edges(model: Callable[[str], str], recorder: Recorder) -> None:
    own = AutoencoderModel(repo_id=model("stable_diffusion"))
    first, second = (VAEEncode(model=own, image=picture).process(recorder.context).output for picture in (photo(), as_srgb(photo())))
    assert torch.equal(first.samples, second.samples)
    lines = [Canny(image=picture, low_threshold=20, high_threshold=40).process(recorder.context) for picture in (photo(), as_srgb(photo()))]
    assert lines[0] == lines[1]


@pytest.mark.parametrize("folder", ["huggingface", "qolaba", "services"])
def test_no_model_is_shown_a_picture_as_it_comes(folder: str) -> None:
    """`context.image` without a mode gives the file's own colours, which only nodes without a model know how to keep."""
    for file in (Path(nodes.__file__).parent / folder).rglob("*.py"):
        assert not re.search(r"context\.image\([^,()]*\)", file.read_text()), file
