"""
Edges of an image, by Canny's method.

1. Gradient of the brightness by Sobel's 3 by 3 filters; its magnitude is |dx| + |dy|.
2. Non-maximum suppression: a pixel is kept where its magnitude is the greatest along the gradient's
   direction, rounded to 0, 45, 90 or 135 degrees. Lines become one pixel thin.
3. Hysteresis: magnitudes above the high threshold are edges, and so are those above the low one
   that a chain of such pixels connects to an edge.

J. Canny, A Computational Approach to Edge Detection, 1986. Costs O(pixels), and in step 3 O(edges).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


def canny_edges(tones: ArrayLike, low: float, high: float) -> NDArray[np.bool_]:
    """
    Return where the edges of a grey image are.

    Args:
        tones: (height, width), 0…255.
        low, high: Thresholds of the slope, 0…2040.

    Returns an array of bool of the same shape.
    """
    import numpy as np

    padded = np.pad(np.asarray(tones, np.int32), 1, mode="edge")
    upper, middle, lower = padded[:-2], padded[1:-1], padded[2:]
    across = (
        (upper[:, 2:] - upper[:, :-2])
        + 2 * (middle[:, 2:] - middle[:, :-2])
        + (lower[:, 2:] - lower[:, :-2])
    )
    down = (
        (lower[:, :-2] - upper[:, :-2])
        + 2 * (lower[:, 1:-1] - upper[:, 1:-1])
        + (lower[:, 2:] - upper[:, 2:])
    )
    slope = np.abs(across) + np.abs(down)
    thin = _non_maximum_suppression(slope, across, down)
    return _hysteresis(thin & (slope > low), thin & (slope > high))


def _non_maximum_suppression(
    slope: NDArray[np.int32], across: NDArray[np.int32], down: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Return where the slope is greatest along its own direction."""
    import numpy as np

    height, width = slope.shape
    around = np.pad(slope, 1)
    flat = np.abs(down) < np.tan(np.pi / 8) * np.abs(across)
    steep = np.abs(down) > np.tan(3 * np.pi / 8) * np.abs(across)
    falling = (across > 0) == (down > 0)
    result: NDArray[np.bool_] = np.zeros_like(flat)
    for chosen, (row, column) in (
        (flat, (0, 1)),
        (steep, (1, 0)),
        (~flat & ~steep & falling, (1, 1)),
        (~flat & ~steep & ~falling, (1, -1)),
    ):
        before = around[1 - row : 1 - row + height, 1 - column : 1 - column + width]
        behind = around[1 + row : 1 + row + height, 1 + column : 1 + column + width]
        # One of two equal neighbours is kept.
        result |= chosen & (slope > before) & (slope >= behind)
    return result


def _hysteresis(weak: NDArray[np.bool_], strong: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return strong pixels, and weak ones that a chain of weak pixels joins to a strong one."""
    import numpy as np

    height, width = weak.shape
    open_ones = np.pad(weak & ~strong, 1).ravel()
    found = np.pad(strong, 1).ravel()
    steps = np.array(
        [
            row * (width + 2) + column
            for row in (-1, 0, 1)
            for column in (-1, 0, 1)
            if (row, column) != (0, 0)
        ]
    )
    front = np.flatnonzero(found)
    while front.size:
        near = np.unique((front[:, None] + steps).ravel())
        front = near[open_ones[near]]
        found[front] = True
        open_ones[front] = False
    return found.reshape(height + 2, width + 2)[1:-1, 1:-1]
