"""
Contrast limited adaptive histogram equalization (K. Zuiderveld, Graphics Gems IV, 1994).

The image is divided into a grid of tiles. Each tile gets the curve that spreads its own tones
evenly, after the counts of its histogram were cut at the clip limit and the cut-off spread over the
tones below it. A pixel takes the curves of the four nearest tiles, weighted by how near their
centres are, so that no border between tiles shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from nodetool_core import Context


_ROUNDS: Final = 256
"""Each round fills at least one tone up, or has nothing left to spread."""


def equalized_locally(
    image: Image.Image, visible: Image.Image | None, clip_limit: float, grid: int, context: Context
) -> Image.Image:
    """
    Return a grey image (mode L) with its contrast strengthened tile by tile.

    Args:
        visible: Not 0 where tones count, mode L; None where all do.
        clip_limit: How many times the mean count a tone may have; 0 for no limit.
        grid: Tiles along each side.
    """
    import numpy as np
    from PIL import Image as Pillow

    tones = np.asarray(image)
    rows, columns = min(grid, image.height), min(grid, image.width)
    counting = np.ones(tones.shape, bool) if visible is None else np.asarray(visible) > 0
    curves = _curves(tones, counting, rows, columns, clip_limit)
    left, right, to_right = _nearest(image.width, columns)
    result = np.empty_like(tones)
    for y, (above, below, to_below) in enumerate(zip(*_nearest(image.height, rows), strict=True)):
        if y % 256 == 0:
            context.check_cancelled()
        line = tones[y]
        upper = curves[above, left, line] * (1 - to_right) + curves[above, right, line] * to_right
        lower = curves[below, left, line] * (1 - to_right) + curves[below, right, line] * to_right
        result[y] = upper * (1 - to_below) + lower * to_below + 0.5
    return Pillow.fromarray(result)


def _curves(
    tones: NDArray[np.uint8],
    counting: NDArray[np.bool_],
    rows: int,
    columns: int,
    clip_limit: float,
) -> NDArray[np.float32]:
    """Return the new tone of every tone for each tile, (rows, columns, 256)."""
    import numpy as np

    curves = np.empty((rows, columns, 256), np.float32)
    bands = zip(np.array_split(tones, rows), np.array_split(counting, rows), strict=True)
    for row, (band, counts_in_band) in enumerate(bands):
        tiles = zip(
            np.array_split(band, columns, axis=1),
            np.array_split(counts_in_band, columns, axis=1),
            strict=True,
        )
        for column, (tile, counts_in_tile) in enumerate(tiles):
            # Where nothing is seen, every tone counts once: the curve that changes nothing.
            seen = tile[counts_in_tile] if counts_in_tile.any() else np.arange(256, dtype=np.uint8)
            counts = np.bincount(seen, minlength=256).astype(np.float64)
            if clip_limit > 0:
                counts = _limited(counts, max(1.0, clip_limit) * seen.size / 256)
            # A tone stands for the middle of its pixels, so that even counts change nothing.
            curves[row, column] = (counts.cumsum() - counts / 2) * (256 / seen.size) - 0.5
    return np.clip(curves, 0, 255)


def _limited(counts: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """
    Return the histogram with no count above the limit, and the same sum.

    What is cut off is spread over the tones below the limit.
    """
    import numpy as np

    limited: NDArray[np.float64] = np.minimum(counts, limit)
    for _ in range(_ROUNDS):
        room = limited < limit
        left = counts.sum() - limited.sum()
        if left <= 1e-9 * limit or not room.any():
            break
        limited = np.minimum(limited + room * (left / room.sum()), limit)
    return limited


def _nearest(
    length: int, tiles: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return the tiles before and after each pixel along a side, and the share of the latter."""
    import numpy as np

    edges = np.cumsum([0, *(part.size for part in np.array_split(np.arange(length), tiles))])
    centres = (edges[:-1] + edges[1:] - 1) / 2
    place = np.interp(np.arange(length), centres, np.arange(tiles))
    before = place.astype(np.intp)
    return before, np.minimum(before + 1, tiles - 1), (place - before).astype(np.float32)
