"""Room around an image, anchors and aspect ratios, against OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes._geometry import anchored, aspect_ratio
from nodes.nodetool.image import (
    Pad,
)
from nodetool_core import ColorRef, ImageData, NodeError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.nodetool.geometry import array, image, smooth_noise


@given(room=st.integers(1, 50), size=st.integers(1, 50))
def test_anchors(room: int, size: int) -> None:
    assert anchored((room, room), (size, size), "top_left") == (0, 0)
    assert anchored((room, room), (size, size), "bottom_right") == (room - size, room - size)
    left, top = anchored((room, room), (size, size), "right")
    assert (left, top) == (room - size, (room - size) // 2)


@pytest.mark.parametrize(
    ("text", "ratio"), [("16:9", 16 / 9), ("3x2", 1.5), (" 1.5 ", 1.5), ("4 / 5", 0.8)]
)
def test_aspect_ratios(text: str, ratio: float) -> None:
    assert aspect_ratio(text) == pytest.approx(ratio)


@pytest.mark.parametrize("text", ["", "wide", "16:", "0:9", "9:0", "1:2:3", "-1:2"])
def test_what_is_no_aspect_ratio(text: str) -> None:
    with pytest.raises(NodeError, match="no aspect ratio"):
        aspect_ratio(text)


@pytest.mark.parametrize(
    ("fill", "border"), [("edge", cv2.BORDER_REPLICATE), ("mirror", cv2.BORDER_REFLECT)]
)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_room_shows_what_opencv_shows(
    fill: Any, border: int, mode: str, run_node: NodeRunner
) -> None:
    source = smooth_noise(9, 7).convert(mode)
    room = run_node(Pad(image=ImageData.of(source), left=3, top=5, right=20, bottom=1, fill=fill))
    expected = cv2.copyMakeBorder(array(source), 5, 1, 3, 20, border)
    assert np.array_equal(array(room.output), expected)
    mask = np.full((13, 32), 255, np.uint8)
    mask[5:12, 3:12] = 0
    assert np.array_equal(array(room.mask), mask)


def test_room_of_a_colour(run_node: NodeRunner) -> None:
    grey = run_node(Pad(image=image(mode="L"), by="aspect", aspect="1:1")).output.image
    assert (grey.mode, grey.size, grey.getpixel((0, 0))) == ("L", (40, 40), 255)
    red = run_node(Pad(image=image(mode="L"), left=1, color=ColorRef(value="#ff0000"))).output.image
    assert (red.mode, red.getpixel((0, 0))) == ("RGB", (255, 0, 0))
    clear = run_node(Pad(image=image(), top=1, color=ColorRef(value="#ff000080"))).output.image
    assert (clear.mode, clear.getpixel((0, 0))) == ("RGBA", (255, 0, 0, 128))
    soft = run_node(Pad(image=image(), by="size", width=80, height=24, fill="blur")).output.image
    assert difference(soft.crop((20, 0, 60, 24)), scene()) == 0
    assert soft.size == (80, 24) and soft.getpixel((2, 12))[0] < 128 < soft.getpixel((77, 12))[0]


@pytest.mark.parametrize(
    ("properties", "size"),
    [
        ({"by": "aspect", "aspect": "2:1"}, (48, 24)),
        ({"by": "aspect", "aspect": "1:2"}, (40, 80)),
        ({"by": "size", "width": 10, "height": 30}, (40, 30)),
        ({"by": "multiple", "multiple_of": 32}, (64, 32)),
    ],
)
def test_how_much_room(
    properties: dict[str, Any], size: tuple[int, int], run_node: NodeRunner
) -> None:
    assert run_node(Pad(image=image(), **properties)).output.image.size == size
