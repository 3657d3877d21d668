"""Images made from nothing; shapes, text and marks drawn onto images."""

from nodes.lib.pillow.draw._canvases import (
    Background,
    Checkerboard,
    GaussianNoise,
    Gradient,
    QRCode,
)
from nodes.lib.pillow.draw._shapes import DrawBoxes, DrawShape
from nodes.lib.pillow.draw._text import RenderText
from nodes.lib.pillow.draw._watermark import Watermark

__all__ = [
    "Background",
    "Checkerboard",
    "DrawBoxes",
    "DrawShape",
    "GaussianNoise",
    "Gradient",
    "QRCode",
    "RenderText",
    "Watermark",
]
