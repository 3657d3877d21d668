"""
Rank filters: of the tones in a square around each pixel, sorted, the one at a place.

Pillow sorts each square, which costs its area per pixel: minutes for a side of 100. Above a side of
`_SORTED`, tones are counted instead (T. S. Huang, 1979): for every column there is a histogram of
the rows of the square, which changes by two tones from row to row, and running sums over the
columns tell the histogram of each square. That costs the number of tones that occur per pixel,
whatever the side; both give the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from nodetool_core import Context

_SORTED: Final = 15
"""The side up to which sorting is quicker than counting."""


_STRIP: Final = 128
"""Rows that are sorted at once."""


def ranked(image: Image.Image, size: int, rank: int, context: Context) -> Image.Image:
    """
    Return an image of 8 bits a channel under a rank filter, extended evenly beyond its edges.

    Args:
        size: Side of the window in pixels, odd.
        rank: Which of the sorted pixels of the window to take, from 0.
    """
    import numpy as np
    from PIL import Image as Pillow

    if size <= _SORTED:
        return _sorted(image, size, rank, context)
    channels = [
        Pillow.fromarray(_counted(np.asarray(channel), size, rank, context))
        for channel in image.split()
    ]
    return Pillow.merge(image.mode, channels)


def _sorted(image: Image.Image, size: int, rank: int, context: Context) -> Image.Image:
    """Do so a strip of rows at a time: a whole photo takes a minute, and a strip a few seconds."""
    from PIL import Image as Pillow
    from PIL import ImageFilter

    result = Pillow.new(image.mode, image.size)
    reach = size // 2
    for top in range(0, image.height, _STRIP):
        context.check_cancelled()
        first, last = max(0, top - reach), min(image.height, top + _STRIP + reach)
        strip = image.crop((0, first, image.width, last))
        ranked_strip = strip.filter(ImageFilter.RankFilter(size, rank))
        bottom = min(image.height, top + _STRIP)
        result.paste(ranked_strip.crop((0, top - first, image.width, bottom - first)), (0, top))
    return result


def _counted(tones: NDArray[np.uint8], size: int, rank: int, context: Context) -> NDArray[np.uint8]:
    import numpy as np

    occurring, places = np.unique(tones, return_inverse=True)
    padded = np.pad(places.reshape(tones.shape), size // 2, mode="edge")
    columns = np.arange(padded.shape[1])
    counts = np.zeros((padded.shape[1], occurring.size), np.int32)
    for line in padded[: size - 1]:
        counts[columns, line] += 1
    sums = np.zeros((padded.shape[1] + 1, occurring.size), np.int32)
    result = np.empty_like(tones)
    for row in range(tones.shape[0]):
        context.check_cancelled()
        counts[columns, padded[row + size - 1]] += 1
        np.cumsum(counts, axis=0, out=sums[1:])
        up_to = np.cumsum(sums[size:] - sums[:-size], axis=1, dtype=np.int32)
        result[row] = occurring[(up_to <= rank).sum(axis=1)]
        counts[columns, padded[row]] -= 1
    return result
