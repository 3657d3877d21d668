"""Sizes, methods and light of `Resize` and its kin, against Pillow and OpenCV."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from nodes.nodetool.image import (
    Fit,
    Resize,
    Scale,
)
from nodetool_core import ImageData, Workflow
from tests.assets.images import difference
from tests.nodes.conftest import NodeRunner
from tests.nodes.nodetool.geometry import Array, apart, array, image, smooth_noise

SIZES: list[tuple[dict[str, Any], tuple[int, int]]] = [
    ({"by": "width", "width": 20}, (20, 12)),
    ({"by": "height", "height": 48}, (80, 48)),
    ({"by": "longer_side", "side": 80}, (80, 48)),
    ({"by": "shorter_side", "side": 12}, (20, 12)),
    ({"by": "megapixels", "megapixels": 0.00384}, (80, 48)),
    ({"by": "longer_side", "side": 100, "multiple_of": 64}, (128, 64)),
    ({"by": "longer_side", "side": 80, "enlarge": False}, (40, 24)),
    ({"by": "size", "width": 30, "height": 30, "multiple_of": 8}, (32, 32)),
    ({"by": "size", "width": 20, "height": 20, "fit": "inside"}, (20, 12)),
    ({"by": "size", "width": 20, "height": 20, "fit": "outside"}, (33, 20)),
    ({"by": "size", "width": 90, "height": 90, "fit": "inside", "enlarge": False}, (40, 24)),
    ({"by": "size", "width": 90, "height": 12, "enlarge": False}, (40, 12)),
    ({"by": "size", "width": 64, "height": 64, "fit": "pad"}, (64, 64)),
]


@pytest.mark.parametrize(("properties", "size"), SIZES)
def test_sizes(properties: dict[str, Any], size: tuple[int, int], run_node: NodeRunner) -> None:
    assert run_node(Resize(image=image(), **properties)).image.size == size


METHODS = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "nearest": Image.Resampling.NEAREST,
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_methods_are_those_of_pillow(method: Any, mode: str, run_node: NodeRunner) -> None:
    source = smooth_noise(37, 29).convert(mode)
    for node in (
        Resize(image=ImageData.of(source), width=15, height=11, method=method),
        Fit(image=ImageData.of(source), width=15, height=11, method=method),
        Scale(image=ImageData.of(source), scale=1.7, method=method),
    ):
        found = run_node(node).image
        assert difference(found, source.resize(found.size, METHODS[method])) == 0


def test_area_is_that_of_opencv(run_node: NodeRunner) -> None:
    source = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    node = Resize(image=ImageData.of(Image.fromarray(source)), width=20, height=15, method="area")
    expected = cv2.resize(source, (20, 15), interpolation=cv2.INTER_AREA)
    assert apart(array(run_node(node)), expected) <= 1


def light(tones: Array) -> Array:
    return np.where(tones <= 0.04045, tones / 12.92, ((tones + 0.055) / 1.055) ** 2.4)


def tones(light: Array) -> Array:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16", "F"])
def test_linear_light_averages_light(mode: str, run_node: NodeRunner) -> None:
    source = np.random.default_rng(2).random((8, 12, 3) if mode == "RGB" else (8, 12))
    white = {"I;16": 65535, "F": 1}.get(mode, 255)
    kind: Any = {"I;16": np.uint16, "F": np.float32}.get(mode, np.uint8)
    stored = (source * white).astype(kind)
    node = Resize(
        image=ImageData.of(Image.fromarray(stored)),
        width=6,
        height=4,
        method="area",
        linear_light=True,
    )
    found = array(run_node(node))
    blocks = light(stored / white).reshape(4, 2, 6, 2, -1).mean(axis=(1, 3))
    assert found.dtype == stored.dtype
    assert apart(found / white, tones(blocks).reshape(found.shape)) < (
        0.0022 if white == 255 else 1e-4
    )


def test_linear_light_weights_by_alpha(run_node: NodeRunner) -> None:
    glass = Image.new("RGBA", (4, 2), (255, 0, 0, 0))
    glass.paste((0, 0, 255, 255), (0, 0, 2, 2))
    node = Resize(image=ImageData.of(glass), width=1, height=1, method="area", linear_light=True)
    red, green, blue, alpha = run_node(node).image.getpixel((0, 0))
    assert (red, green, blue) == (0, 0, 255) and alpha in (127, 128)


def test_a_crop_stays_at_its_anchor(run_node: NodeRunner) -> None:
    stripes = Image.new("RGB", (30, 10), "red")
    stripes.paste("blue", (10, 0, 20, 10))
    for anchor, colour in (("left", (255, 0, 0)), ("center", (0, 0, 255))):
        node = Resize(image=ImageData.of(stripes), width=10, height=10, fit="crop", anchor=anchor)
        assert run_node(node).image.getpixel((5, 5)) == colour


def test_old_files_say_crop(tmp_path: Any) -> None:
    stripes = Image.new("RGB", (30, 10), "red")
    stripes.paste("blue", (10, 0, 20, 10))
    stripes.save(tmp_path / "stripes.png")
    for crop, width in (("none", 10), ("center", 30)):
        nodes = [
            {
                "id": "small",
                "type": "nodetool.image.Resize",
                "data": {"image": {"uri": "stripes.png"}, "width": 10, "height": 10, "crop": crop},
            },
            {"id": "out", "type": "nodetool.output.Output", "data": {"name": "image"}},
        ]
        edge = {
            "source": "small",
            "sourceHandle": "output",
            "target": "out",
            "targetHandle": "value",
        }
        (tmp_path / "old.json").write_text(json.dumps({"nodes": nodes, "edges": [edge]}))
        found = Workflow.load(tmp_path / "old.json").run()["image"].image
        blue = array(found)[5, :, 2] > 128
        assert blue.sum() == (10 if width == 30 else pytest.approx(4, abs=1))
