"""
Tiles: boxes that cover an image, and blending them together again.

Upscaling networks see only a neighbourhood, so they get each tile with a margin that is cut off
afterwards. Diffusion models get overlapping tiles, and each pixel is the mean of the tiles over it,
weighted by ramps that fall towards the tiles' inner edges.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

    from nodes.huggingface.masks import Box


def overlapping_tiles(size: tuple[int, int], tile: tuple[int, int], overlap: int) -> list[Box]:
    """Return evenly spaced boxes of one size that overlap by at least `overlap`; row by row."""
    across, down = (
        _evenly_spaced(length, side, overlap) for length, side in zip(size, tile, strict=True)
    )
    return [(left, upper, right, lower) for upper, lower in down for left, right in across]


def grid_tiles(size: tuple[int, int], side: int) -> list[Box]:
    """Return boxes of at most that side that cover the image without overlap; row by row."""
    width, height = size
    return [
        (left, upper, min(left + side, width), min(upper + side, height))
        for upper in range(0, height, side)
        for left in range(0, width, side)
    ]


def with_margin(box: Box, margin: int, size: tuple[int, int]) -> Box:
    """Return the box grown by `margin` pixels on each side, cut at the image's edges."""
    left, upper, right, lower = box
    return (
        max(0, left - margin),
        max(0, upper - margin),
        min(size[0], right + margin),
        min(size[1], lower + margin),
    )


class TileBlender:
    """Blends overlapping tiles into one image."""

    def __init__(self, size: tuple[int, int], overlap: int) -> None:
        import numpy as np

        self._size = size
        self._overlap = overlap
        self._sums = np.zeros((size[1], size[0], 3), np.float32)
        self._weights = np.zeros((size[1], size[0], 1), np.float32)

    def add(self, box: Box, image: Image.Image) -> None:
        """Add the RGB image of a tile, of the size of its box."""
        import numpy as np

        left, upper, right, lower = box
        across = self._ramp(right - left, left > 0, right < self._size[0])
        down = self._ramp(lower - upper, upper > 0, lower < self._size[1])
        weights = (down[:, None] * across[None, :])[..., None]
        self._sums[upper:lower, left:right] += np.asarray(image, np.float32) * weights
        self._weights[upper:lower, left:right] += weights

    def image(self) -> Image.Image:
        """Return the blended image. Every pixel has to be covered by a tile."""
        import numpy as np
        from PIL import Image as Pillow

        return Pillow.fromarray(np.rint(self._sums / self._weights).clip(0, 255).astype(np.uint8))

    def _ramp(self, length: int, falls_before: bool, falls_behind: bool) -> Any:
        import numpy as np

        ramp = np.ones(length, np.float32)
        rise = np.minimum(np.arange(1, length + 1) / (self._overlap + 1), 1).astype(np.float32)
        if falls_before:
            ramp *= rise
        if falls_behind:
            ramp *= rise[::-1]
        return ramp


def _evenly_spaced(length: int, side: int, overlap: int) -> list[tuple[int, int]]:
    if length <= side:
        return [(0, length)]
    overlap = min(overlap, side - 1)
    count = math.ceil((length - overlap) / (side - overlap))
    starts = [round(index * (length - side) / (count - 1)) for index in range(count)]
    return [(start, start + side) for start in starts]
