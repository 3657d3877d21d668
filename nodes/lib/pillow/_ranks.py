"""
Rank filters: of the tones in a square around each pixel, sorted, the one at a place.

Pillow sorts each square, which costs its area per pixel: minutes for a side of 100. Above a side of `_SORTED`, tones are counted
instead (threshold decomposition): the tone at a rank is the greatest t with at most `rank` tones below t in the square, and a
table of running sums tells how many there are. That is one table for each tone that occurs, whatever the side; both give the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from PIL import Image

    from nodetool_core import Context

_SORTED: Final = 15
"""The side up to which sorting is quicker than counting."""


def ranked(image: Image.Image, size: int, rank: int, context: Context) -> Image.Image:
    """An image of 8 bits a channel under a rank filter, as if it went on evenly beyond its edges. `size` is odd, `rank` from 0."""
    import numpy as np
    from PIL import Image as Pillow
    from PIL import ImageFilter

    if size <= _SORTED:
        return image.filter(ImageFilter.RankFilter(size, rank))
    channels = [Pillow.fromarray(_counted(np.asarray(channel), size, rank, context)) for channel in image.split()]
    return Pillow.merge(image.mode, channels)


def _counted(tones: Any, size: int, rank: int, context: Context) -> Any:
    import numpy as np

    padded = np.pad(tones, size // 2, mode="edge")
    occurring = np.unique(tones)
    table = np.zeros((padded.shape[0] + 1, padded.shape[1] + 1), np.int32)
    result = np.full_like(tones, occurring[0])
    for tone in occurring[1:]:
        context.check_cancelled()
        np.cumsum(np.cumsum(padded < tone, axis=0, dtype=np.int32), axis=1, out=table[1:, 1:])
        below = table[size:, size:] - table[:-size, size:] - table[size:, :-size] + table[:-size, :-size]
        result[below <= rank] = tone
    return result
