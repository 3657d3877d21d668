"""
Connected regions of a mask.

Runs of neighbouring pixels in a row are found for the whole image at once, and joined to those of
the next row that they touch. Joined runs take the least number among them until none changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
    Numbers = NDArray[np.intp]


class Regions(NamedTuple):
    """Regions by number: which each run belongs to, and where the runs are."""

    starts: Numbers
    """First pixel of each run, counted row by row in an image with two more columns."""
    ends: Numbers
    labels: Numbers
    """Number of each run's region, from 0."""
    areas: Numbers
    """Pixels of each region."""
    size: tuple[int, int]
    """Rows and columns."""

    def shown(self, chosen: Flags) -> Flags:
        """Return where the chosen regions are, (rows, columns)."""
        import numpy as np

        rows, columns = self.size
        change = np.zeros(rows * (columns + 2) + 1, np.int8)
        runs = chosen[self.labels]
        change[self.starts[runs]] += 1
        change[self.ends[runs]] -= 1
        flags: Flags = np.cumsum(change[:-1], dtype=np.int8).astype(bool)
        return flags.reshape(rows, columns + 2)[:, 1:-1]

    def at(self, x: int, y: int) -> int | None:
        """Return the region of a pixel; None where it is in none."""
        import numpy as np

        place = y * (self.size[1] + 2) + x + 1
        run = int(np.searchsorted(self.starts, place, "right")) - 1
        return int(self.labels[run]) if run >= 0 and place < self.ends[run] else None


def regions(inside: Flags, *, corners: bool = False) -> Regions:
    """
    Return the regions of the pixels that are inside.

    Args:
        corners: Whether pixels that only touch at a corner are joined.
    """
    import numpy as np

    rows, columns = inside.shape
    width = columns + 2
    flat = np.zeros((rows, width), np.int8)
    flat[:, 1:-1] = inside
    change = np.flatnonzero(np.diff(flat.ravel(), prepend=0, append=0))
    starts, ends = change[::2], change[1::2]
    reach = int(corners)
    first = np.searchsorted(ends, starts + width - reach, "right")
    last = np.searchsorted(starts, ends + width + reach, "left")
    counts = np.maximum(last - first, 0)
    above = np.repeat(np.arange(len(starts)), counts)
    below = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[above]
    labels = _joined(len(starts), above, below)
    _, labels = np.unique(labels, return_inverse=True)
    areas = np.bincount(labels, ends - starts).astype(np.intp)
    return Regions(starts, ends, labels, areas, (rows, columns))


def _joined(count: int, one: Numbers, other: Numbers) -> Numbers:
    """Return a number for each of so many things, the same for those that pairs join."""
    import numpy as np

    labels = np.arange(count)
    while True:
        low = np.minimum(labels[one], labels[other])
        before = labels.copy()
        # The root of the greater number takes the lesser one, and whoever has it follows.
        np.minimum.at(labels, before[one], low)
        np.minimum.at(labels, before[other], low)
        while not np.array_equal(labels, labels[labels]):
            labels = labels[labels]
        if np.array_equal(labels, before):
            return labels
