"""
Images turned, sheared and seen in perspective: a projective map, pixel by pixel.

A map is a matrix of 3 x 3 over coordinates in pixels, in which the middle of the first pixel is
(0.5, 0.5).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

from nodes._canvas import placed
from nodes._geometry import MAX_PIXELS, Size, check_size, resized
from nodes._pixels import canvas, common_form, in_form, with_profile
from nodetool_core import NodeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Map = NDArray[np.float64]

Around = Literal["color", "edge", "mirror"]
AROUND: Final = (
    "What shows where nothing of the image is: `color`; `edge`, the outermost pixels going on;"
    " `mirror`, the image mirrored at its edge."
)
"""What nodes say of their property `fill`."""
Smoothness = Literal["bicubic", "bilinear", "nearest"]
SMOOTHNESS: Final = (
    "How pixels are resampled: `bicubic` is the sharpest, `bilinear` softer, `nearest` mixes none."
)
"""What nodes say of their property `method`."""

_SHRUNK: Final = 1.25
"""The step over the source from which it is made smaller first, so that no pixel is left out."""


def affine(xx: float, xy: float, yx: float, yy: float) -> Map:
    """Return the map that takes x to xx x + xy y, and y to yx x + yy y."""
    import numpy as np

    return np.array([[xx, xy, 0.0], [yx, yy, 0.0], [0.0, 0.0, 1.0]])


def shifted(x: float, y: float) -> Map:
    """Return the map that moves to the right and down."""
    import numpy as np

    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def rotation(degrees: float) -> Map:
    """Return the map that turns clockwise around the corner."""
    turn = math.radians(degrees)
    return affine(math.cos(turn), -math.sin(turn), math.sin(turn), math.cos(turn))


def quad_to_quad(source: Map, target: Map) -> Map:
    """
    Return the map that takes four corners, (4, 2), to four others.

    Raises NodeError where three of them lie on a line.
    """
    import numpy as np

    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(source.tolist(), target.tolist(), strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    equations = np.array(rows)
    if np.linalg.cond(equations / np.abs(equations).max(axis=0).clip(1e-9)) > 1e10:
        raise NodeError(
            "The corners enclose no area: three of them lie on a line.",
            "Give the corners of a quadrilateral, clockwise from the top left.",
        )
    return np.append(np.linalg.solve(equations, target.ravel()), 1.0).reshape(3, 3)


def warped(
    image: Image.Image, size: Size, forward: Map, fill: Around, colour: str, method: Smoothness
) -> Image.Image:
    """
    Return the image (L, LA, RGB, RGBA) under a map, on a canvas of a size.

    Its outline is smooth. What shrinks is averaged first.

    Raises:
        NodeError: Where the map has no inverse, or lets the canvas reach beyond the horizon.
    """
    from PIL import Image as Pillow

    inverse = _inverse(forward, size)
    image, inverse = _shrunk(image, size, inverse)
    if fill == "color":
        mode = "LA" if image.mode.startswith("L") else "RGBA"
        _, profile = common_form([image])
        source = _with_clear_border(in_form(image, mode, profile))
        inverse = shifted(1, 1) @ inverse
    else:
        source, at = _extended(image, _corners(inverse, size), fill)
        inverse = shifted(*at) @ inverse
    numbers = (inverse / inverse[2, 2]).ravel()[:8].tolist()
    # An affine map divides nothing for each pixel.
    way, count = (
        (Pillow.Transform.AFFINE, 6)
        if numbers[6] == numbers[7] == 0
        else (Pillow.Transform.PERSPECTIVE, 8)
    )
    kernel = {
        "bicubic": Pillow.Resampling.BICUBIC,
        "bilinear": Pillow.Resampling.BILINEAR,
        "nearest": Pillow.Resampling.NEAREST,
    }[method]
    moved = source.transform(size, way, numbers[:count], kernel)
    with_profile(moved, image)
    return _on_colour(moved, colour, image) if fill == "color" else moved


def _inverse(forward: Map, size: Size) -> Map:
    """Return the map from the canvas to the source. Raises NodeError."""
    import numpy as np

    try:
        inverse: Map = np.linalg.inv(forward).astype(np.float64)
    except np.linalg.LinAlgError:
        inverse = np.full((3, 3), np.nan)
    width, height = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64)
    depths = corners @ inverse[2]
    if not np.isfinite(inverse).all() or (not (depths > 1e-9).all() and not (depths < -1e-9).all()):
        raise NodeError(
            "The image can't be brought into that shape: its horizon would lie in the result.",
            "Give corners that are less far from a rectangle.",
        )
    return inverse


def _corners(inverse: Map, size: Size) -> Map:
    """Return where the corners of the canvas lie in the source, (4, 2)."""
    import numpy as np

    width, height = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64)
    found = corners @ inverse.T
    flat: Map = found[:, :2] / found[:, 2:]
    return flat


def _shrunk(image: Image.Image, size: Size, inverse: Map) -> tuple[Image.Image, Map]:
    """
    Return a smaller source, and the map to it, where a step on the canvas passes over pixels.

    The step is that in the middle of the canvas.
    """
    import numpy as np

    middle = np.array([size[0] / 2, size[1] / 2, 1.0])
    x, y, depth = inverse @ middle
    steps = (inverse[:2, :2] - np.outer([x / depth, y / depth], inverse[2, :2])) / depth
    across, down = (max(1.0, float(np.linalg.norm(row))) for row in steps)
    if max(across, down) < _SHRUNK:
        return image, inverse
    smaller = (max(1, round(image.width / across)), max(1, round(image.height / down)))
    share = (smaller[0] / image.width, smaller[1] / image.height)
    return resized(image, smaller), np.diag([*share, 1.0]) @ inverse


def _with_clear_border(image: Image.Image) -> Image.Image:
    """Return the image with one more pixel on each side, of its colour and without opacity."""
    import numpy as np
    from PIL import Image as Pillow

    tones = np.pad(np.asarray(image), [(1, 1), (1, 1), (0, 0)], mode="edge")
    tones[[0, -1], :, -1] = 0
    tones[:, [0, -1], -1] = 0
    return Pillow.frombytes(image.mode, (image.width + 2, image.height + 2), tones.tobytes())


def _extended(
    image: Image.Image, corners: Map, fill: Around
) -> tuple[Image.Image, tuple[int, int]]:
    """Return the image with room up to corners that may lie outside, and where it begins in it."""
    import numpy as np

    least = np.floor(corners.min(axis=0)) - 3
    most = np.ceil(corners.max(axis=0)) + 3
    left, top = (max(0, int(-value)) for value in least)
    right, bottom = (
        max(0, int(value) - side) for value, side in zip(most, image.size, strict=True)
    )
    size = (image.width + left + right, image.height + top + bottom)
    if size[0] * size[1] > MAX_PIXELS:
        raise NodeError(
            f"The fill {fill!r} would reach over {size[0]} x {size[1]} pixels.",
            "Choose the fill `color`, or move and shrink the image less.",
        )
    check_size(*size)
    return placed(image, size, (left, top), fill, ""), (left, top)


def _on_colour(moved: Image.Image, colour: str, source: Image.Image) -> Image.Image:
    """Return what was moved on a colour; without alpha where neither has any."""
    from PIL import Image as Pillow

    if colour.endswith("00") and len(colour) == 9:
        return moved
    neutral = colour[1:3] == colour[3:5] == colour[5:7]
    _, profile = common_form([moved], colours=not neutral)
    mode = "LA" if moved.mode == "LA" and neutral else "RGBA"
    above = in_form(moved, "RGBA", profile if mode == "RGBA" else None)
    below = canvas("RGBA", moved.size, colour, profile if mode == "RGBA" else None)
    whole = Pillow.alpha_composite(below, above)
    is_opaque = len(colour) == 7 and not source.mode.endswith("A")
    plain = mode.removesuffix("A") if is_opaque else mode
    return with_profile(whole.convert(plain), in_form(moved, mode, profile))


def unit_square(size: Size) -> Map:
    """Return the corners of an image, clockwise from the top left, (4, 2)."""
    import numpy as np

    width, height = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
