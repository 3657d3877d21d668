"""
Painting onto images: layers with alpha, and shapes with smooth edges.

A shape is a set of polygons. The share of a pixel that they cover becomes its opacity. A polygon is
cut by eight lines for each row of pixels. Where an edge crosses a line, the winding number changes
by one from there on, and within that pixel by the part that lies behind the crossing; the sum from
the left is what is inside (nonzero rule). Lines of a row are summed first where no edges cross.
Numbers are kept where they change only. Costs O(edges * lines), and a byte for each pixel of the
box.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from nodes._geometry import Box, Size
from nodes._outlines import Polygon
from nodes._pixels import canvas
from nodetool_core import Context

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Tones = NDArray[np.uint8]
    Edges = NDArray[np.float64]
    """Rows of x, y of the beginning and x, y of the end."""

_LINES: Final = 8
"""Lines by which a row of pixels is cut."""
_ROWS: Final = 64
"""Rows of an image that are painted at once."""
_FAR: Final = 1e6
"""Pixels beyond which a place counts as so far away."""


@dataclass(frozen=True)
class Shape:
    """What is covered: the polygons, without those that are cut out."""

    filled: Sequence[Polygon]
    cut: Sequence[Polygon] = ()
    may_cross: bool = False
    """Whether a polygon's edges may cross each other: its winding numbers are then looked at."""

    @cached_property
    def edges(self) -> tuple[list[Edges], list[Edges]]:
        """The edges of what is filled, and of what is cut out."""
        return [_edges(polygon) for polygon in self.filled], [
            _edges(polygon) for polygon in self.cut
        ]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom edge; nothing where there are no polygons."""
        points = [point for polygon in self.filled for point in polygon]
        if not points:
            return 0.0, 0.0, 0.0, 0.0
        across, down = zip(*points, strict=True)
        return min(across), min(down), max(across), max(down)


def clipped(bounds: tuple[float, float, float, float], size: Size) -> Box | None:
    """Return the pixels of an image that lie within bounds; None where there are none."""
    left, top = max(0, math.floor(bounds[0])), max(0, math.floor(bounds[1]))
    right, bottom = min(size[0], math.ceil(bounds[2])), min(size[1], math.ceil(bounds[3]))
    return (left, top, right, bottom) if left < right and top < bottom else None


def composite(image: Image.Image, layer: Image.Image, at: tuple[int, int]) -> None:
    """Lay a layer (RGBA, sRGB) over an image (RGB or RGBA), which is changed, at a place."""
    from nodetool_core.assets.profiles import in_profile, profile_of

    seen = layer.getbbox()
    if seen is None:
        return
    above = in_profile(
        layer if seen == (0, 0, *layer.size) else layer.crop(seen), profile_of(image)
    )
    place = (at[0] + seen[0], at[1] + seen[1])
    if image.mode == "RGBA":
        image.alpha_composite(above, place)
    else:
        image.paste(above, place, above)


def paint(image: Image.Image, shape: Shape, colour: str, context: Context) -> None:
    """
    Paint a shape in a colour (`#rrggbb` or `#rrggbbaa`) on an image (RGB or RGBA), changing it.

    What reaches over the edge is cut off.
    """
    from PIL import ImageChops

    from nodetool_core.assets.profiles import profile_of

    box = clipped(shape.bounds, image.size)
    if box is None:
        return
    for top in range(box[1], box[3], _ROWS):
        context.check_cancelled()
        strip = (box[0], top, box[2], min(box[3], top + _ROWS))
        mask = coverage(shape, strip)
        covered = mask.getbbox()
        if covered is None:
            continue
        mask = mask.crop(covered)
        layer = canvas("RGBA", mask.size, colour, profile_of(image))
        layer.putalpha(ImageChops.multiply(layer.getchannel("A"), mask))
        composite(image, layer, (strip[0] + covered[0], strip[1] + covered[1]))


def coverage(shape: Shape, box: Box) -> Image.Image:
    """Return how much of each pixel in a box a shape covers, as a mask (L)."""
    import numpy as np
    from PIL import Image as Pillow

    covered = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
    filled, cut = shape.edges
    for edges in filled:
        np.maximum(covered, _covered(edges, box, shape.may_cross), out=covered)
    for edges in cut:
        np.minimum(covered, 255 - _covered(edges, box, shape.may_cross), out=covered)
    return Pillow.fromarray(covered)


def _edges(polygon: Polygon) -> Edges:
    """Return where the edges of a polygon begin and end."""
    import numpy as np

    corners = np.clip(np.asarray(polygon, np.float64), -_FAR, _FAR)
    return np.hstack([corners, np.roll(corners, -1, axis=0)])


def _covered(edges: Edges, box: Box, may_cross: bool) -> Tones:
    """Return how much of each pixel in a box a polygon covers, from 0 to 255."""
    import numpy as np

    left, top, right, bottom = box
    width, height = right - left, bottom - top
    low, high = np.minimum(edges[:, 1], edges[:, 3]), np.maximum(edges[:, 1], edges[:, 3])
    near = (low < bottom) & (high > top)
    (x, y, next_x, next_y), low, high = edges[near].T, low[near, None], high[near, None]
    lines = top + (np.arange(height * _LINES) + 0.5) / _LINES
    edge, line = np.nonzero((low <= lines) & (lines < high))
    share = (lines[line] - y[edge]) / (next_y[edge] - y[edge])
    place = np.clip(x[edge] + share * (next_x[edge] - x[edge]) - left, 0, width)
    pixel = np.floor(place)
    behind = place - pixel
    way = np.sign(next_y[edge] - y[edge])
    if not may_cross:
        # Inside of it, all lines have the same winding number: their sum says what is covered.
        line, way = line // _LINES, way / _LINES
    # A row has two places more than pixels: what changes at its end changes nothing in it.
    first = (line * (width + 2) + pixel).astype(np.int64)
    windings = _Steps.of(
        np.concatenate([first, first + 1]),
        np.concatenate([way * (1 - behind), way * behind]),
    )
    inside = windings.mapped(lambda winding: np.minimum(np.abs(winding), 1))
    if may_cross:
        rows, columns = np.divmod(inside.places, width + 2)
        places = rows // _LINES * (width + 2) + columns
        inside = _Steps.of(places, np.diff(inside.levels, prepend=0) / _LINES)
    return inside.tones(height, width + 2)[:, :width]


@dataclass(frozen=True)
class _Steps:
    """
    A line of levels that is 0 first and changes at few places.

    Pixels between two edges are not looked at one by one: that is most of them.
    """

    places: NDArray[np.int64]
    """Where the level changes, ascending."""
    levels: NDArray[np.float64]
    """The level from there on."""

    @classmethod
    def of(cls, places: NDArray[np.int64], changes: NDArray[np.float64]) -> _Steps:
        """Return the sum of changes, of which several may be at one place."""
        import numpy as np

        found, inverse = np.unique(places, return_inverse=True)
        return cls(found, np.cumsum(np.bincount(inverse, changes, len(found))))

    def mapped(self, work: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> _Steps:
        """Return other levels at the same places."""
        return _Steps(self.places, work(self.levels))

    def tones(self, height: int, width: int) -> Tones:
        """Return the levels from 0 to 1 as tones from 0 to 255, (height, width)."""
        import numpy as np

        levels = np.clip(np.concatenate([[0.0], self.levels]), 0, 1)
        lengths = np.diff(np.concatenate([[0], self.places, [height * width]]))
        return np.repeat((levels * 255 + 0.5).astype(np.uint8), lengths).reshape(height, width)
