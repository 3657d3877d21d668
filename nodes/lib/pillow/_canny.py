"""
Edges by Canny's method (J. Canny, A Computational Approach to Edge Detection, 1986).

1. The change of tone along x and y with Sobel's kernels; its size is |dx| + |dy|.
2. Only ridges are kept: a pixel that changes less than one of its two neighbours across the edge is
  none.
3. Ridges above the high threshold are edges; from them the search goes on over neighbours above the
   low one. Each pixel is visited once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Flags = NDArray[np.bool_]
    Changes = NDArray[np.int16]


def canny_edges(image: Image.Image, low: float, high: float) -> Image.Image:
    """
    Return the edges of a grey image (mode L), white on black, one pixel wide.

    Thresholds are sums of |dx| and |dy|, up to 2040.
    """
    import numpy as np
    from PIL import Image as Pillow

    along_x, along_y = _sobel(np.asarray(image, np.int16))
    change = np.abs(along_x) + np.abs(along_y)
    ridge = _ridges(change, along_x, along_y)
    edges = _connected(ridge & (change > high), ridge & (change > low))
    return Pillow.fromarray(edges.astype(np.uint8) * np.uint8(255))


def _sobel(tones: Changes) -> tuple[Changes, Changes]:
    import numpy as np

    padded = np.pad(tones, 1, mode="edge")
    down = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    across = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    return down[:, 2:] - down[:, :-2], across[2:] - across[:-2]


def _ridges(change: Changes, along_x: Changes, along_y: Changes) -> Flags:
    """Return where the gradient is the greatest across the edge, in one of four directions."""
    import numpy as np

    padded = np.pad(change, 1)
    height, width = change.shape

    def neighbours(down: int, right: int) -> tuple[Changes, Changes]:
        before = padded[1 - down : 1 - down + height, 1 - right : 1 - right + width]
        return before, padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]

    steep, flat = np.abs(along_y), np.abs(along_x)
    is_flat, is_steep = (
        steep < 0.4142 * flat,
        steep > 2.4142 * flat,
    )  # tangents of 22.5 and 67.5 degrees
    falls = (along_x < 0) == (along_y < 0)
    ridge = np.zeros(change.shape, bool)
    cases = [
        (is_flat, 0, 1),
        (is_steep, 1, 0),
        (~is_flat & ~is_steep & falls, 1, 1),
        (~is_flat & ~is_steep & ~falls, 1, -1),
    ]
    for chosen, down, right in cases:
        before, after = neighbours(down, right)
        # The one comparison is strict, so that of two equal neighbours one is taken.
        ridge |= chosen & (change > before) & (change >= after)
    return ridge


def _connected(certain: Flags, possible: Flags) -> Flags:
    """Return possible pixels that a chain in eight directions connects to a certain one."""
    import numpy as np

    width = certain.shape[1] + 2
    found, open_ = np.pad(certain, 1).ravel(), np.pad(possible, 1).ravel()
    open_ &= ~found
    steps = np.array(
        [down * width + right for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
    )
    front = np.flatnonzero(found)
    while front.size:
        near = (front[:, None] + steps).ravel()
        front = np.unique(near[open_[near]])
        open_[front] = False
        found[front] = True
    return found.reshape(-1, width)[1:-1, 1:-1]
