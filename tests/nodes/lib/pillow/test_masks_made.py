"""Masks made and cleaned up, against SciPy, OpenCV and formulas."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from nodes.lib.pillow.mask import (
    ChromaKey,
    Feather,
    FloodSelect,
    MakeMask,
    RefineMask,
    ShowMask,
    ToneRange,
)
from nodes.lib.pillow.mask._regions import regions
from nodetool_core import ColorRef, ImageData, NodeError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_filter import noise

Array = np.ndarray[Any, Any]
FLAGS = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


def data(image: Image.Image | Array) -> ImageData:
    return ImageData.of(image if isinstance(image, Image.Image) else Image.fromarray(image))


def array(image: ImageData) -> Array:
    return np.asarray(image.image)


@settings(max_examples=300, deadline=None)
@given(inside=FLAGS, corners=st.booleans())
def test_regions_are_those_of_scipy(inside: Array, corners: bool) -> None:
    found = regions(inside, corners=corners)
    labels, count = ndimage.label(inside, np.ones((3, 3)) if corners else None)
    assert len(found.areas) == count
    assert sorted(found.areas) == sorted(np.bincount(labels.ravel())[1:])
    for y, x in np.argwhere(np.ones_like(inside)):
        region = found.at(int(x), int(y))
        assert (region is None) == (not inside[y, x])
        if region is not None:
            shown = found.shown(np.arange(count) == region)
            assert np.array_equal(shown, labels == labels[y, x])


def test_a_spiral_is_one_region() -> None:
    inside = np.zeros((201, 201), bool)
    for step in range(0, 100, 2):
        ring = np.zeros_like(inside)
        ring[step : 201 - step, step : 201 - step] = True
        ring[step + 1 : 200 - step, step + 1 : 200 - step] = False
        inside |= ring
        inside[step + 1 : step + 2, 100] = True
    assert len(regions(inside).areas) == 1


@settings(max_examples=60, deadline=None)
@given(inside=FLAGS)
def test_holes_are_those_of_scipy(tmp_path_factory: pytest.TempPathFactory, inside: Array) -> None:
    run = NodeRunner(tmp_path_factory.getbasetemp())
    mask = inside.astype(np.uint8) * np.uint8(255)
    found = array(run(RefineMask(mask=data(mask))))
    assert np.array_equal(found > 0, ndimage.binary_fill_holes(inside))


def blobs() -> Image.Image:
    mask = Image.new("L", (120, 80))
    drawing = ImageDraw.Draw(mask)
    drawing.ellipse((10, 10, 60, 60), fill=255)
    drawing.rectangle((80, 20, 95, 35), fill=255)
    drawing.point((110, 70), fill=255)
    return mask.filter(ImageFilter.GaussianBlur(0.7))


def test_the_largest_region_and_specks(run_node: NodeRunner) -> None:
    mask = blobs()
    largest = array(run_node(RefineMask(mask=data(mask), operation="keep_largest")))
    left = np.asarray(mask).copy()
    left[:, 70:] = 0
    assert np.array_equal(largest, left), "its soft edge stays, the others go with theirs"
    cleaned = array(run_node(RefineMask(mask=data(mask), operation="remove_small", area=300)))
    assert cleaned[:, 75:100].max() == 0 and cleaned[30, 30] == 255
    both = array(run_node(RefineMask(mask=data(mask), operation="remove_small", area=100)))
    assert both[27, 87] == 255
    empty = data(Image.new("L", (5, 5)))
    assert array(run_node(RefineMask(mask=empty, operation="keep_largest"))).max() == 0


@pytest.mark.parametrize("radius", [1, 3, 6])
def test_morphology_is_that_of_opencv(radius: int, run_node: NodeRunner) -> None:
    mask = np.asarray(noise(70, 50).convert("L").filter(ImageFilter.GaussianBlur(3)))
    mask = np.where(mask > mask.mean(), 255, 0).astype(np.uint8)
    square = np.ones((2 * radius + 1,) * 2, np.uint8)
    # Beyond the edge there is nothing for what grows and all for what shrinks.
    inner, outer = cv2.erode(mask, square), cv2.dilate(mask, square)
    expected = {
        "open": cv2.dilate(inner, square),
        "close": cv2.erode(outer, square),
        "outline": outer - inner,
    }
    for operation, result in expected.items():
        node = RefineMask(mask=data(mask), operation=operation, radius=radius)  # type: ignore[arg-type]
        assert np.array_equal(array(run_node(node)), result), operation
    sides = {"inside": mask - inner, "outside": outer - mask}
    for side, result in sides.items():
        node = RefineMask(mask=data(mask), operation="outline", radius=radius, side=side)  # type: ignore[arg-type]
        assert np.array_equal(array(run_node(node)), result), side


def test_a_feather_on_one_side(run_node: NodeRunner) -> None:
    mask = Image.new("L", (80, 20))
    mask.paste(255, (40, 0, 80, 20))
    row = {
        side: array(run_node(Feather(mask=data(mask), radius=6, side=side)))[10].astype(int)  # type: ignore[arg-type]
        for side in ("both", "inside", "outside")
    }
    assert row["inside"][:40].max() == 0 and 100 < row["inside"][46] < 155
    assert row["inside"][60:].min() > 250 and row["inside"][40] < 10
    assert row["outside"][40:].min() == 255 and 100 < row["outside"][33] < 155
    assert 120 < row["both"][40] < 150 and all((np.diff(one) >= 0).all() for one in row.values())


def test_a_flood_is_that_of_opencv(run_node: NodeRunner) -> None:
    source = noise(60, 40).filter(ImageFilter.GaussianBlur(2))
    pixels = np.array(source)
    for seed, tolerance in (((5, 7), 30), ((59, 39), 60), ((30, 20), 10)):
        mask = np.zeros((42, 62), np.uint8)
        fixed = cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | (255 << 8)
        cv2.floodFill(pixels, mask, seed, 0, (tolerance,) * 3, (tolerance,) * 3, fixed)
        node = FloodSelect(image=data(source), x=seed[0], y=seed[1], tolerance=tolerance)
        assert np.array_equal(array(run_node(node)), mask[1:-1, 1:-1])
    apart = Image.new("RGB", (30, 10), "white")
    apart.paste("red", (10, 0, 20, 10))
    anywhere = FloodSelect(image=data(apart), contiguous=False)
    assert array(run_node(anywhere))[5].tolist() == [255] * 10 + [0] * 10 + [255] * 10
    with pytest.raises(NodeError, match="outside of the image"):
        run_node(FloodSelect(image=data(apart), x=30))


def test_a_range_of_tones(run_node: NodeRunner) -> None:
    ramp = data(np.arange(256, dtype=np.uint8)[None])
    row = array(run_node(ToneRange(image=ramp, low=100, high=150, softness=19)))[0].astype(int)
    assert set(row[100:151]) == {255} and row[90] == 128 == row[160]
    assert row[80] == 0 == row[170]
    hard = array(run_node(ToneRange(image=ramp, low=100, high=150, softness=0)))[0]
    assert set(hard) == {0, 255} and hard.sum() == 51 * 255
    colours = Image.new("RGB", (2, 1), (200, 200, 200))
    colours.putpixel((1, 0), (255, 0, 0))
    vivid = ToneRange(image=data(colours), channel="saturation", low=200, high=255)
    assert array(run_node(vivid))[0].tolist() == [0, 255]
    with pytest.raises(NodeError, match="above high"):
        run_node(ToneRange(image=ramp, low=9, high=8))


def test_a_green_screen(run_node: NodeRunner) -> None:
    screen = Image.new("RGB", (60, 40), (0, 177, 64))
    screen.paste((0, 140, 50), (0, 20, 60, 40))
    screen.paste((200, 150, 130), (20, 10, 40, 30))
    screen.paste((150, 170, 130), (38, 10, 40, 30))
    keyed = run_node(ChromaKey(image=data(screen)))
    mask, cut = array(keyed.output), array(keyed.cutout)
    assert mask[2, 2] == 0 and mask[35, 50] == 0, "also where the screen is in shadow"
    assert mask[20, 30] == 255 and cut[20, 30].tolist() == [200, 150, 130, 255]
    assert cut[20, 39, 1] == 140, "green is at most the mean of red and blue"
    kept = array(run_node(ChromaKey(image=data(screen), spill=0.0)).cutout)
    assert kept[20, 39, 1] == 170
    assert np.array_equal(cut[..., 3], mask)


@pytest.mark.parametrize(
    ("shape", "area"),
    [("rectangle", 0.25), ("ellipse", 0.25 * np.pi / 4), ("polygon", 0.32)],
)
def test_shapes_have_their_area_and_a_smooth_edge(
    shape: Any, area: float, run_node: NodeRunner
) -> None:
    for width, height in ((200, 120), (101, 77)):
        mask = array(run_node(MakeMask(shape=shape, width=width, height=height)))
        assert mask.shape == (height, width)
        assert mask.mean() / 255 == pytest.approx(area, rel=0.002)
        if shape != "rectangle":
            assert len(np.unique(mask)) > 10


def test_gradients(run_node: NodeRunner) -> None:
    whole: dict[str, Any] = {"left": 0.0, "top": 0.0, "right": 1.0, "bottom": 1.0}
    down = array(run_node(MakeMask(shape="linear", width=10, height=100, **whole)))
    expected = 255 * (1 - (np.arange(100) + 0.5) / 100)
    assert np.abs(down[:, 4] - expected).max() <= 0.51
    right = array(run_node(MakeMask(shape="linear", width=100, height=10, angle=0, **whole)))
    assert np.abs(right[4] - expected).max() <= 0.51
    round_ = array(run_node(MakeMask(shape="radial", width=101, height=101, **whole)))
    assert round_[50, 50] == 255 and round_[0, 0] == 0 and abs(int(round_[50, 75]) - 129) <= 2


def test_shapes_that_are_none(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="empty"):
        run_node(MakeMask(left=0.5, right=0.5))
    with pytest.raises(NodeError, match="three corners"):
        run_node(MakeMask(shape="polygon", points=[[0, 0], [1, 1]]))


def test_a_mask_is_shown_over_its_image(run_node: NodeRunner) -> None:
    mask = Image.new("L", (40, 24))
    mask.paste(255, (20, 0, 40, 24))
    shown = run_node(
        ShowMask(image=data(scene()), mask=data(mask), color=ColorRef(value="#0000ff"), opacity=0.5)
    ).image
    assert difference(shown.crop((0, 0, 20, 24)), scene().crop((0, 0, 20, 24))) == 0
    mixed = np.asarray(scene(), float)[:, 20:] * 0.5 + np.array([0, 0, 255]) * 0.5
    assert np.abs(np.asarray(shown, float)[:, 20:] - mixed).max() <= 1
