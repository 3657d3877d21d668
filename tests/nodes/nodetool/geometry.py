"""Images to turn, cut and join, and how far two of them lie apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from nodetool_core import ImageData
from tests.assets.images import scene

Array = np.ndarray[Any, Any]


def image(width: int = 40, height: int = 24, mode: str = "RGB") -> ImageData:
    return ImageData.of(scene(width, height).convert(mode))


def smooth_noise(width: int, height: int) -> Image.Image:
    """Return detail of several pixels, for which kernels of resampling hardly differ."""
    tones = np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(tones).filter(ImageFilter.GaussianBlur(3))


def array(data: ImageData | Image.Image) -> Array:
    return np.asarray(data.image if isinstance(data, ImageData) else data)


def apart(one: Array, other: Array) -> float:
    return float(np.abs(one.astype(float) - other.astype(float)).max())
