"""Images for tests, with a different colour in every corner so that turns and mirrorings show."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image


def scene(width: int = 40, height: int = 24) -> Image.Image:
    """Smooth gradients over a landscape format."""
    x = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    y = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    return Image.fromarray(np.stack([x, y, 255 - x], axis=-1).astype(np.uint8), "RGB")


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two images of one size and mode, in grey levels."""
    assert (one.size, one.mode) == (other.size, other.mode)
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())
