"""From light to an image, as a camera makes it: lens, film curve, grain."""

from __future__ import annotations

import numpy as np

from training.photographs.noise import Array


def developed(light: Array, exposure: float, seed: int = 3) -> Array:
    """Return light, (height, width, RGB), as a camera shows it: from 0 to 1, sRGB."""
    height, width, _ = light.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = np.hypot((x / width - 0.5) * 1.2, (y / height - 0.5)) * 2
    bright = np.maximum(light, 0) * (1 - 0.2 * np.clip(radius, 0, 1.5) ** 2.4)[..., None] * exposure
    curve = bright * (2.51 * bright + 0.03) / (bright * (2.43 * bright + 0.59) + 0.14)
    tones = np.clip(curve, 0, 1)
    tones = np.where(tones <= 0.0031308, 12.92 * tones, 1.055 * tones ** (1 / 2.4) - 0.055)
    rng = np.random.default_rng(seed)
    grain = rng.normal(0, 1, (height, width, 1)) + 0.6 * rng.normal(0, 1, (height, width, 3))
    tones = tones + 0.0085 * grain * (0.5 + tones * (1 - tones) * 2)
    return np.clip(tones, 0, 1).astype(np.float32)


def shrunk(image: Array, factor: int) -> Array:
    """Return the image smaller by a whole factor, each pixel the mean of its samples."""
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    return image.reshape(rows, factor, columns, factor, *image.shape[2:]).mean((1, 3))
