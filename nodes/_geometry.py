"""Sizes and resampling, shared by the nodes that change an image's geometry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from nodetool_core import NodeError

if TYPE_CHECKING:
    from PIL import Image

MAX_SIDE: Final = 16384
"""The longest side that is made, in pixels."""
MAX_PIXELS: Final = 100_000_000
"""The most pixels that are made: what can also be read again."""

Size = tuple[int, int]


def check_size(width: int, height: int, hint: str = "Choose a smaller size.") -> Size:
    """
    Return the size, if an image of it may be made.

    Raises NodeError, with what to do where it is too large.
    """
    if width < 1 or height < 1:
        raise NodeError(
            f"The image would have {width} x {height} pixels.", "Both sides need at least 1."
        )
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        limit = f"at most {MAX_SIDE} a side and {MAX_PIXELS // 1_000_000} megapixels are made"
        raise NodeError(f"The image would have {width} x {height} pixels; {limit}.", hint)
    return width, height


def longest_side_of(size: Size) -> int:
    """Return the longest side that an image of the shape of a size may have."""
    width, height = size
    return min(MAX_SIDE, math.isqrt(MAX_PIXELS * max(size) // min(width, height)))


def fitted_size(size: Size, box: Size) -> Size:
    """Return the largest size of the same shape that fits into the box; sides are at least 1."""
    (width, height), (box_width, box_height) = size, box
    if width * box_height >= height * box_width:
        return box_width, min(box_height, max(1, round(height * box_width / width)))
    return min(box_width, max(1, round(width * box_height / height))), box_height


def resized(image: Image.Image, size: Size) -> Image.Image:
    """
    Return the image in another size, by a Lanczos kernel that covers every source pixel.

    Palettes and bilevel images are converted first, because indices can't be averaged; colours are
    weighted by their alpha (Pillow does so for RGBA and LA), so that hidden pixels leave no
    fringes.
    """
    from PIL import Image as Pillow

    if image.size == size:
        return image
    return within_range(smooth(image).resize(size, Pillow.Resampling.LANCZOS))


def covering(image: Image.Image, size: Size) -> Image.Image:
    """Return the image cropped around its centre to the shape of a size, and resized to it."""
    from PIL import Image as Pillow
    from PIL import ImageOps

    return (
        image
        if image.size == size
        else within_range(ImageOps.fit(smooth(image), size, Pillow.Resampling.LANCZOS))
    )


def smooth(image: Image.Image) -> Image.Image:
    """Return the image in a mode whose pixels can be averaged."""
    from nodetool_core.assets.modes import in_mode, standard_mode

    image = standard_mode(image)
    return in_mode(image, "L") if image.mode == "1" else image


def within_range(image: Image.Image) -> Image.Image:
    """
    Return the image without what resampling adds beyond black and white beside an edge.

    Pillow itself leaves that in floats.
    """
    if image.mode != "F":
        return image
    import numpy as np
    from PIL import Image as Pillow

    clipped = Pillow.fromarray(np.asarray(image).clip(0.0, 1.0))
    clipped.info = dict(image.info)
    return clipped
