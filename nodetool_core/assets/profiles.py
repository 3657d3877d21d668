"""
Colour profiles: which colours the numbers of an image stand for.

An image without a profile, or with one that can't be used for its mode, is read as sRGB. So images
with and without profiles can be brought together: `in_srgb` and `in_profile` change the numbers and
leave the colours.
"""

from __future__ import annotations

from functools import cache, lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from PIL import Image

_SPACES: Final = {
    "RGB": b"RGB ",
    "RGBA": b"RGB ",
    "P": b"RGB ",
    "PA": b"RGB ",
    "1": b"GRAY",
    "L": b"GRAY",
    "LA": b"GRAY",
    "I;16": b"GRAY",
    "F": b"GRAY",
    "CMYK": b"CMYK",
    "LAB": b"Lab ",
}
"""The colour space that a profile has to be of, by the mode of the image."""

_MODE_OF: Final = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK", b"Lab ": "LAB"}
"""The mode that a profile's colours are computed in."""

_ROUNDING: Final = 2
"""Tones by which a profile may differ from sRGB and still count as it: what rounding does."""

_CREATED: Final = slice(24, 36)
"""Where a profile has the time when it was made."""


@cache
def srgb_profile() -> bytes:
    """Return a profile of sRGB, the same bytes in every process."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_CREATED] = bytes((7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))
    return bytes(profile)


def fits(profile: object, mode: str) -> bool:
    """Return whether a profile is one for the colours of a mode."""
    return isinstance(profile, bytes) and profile[16:20] == _SPACES.get(mode)


def is_out_of_place(image: Image.Image) -> bool:
    """Return whether an image has a profile that is none for its mode."""
    profile = image.info.get("icc_profile")
    return profile is not None and image.mode in _SPACES and not fits(profile, image.mode)


def profile_of(image: Image.Image) -> bytes | None:
    """
    Return the profile by which the image is to be read.

    None where it has none that can be used, so that it is sRGB.
    """
    profile = image.info.get("icc_profile")
    usable = isinstance(profile, bytes) and fits(profile, image.mode) and _kind(profile) != "broken"
    return profile if usable else None


def in_srgb(image: Image.Image) -> Image.Image:
    """
    Return the same colours as sRGB.

    An image that had a profile has sRGB's afterwards; grey has no need of one.

    CMYK with a profile becomes RGB. Comes back as it is where it is sRGB already, or has too many
    bits to be computed with (I;16, F).
    """
    profile = profile_of(image)
    if profile is None or _kind(profile) == "srgb" or image.mode in ("1", "P", "PA", "I;16", "F"):
        return image
    converted = _transformed(image, profile, srgb_profile())
    if image.mode in ("L", "LA"):
        converted = converted.convert(image.mode)
        del converted.info["icc_profile"]
    return converted


def in_profile(image: Image.Image, wanted: bytes | None) -> Image.Image:
    """
    Return the same colours (L, LA, RGB, RGBA) in another profile.

    They are in sRGB where that is None, or none for the image's mode.
    """
    own = profile_of(image)
    if own == wanted:
        return image
    if wanted is None or not fits(wanted, image.mode) or _kind(wanted) == "broken":
        return without_profile(in_srgb(image))
    if _kind(wanted) == "srgb" and (own is None or _kind(own) == "srgb"):
        tagged = image.copy()
        tagged.info["icc_profile"] = wanted
        return tagged
    return _transformed(image, own or srgb_profile(), wanted)


def without_profile(image: Image.Image) -> Image.Image:
    """Return the image without its profile."""
    if "icc_profile" in image.info:
        image = image.copy()
        del image.info["icc_profile"]
    return image


def _transformed(image: Image.Image, source: bytes, target: bytes) -> Image.Image:
    """
    Return the image in the space of the target, with its alpha.

    Raises ImageCms.PyCMSError for a profile that can't be used.
    """
    from PIL import ImageCms

    colours = image.convert(_MODE_OF[source[16:20]])
    mode = _MODE_OF[target[16:20]]
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    converted = ImageCms.profileToProfile(
        colours,
        BytesIO(source),
        BytesIO(target),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        mode,
        flags=flags,
    )
    assert converted is not None
    if image.mode in ("RGBA", "LA"):
        converted.putalpha(image.getchannel("A"))
    converted.info = {**image.info, "icc_profile": target}
    return converted


@lru_cache(maxsize=64)
def _kind(profile: bytes) -> Literal["srgb", "other", "broken"]:
    """
    Return whether a profile means sRGB, another space, or nothing.

    Told by what it does to a few colours, not by its name.
    """
    from PIL import Image, ImageChops, ImageCms

    space = profile[16:20]
    if space == b"Lab " or space not in _MODE_OF:
        return "other" if space in _MODE_OF else "broken"
    tones = [*range(0, 256, 51)]
    colours = Image.new("RGB", (36, 6))
    colours.putdata([(red, green, blue) for red in tones for green in tones for blue in tones])
    shown = colours.convert("L").convert("RGB") if space == b"GRAY" else colours
    try:
        meant = _transformed(shown.convert(_MODE_OF[space]), profile, srgb_profile())
    except ImageCms.PyCMSError:
        return "broken"
    extremes = ImageChops.difference(meant, shown).getextrema()
    worst = max(high for _, high in extremes)  # type: ignore[misc]
    return "srgb" if space != b"CMYK" and worst <= _ROUNDING else "other"
