"""
Look-up tables in files of the Cube LUT format (Adobe, version 1.0).

A table of one dimension has a column of tones for each channel; one of three a colour for each of
size³ points, red changing fastest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes._pixels import Band

    Table = NDArray[np.float32]
    Points = NDArray[np.intp]
    Step = int | Points

_MOST: Final = {1: 65536, 3: 256}


class LutError(ValueError):
    """What is wrong with a file."""


@dataclass(frozen=True)
class Lut:
    """A table with the colours that its ends stand for."""

    table: Table
    """(size, 3) of one dimension, (size, size, size, 3) by blue, green and red of three."""
    low: Table
    high: Table

    def at(self, colours: Band, interpolation: str) -> Band:
        """Return what colours of 0 to 1, (…, 3), become; those beyond the domain take its end."""
        import numpy as np

        size = self.table.shape[0]
        place = np.clip((colours - self.low) / (self.high - self.low), 0.0, 1.0) * (size - 1)
        if self.table.ndim == 2:
            points = np.arange(size)
            channels = [
                np.interp(place[..., index], points, self.table[:, index]) for index in range(3)
            ]
            return np.stack(channels, axis=-1).astype(np.float32)
        cell = np.minimum(place.astype(np.intp), size - 2)
        share = (place - cell).astype(np.float32)
        find = _tetrahedral if interpolation == "tetrahedral" else _trilinear
        return find(self.table.reshape(-1, 3), cell, share, size)


def parsed(text: str) -> Lut:
    """Return the table in a file's text. Raises LutError."""
    import numpy as np

    size, dimensions = 0, 0
    ends = {"DOMAIN_MIN": [0.0] * 3, "DOMAIN_MAX": [1.0] * 3}
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words or words[0] == "TITLE":
            continue
        name, given = words[0], words[1:]
        try:
            if name in ("LUT_1D_SIZE", "LUT_3D_SIZE"):
                size, dimensions = int(given[0]), int(name[4])
            elif name in ends:
                ends[name] = [float(word) for word in given]
            elif name in ("LUT_1D_INPUT_RANGE", "LUT_3D_INPUT_RANGE"):
                ends["DOMAIN_MIN"], ends["DOMAIN_MAX"] = ([float(word)] * 3 for word in given)
            else:
                rows.append([float(word) for word in words])
        except (ValueError, IndexError):
            raise LutError(f"line {number} is {line.strip()[:40]!r}.") from None
    if dimensions == 0 or not 2 <= size <= _MOST[dimensions]:
        raise LutError("it has no LUT_1D_SIZE or LUT_3D_SIZE from 2 on.")
    count = size**dimensions
    if len(rows) != count or any(len(row) != 3 for row in rows):
        raise LutError(f"it has {len(rows)} lines of numbers, and should have {count} of three.")
    if any(len(end) != 3 for end in ends.values()):
        raise LutError("its domain needs three numbers at each end.")
    low, high = (np.array(ends[name], np.float32) for name in ("DOMAIN_MIN", "DOMAIN_MAX"))
    if not (high > low).all() or not np.isfinite(rows).all():
        raise LutError("its domain is empty, or a number is not finite.")
    shape = (size, 3) if dimensions == 1 else (size, size, size, 3)
    return Lut(np.array(rows, np.float32).reshape(shape), low, high)


def _corner(flat: Table, cell: Points, size: int, red: Step, green: Step, blue: Step) -> Table:
    """Return the colours at a corner of each cell: its first point, plus 0 or 1 a channel."""
    row: Points = (cell[..., 2] + blue) * size + cell[..., 1] + green
    corner: Table = flat[row * size + cell[..., 0] + red]
    return corner


def _trilinear(flat: Table, cell: Points, share: Table, size: int) -> Band:
    red, green, blue = (share[..., index, None] for index in range(3))
    sides = []
    for up in (0, 1):
        low, high = (
            _corner(flat, cell, size, 0, down, up)
            + (_corner(flat, cell, size, 1, down, up) - _corner(flat, cell, size, 0, down, up))
            * red
            for down in (0, 1)
        )
        sides.append(low + (high - low) * green)
    mixed: Band = sides[0] + (sides[1] - sides[0]) * blue
    return mixed


def _tetrahedral(flat: Table, cell: Points, share: Table, size: int) -> Band:
    """
    Go from the first corner of a cell to its last one along its edges, the largest share first.

    Of the six tetrahedra of a cell, that is the one that a colour lies in.
    """
    import numpy as np

    order = np.argsort(-share, axis=-1, kind="stable")
    steps = np.zeros(cell.shape, np.intp)
    here = _corner(flat, cell, size, 0, 0, 0)
    result = here.copy()
    for index in range(3):
        channel = order[..., index : index + 1]
        np.put_along_axis(steps, channel, 1, axis=-1)
        there = _corner(flat, cell, size, steps[..., 0], steps[..., 1], steps[..., 2])
        result += (there - here) * np.take_along_axis(share, channel, axis=-1)
        here = there
    return result
