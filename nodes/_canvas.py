"""Room around an image: of a colour, its edge going on, its mirror image, or a blur of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from nodes._geometry import Box, Size, covering
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
    from PIL import Image as Pillow

    sheet = Pillow.new(image.mode, size)
    sheet.paste(image, at)
    for axis in (0, 1):
        start, end = max(0, at[axis]), min(size[axis], at[axis] + image.size[axis])
        extend = _extend_edge if fill == "edge" else _extend_mirrored
        extend(sheet, start, end, axis)
    return sheet


def _extend_edge(sheet: Image.Image, start: int, end: int, axis: int) -> None:
    """Fill a canvas before `start` and after `end` with the columns (axis 0) or rows there."""
    last = sheet.size[axis]
    for edge, first, stop in ((start, 0, start), (end - 1, end, last)):
        if first < stop:
            room = _strip(sheet, first, stop, axis)
            line = sheet.crop(_strip(sheet, edge, edge + 1, axis))
            sheet.paste(line.resize((room[2] - room[0], room[3] - room[1])), room)


def _extend_mirrored(sheet: Image.Image, start: int, end: int, axis: int) -> None:
    """Fill a canvas before `start` and after `end` with mirror images of what is between."""
    from PIL import Image as Pillow

    turn = (Pillow.Transpose.FLIP_LEFT_RIGHT, Pillow.Transpose.FLIP_TOP_BOTTOM)[axis]
    span = end - start
    while start > 0:
        count = min(start, span)
        part = sheet.crop(_strip(sheet, start, start + count, axis)).transpose(turn)
        sheet.paste(part, _strip(sheet, start - count, start, axis))
        start -= count
    while end < sheet.size[axis]:
        count = min(sheet.size[axis] - end, span)
        part = sheet.crop(_strip(sheet, end - count, end, axis)).transpose(turn)
        sheet.paste(part, _strip(sheet, end, end + count, axis))
        end += count


def _strip(sheet: Image.Image, first: int, stop: int, axis: int) -> Box:
    """Return the box of some columns (axis 0) or rows of a canvas."""
    return (first, 0, stop, sheet.height) if axis == 0 else (0, first, sheet.width, stop)


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
