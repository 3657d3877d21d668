"""
Painting onto images: layers with alpha, and shapes with smooth edges.

A shape is a set of polygons. The share of a pixel that they cover becomes its opacity. A polygon is
cut by eight lines for each row of pixels. Where an edge crosses a line, the winding number changes
by one from there on, and within that pixel by the part that lies behind the crossing; the sum from
the left is what is inside (nonzero rule). Lines of a row are summed first where no edges cross.
Costs O(pixels of the box + edges * lines).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodes._geometry import Box, Size
from nodes._pixels import canvas
from nodetool_core import Context

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Shares = NDArray[np.float32]

Point = tuple[float, float]
Polygon = Sequence[Point]

_LINES: Final = 8
"""Lines by which a row of pixels is cut."""
_ROWS: Final = 32
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
    from PIL import Image as Pillow

    from nodetool_core.assets.profiles import in_profile, profile_of

    box = (*at, at[0] + layer.width, at[1] + layer.height)
    below = image.crop(box).convert("RGBA")
    above = in_profile(layer, profile_of(image))
    image.paste(Pillow.alpha_composite(below, above).convert(image.mode), box)


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
        layer = canvas("RGBA", mask.size, colour, profile_of(image))
        layer.putalpha(ImageChops.multiply(layer.getchannel("A"), mask))
        composite(image, layer, strip[:2])


def coverage(shape: Shape, box: Box) -> Image.Image:
    """Return how much of each pixel in a box a shape covers, as a mask (L)."""
    import numpy as np
    from PIL import Image as Pillow

    covered = np.zeros((box[3] - box[1], box[2] - box[0]), np.float32)
    for polygon in shape.filled:
        np.maximum(covered, _covered(polygon, box, shape.may_cross), out=covered)
    for polygon in shape.cut:
        np.minimum(covered, 1 - _covered(polygon, box, shape.may_cross), out=covered)
    return Pillow.fromarray((covered * 255 + np.float32(0.5)).astype(np.uint8))


def _covered(polygon: Polygon, box: Box, may_cross: bool) -> Shares:
    """Return how much of each pixel in a box a polygon covers, from 0 to 1."""
    import numpy as np

    left, top, right, bottom = box
    width, height = right - left, bottom - top
    corners = np.clip(np.asarray(polygon, np.float64), -_FAR, _FAR)
    (x, y), (next_x, next_y) = corners.T, np.roll(corners, -1, axis=0).T
    lines = top + (np.arange(height * _LINES) + 0.5) / _LINES
    crossed = (np.minimum(y, next_y)[:, None] <= lines) & (lines < np.maximum(y, next_y)[:, None])
    edge, line = np.nonzero(crossed)
    share = (lines[line] - y[edge]) / (next_y[edge] - y[edge])
    place = np.clip(x[edge] + share * (next_x[edge] - x[edge]) - left, 0, width)
    pixel = np.floor(place)
    behind = place - pixel
    way = np.sign(next_y[edge] - y[edge])
    if not may_cross:
        # Inside of it, all lines have the same winding number: their sum says what is covered.
        line, way, height_of_lines = line // _LINES, way / _LINES, height
    else:
        height_of_lines = height * _LINES
    index = (line * (width + 2) + pixel).astype(np.int64)
    room = height_of_lines * (width + 2)
    changes = np.bincount(index, way * (1 - behind), room)
    changes += np.bincount(index + 1, way * behind, room)
    windings = np.cumsum(changes.reshape(-1, width + 2).astype(np.float32), axis=1)[:, :width]
    inside = np.minimum(np.abs(windings, out=windings), 1, out=windings)
    shares: Shares = inside.reshape(height, -1, width).mean(axis=1) if may_cross else inside
    return shares
