"""Geometry against OpenCV, Pillow and formulas: sizes, room, turns, perspective, crops, tiles."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from nodes._geometry import Anchor, anchored, aspect_ratio
from nodes.lib.grid import CombineImageGrid, MergeTiles, SplitTiles
from nodes.nodetool.image import (
    Crop,
    CropToMask,
    Fit,
    Flip,
    Offset,
    Pad,
    PasteBack,
    Perspective,
    Resize,
    Rotate,
    Scale,
    Transform,
)
from nodetool_core import ColorRef, ImageData, NodeError, Workflow
from nodetool_core.errors import WorkflowError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner

Array = np.ndarray[Any, Any]


def image(width: int = 40, height: int = 24, mode: str = "RGB") -> ImageData:
    return ImageData.of(scene(width, height).convert(mode))


def smooth_noise(width: int, height: int) -> Image.Image:
    """Return detail of several pixels, for which kernels of resampling hardly differ."""
    tones = np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(tones).filter(ImageFilter.GaussianBlur(3))


def array(data: ImageData | Image.Image) -> Array:
    return np.asarray(data.image if isinstance(data, ImageData) else data)


def apart(one: Array, other: Array) -> float:
    return float(np.abs(one.astype(float) - other.astype(float)).max())


# Resize


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


# Room


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


# Turns


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


# Parts


@pytest.mark.parametrize(
    ("properties", "box"),
    [
        ({"by": "aspect", "aspect": "1:1"}, (8, 0, 32, 24)),
        ({"by": "aspect", "aspect": "1:1", "anchor": "right"}, (16, 0, 40, 24)),
        ({"by": "aspect", "aspect": "4:1"}, (0, 7, 40, 17)),
        ({"by": "size", "width": 10, "height": 4, "anchor": "bottom_right"}, (30, 20, 40, 24)),
        ({"by": "box", "box": [1, 2, 3, 4]}, (1, 2, 3, 4)),
    ],
)
def test_crops(
    properties: dict[str, Any], box: tuple[int, int, int, int], run_node: NodeRunner
) -> None:
    assert difference(run_node(Crop(image=image(), **properties)).image, scene().crop(box)) == 0


def masked(box: tuple[int, int, int, int], width: int = 120, height: int = 90) -> ImageData:
    mask = Image.new("L", (width, height))
    mask.paste(255, box)
    return ImageData.of(mask)


@settings(max_examples=60, deadline=None)
@given(
    left=st.integers(0, 100),
    top=st.integers(0, 70),
    width=st.integers(1, 20),
    height=st.integers(1, 20),
    margin=st.integers(0, 60),
    least=st.integers(1, 130),
    multiple=st.sampled_from([1, 8, 64]),
)
def test_a_part_holds_the_mask_and_lies_in_the_image(
    tmp_path_factory: pytest.TempPathFactory,
    left: int,
    top: int,
    width: int,
    height: int,
    margin: int,
    least: int,
    multiple: int,
) -> None:
    run = NodeRunner(tmp_path_factory.getbasetemp())
    inside = (left, top, left + width, top + height)
    part = run(
        CropToMask(
            image=image(120, 90),
            mask=masked(inside),
            margin=margin,
            min_width=least,
            multiple_of=multiple,
        )
    )
    box = part.box
    assert 0 <= box[0] <= left and 0 <= box[1] <= top
    assert inside[2] <= box[2] <= 120 and inside[3] <= box[3] <= 90
    assert difference(part.output.image, scene(120, 90).crop(box)) == 0
    assert part.part_mask.image.size == part.output.image.size
    assert box[2] - box[0] >= min(least, 64 if multiple == 64 else 120)
    assert (box[3] - box[1]) % multiple == 0


def test_a_part_of_an_aspect_ratio(run_node: NodeRunner) -> None:
    node = CropToMask(
        image=image(120, 90), mask=masked((50, 40, 70, 44)), margin=2, aspect="1:1", multiple_of=1
    )
    assert run_node(node).box == [48, 30, 72, 54]


def test_a_mask_without_an_inside(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="nothing is inside"):
        run_node(CropToMask(image=image(120, 90), mask=masked((0, 0, 0, 0))))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("match", ["none", "mean", "mean_and_contrast"])
def test_an_unchanged_part_pasted_back_changes_nothing(
    mode: str, match: Any, run_node: NodeRunner
) -> None:
    source, mask = image(120, 90, mode), masked((50, 40, 70, 60))
    part = run_node(CropToMask(image=source, mask=mask, margin=10))
    for given_mask in (mask, part.part_mask, None):
        back = run_node(
            PasteBack(image=source, patch=part.output, box=part.box, mask=given_mask, match=match)
        ).image
        assert apart(array(back), array(source)) <= (0 if match == "none" else 1)


def test_a_part_is_brought_to_its_place_and_its_colours_to_those_around(
    run_node: NodeRunner,
) -> None:
    source = ImageData.of(smooth_noise(120, 90))
    mask = masked((50, 40, 70, 60))
    part = run_node(CropToMask(image=source, mask=mask, margin=16, multiple_of=1))
    large = part.output.image.resize((208, 208), Image.Resampling.BICUBIC)
    tinted = ImageData.of(large.point([min(255, tone + 40) for tone in range(256)] * 3))
    far = {
        match: difference(
            run_node(
                PasteBack(image=source, patch=tinted, box=part.box, mask=mask, match=match)
            ).image,
            source.image,
        )
        for match in ("none", "mean", "mean_and_contrast")
    }
    assert far["mean"] < far["none"] / 8 and far["mean_and_contrast"] < far["none"] / 8


def test_without_a_mask_the_seam_is_soft_except_along_the_edge(run_node: NodeRunner) -> None:
    black, white = (ImageData.of(Image.new("L", (60, 60), tone)) for tone in (0, 255))
    found = array(run_node(PasteBack(image=black, patch=white, box=[0, 20, 30, 40], feather=10)))
    row = found[30].astype(int)
    assert row[0] >= 240 and row[15] >= 240 and row[30] == 0
    assert row[20:30].tolist() == sorted(row[20:30].tolist(), reverse=True) and 100 < row[25] < 160


# Tiles


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 70),
    tile=st.integers(2, 50),
    overlap=st.integers(0, 30),
)
def test_tiles_give_the_image_back(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, tile: int, overlap: int
) -> None:
    run = NodeRunner(tmp_path_factory.getbasetemp())
    overlap = min(overlap, tile - 1)
    source = scene(width, height)
    tiles = run(
        SplitTiles(
            image=ImageData.of(source), tile_width=tile, tile_height=tile + 3, overlap=overlap
        )
    )
    assert {part.image.size for part in tiles.output} == {(min(tile, width), min(tile + 3, height))}
    whole = run(MergeTiles(tiles=tiles.output, boxes=tiles.boxes)).image
    assert whole.size == source.size and apart(array(whole), array(source)) <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_neighbours_fade_into_each_other(mode: str, run_node: NodeRunner) -> None:
    tiles = run_node(
        SplitTiles(image=image(100, 40, mode), tile_width=60, tile_height=40, overlap=20)
    )
    assert tiles.boxes == [[0, 0, 60, 40], [40, 0, 100, 40]]
    shades = [ImageData.of(Image.new("L", (120, 80), tone).convert(mode)) for tone in (0, 200)]
    whole = array(run_node(MergeTiles(tiles=shades, boxes=tiles.boxes)))
    row = whole.reshape(80, 200, -1)[40, :, 0].astype(int)
    assert len(row) == 200, "tiles of twice the size give an image of twice the size"
    assert row[79] <= 3 and row[120] >= 197 and abs(row[100] - 100) <= 3
    assert (np.diff(row) >= 0).all()


def test_tiles_and_boxes_that_do_not_fit(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="2 tiles and 1 boxes"):
        run_node(MergeTiles(tiles=[image(), image()], boxes=[[0, 0, 40, 24]]))
    boxes = [[0, 0, 40, 24], [40, 0, 80, 24]]
    whole = run_node(MergeTiles(tiles=[image(), image(9, 9)], boxes=boxes)).image
    assert whole.size == (80, 24) and "9 x 9 pixels, its box 40 x 24" in run_node.warnings()[0]
    with pytest.raises(NodeError, match="overlap"):
        run_node(SplitTiles(image=image(), tile_width=10, tile_height=10, overlap=10))


def test_images_are_stitched(run_node: NodeRunner) -> None:
    two: list[Any] = [image(40, 24), image(20, 24 * 2)]
    sizes = {
        ("row", True): (50, 24),
        ("column", True): (40, 24 + 96),
        ("row", False): (60, 48),
        ("column", False): (40, 72),
        ("grid", True): (50, 24),
    }
    for (layout, match), size in sizes.items():
        sheet = run_node(CombineImageGrid(tiles=two, layout=layout, match=match))  # type: ignore[arg-type]
        assert sheet.image.size == size, layout


def test_every_anchor_is_a_choice() -> None:
    with pytest.raises(WorkflowError):
        Crop(image=image(), anchor="middle")  # type: ignore[arg-type]
    assert len(Anchor.__args__) == 9
