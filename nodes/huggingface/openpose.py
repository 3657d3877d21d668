"""
Draw poses in the format of OpenPose, which pose ControlNets were trained with.

Networks detect the 17 keypoints of the COCO data set. OpenPose draws 18, with the neck halfway
between the shoulders, each limb and keypoint in its own colour on black.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image


class Keypoint(NamedTuple):
    """A position in an image, in pixels, and its confidence, 0…1."""

    x: float
    y: float
    score: float


_COCO_INDEX = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""For each keypoint of OpenPose its index in COCO; the neck has none."""

_LIMBS = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10)),
    *((1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
)


def draw_pose(size: tuple[int, int], coco: Sequence[Keypoint], min_score: float) -> Image.Image:
    """Return the drawing of one person, without keypoints whose score is below `min_score`."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    left, right = coco[5], coco[6]
    neck = Keypoint((left.x + right.x) / 2, (left.y + right.y) / 2, min(left.score, right.score))
    keypoints = [neck if index is None else coco[index] for index in _COCO_INDEX]
    image = Pillow.new("RGB", size)
    draw = ImageDraw.Draw(image)
    width = max(1, round(max(size) / 128))
    for number, ends in enumerate(_LIMBS):
        one, other = (keypoints[end] for end in ends)
        if min(one.score, other.score) >= min_score:
            draw.line((one.x, one.y, other.x, other.y), fill=_colour(number, 0.6), width=width)
    for number, keypoint in enumerate(keypoints):
        if keypoint.score >= min_score:
            draw.ellipse(
                (keypoint.x - width, keypoint.y - width, keypoint.x + width, keypoint.y + width),
                fill=_colour(number, 1.0),
            )
    return image


def _colour(number: int, brightness: float) -> tuple[int, int, int]:
    """Return one of 18 hues, from red through green and blue to pink."""
    red, green, blue = colorsys.hsv_to_rgb(number / 18, 1.0, brightness)
    return round(red * 255), round(green * 255), round(blue * 255)
