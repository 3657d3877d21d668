"""Flips, turns, transforms and perspectives, against numpy and OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from nodes.nodetool.image import (
    Flip,
    Offset,
    Perspective,
    Rotate,
    Transform,
)
from nodetool_core import ColorRef, ImageData, NodeError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.nodetool.geometry import array, image, smooth_noise


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "I;16"])
def test_flips_are_those_of_numpy(mode: str, run_node: NodeRunner) -> None:
    source = (
        Image.fromarray(np.arange(35, dtype=np.uint16).reshape(5, 7) * 999)
        if mode == "I;16"
        else smooth_noise(7, 5).convert(mode)
    )
    ways: dict[str, Any] = {
        "horizontal": lambda pixels: pixels[:, ::-1],
        "vertical": lambda pixels: pixels[::-1],
        "both": lambda pixels: pixels[::-1, ::-1],
        "transpose": lambda pixels: pixels.swapaxes(0, 1),
        "transverse": lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    }
    for direction, way in ways.items():
        found = run_node(Flip(image=ImageData.of(source), direction=direction)).image
        assert found.mode == mode and np.array_equal(array(found), way(array(source)))


@pytest.mark.parametrize(("angle", "turns"), [(90, 3), (180, 2), (-90, 1), (270, 1), (360, 0)])
def test_quarter_turns_change_no_pixel(angle: float, turns: int, run_node: NodeRunner) -> None:
    found = run_node(Rotate(image=image(), angle=angle)).image
    assert np.array_equal(array(found), np.rot90(array(scene()), turns))


@pytest.mark.parametrize("angle", [-170.0, -30.0, 12.5, 45.0, 100.0])
@pytest.mark.parametrize("fill", ["color", "edge", "mirror"])
def test_turns_are_those_of_opencv(angle: float, fill: Any, run_node: NodeRunner) -> None:
    source = smooth_noise(61, 47)
    node = Rotate(
        image=ImageData.of(source),
        angle=angle,
        canvas="keep",
        fill=fill,
        color=ColorRef(value="#000000"),
        method="bilinear",
    )
    found = array(run_node(node)).astype(float)
    matrix = cv2.getRotationMatrix2D((30, 23), -angle, 1.0)
    border = {
        "color": cv2.BORDER_CONSTANT,
        "edge": cv2.BORDER_REPLICATE,
        "mirror": cv2.BORDER_REFLECT,
    }
    expected = cv2.warpAffine(array(source), matrix, (61, 47), borderMode=border[fill])
    assert found.shape == expected.shape
    inside = (
        cv2.erode(
            cv2.warpAffine(np.full((47, 61), 255, np.uint8), matrix, (61, 47)), np.ones((5, 5))
        )
        == 255
    )
    away = np.abs(found - expected).max(axis=2)
    assert (away if fill != "color" else away[inside]).max() <= 4


@pytest.mark.parametrize("angle", [-44.0, 3.0, 17.0, 60.0, 133.0])
def test_straightening_leaves_no_gap_and_keeps_the_shape(
    angle: float, run_node: NodeRunner
) -> None:
    white = ImageData.of(Image.new("RGB", (300, 200), "white"))
    found = run_node(Rotate(image=white, angle=angle, canvas="crop")).image
    assert found.getextrema() == ((255, 255),) * 3
    shape = found.width / found.height
    assert min(abs(shape - 1.5), abs(1 / shape - 1.5)) < 0.02
    whole = run_node(Rotate(image=white, angle=angle)).image
    assert whole.mode == "RGBA" and whole.getpixel((0, 0))[3] == 0
    covered = array(whole)[..., 3].sum() / 255
    assert covered == pytest.approx(300 * 200, rel=0.003), "its outline is smooth"


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize(
    ("method", "way"),
    [("nearest", cv2.INTER_NEAREST), ("bilinear", cv2.INTER_LINEAR), ("bicubic", cv2.INTER_CUBIC)],
)
@pytest.mark.parametrize(
    ("fill", "border"), [("edge", cv2.BORDER_REPLICATE), ("mirror", cv2.BORDER_REFLECT)]
)
def test_a_transform_is_that_of_opencv(
    method: Any, way: int, fill: Any, border: int, mode: str, run_node: NodeRunner
) -> None:
    source = smooth_noise(61, 47).convert(mode)
    if mode.endswith("A"):
        source.putalpha(200)
    node = Transform(
        image=ImageData.of(source),
        scale_x=1.4,
        scale_y=0.9,
        shear_x=10,
        shear_y=-6,
        angle=20,
        x=5,
        y=-3,
        fill=fill,
        method=method,
    )
    turn, lean, fall = np.radians(20), np.tan(np.radians(10)), np.tan(np.radians(-6))
    linear = (
        np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        @ np.array([[1, lean], [fall, 1]])
        @ np.diag([1.4, 0.9])
    )
    middle = np.array([30.0, 23.0])
    matrix = np.hstack([linear, (middle + np.array([5, -3]) - linear @ middle)[:, None]])
    expected = cv2.warpAffine(array(source), matrix, (61, 47), flags=way, borderMode=border)
    found = run_node(node).image
    assert found.mode == mode
    away = np.abs(array(found).astype(float) - expected)
    # OpenCV's cubic is another one, and both round where a nearest pixel is in the middle of two.
    assert away.mean() < 1 and away.max() <= (30 if method == "nearest" else 8)


def test_shrinking_leaves_no_pixel_out(run_node: NodeRunner) -> None:
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    node = Transform(image=ImageData.of(Image.fromarray(stripes)), scale_x=0.25, scale_y=0.25)
    middle = array(run_node(node))[56:72, 56:72, 0].astype(float)
    assert abs(middle.mean() - 127.5) < 4 and middle.std() < 12


CORNERS = [[10.0, 6.0], [50.0, 3.0], [55.0, 40.0], [4.0, 35.0]]


@pytest.mark.parametrize("direction", ["straighten", "distort"])
def test_a_perspective_is_that_of_opencv(direction: Any, run_node: NodeRunner) -> None:
    source = smooth_noise(61, 47)
    node = Perspective(
        image=ImageData.of(source),
        corners=CORNERS,
        direction=direction,
        width=61,
        height=47,
        fill="edge",
        method="bilinear",
    )
    inner, outer = np.float32(CORNERS), np.float32([[0, 0], [61, 0], [61, 47], [0, 47]])
    # OpenCV counts from the middle of the first pixel.
    pair = (inner - 0.5, outer - 0.5) if direction == "straighten" else (outer - 0.5, inner - 0.5)
    matrix = cv2.getPerspectiveTransform(*pair)
    expected = cv2.warpPerspective(array(source), matrix, (61, 47), borderMode=cv2.BORDER_REPLICATE)
    away = np.abs(array(run_node(node)).astype(float) - expected)
    assert away.mean() < 1 and away.max() <= 6


def test_the_size_of_a_straightened_part(run_node: NodeRunner) -> None:
    node = Perspective(image=image(), corners=[[1, 2], [21, 2], [21, 12], [1, 12]])
    found = run_node(node).image
    assert difference(found, scene().crop((1, 2, 21, 12))) < 0.5


@pytest.mark.parametrize(
    "corners",
    [[[0, 0], [1, 1], [2, 2], [0, 5]], [[0, 0], [9, 0], [9, 9]], [[0], [9, 0], [9, 9], [0, 9]]],
)
def test_corners_that_are_none(corners: list[list[float]], run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="corner"):
        run_node(Perspective(image=image(), corners=corners))


def test_beyond_the_horizon(run_node: NodeRunner) -> None:
    corners = [[0, 0], [40, 0], [12, 8], [0, 24]]
    with pytest.raises(NodeError, match=r"horizon|reach over"):
        run_node(Perspective(image=image(), corners=corners, direction="distort", fill="mirror"))


def test_offset_is_a_roll(run_node: NodeRunner) -> None:
    assert np.array_equal(
        array(run_node(Offset(image=image()))), np.roll(array(scene()), (12, 20), (0, 1))
    )
    moved = run_node(Offset(image=image(mode="L"), x=-3, y=50, unit="pixels")).image
    assert np.array_equal(array(moved), np.roll(array(scene().convert("L")), (50, -3), (0, 1)))
