"""I2, M9: what the numbers of an image stand for survives whatever is done with its profile."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nodetool_core import Context
from nodetool_core.assets.image_data import ImageData
from nodetool_core.assets.loader import ImageLoader
from nodetool_core.assets.modes import in_mode
from nodetool_core.assets.profiles import in_profile, in_srgb, profile_of, srgb_profile
from nodetool_core.context import Reporter
from tests.assets.images import difference, scene
from tests.assets.profiles import display_p3, grey_gamma, printing_colours, tagged


def muted() -> Image.Image:
    """Return colours that sRGB and Display P3 both have."""
    return Image.blend(scene(), Image.new("RGB", scene().size, "grey"), 0.5)


def test_the_profile_of_srgb_is_the_same_everywhere() -> None:
    assert srgb_profile() == srgb_profile() and srgb_profile()[24:36] == bytes(
        (7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0)
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_there_and_back_again(mode: str) -> None:
    image = muted().convert(mode)
    profile = display_p3() if mode.startswith("RGB") else grey_gamma(2.6)
    there = in_profile(image, profile)
    assert there.mode == mode and profile_of(there) == profile and difference(there, image) > 1
    assert difference(in_srgb(there), image) < 1.5
    assert profile_of(in_srgb(there)) == (srgb_profile() if mode.startswith("RGB") else None)


def test_what_is_srgb_already_keeps_every_bit() -> None:
    own = bytearray(srgb_profile())
    own[24:36] = bytes((7, 230, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0))
    image = tagged(scene(), bytes(own))
    assert in_srgb(image) is image and in_srgb(scene()).info == {}


@pytest.mark.parametrize(
    "profile", [b"", b"wide", bytes(200), srgb_profile()[:90], grey_gamma(), printing_colours()]
)
def test_a_profile_that_can_not_be_used_counts_as_none(profile: bytes) -> None:
    image = tagged(scene(), profile)
    assert profile_of(image) is None
    assert difference(in_srgb(image), scene()) == 0
    assert difference(in_profile(image, display_p3()), in_profile(scene(), display_p3())) == 0
    assert difference(in_profile(scene(), profile), scene()) == 0


@given(profile=st.binary(max_size=60), kind=st.sampled_from([b"RGB ", b"GRAY", b"CMYK", b"Lab "]))
def test_damaged_profiles_raise_nothing(profile: bytes, kind: bytes) -> None:
    image = tagged(scene(), profile[:16].ljust(16, b"\0") + kind + profile)
    assert in_srgb(image).size == image.size


@pytest.mark.parametrize("target", ["L", "LA", "RGB", "RGBA", "1"])
def test_another_kind_of_colours_is_reached_by_way_of_srgb(target: str) -> None:
    grey = tagged(Image.new("L", (4, 4), 100), grey_gamma())
    colour = tagged(Image.new("RGB", (4, 4), (200, 100, 100)), display_p3())
    if target in ("RGB", "RGBA"):
        assert (
            in_mode(grey, target).getpixel((0, 0))[0] == 168
            and "icc_profile" not in in_mode(grey, target).info
        )
        assert in_mode(colour, target).info["icc_profile"] == display_p3()
    elif target in ("L", "LA"):
        assert in_mode(grey, target).info["icc_profile"] == grey_gamma()
        assert "icc_profile" not in in_mode(colour, target).info


def context(warnings: list[str] | None = None) -> Context:
    class Warnings(Reporter):
        def warning(self, message: str, details: Mapping[str, object]) -> None:
            if warnings is not None:
                warnings.append(message)

    return Context("node", reporter=Warnings(), cancelled=None, images=ImageLoader(), models=None)  # type: ignore[arg-type]


def test_m9_whoever_names_a_mode_is_given_srgb() -> None:
    photo = in_profile(muted(), display_p3())
    for mode in ("RGB", "RGBA"):
        seen = context().image(ImageData.of(photo), mode)
        assert (
            difference(seen.convert("RGB"), muted()) < 1.5
            and seen.info["icc_profile"] == srgb_profile()
        )
    assert difference(context().image(ImageData.of(photo), "L"), muted().convert("L")) < 1.5
    as_it_is = context().image(ImageData.of(photo))
    assert (as_it_is.tobytes(), as_it_is.info["icc_profile"]) == (
        photo.tobytes(),
        photo.info["icc_profile"],
    )


def test_i13_a_deep_image_loses_no_bits_without_a_word() -> None:
    told: list[str] = []
    deep = ImageData.of(Image.fromarray(np.full((2, 2), 40_000, np.uint16)))
    assert context(told).image(deep).mode == "I;16" and not told
    assert context(told).image(deep, "RGB").getpixel((0, 0)) == (156, 156, 156)
    assert len(told) == 1 and "8 bits" in told[0]
