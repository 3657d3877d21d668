"""Blend, tables and balance of colours, against SciPy, Pillow, scikit-image, formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from scipy.interpolate import PchipInterpolator
from skimage import color

from nodes._blending import BlendMode
from nodes._cube import LutError, parsed
from nodes.lib.pillow import Blend
from nodes.lib.pillow._grading import through
from nodes.lib.pillow.color_grading import (
    ApplyLut,
    ChannelMixer,
    Curves,
    GradientMap,
    HSLAdjust,
    Levels,
    WhiteBalance,
)
from nodes.lib.pillow.color_grading._mixing import balance, white
from nodes.lib.pillow.filter import ConvertToGrayscale
from nodes.lib.pillow.stylize import AdaptiveThreshold, FilmGrain, Pixelate, Quantize
from nodes.nodetool.image import Paste
from nodetool_core import ColorRef, ImageData, NodeError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_filter import glass, noise

Array = np.ndarray[Any, Any]


def data(image: Image.Image) -> ImageData:
    return ImageData.of(image)


def array(image: Any) -> Array:
    return np.asarray(image.image if isinstance(image, ImageData) else image)


def apart(one: Array, other: Array) -> float:
    return float(np.abs(one.astype(float) - other.astype(float)).max())


PHOTO = noise(60, 40).filter(ImageFilter.GaussianBlur(2))


@pytest.mark.parametrize("mode", BlendMode.__args__)
def test_blend_has_the_modes_of_paste(mode: Any, run_node: NodeRunner) -> None:
    mask = data(Image.linear_gradient("L").resize((40, 24)))
    for base in (scene(), glass(scene(), 99)):
        options: dict[str, Any] = {"blend_mode": mode, "mask": mask}
        one = run_node(
            Blend(image1=data(base), image2=data(noise(40, 24)), alpha=0.7, **options)
        ).image
        other = run_node(
            Paste(image=data(base), paste=data(noise(40, 24)), opacity=0.7, **options)
        ).image
        assert one.mode == other.mode and apart(array(one), array(other)) <= 1


def test_blend_in_linear_light(run_node: NodeRunner) -> None:
    black, half = (data(Image.new("L", (2, 2), tone)) for tone in (0, 255))
    node = Blend(image1=black, image2=half, alpha=0.5, linear_light=True)
    assert run_node(node).image.getpixel((0, 0)) == 188


# Curves and levels


POINTS = st.lists(st.tuples(st.integers(0, 20), st.floats(0, 1)), min_size=2, max_size=8).map(
    lambda points: [[x / 20, y] for x, y in dict(points).items()]
)


@settings(max_examples=200, deadline=None)
@given(points=POINTS)
def test_a_curve_through_points_is_that_of_scipy(points: list[list[float]]) -> None:
    if len(points) < 2:
        return
    x, y = np.array(sorted(points)).T
    tones = np.linspace(0, 1, 256)
    expected = (
        PchipInterpolator(x, y)(np.clip(tones, x[0], x[-1]))
        if len(x) > 2
        else np.interp(tones, x, y)
    )
    assert np.allclose(through(points, tones), expected, atol=1e-9)


def test_points_of_all_and_of_one_channel(run_node: NodeRunner) -> None:
    half = [[0.0, 0.0], [1.0, 0.5]]
    grey = data(Image.new("RGB", (2, 2), (200, 100, 40)))
    assert run_node(Curves(image=grey, points=half)).image.getpixel((0, 0)) == (100, 50, 20)
    both = run_node(Curves(image=grey, points=half, green_points=half)).image
    assert both.getpixel((0, 0)) == (100, 25, 20)
    turned = run_node(Curves(image=grey, points=[[0, 1], [1, 0]])).image
    assert turned.getpixel((0, 0)) == (55, 155, 215)


@pytest.mark.parametrize("points", [[[0.5, 0.5]], [[0, 0], [0, 1]], [[0], [1, 1]], [[0, 0, 0]] * 2])
def test_points_that_are_none(points: list[list[float]], run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="curve"):
        run_node(Curves(image=data(scene()), points=points))


def test_levels_follow_their_formula(run_node: NodeRunner) -> None:
    node = Levels(
        image=data(PHOTO), black=20, white=200, gamma=1.7, output_black=30, output_white=240
    )
    share = np.clip((array(PHOTO).astype(float) - 20) / 180, 0, 1) ** (1 / 1.7)
    assert apart(array(run_node(node)), 30 + share * 210) <= 0.51
    red = array(run_node(Levels(image=data(PHOTO), channel="red", white=128)))
    assert (
        np.array_equal(red[..., 1:], array(PHOTO)[..., 1:])
        and red[..., 0].mean() > array(PHOTO)[..., 0].mean()
    )
    with pytest.raises(NodeError, match="not below white"):
        run_node(Levels(image=data(PHOTO), black=200, white=100))


# Look-up tables


def cube(size: int, colours: Any, head: str = "") -> str:
    points = np.linspace(0, 1, size)
    rows = [colours(r, g, b) for b in points for g in points for r in points]
    return f'TITLE "a look"\n# made up\nLUT_3D_SIZE {size}\n{head}' + "\n".join(
        " ".join(f"{value:.6f}" for value in row) for row in rows
    )


def bent(r: float, g: float, b: float) -> tuple[float, float, float]:
    return r**1.4, 0.8 * g + 0.2 * r * b, 1 - b * g


def test_a_table_of_pillow_gives_the_same(run_node: NodeRunner) -> None:
    from PIL import ImageFilter as Filter

    (run_node.base / "look.cube").write_text(cube(9, bent))
    table = Filter.Color3DLUT.generate(9, bent)
    node = ApplyLut(image=data(PHOTO), path="look.cube", interpolation="trilinear")
    assert apart(array(run_node(node)), array(PHOTO.filter(table))) <= 1


def in_tetrahedra(table: Array, colour: Array) -> Array:
    """Return the colour by the six cases of a cell, as they are usually written."""
    size = len(table)
    place = colour * (size - 1)
    r, g, b = np.minimum(place.astype(int), size - 2)
    x, y, z = place - (r, g, b)

    def at(i: int, j: int, k: int) -> Array:
        return np.asarray(table[b + k, g + j, r + i])

    c000, c111 = at(0, 0, 0), at(1, 1, 1)
    if x > y > z:
        return (1 - x) * c000 + (x - y) * at(1, 0, 0) + (y - z) * at(1, 1, 0) + z * c111
    if x > z >= y:
        return (1 - x) * c000 + (x - z) * at(1, 0, 0) + (z - y) * at(1, 0, 1) + y * c111
    if z >= x > y:
        return (1 - z) * c000 + (z - x) * at(0, 0, 1) + (x - y) * at(1, 0, 1) + y * c111
    if z > y >= x:
        return (1 - z) * c000 + (z - y) * at(0, 0, 1) + (y - x) * at(0, 1, 1) + x * c111
    if y >= z > x:
        return (1 - y) * c000 + (y - z) * at(0, 1, 0) + (z - x) * at(0, 1, 1) + x * c111
    return (1 - y) * c000 + (y - x) * at(0, 1, 0) + (x - z) * at(1, 1, 0) + z * c111


def test_tetrahedra_are_the_six_usual_cases() -> None:
    lut = parsed(cube(5, bent))
    colours = np.random.default_rng(3).random((200, 3)).astype(np.float32)
    colours[:30] = np.round(colours[:30] * 8) / 8
    found = lut.at(colours, "tetrahedral")
    for colour, result in zip(colours, found, strict=True):
        assert np.allclose(result, in_tetrahedra(lut.table, colour.astype(float)), atol=1e-5)
    grey = np.repeat(np.linspace(0, 1, 50, dtype=np.float32)[:, None], 3, axis=1)
    neutral = parsed(cube(3, lambda r, g, b: (r, g, b)))
    assert np.allclose(neutral.at(grey, "tetrahedral"), grey, atol=1e-6)


def test_a_table_of_one_dimension_and_a_domain(run_node: NodeRunner) -> None:
    text = "LUT_1D_SIZE 3\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 2 2 2\n0 0 0\n0.5 1 0.25\n1 1 1\n"
    (run_node.base / "look.cube").write_text(text)
    found = run_node(
        ApplyLut(image=data(Image.new("RGB", (1, 1), (255, 51, 102))), path="look.cube")
    )
    assert found.image.getpixel((0, 0)) == (128, 51, 25)
    half = ApplyLut(image=data(Image.new("L", (1, 1), 255)), path="look.cube", strength=0.5)
    assert run_node(half).image.getpixel((0, 0)) == (191, 255, 159)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LUT_3D_SIZE 2\n0 0 0\n",
        "LUT_3D_SIZE two\n",
        "LUT_1D_SIZE 1\n0 0 0\n",
        "LUT_1D_SIZE 2\n0 0 0\n1 x 1\n",
        "LUT_1D_SIZE 2\nDOMAIN_MIN 1 1 1\n0 0 0\n1 1 1\n",
        "LUT_1D_SIZE 2\nDOMAIN_MIN 0 0\n0 0 0\n1 1 1\n",
        "LUT_1D_SIZE 2\n0 0\n1 1 1\n",
        "LUT_1D_SIZE 2\n0 0 nan\n1 1 1\n",
        "LUT_3D_SIZE\n",
        "\x00\x01",
    ],
)
def test_files_that_are_no_tables(text: str, run_node: NodeRunner) -> None:
    with pytest.raises(LutError):
        parsed(text)
    (run_node.base / "broken.cube").write_text(text)
    with pytest.raises(NodeError, match=r"no \.cube file"):
        run_node(ApplyLut(image=data(scene()), path="broken.cube"))


def test_a_table_that_is_not_there(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="can't be read"):
        run_node(ApplyLut(image=data(scene()), path="none.cube"))


def test_a_gradient_over_the_tones(run_node: NodeRunner) -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    colors = [ColorRef(value=one) for one in ("#000080", "#ff0000", "#ffffff")]
    found = array(run_node(GradientMap(image=data(ramp), colors=colors)))[0]
    stops = np.array([[0, 0, 128], [255, 0, 0], [255, 255, 255]])
    expected = np.stack(
        [np.interp(np.arange(256) / 127.5, range(3), stops[:, i]) for i in range(3)], 1
    )
    assert apart(found, expected) <= 0.51
    with pytest.raises(NodeError, match="two colours"):
        run_node(GradientMap(image=data(ramp), colors=colors[:1]))


# Balance and matrices

TO_RGB = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
"""XYZ to linear sRGB, as IEC 61966-2-1 prints it."""


@pytest.mark.parametrize(
    ("kelvin", "x", "y"),
    [(2856, 0.44757, 0.40745), (2000, 0.52669, 0.41331), (10000, 0.28063, 0.28828)],
)
def test_the_light_of_a_black_body(kelvin: float, x: float, y: float) -> None:
    xyz = white(kelvin, 0)
    assert xyz[0] / xyz.sum() == pytest.approx(x, abs=6e-4)
    assert xyz[1] / xyz.sum() == pytest.approx(y, abs=6e-4)


@pytest.mark.parametrize("kelvin", [2000.0, 3200.0, 5000.0, 9000.0, 20000.0])
@pytest.mark.parametrize("tint", [-40.0, 0.0, 25.0])
def test_what_was_white_becomes_white(kelvin: float, tint: float) -> None:
    to_rgb = np.array(TO_RGB)
    lit, neutral = (to_rgb @ white(*light) for light in ((kelvin, tint), (6504, 0)))
    assert np.allclose(balance(kelvin, tint) @ lit, neutral, atol=2e-2)


def test_warmer_and_more_magenta(run_node: NodeRunner) -> None:
    grey = data(Image.new("RGB", (2, 2), (120, 120, 120)))
    same = run_node(WhiteBalance(image=grey)).image
    assert same.getpixel((0, 0)) == (120, 120, 120)
    red, _, blue = run_node(WhiteBalance(image=grey, temperature=9000)).image.getpixel((0, 0))
    assert red > 122 and blue < 118
    red, green, blue = run_node(WhiteBalance(image=grey, tint=40)).image.getpixel((0, 0))
    assert green < 118 < min(red, blue)


def test_channels_are_mixed(run_node: NodeRunner) -> None:
    swap = ChannelMixer(image=data(PHOTO), red=[0, 0, 1], green=[0, 1, 0], blue=[1, 0, 0])
    assert np.array_equal(array(run_node(swap)), array(PHOTO)[..., ::-1])
    node = ChannelMixer(image=data(PHOTO), red=[0.5, 0.3, -0.2, 0.1], monochrome=True)
    expected = np.clip(array(PHOTO) @ [0.5, 0.3, -0.2] + 25.5, 0, 255)
    assert apart(array(run_node(node)), np.repeat(expected[..., None], 3, axis=2)) <= 1
    white_ = data(Image.new("RGB", (1, 1), "white"))
    kept = ChannelMixer(image=white_, red=[1, 1, 1], monochrome=True, preserve_luminosity=True)
    assert run_node(kept).image.getpixel((0, 0)) == (255, 255, 255)
    light = ChannelMixer(
        image=data(Image.new("RGB", (1, 1), (255, 0, 0))),
        red=[0.5, 0, 0],
        linear_light=True,
    )
    assert run_node(light).image.getpixel((0, 0)) == (188, 0, 0)


# Grey, hue, effects


def test_every_definition_of_grey(run_node: NodeRunner) -> None:
    tones = array(PHOTO).astype(float)
    linear = np.where(
        tones / 255 <= 0.04045, tones / 255 / 12.92, ((tones / 255 + 0.055) / 1.055) ** 2.4
    )
    y = linear @ [0.2126, 0.7152, 0.0722]
    expected = {
        "rec601": tones @ [0.299, 0.587, 0.114],
        "rec709": tones @ [0.2126, 0.7152, 0.0722],
        "luminance": 255 * np.where(y <= 0.0031308, 12.92 * y, 1.055 * y ** (1 / 2.4) - 0.055),
        "average": tones.mean(axis=2),
        "lightness": (tones.max(axis=2) + tones.min(axis=2)) / 2,
    }
    assert np.allclose(expected["rec709"] / 255, color.rgb2gray(tones / 255), atol=2e-4)
    for method, grey in expected.items():
        found = run_node(ConvertToGrayscale(image=data(PHOTO), method=method)).image  # type: ignore[arg-type]
        assert found.mode == "L" and apart(array(found), grey) < 1.01, method
    seen = run_node(ConvertToGrayscale(image=data(glass(PHOTO, 50)), method="average")).image
    assert seen.mode == "LA" and seen.getpixel((0, 0))[1] == 50


def test_hue_in_degrees(run_node: NodeRunner) -> None:
    red = data(Image.new("RGB", (1, 1), (255, 0, 0)))
    assert run_node(HSLAdjust(image=red, hue=60)).image.getpixel((0, 0)) == (255, 255, 0)
    assert run_node(HSLAdjust(image=red, hue=-60)).image.getpixel((0, 0)) == (255, 0, 255)


@pytest.mark.parametrize("dither", ["none", "floyd_steinberg", "ordered"])
def test_few_colours(dither: Any, run_node: NodeRunner) -> None:
    for method in ("median_cut", "max_coverage", "octree"):
        node = Quantize(image=data(PHOTO), colors=7, method=method, dither=dither)  # type: ignore[arg-type]
        assert len(run_node(node).image.getcolors()) <= 7
    palette = [ColorRef(value=one) for one in ("#000000", "#ffffff")]
    ramp = Image.linear_gradient("L").convert("RGB")
    found = array(run_node(Quantize(image=data(ramp), palette=palette, dither=dither)))
    assert set(np.unique(found)) == {0, 255}
    if dither != "none":
        rows = found.reshape(8, 32, 256, 3).mean(axis=(1, 2, 3))
        assert apart(rows, array(ramp).reshape(8, -1).mean(axis=1)) < 10, (
            "tones are kept on the whole"
        )


def test_squares_are_the_mean_of_what_they_cover(run_node: NodeRunner) -> None:
    source = noise(48, 32)
    found = array(run_node(Pixelate(image=data(source), size=8)))
    blocks = array(source).reshape(4, 8, 6, 8, 3).mean(axis=(1, 3))
    assert apart(found, np.repeat(np.repeat(blocks, 8, 0), 8, 1)) <= 1
    odd = run_node(Pixelate(image=data(noise(45, 31)), size=7)).image
    assert odd.size == (45, 31)
    glassy = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    glassy.paste((0, 0, 255, 255), (0, 0, 4, 8))
    assert run_node(Pixelate(image=data(glassy), size=8)).image.getpixel((0, 0))[:3] == (0, 0, 255)


@pytest.mark.parametrize("size", [1.0, 3.0])
def test_grain_is_strongest_in_the_midtones(size: float, run_node: NodeRunner) -> None:
    def grained(tone: int, seed: int = 1, monochrome: bool = True) -> Array:
        flat = data(Image.new("RGB", (128, 128), (tone, tone, tone)))
        node = FilmGrain(image=flat, amount=0.1, size=size, seed=seed, monochrome=monochrome)
        return array(run_node(node)).astype(float)

    assert grained(0).std() == 0 == grained(255).std()
    middle = grained(128)
    assert middle.std() == pytest.approx(25.5, rel=0.08) and abs(middle.mean() - 128) < 3
    assert np.array_equal(middle[..., 0], middle[..., 1])
    coloured = grained(128, monochrome=False)
    assert not np.array_equal(coloured[..., 0], coloured[..., 1])
    assert np.array_equal(middle, grained(128)) and not np.array_equal(middle, grained(128, 2))


@pytest.mark.parametrize(
    ("method", "way"),
    [("mean", cv2.ADAPTIVE_THRESH_MEAN_C), ("gaussian", cv2.ADAPTIVE_THRESH_GAUSSIAN_C)],
)
@pytest.mark.parametrize("size", [3, 11, 31])
def test_an_adaptive_threshold_is_that_of_opencv(
    method: Any, way: int, size: int, run_node: NodeRunner
) -> None:
    source = noise(70, 50).convert("L").filter(ImageFilter.GaussianBlur(1))
    node = AdaptiveThreshold(image=data(source), method=method, size=size, offset=5)
    expected = cv2.adaptiveThreshold(array(source), 255, way, cv2.THRESH_BINARY, size, 5)
    assert (array(run_node(node)) != expected).mean() < (0.02 if size == 3 else 0.01)
    with pytest.raises(NodeError, match="no middle"):
        run_node(AdaptiveThreshold(image=data(source), size=size + 1))


def test_the_identity_of_a_table_is_its_content(tmp_path: Path, run_node: NodeRunner) -> None:
    (tmp_path / "look.cube").write_text(cube(2, lambda r, g, b: (r, g, b)))
    assert difference(run_node(ApplyLut(image=data(PHOTO), path="look.cube")).image, PHOTO) == 0
