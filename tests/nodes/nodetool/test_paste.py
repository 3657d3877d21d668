"""Paste and its blend modes, against scalar formulas (W3C Compositing 1, Photoshop) and Pillow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from nodes._blending import BlendMode
from nodes.nodetool.image import Paste
from nodetool_core import ImageData, NodeError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_filter import glass, noise

MODES: tuple[str, ...] = BlendMode.__args__
Colour = tuple[float, ...]


def burn(b: float, s: float) -> float:
    return 1.0 if b == 1 else 0.0 if s == 0 else 1 - min(1, (1 - b) / s)


def dodge(b: float, s: float) -> float:
    return 0.0 if b == 0 else 1.0 if s == 1 else min(1, b / (1 - s))


def hard(b: float, s: float) -> float:
    return b * 2 * s if s <= 0.5 else b + (2 * s - 1) - b * (2 * s - 1)


def soft(b: float, s: float) -> float:
    if s <= 0.5:
        return b - (1 - 2 * s) * b * (1 - b)
    d = ((16 * b - 12) * b + 4) * b if b <= 0.25 else b**0.5
    return b + (2 * s - 1) * (d - b)


CHANNELS: dict[str, Callable[[float, float], float]] = {
    "normal": lambda b, s: s,
    "darken": min,
    "multiply": lambda b, s: b * s,
    "color_burn": burn,
    "linear_burn": lambda b, s: b + s - 1,
    "lighten": max,
    "screen": lambda b, s: 1 - (1 - b) * (1 - s),
    "color_dodge": dodge,
    "linear_dodge": lambda b, s: b + s,
    "overlay": lambda b, s: hard(s, b),
    "soft_light": soft,
    "hard_light": hard,
    "vivid_light": lambda b, s: burn(b, 2 * s) if s <= 0.5 else dodge(b, 2 * s - 1),
    "linear_light": lambda b, s: b + 2 * s - 1,
    "pin_light": lambda b, s: min(b, 2 * s) if s <= 0.5 else max(b, 2 * s - 1),
    "hard_mix": lambda b, s: float(round((b + s) * 255) >= 255),
    "difference": lambda b, s: abs(b - s),
    "exclusion": lambda b, s: b + s - 2 * b * s,
    "subtract": lambda b, s: b - s,
    "divide": lambda b, s: b / s if s else float(b > 0),
}


def lum(c: Colour) -> float:
    return 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2]


def set_lum(c: Colour, wanted: float) -> Colour:
    d = wanted - lum(c)
    c = tuple(x + d for x in c)
    l, n, x = lum(c), min(c), max(c)  # noqa: E741 - the names of the specification
    if n < 0:
        c = tuple(l + (v - l) * l / (l - n) for v in c)
    if x > 1:
        c = tuple(l + (v - l) * (1 - l) / (x - l) for v in c)
    return c


def set_sat(c: Colour, wanted: float) -> Colour:
    low, range_ = min(c), max(c) - min(c)
    return tuple((v - low) * wanted / range_ for v in c) if range_ else (0.0, 0.0, 0.0)


def sat(c: Colour) -> float:
    return max(c) - min(c)


COLOURS: dict[str, Callable[[Colour, Colour], Colour]] = {
    "darker_color": lambda b, s: s if lum(s) < lum(b) else b,
    "lighter_color": lambda b, s: s if lum(s) > lum(b) else b,
    "hue": lambda b, s: set_lum(set_sat(s, sat(b)), lum(b)),
    "saturation": lambda b, s: set_lum(set_sat(b, sat(s)), lum(b)),
    "color": lambda b, s: set_lum(s, lum(b)),
    "luminosity": lambda b, s: set_lum(b, lum(s)),
}


def mixed(mode: str, b: Colour, s: Colour) -> Colour:
    if mode in COLOURS:
        return COLOURS[mode](b, s)
    return tuple(CHANNELS[mode](x, y) for x, y in zip(b, s, strict=True))


def light(tone: float) -> float:
    return tone / 12.92 if tone <= 0.04045 else ((tone + 0.055) / 1.055) ** 2.4


def tone(light: float) -> float:
    return light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def composited(
    mode: str, below: Colour, above: Colour, opacity: float, linear: bool
) -> tuple[Colour, float]:
    """Return colour and alpha of RGBA over RGBA (W3C, 9.1.4)."""
    (cb, ab), (cs, a_s) = (below[:3], below[3]), (above[:3], above[3] * opacity)
    if linear:
        cb, cs = tuple(map(light, cb)), tuple(map(light, cs))
    blend = tuple(min(1.0, max(0.0, v)) for v in mixed(mode, cb, cs))
    alpha = a_s + ab * (1 - a_s)
    source = tuple((1 - ab) * s + ab * m for s, m in zip(cs, blend, strict=True))
    co = tuple(
        (a_s * s + (1 - a_s) * ab * b) / alpha if alpha else b
        for s, b in zip(source, cb, strict=True)
    )
    return tuple(map(tone, co)) if linear else co, alpha


def samples(count: int, channels: int) -> np.ndarray[Any, Any]:
    """Return random colours, and those where the formulas have their corners."""
    random = np.random.default_rng(9).integers(0, 256, (count, channels), np.uint8)
    random[: count // 2] = np.random.default_rng(8).choice(
        np.array([0, 63, 64, 127, 128, 254, 255], np.uint8), (count // 2, channels)
    )
    return random


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels", [3, 4])
def test_every_mode_follows_its_formula(
    mode: Any, channels: int, linear: bool, run_node: NodeRunner
) -> None:
    below, above = samples(160, channels), samples(160, channels)[::-1].copy()
    for opacity in (1.0, 0.4):
        node = Paste(
            image=ImageData.of(Image.fromarray(below[None])),
            paste=ImageData.of(Image.fromarray(above[None])),
            blend_mode=mode,
            opacity=opacity,
            linear_light=linear,
        )
        found = np.asarray(run_node(node).image)[0]
        for one, other, result in zip(below, above, found, strict=True):
            b, s = (tuple(float(v) / 255 for v in (*pixel, 255)[:4]) for pixel in (one, other))
            if mode in COLOURS and abs(lum(b) - lum(s)) < 1e-4:
                continue
            colour, alpha = composited(mode, b, s, opacity, linear)
            if channels == 4:
                assert abs(result[3] - alpha * 255) <= 1
            if round(alpha * 255) > 2:
                away = max(abs(result[i] - colour[i] * 255) for i in range(3))
                assert away <= (1.01 if alpha > 0.02 else 3), (b, s, colour, result)


@pytest.mark.parametrize(
    ("mode", "reference"),
    [
        ("multiply", ImageChops.multiply),
        ("screen", ImageChops.screen),
        ("darken", ImageChops.darker),
        ("lighten", ImageChops.lighter),
        ("difference", ImageChops.difference),
        ("linear_dodge", ImageChops.add),
        ("subtract", ImageChops.subtract),
    ],
)
def test_modes_of_pillow(mode: Any, reference: Any, run_node: NodeRunner) -> None:
    below, above = noise(33, 21), scene(33, 21)
    for kind in ("L", "RGB"):
        one, other = below.convert(kind), above.convert(kind)
        found = run_node(
            Paste(image=ImageData.of(one), paste=ImageData.of(other), blend_mode=mode)
        ).image
        away = np.asarray(found, int) - np.asarray(reference(one, other), int)
        assert found.mode == kind and np.abs(away).max() <= 1


@pytest.mark.parametrize(
    ("anchor", "at"),
    [("top_left", (0, 0)), ("center", (15, 8)), ("bottom_right", (30, 16)), ("top", (15, 0))],
)
def test_anchors_and_offsets(anchor: Any, at: tuple[int, int], run_node: NodeRunner) -> None:
    patch = Image.new("RGB", (10, 8), "red")
    for left, top in ((0, 0), (-3, 2), (4, -5)):
        whole = Image.new("RGB", (80, 64))
        whole.paste(scene(), (20, 20))
        whole.paste(patch, (20 + at[0] + left, 20 + at[1] + top))
        node = Paste(
            image=ImageData.of(scene()),
            paste=ImageData.of(patch),
            anchor=anchor,
            left=left,
            top=top,
        )
        assert difference(run_node(node).image, whole.crop((20, 20, 60, 44))) == 0


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_a_mask_and_an_opacity_choose_how_much_is_seen(mode: str, run_node: NodeRunner) -> None:
    below, above = glass(scene(), 200).convert(mode), glass(noise(40, 24), 255).convert(mode)
    mask = Image.linear_gradient("L").resize((40, 24))
    mask.paste(0, (0, 0, 40, 1))
    node = Paste(
        image=ImageData.of(below), paste=ImageData.of(above), mask=ImageData.of(mask), opacity=0.5
    )
    found = np.asarray(run_node(node).image, float)
    if mode in ("L", "RGB"):
        share = (np.asarray(mask, float) / 510).reshape(24, 40, *[1] * (found.ndim - 2))
        expected = np.asarray(below) * (1 - share) + np.asarray(above) * share
        assert np.abs(found - expected).max() <= 1
    assert np.abs(found[0] - np.asarray(below, float)[0]).max() <= 1, "black shows nothing"


def test_a_mask_of_another_size_is_brought_to_that_of_the_upper_image(run_node: NodeRunner) -> None:
    mask = Image.new("L", (2, 1))
    mask.putpixel((1, 0), 255)
    white = ImageData.of(Image.new("L", (20, 10), 255))
    node = Paste(image=ImageData.of(Image.new("L", (40, 24))), paste=white, mask=ImageData.of(mask))
    found = run_node(node).image
    assert found.getpixel((1, 5)) < 20 and found.getpixel((18, 5)) > 235
    assert found.getpixel((30, 5)) == 0


@settings(max_examples=40, deadline=None)
@given(opacity=st.floats(0, 1), mode=st.sampled_from(MODES))
def test_what_is_not_seen_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, opacity: float, mode: Any
) -> None:
    run = NodeRunner(tmp_path_factory.getbasetemp())
    hidden = ImageData.of(glass(noise(40, 24), 0))
    for base in (scene(), glass(scene(), 0), glass(scene(), 90)):
        node = Paste(image=ImageData.of(base), paste=hidden, blend_mode=mode, opacity=opacity)
        assert difference(run(node).image, base) == 0, base.mode


def test_outside_of_an_anchor(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="outside of the image"):
        run_node(
            Paste(
                image=ImageData.of(scene()),
                paste=ImageData.of(scene(4, 4)),
                anchor="right",
                left=4,
            )
        )
