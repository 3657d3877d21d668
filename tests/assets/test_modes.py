"""
I1: how bright a tone is does not depend on what is done with the image.

Whatever numbers it is stored as.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nodes._geometry import covering, resized
from nodetool_core.assets.modes import in_mode, standard_mode
from tests.assets.images import scene

STANDARD = {"1", "L", "LA", "RGB", "RGBA", "I;16", "F"}
MODES = [
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
    "I;16B",
    "La",
    "RGBa",
]
SCALES = [("F", 1.0), ("F", 255.0), ("F", 65_535.0), ("I", 255.0), ("I", 65_535.0)]


def edges(mode: str, white: float, darkest: float = 0.0) -> Image.Image:
    """Return black and white halves, at whose edge Lanczos overshoots."""
    tones = np.full((24, 24), darkest * white)
    tones[:, 12:] = white
    return Image.fromarray(tones.astype(np.float32 if mode == "F" else np.int32))


@pytest.mark.parametrize("mode", MODES)
def test_nodes_are_given_few_modes(mode: str) -> None:
    image = standard_mode(Image.new(mode, (3, 2)))
    assert image.mode in STANDARD and image.size == (3, 2)
    assert standard_mode(image) is image


@pytest.mark.parametrize(("mode", "white"), SCALES)
@given(darkest=st.floats(0.0, 0.9), size=st.tuples(st.integers(3, 60), st.integers(3, 60)))
def test_resampling_keeps_the_scale(
    mode: str, white: float, darkest: float, size: tuple[int, int]
) -> None:
    usual = Image.fromarray(np.rint(np.asarray(edges("F", 255.0, darkest))).astype(np.uint8))
    for resample in (resized, covering):
        small, expected = (
            np.asarray(in_mode(resample(image, size), "L"), int)
            for image in (edges(mode, white, darkest), usual)
        )
        assert np.abs(small - expected).max() <= 2


@pytest.mark.parametrize(("mode", "white"), SCALES)
def test_a_part_is_as_bright_as_it_was_in_the_whole(mode: str, white: float) -> None:
    dark = standard_mode(edges(mode, white, 0.25)).crop((0, 0, 6, 6))
    assert in_mode(dark, "L").getpixel((2, 2)) == pytest.approx(64, abs=1)


def test_the_overshoot_of_another_tool_is_cut_off() -> None:
    image = edges("F", 1.0).resize((31, 31), Image.Resampling.LANCZOS)
    assert image.getextrema()[1] > 1.01
    assert standard_mode(image).getextrema() == (0.0, 1.0)


def test_what_is_no_number_is_black_and_what_has_no_end_is_white() -> None:
    image = Image.fromarray(np.array([[np.nan, -np.inf, np.inf, 0.5]], np.float32))
    assert np.asarray(in_mode(image, "L")).tolist() == [[0, 0, 255, 128]]


@pytest.mark.parametrize("mode", ["HSV", "LAB"])
def test_what_can_not_be_averaged_is_converted_first(mode: str) -> None:
    if mode == "LAB":
        from PIL import ImageCms

        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        source = ImageCms.profileToProfile(scene(), srgb, lab, outputMode="LAB")
        assert source is not None
    else:
        source = scene().convert(mode)
    small, expected = (
        np.asarray(in_mode(resized(image, (9, 7)), "RGB"), float) for image in (source, scene())
    )
    assert np.abs(small - expected).max() < 25
