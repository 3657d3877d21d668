"""For each family of ComfyUI's templates: an imported workflow runs, and each value counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.nodes.importers.conftest import content_of, from_content, said
from tests.nodes.importers.test_comfyui_runs import changed, directory, drawn, node

pytestmark = pytest.mark.slow

FROM_CHECKPOINTS = ("stable_diffusion", "stable_diffusion_xl")
FROM_PARTS = (
    *("stable_diffusion_3", "flux", "flux2_klein", "z_image", "qwen_image", "qwen_image_21"),
    *("chroma", "auraflow", "lumina2", "hidream", "hunyuan_image", "ovis_image", "ernie_image"),
    *("krea2", "longcat"),
)
"""Families whose denoiser, text encoders and autoencoder are files of their own there."""


def text_to_image(*, is_flow: bool) -> Any:
    content = content_of("text_to_image")
    content["4"]["inputs"] |= {"width": 64, "height": 64}
    content["5"]["inputs"] |= {"steps": 2, "sampler_name": "euler", "scheduler": "simple"}
    if not is_flow:
        content["5"]["inputs"]["scheduler"] = "normal"
        return content
    content["1"] = node("UNETLoader", unet_name="a.safetensors", weight_dtype="default")
    content["4"]["class_type"] = "EmptySD3LatentImage"
    for text in ("2", "3"):
        content[text]["inputs"].pop("clip")
    content["6"]["inputs"].pop("vae")
    return content


@pytest.mark.parametrize("family", [*FROM_CHECKPOINTS, *FROM_PARTS])
def test_a_text_to_image_of_each_family(family: str, tmp_path: Path) -> None:
    content = text_to_image(is_flow=family in FROM_PARTS)
    assert said(from_content(content)) == []
    given = {"model": directory(tmp_path, family)}
    first = drawn(content, tmp_path, "sunset", **given)
    for name, inputs in (("5", {"seed": 8}), ("5", {"steps": 3}), ("2", {"text": "a dog"})):
        assert drawn(changed(content, name, **inputs), tmp_path, "sunset", **given) != first, inputs
