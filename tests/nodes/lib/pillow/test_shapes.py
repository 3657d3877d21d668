"""Shapes, gradients and QR codes beside formulas, Pillow, scikit-image and OpenCV."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops
from skimage.draw import polygon2mask

from nodes._painting import Shape, coverage
from nodes.lib.pillow.draw import Checkerboard, DrawBoxes, DrawShape, Gradient, QRCode
from nodetool_core import ColorRef, ImageData, NodeError
from tests.assets.images import scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_filter import pixels

PLACES = st.floats(-10, 50, allow_nan=False, width=32)


def shares(polygon: list[tuple[float, float]], side: int = 40) -> Any:
    return np.asarray(coverage(Shape([polygon]), (0, 0, side, side)), float) / 255


def test_a_polygon_that_crosses_itself_is_filled_by_the_nonzero_rule() -> None:
    turns = [2 * math.pi * (0.75 + 2 * corner / 5) for corner in range(5)]
    star = [(20 + 15 * math.cos(turn), 20 + 15 * math.sin(turn)) for turn in turns]
    found = np.asarray(coverage(Shape([star], may_cross=True), (0, 0, 40, 40)), float) / 255
    assert found[20, 20] == 1, "the middle has the winding number 2"
    inner = math.cos(math.radians(72)) / math.cos(math.radians(36))
    assert found.sum() == pytest.approx(5 * 225 * inner * math.sin(math.radians(36)), rel=0.01)
    bow = [(5.0, 5.0), (35.0, 35.0), (35.0, 5.0), (5.0, 35.0)]
    shown = np.asarray(coverage(Shape([bow], may_cross=True), (0, 0, 40, 40)), float) / 255
    assert shown.sum() == pytest.approx(450, rel=0.01), "halves turn in opposite ways"


def farthest(one: Image.Image, other: Image.Image) -> int:
    """Return the greatest difference of two images in any pixel and channel."""
    return max(high for _, high in ImageChops.difference(one, other).convert("RGB").getextrema())


def black(**properties: Any) -> Any:
    """Return the shares that a black shape covers of a white image of 100 x 80 pixels."""
    node = DrawShape(
        image=ImageData.of(Image.new("L", (100, 80), 255)),
        color=ColorRef(value="#000000"),
        **properties,
    )
    return lambda run: 1 - pixels(run(node).image)[..., 0] / 255


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(PLACES, PLACES), min_size=3, max_size=3))
def test_a_triangle_covers_what_sixteen_times_as_many_pixels_say(
    corners: list[tuple[float, float]],
) -> None:
    fine = np.array([(y * 16 - 0.5, x * 16 - 0.5) for x, y in corners])
    expected = polygon2mask((640, 640), fine).reshape(40, 16, 40, 16).mean(axis=(1, 3))
    assert abs(shares(corners) - expected).max() < 0.2
    assert abs(shares(corners) - expected).mean() < 0.004


@pytest.mark.parametrize(
    ("edges", "area"), [((1, 1, 3, 5), 8), ((0.5, 0.25, 3.5, 3), 8.25), ((-5, -5, 60, 60), 1600)]
)
def test_a_box_covers_its_area(edges: tuple[float, ...], area: float) -> None:
    left, top, right, bottom = edges
    found = shares([(left, top), (right, top), (right, bottom), (left, bottom)])
    assert found.sum() == pytest.approx(area, abs=0.05)


def test_shapes_cover_the_area_of_their_formula(run_node: NodeRunner) -> None:
    box = {"left": 20.0, "top": 10.0, "right": 80.0, "bottom": 70.0}
    black_fill = {"fill": ColorRef(value="#000000"), "line_width": 0.0}
    circle = black(shape="ellipse", **box, **black_fill)(run_node)
    assert circle.sum() == pytest.approx(math.pi * 900, rel=0.002)
    ring = black(shape="ellipse", **box, line_width=6.0)(run_node)
    assert ring.sum() == pytest.approx(math.pi * (33**2 - 27**2), rel=0.005)
    round_corners = black(**box, radius=20.0, **black_fill)(run_node)
    assert round_corners.sum() == pytest.approx(3600 - (4 - math.pi) * 400, rel=0.002)
    frame = black(**box, line_width=4.0)(run_node)
    assert frame.sum() == pytest.approx(64**2 - 56**2)
    line = black(shape="line", left=20.0, top=40.0, right=80.0, bottom=40.0, line_width=10.0)(
        run_node
    )
    assert line.sum() == pytest.approx(600 + math.pi * 25, rel=0.005), "round ends"
    sloped = black(shape="line", left=20.0, top=20.0, right=56.0, bottom=68.0, line_width=10.0)(
        run_node
    )
    assert sloped.sum() == pytest.approx(line.sum(), rel=0.005), "as long, in another direction"
    star = black(shape="star", **box, **black_fill)(run_node)
    inner = math.cos(math.radians(72)) / math.cos(math.radians(36))
    assert star.sum() == pytest.approx(5 * 900 * inner * math.sin(math.radians(36)), rel=0.005)


def test_an_arrow_ends_at_its_tip(run_node: NodeRunner) -> None:
    found = black(shape="arrow", left=10.0, top=40.0, right=90.0, bottom=40.0, line_width=6.0)(
        run_node
    )
    columns = np.flatnonzero(found.sum(axis=0) > 0.05)
    assert (columns[0], columns[-1]) == (7, 89)
    heights = found.sum(axis=0)
    assert heights[40] == pytest.approx(6, abs=0.1) and heights[67] > 20 and heights[88] < 3


def test_points_through_which_a_line_goes(run_node: NodeRunner) -> None:
    points = [[10, 10], [90, 10], [90, 70]]
    bent = black(shape="polyline", points=points, line_width=4.0)(run_node)
    assert bent[10, 50] == bent[40, 89] == 1 and bent[40, 50] == 0
    closed = black(shape="polygon", points=points, line_width=4.0)(run_node)
    assert closed[40, 50] == 1 and closed.sum() > bent.sum() + 300


def test_a_glassy_line_is_even_where_it_crosses_itself(run_node: NodeRunner) -> None:
    canvas = ImageData.of(Image.new("RGB", (100, 80), "white"))
    made = run_node(
        DrawShape(
            image=canvas,
            shape="polyline",
            points=[[10, 10], [90, 70], [90, 10], [10, 70]],
            line_width=8.0,
            color=ColorRef(value="#00000080"),
        )
    ).image
    assert pixels(made).min() == 127


def test_what_is_drawn_on_glass_is_seen(run_node: NodeRunner) -> None:
    canvas = ImageData.of(Image.new("RGBA", (40, 40), (0, 0, 0, 0)))
    made = run_node(DrawShape(image=canvas, left=10.0, top=10.0, right=30.0, bottom=30.0)).image
    assert made.getpixel((10, 10)) == (255, 59, 48, 255) and made.getpixel((20, 20))[3] == 0


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"left": 50.0, "right": 50.0}, "box of the rectangle is empty"),
        ({"shape": "polygon", "points": [[1, 2], [3, 4]]}, "needs 3 points"),
        ({"shape": "polyline", "points": [[1, 2], [3]]}, "each of x and y"),
    ],
)
def test_shapes_that_are_none(
    properties: dict[str, Any], message: str, run_node: NodeRunner
) -> None:
    with pytest.raises(NodeError, match=message) as caught:
        run_node(DrawShape(image=ImageData.of(scene()), **properties))
    assert caught.value.problem.code == "invalid_value" and caught.value.problem.hint


def test_boxes_are_drawn_around_what_is_in_them(run_node: NodeRunner) -> None:
    canvas = Image.new("RGB", (200, 160), "white")
    node = {
        "image": ImageData.of(canvas),
        "boxes": [[20, 60, 80, 140], [100, 2, 180, 90], [10, 10, 11, 11]],
        "labels": ["cup", "lamp"],
    }
    made = pixels(run_node(DrawBoxes(**node)).image)
    assert (made[80:130, 30:70] == 255).all(), "inside, nothing is painted"
    first, second = tuple(made[100, 20]), tuple(made[60, 100])
    assert first != second != (255, 255, 255), "each label has its colour"
    assert (made[59 - 20 : 59, 19:40] == first).all(axis=2).any(), "its plate lies above the box"
    assert (made[4:24, 99:120] == second).all(axis=2).any(), "or within it at the upper edge"
    same = pixels(run_node(DrawBoxes(**node | {"labels": ["cup", "cup"]})).image)
    assert tuple(same[100, 20]) == tuple(same[60, 100])
    red = pixels(run_node(DrawBoxes(**node, color=ColorRef(value="#ff0000"))).image)
    assert tuple(red[100, 20]) == tuple(red[60, 100]) == (255, 0, 0)
    with pytest.raises(NodeError, match="four edges"):
        run_node(DrawBoxes(image=ImageData.of(canvas), boxes=[[1, 2, 3]]))
    with pytest.raises(NodeError, match="2 labels for 1 boxes"):
        run_node(DrawBoxes(image=ImageData.of(canvas), boxes=[[1, 2, 3, 4]], labels=["a", "b"]))


def test_a_label_at_the_right_edge_is_read_whole(run_node: NodeRunner) -> None:
    canvas = Image.new("RGB", (200, 100), "white")
    boxes = {"image": ImageData.of(canvas), "labels": ["a long label"]}
    inside = pixels(run_node(DrawBoxes(**boxes, boxes=[[10, 50, 190, 90]])).image)
    at_edge = pixels(run_node(DrawBoxes(**boxes, boxes=[[180, 50, 199, 90]])).image)
    # A row through the plate, above both boxes: as much of it is painted.
    painted = [(made[40] != 255).any(axis=1).sum() for made in (inside, at_edge)]
    assert painted[0] == pytest.approx(painted[1], abs=3)


BLACK_WHITE = [ColorRef(value="#000000"), ColorRef(value="#ffffff")]


def test_gradients_are_those_of_pillow(run_node: NodeRunner) -> None:
    size = {"width": 256, "height": 256}
    made = run_node(Gradient(**size, colors=BLACK_WHITE)).image
    assert farthest(made, Image.linear_gradient("L").convert("RGB")) <= 1
    right = run_node(Gradient(**size, colors=BLACK_WHITE, angle=0.0)).image
    assert farthest(right, Image.linear_gradient("L").rotate(90).convert("RGB")) <= 1
    # Pillow's centre is a pixel's left top corner, half a pixel from ours.
    radial = run_node(Gradient(**size, shape="radial", colors=BLACK_WHITE)).image
    assert farthest(radial, Image.radial_gradient("L").convert("RGB")) <= 2


def test_a_gradient_goes_from_corner_to_corner(run_node: NodeRunner) -> None:
    made = pixels(run_node(Gradient(width=300, height=120, colors=BLACK_WHITE, angle=30.0)).image)
    assert made[0, 0, 0] <= 1 and made[-1, -1, 0] >= 254
    x, y = np.meshgrid(np.arange(300) + 0.5, np.arange(120) + 0.5)
    cosine, sine = math.cos(math.radians(30)), math.sin(math.radians(30))
    expected = (x * cosine + y * sine) / (300 * cosine + 120 * sine) * 255
    assert abs(made[..., 0] - expected).max() <= 0.6


def test_a_conic_gradient_goes_around(run_node: NodeRunner) -> None:
    made = pixels(
        run_node(
            Gradient(width=101, height=101, shape="conic", colors=BLACK_WHITE, angle=0.0)
        ).image
    )[..., 0]
    assert abs(made[[100, 50, 0], [50, 0, 50]] / 255.0 - [0.25, 0.5, 0.75]).max() < 0.01


@pytest.mark.parametrize(
    ("space", "middle"),
    [("srgb", (128, 0, 128)), ("linear", (188, 0, 188)), ("oklab", (140, 83, 162))],
)
def test_the_middle_of_red_and_blue(
    space: str, middle: tuple[int, int, int], run_node: NodeRunner
) -> None:
    colours = [ColorRef(value="#ff0000"), ColorRef(value="#0000ff")]
    made = run_node(Gradient(width=3, height=3, colors=colours, space=space)).image
    assert max(abs(a - b) for a, b in zip(made.getpixel((1, 1)), middle, strict=True)) <= 1


def test_gradients_with_alpha_and_with_places(run_node: NodeRunner) -> None:
    colours = [ColorRef(value="#ff000000"), ColorRef(value="#ff0000"), ColorRef(value="#00ff00")]
    made = run_node(Gradient(width=8, height=100, colors=colours, positions=[0.2, 0.4, 1.0])).image
    assert made.mode == "RGBA"
    assert [made.getpixel((3, y))[3] for y in (10, 29, 60)] == [0, pytest.approx(121, abs=2), 255]
    assert made.getpixel((3, 99))[:2] == (pytest.approx(2, abs=2), pytest.approx(253, abs=2))
    with pytest.raises(NodeError, match="2 positions do not fit 3"):
        run_node(Gradient(colors=colours, positions=[0.0, 1.0]))
    with pytest.raises(NodeError, match="do not fit"):
        run_node(Gradient(colors=colours, positions=[0.0, 0.9, 0.5]))
    with pytest.raises(NodeError, match="two colours or more"):
        run_node(Gradient(colors=colours[:1]))


def test_a_checkerboard(run_node: NodeRunner) -> None:
    made = pixels(run_node(Checkerboard(width=50, height=33, size=7)).image)
    x, y = np.meshgrid(np.arange(50) // 7, np.arange(33) // 7)
    assert (made[..., 0] == np.where((x + y) % 2, 0xCC, 0xFF)).all()
    glass = run_node(Checkerboard(color2=ColorRef(value="#00000000"))).image
    assert glass.mode == "RGBA" and glass.getpixel((40, 0)) == (0, 0, 0, 0)


@pytest.mark.parametrize("text", ["https://example.org/a?b=c", "Grüße, 日本", "7" * 300])
@pytest.mark.parametrize("level", ["low", "medium", "quartile", "high"])
def test_a_qr_code_is_read_by_another_library(text: str, level: str, run_node: NodeRunner) -> None:
    made = run_node(QRCode(text=text, error_correction=level, scale=6)).image
    found, *_ = cv2.QRCodeDetector().detectAndDecode(np.asarray(made)[..., ::-1].copy())
    assert found == text


def test_a_qr_code_has_a_border_and_colours(run_node: NodeRunner) -> None:
    made = run_node(
        QRCode(
            scale=3,
            border=2,
            color=ColorRef(value="#102030"),
            background=ColorRef(value="#ffffff00"),
        )
    ).image
    assert made.mode == "RGBA" and made.width == made.height == (25 + 4) * 3
    assert made.getpixel((5, 5))[3] == 0 and made.getpixel((6, 6)) == (16, 32, 48, 255)
    for text, message in (("", "no text"), ("x" * 3000, "3000 characters is too long")):
        with pytest.raises(NodeError, match=message):
            run_node(QRCode(text=text))
