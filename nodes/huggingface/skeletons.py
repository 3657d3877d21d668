"""
People as stick figures, as pose ControlNets know them.

Networks find the 17 joints of the COCO data set. Figures are drawn in the form of OpenPose: 18
joints, the neck halfway between the shoulders, each limb and joint in its own colour on black.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image


class Joint(NamedTuple):
    """A place in an image, in pixels, and how sure the network is of it, 0…1."""

    x: float
    y: float
    score: float


_FROM_COCO = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""OpenPose's joints in COCO's numbers; the neck has none."""

_LIMBS = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10)),
    *((1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
)


def stick_figure(size: tuple[int, int], coco: Sequence[Joint], least: float) -> Image.Image:
    """
    Return the figure of one person.

    Joints that the network is less sure of than `least` are left out.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    left, right = coco[5], coco[6]
    neck = Joint((left.x + right.x) / 2, (left.y + right.y) / 2, min(left.score, right.score))
    joints = [neck if index is None else coco[index] for index in _FROM_COCO]
    image = Pillow.new("RGB", size)
    draw = ImageDraw.Draw(image)
    width = max(1, round(max(size) / 128))
    for number, ends in enumerate(_LIMBS):
        one, other = (joints[end] for end in ends)
        if min(one.score, other.score) >= least:
            draw.line((one.x, one.y, other.x, other.y), fill=_colour(number, 0.6), width=width)
    for number, joint in enumerate(joints):
        if joint.score >= least:
            draw.ellipse(
                (joint.x - width, joint.y - width, joint.x + width, joint.y + width),
                fill=_colour(number, 1.0),
            )
    return image


def _colour(number: int, brightness: float) -> tuple[int, int, int]:
    """From red through green and blue to pink, in 18 steps."""
    red, green, blue = colorsys.hsv_to_rgb(number / 18, 1.0, brightness)
    return round(red * 255), round(green * 255), round(blue * 255)
