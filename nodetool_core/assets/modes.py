"""
Modes: how the pixels of an image are stored.

Nodes are given images of few modes: `1`, `L`, `LA`, `RGB`, `RGBA`, and for deep tones `I;16` (white
is 65535) and `F` (white is 1.0). Whatever comes in another mode is brought to one of these when it
is opened. Numbers of 32 bits don't state which of them is white, so that has to be guessed; it is
guessed once, then, and nothing that happens to the image later can change it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from nodetool_core.assets.profiles import fits, in_srgb, profile_of, without_profile

if TYPE_CHECKING:
    from PIL import Image

Warn = Callable[[str], None]
"""Takes what a user should know of how an image was read."""

DEEP_MODES: Final = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})
"""Modes of one channel with more than 8 bits."""
BITS_LOST: Final = "The image has more than 8 bits a channel; it is worked on with 8."
_ALPHA_MODES: Final = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
_STANDARD_MODES: Final = frozenset({"1", "L", "LA", "RGB", "RGBA", "I;16"})

_LIGHT: Final = 8.0
"""
Up to this a float counts as a tone of 0 to 1.

Highlights beyond white, and what resampling adds to an edge.
"""
_OVERSHOOT: Final = 1.25
"""What resampling may add to the brightest tone, as a factor."""


def ignore_warning(_: str) -> None:
    """Drop what a user should know, where nobody listens."""


def standard_mode(image: Image.Image, warn: Warn = ignore_warning) -> Image.Image:
    """
    Return the image in a mode that nodes are given; as it is where it has one.

    Calls `warn` with what had to be guessed.
    """
    mode = image.mode
    if mode in ("I", "F"):
        return _fixed_scale(image, warn)
    if mode == "I;16" or (
        mode in _STANDARD_MODES and (mode.endswith("A") or not image.has_transparency_data)
    ):
        return _without_colour_key(image) if mode == "I;16" else image
    if mode in DEEP_MODES:
        return _without_colour_key(image).convert("I;16")
    if mode in ("1", "L", "La"):
        return image.convert("LA")
    if mode == "CMYK" and profile_of(image) is None:
        warn(
            "The image is made for printing (CMYK) and has no colour profile that can be used: its"
            " colours are approximate."
        )
    return in_mode(image, "RGBA" if image.has_transparency_data else "RGB")


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """
    Return the image in another mode.

    Transparent pixels come out on white where the mode has no alpha.

    Deep tones (16-bit, 32-bit, float) are scaled to 8 bits, where Pillow alone would clip them. A
    profile that is none for the
    new mode is not kept: the colours are sRGB then. Raises ValueError for a mode that Pillow can't
        convert to.
    """
    if image.mode == mode:
        return image
    image = _common(image)
    if image.mode in DEEP_MODES and mode not in DEEP_MODES:
        image = _eight_bit(image)
    if (
        "icc_profile" in image.info
        and not fits(image.info["icc_profile"], mode)
        and profile_of(image) is not None
    ):
        image = without_profile(in_srgb(image))
    if image.has_transparency_data and mode not in _ALPHA_MODES:
        image = _on_white(image)
    return image if image.mode == mode else image.convert(mode)


def _common(image: Image.Image) -> Image.Image:
    """
    Return the image without what Pillow can't convert well.

    LAB, CMYK by its profile, premultiplied alpha, a colour key of 16 bits.
    """
    if image.mode == "LAB":
        from PIL import ImageCms

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image
        return without_profile(image)
    if image.mode == "CMYK":
        return in_srgb(image)
    if image.mode in ("La", "RGBa"):
        return image.convert("LA" if image.mode == "La" else "RGBA")
    return _without_colour_key(image) if image.mode in DEEP_MODES else image


def _without_colour_key(image: Image.Image) -> Image.Image:
    if "transparency" in image.info:
        image = image.copy()
        del image.info["transparency"]
    return image


def _on_white(image: Image.Image) -> Image.Image:
    from PIL import Image as Pillow

    rgba = image.convert("RGBA")
    flat = Pillow.alpha_composite(Pillow.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    if "icc_profile" in rgba.info:
        flat.info["icc_profile"] = rgba.info["icc_profile"]
    return flat


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return a deep image as `L`."""
    image = standard_mode(image)
    if image.mode == "L":
        return image
    white = 1.0 if image.mode == "F" else 65535.0
    # Rounded to the nearest tone: the conversion itself cuts the fraction off.
    return image.convert("F").point(lambda value: value * (255.0 / white) + 0.5).convert("L")


def _fixed_scale(image: Image.Image, warn: Warn) -> Image.Image:
    """
    Return an image of mode `I` or `F` as `L`, `I;16` or `F` from 0 to 1.

    What is no number is black, what is beyond white is white.
    """
    import numpy as np
    from PIL import Image as Pillow

    numbers = np.asarray(image)
    if (
        image.mode == "F"
        and "transparency" not in image.info
        and numbers.min() >= 0.0
        and numbers.max() <= 1.0
    ):
        return image
    brightest = float(np.max(numbers, where=np.isfinite(numbers), initial=0))
    white = _white(image.mode, brightest)
    if brightest > 1.0 or image.mode == "I":
        warn(
            f"The image's tones are numbers up to {brightest:g}, which don't state how bright they"
            f" are: {white:g} is taken as white."
        )
    if image.mode == "I" and white <= 65535:
        tones = np.clip(numbers, 0, white).astype(np.uint8 if white == 255 else np.uint16)
    else:
        shares = np.nan_to_num(numbers.astype(np.float64) / white, nan=0.0, posinf=1.0, neginf=0.0)
        tones = np.clip(shares, 0.0, 1.0).astype(np.float32)
    fixed = Pillow.fromarray(tones)
    fixed.info = {name: value for name, value in image.info.items() if name != "transparency"}
    fixed.format = image.format
    return fixed


def _white(mode: str, brightest: float) -> float:
    """
    Return the number that stands for white.

    The least customary one that holds the brightest tone, give or take what resampling adds.
    """
    if mode == "F" and brightest <= _LIGHT:
        return 1.0
    return next((white for white in (255.0, 65535.0) if brightest <= white * _OVERSHOOT), brightest)
