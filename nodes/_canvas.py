"""Room around an image: of a colour, its edge going on, its mirror image, or a blur of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from nodes._geometry import Size, covering
from nodes._pixels import canvas, common_form, in_form, with_profile

if TYPE_CHECKING:
    from PIL import Image

Fill = Literal["color", "edge", "mirror", "blur"]
FILL: Final = (
    "What the room shows: `color`; `edge`, the outermost pixels going on; `mirror`, the image"
    " mirrored at its edge; `blur`, a strong blur of the image."
)
"""What nodes say of their property `fill`."""

_PREVIEW: Final = 128
"""Longest side at which a blur as wide as the image is made, in pixels."""
_DEVIATION: Final = 5.0
"""Standard deviation of the blur at that size, in pixels."""


def placed(
    image: Image.Image, size: Size, at: tuple[int, int], fill: Fill, colour: str
) -> Image.Image:
    """
    Return a canvas of a size with the image (L, LA, RGB, RGBA) on it, and a fill around it.

    Args:
        at: Left and top edge of the image; what reaches over the canvas is cut off.
        colour: The colour of the fill `color`, `#rrggbb` or `#rrggbbaa`.
    """
    if fill in ("edge", "mirror"):
        return with_profile(_going_on(image, size, at, fill), image)
    is_grey = image.mode.startswith("L") and (fill == "blur" or _is_neutral(colour))
    mode, profile = common_form(
        [image], colours=not is_grey, alpha=fill == "color" and len(colour) == 9
    )
    whole = in_form(image, mode, profile)
    if fill == "blur":
        sheet = _blurred(whole, size)
    else:
        sheet = canvas(mode.replace("L", "RGB"), size, colour, None if is_grey else profile)
        sheet = in_form(sheet, mode, profile)
    sheet.paste(whole, at)
    return with_profile(sheet, whole)


def _going_on(image: Image.Image, size: Size, at: tuple[int, int], fill: Fill) -> Image.Image:
    """Return a canvas on which the image's edge goes on, or its mirror image."""
    import numpy as np
    from PIL import Image as Pillow

    (left, top), (width, height) = at, size
    right, bottom = min(image.width, width - left), min(image.height, height - top)
    source = np.asarray(image.crop((max(0, -left), max(0, -top), right, bottom)))
    left, top, (high, wide) = max(0, left), max(0, top), source.shape[:2]
    # Which row and column of the source each of the canvas shows.
    way = "edge" if fill == "edge" else "symmetric"
    rows = np.pad(np.arange(high), (top, height - top - high), mode=way)  # type: ignore[call-overload]
    columns = np.pad(np.arange(wide), (left, width - left - wide), mode=way)  # type: ignore[call-overload]
    result = np.empty((height, width, *source.shape[2:]), source.dtype)
    middle = result[top : top + high]
    middle[:, left : left + wide] = source
    for part in (slice(0, left), slice(left + wide, width)):
        middle[:, part] = source[:, columns[part]]
    for part in (slice(0, top), slice(top + high, height)):
        result[part] = middle[rows[part]]
    return Pillow.fromarray(result)


def _is_neutral(colour: str) -> bool:
    return colour[1:3] == colour[3:5] == colour[5:7]


def _blurred(image: Image.Image, size: Size) -> Image.Image:
    """Return a blur of the image that covers a size: made small, because it has no detail."""
    from PIL import Image as Pillow
    from PIL import ImageFilter

    share = min(1.0, _PREVIEW / max(size))
    small = (max(1, round(size[0] * share)), max(1, round(size[1] * share)))
    soft = covering(image, small).filter(ImageFilter.GaussianBlur(_DEVIATION))
    return soft.resize(size, Pillow.Resampling.BICUBIC)
