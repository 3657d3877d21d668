"""
Grading, grain, keys and masks that are shown, beside their formula in NumPy or OpenCV.

Each is asked for grey and colours, without alpha and with an alpha that has to stay.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import color

from nodes.lib.pillow.color_grading import (
    CDL,
    ChannelMixer,
    ColorBalance,
    Exposure,
    GradientMap,
    HSLAdjust,
    Levels,
    LiftGammaGain,
    SaturationVibrance,
    SplitToning,
    Vignette,
)
from nodes.lib.pillow.mask import ChromaKey, ShowMask
from nodes.lib.pillow.stylize import FilmGrain
from nodetool_core import ColorRef, ImageData, Node
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_references import ALPHA, tones

Tones = np.ndarray[Any, Any]
Reference = Callable[[Tones], Tones]

BT709 = np.array([0.2126, 0.7152, 0.0722])
"""Share of red, green and blue in the luma."""


def lift_gamma_gain(image: Tones) -> Tones:
    """Return gain at white, lift at black, then the inverse of gamma as the power."""
    lift, gain = np.array([0.15, 0.1, 0.05]), np.array([0.9, 1.08, 0.9])
    gamma = np.array([1.2, 1.2, 0.96])
    return np.clip(image * gain + lift * (1 - image), 0, 1) ** (1 / gamma)


def split_toned(balance: float) -> Reference:
    """Return what adds blue to the shadows and orange to the highlights, at no luma."""

    def toned(image: Tones) -> Tones:
        bright = np.clip((image @ BT709)[..., None] + balance / 2, 0, 1)
        bright = bright**2 * (3 - 2 * bright)
        blue, orange = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.5, 0.0])
        shadow, highlight = ((one - one @ BT709) * 0.35 for one in (blue, orange))
        return image + 0.5 * shadow * (1 - bright) + 0.8 * highlight * bright

    return toned


def exposed(image: Tones) -> Tones:
    """Return one stop more: twice the light, by the curve of scikit-image."""
    light = color.rgb2xyz(image) * 2
    return np.asarray(color.xyz2rgb(light))


def grained(channels: int) -> Reference:
    """Return grain of a standard deviation of 1, most at a luma of 1/2, none at the ends."""

    def with_grain(image: Tones) -> Tones:
        shape = (channels, *image.shape[:2])
        noise = np.random.default_rng(5).standard_normal(shape, np.float32).transpose(1, 2, 0)
        luma = (image @ BT709)[..., None]
        return image + 0.2 * 4 * luma * (1 - luma) * noise / noise.std()

    return with_grain


def decided(image: Tones) -> Tones:
    """Return slope, offset and power, then saturation around the luma (ASC CDL 1.2)."""
    toned = np.clip(image * [1.1, 1, 0.9] + [0, 0.05, 0], 0, 1) ** [1, 1.2, 1]
    return saturated(0.7)(toned)


def saturated(factor: float) -> Reference:
    def strengthened(image: Tones) -> Tones:
        luma = (image @ BT709)[..., None]
        return luma + (image - luma) * factor

    return strengthened


def vibrant(image: Tones) -> Tones:
    """Return colours that are less strengthened the stronger they are."""
    luma, strength = (image @ BT709)[..., None], np.ptp(image, axis=2)[..., None]
    return luma + (image - luma) * (1 + 0.5 * (1 - strength))


def warmer(image: Tones) -> Tones:
    """Return more red and less blue, at the luma of before, as colourful as RGB has it."""
    luma, shifted = (image @ BT709)[..., None], image * [1.06, 1, 0.94]
    away = shifted * luma / np.maximum(shifted @ BT709, 1e-6)[..., None] - luma
    room = np.where(away > 0, 1 - luma, luma) / np.maximum(np.abs(away), 1e-6)
    return luma + away * np.minimum(1, room.min(axis=2, keepdims=True))


def turned(image: Tones) -> Tones:
    """Return hues 90 degrees further, by the standard library."""
    flat = [colorsys.rgb_to_hls(*colour) for colour in image.reshape(-1, 3).tolist()]
    back = [colorsys.hls_to_rgb((hue + 0.25) % 1, light, sat) for hue, light, sat in flat]
    return np.array(back).reshape(image.shape)


def vignetted(image: Tones) -> Tones:
    """Return a smooth fall of the light from the middle to the corners."""
    y, x = (np.abs((np.arange(n) + 0.5) / n * 2 - 1) for n in image.shape[:2])
    share = np.clip((np.hypot(x[None, :], y[:, None]) / 2**0.5 - 0.4) / 0.5, 0, 1)
    return image * (1 - 0.6 * share**2 * (3 - 2 * share))[..., None]


def mapped(image: Tones) -> Tones:
    """Return the colour of a gradient at each luma of Rec. 601."""
    luma = cv2.cvtColor((image * 255).round().astype(np.uint8), cv2.COLOR_RGB2GRAY) / 255
    stops = np.array([[0, 0, 128], [96, 80, 112], [200, 200, 224]]) / 255
    return np.stack([np.interp(luma, (0, 0.5, 1), stops[:, one]) for one in range(3)], axis=2)


MIXED = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.0, 0.2, 0.8]])
STOPS = [ColorRef(value=one) for one in ("#000080", "#605070", "#c8c8e0")]
SPLIT = {"shadow_hue": 240.0, "highlight_hue": 30.0}
STRENGTHS = {"shadow_saturation": 0.5, "highlight_saturation": 0.8}
WHEELS = {
    "lift_r": 0.1,
    "lift_g": 0.05,
    "lift_master": 0.05,
    "gamma_b": 0.8,
    "gamma_master": 1.2,
    "gain_g": 1.2,
    "gain_master": 0.9,
}
DECISIONS = {"slope_r": 1.1, "slope_b": 0.9, "offset_g": 0.05, "power_g": 1.2, "saturation": 0.7}
LEVELS = {"black": 30, "white": 220, "gamma": 1.4, "output_black": 10}
MIX = {name: list(row) for name, row in zip(("red", "green", "blue"), MIXED, strict=True)}
CASES: list[tuple[type[Node], dict[str, Any], Reference]] = [
    (CDL, DECISIONS, decided),
    (ChannelMixer, MIX, lambda image: image @ MIXED.T),
    (ColorBalance, {"temperature": 0.2}, warmer),
    (GradientMap, {"colors": STOPS}, mapped),
    (HSLAdjust, {"hue": 90.0}, turned),
    (
        Levels,
        LEVELS,
        lambda image: (10 + 245 * np.clip((image * 255 - 30) / 190, 0, 1) ** (1 / 1.4)) / 255,
    ),
    (SaturationVibrance, {"saturation": -0.4}, saturated(0.6)),
    (SaturationVibrance, {"vibrance": 0.5}, vibrant),
    (Vignette, {"amount": 0.6, "midpoint": 0.4, "feather": 0.5, "roundness": 0.0}, vignetted),
    (LiftGammaGain, WHEELS, lift_gamma_gain),
    (SplitToning, SPLIT | STRENGTHS, split_toned(0.0)),
    (SplitToning, SPLIT | STRENGTHS | {"balance": 0.6}, split_toned(0.6)),
    (SplitToning, SPLIT | STRENGTHS | {"balance": -0.6}, split_toned(-0.6)),
    (Exposure, {"exposure": 1.0}, exposed),
    (FilmGrain, {"amount": 0.2, "seed": 5}, grained(1)),
    (FilmGrain, {"amount": 0.2, "seed": 5, "monochrome": False}, grained(3)),
]


def source(mode: str) -> Image.Image:
    image = Image.fromarray(tones()).convert(mode.removesuffix("A"))
    if mode.endswith("A"):
        image.putalpha(ALPHA)
    return image


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize(("node", "properties", "reference"), CASES)
def test_colours_are_graded_as_the_formula_says(
    node: type[Node],
    properties: dict[str, Any],
    reference: Reference,
    mode: str,
    run_node: NodeRunner,
) -> None:
    image = source(mode)
    found = run_node(node(image=ImageData.of(image), **properties)).image
    assert found.mode == ("RGBA" if mode.endswith("A") else "RGB")
    colours = np.asarray(image.convert("RGB")) / 255
    expected = np.clip(reference(colours), 0, 1) * 255
    assert np.abs(np.asarray(found.convert("RGB")) - expected).max() <= 1.01
    if mode.endswith("A"):
        assert found.getchannel("A").getextrema() == (ALPHA, ALPHA)


def test_large_grain_is_noise_enlarged_as_opencv_enlarges_it(run_node: NodeRunner) -> None:
    middle = Image.new("RGB", (64, 48), (128, 128, 128))
    node = FilmGrain(image=ImageData.of(middle), amount=0.1, size=4.0, seed=2)
    noise = np.random.default_rng(2).standard_normal((12, 16), np.float32)
    large = cv2.resize(noise, (64, 48), interpolation=cv2.INTER_CUBIC)
    found = np.asarray(run_node(node).image.convert("L"), float) - 128
    assert np.corrcoef(found.ravel(), large.ravel())[0, 1] > 0.99
    assert found.std() == pytest.approx(25.5, rel=0.03)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("softness", [0.0, 0.2])
@pytest.mark.parametrize("key", ["#00b140", "#2040d0", "#c02020"])
def test_a_colour_is_keyed_by_its_distance_in_opencvs_chroma(
    key: str, softness: float, mode: str, run_node: NodeRunner
) -> None:
    image = source(mode)
    node = ChromaKey(
        image=ImageData.of(image), color=ColorRef(value=key), tolerance=0.15, softness=softness
    )
    made = run_node(node)
    colours = np.asarray(image.convert("RGB"))
    wanted = np.array([[[int(key[at : at + 2], 16) for at in (1, 3, 5)]]], np.uint8)
    chroma, of_key = (
        cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)[..., 1:].astype(float)
        for pixels in (colours, wanted)
    )
    away = np.hypot(*np.moveaxis(chroma - of_key, -1, 0)) / 255 - 0.15
    expected = np.clip(away / softness, 0, 1) * 255 if softness else (away > 0) * 255
    found = np.asarray(made.output.image, float)
    if softness:
        assert np.abs(found - expected).max() <= 9, "a step of Cb or Cr is 5 tones"
    else:
        assert (found != expected).mean() < 0.03
    channel = int(np.argmax(wanted))
    others = (colours.sum(axis=2) - colours[..., channel].astype(float)) / 2
    cut = np.asarray(made.cutout.image, float)
    assert np.abs(cut[..., channel] - np.minimum(colours[..., channel], others)).max() <= 0.5
    alpha = found * ALPHA / 255 if mode == "RGBA" else found
    assert np.abs(cut[..., 3] - alpha).max() < 1


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("opacity", [0.0, 0.35, 1.0])
def test_a_mask_is_shown_as_opencv_mixes(mode: str, opacity: float, run_node: NodeRunner) -> None:
    image, mask = source(mode), np.ascontiguousarray(tones()[..., 1])
    node = ShowMask(
        image=ImageData.of(image),
        mask=ImageData.of(Image.fromarray(mask)),
        color=ColorRef(value="#2080ff"),
        opacity=opacity,
    )
    found = run_node(node).image
    below = np.asarray(image.convert("RGB"), np.float32)
    above = np.full_like(below, (0x20, 0x80, 0xFF))
    share = mask.astype(np.float32) / 255 * opacity
    expected = cv2.blendLinear(above, below, share, 1 - share)
    assert np.abs(np.asarray(found.convert("RGB")) - expected).max() <= 1.5
    if mode.endswith("A"):
        assert found.getchannel("A").getextrema() == (ALPHA, ALPHA)
