"""Noise over a plane: smooth, by its seed the same on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_TABLE = np.random.default_rng(20).permutation(256).astype(np.int32)
_TABLE = np.concatenate([_TABLE, _TABLE])
_ANGLES = np.arange(256) * (2 * np.pi / 256)
_GRADIENT_X, _GRADIENT_Y = np.cos(_ANGLES).astype(np.float32), np.sin(_ANGLES).astype(np.float32)


def hashed(x: NDArray[np.int32], y: NDArray[np.int32], seed: int = 0) -> Array:
    """Return a number from 0 to 1 for each pair of whole numbers."""
    return _TABLE[_TABLE[(x + seed * 37) & 255] + (y & 255)].astype(np.float32) / np.float32(255)


def noise(x: Array, y: Array, seed: int = 0) -> Array:
    """Return gradient noise (K. Perlin), about from -0.7 to 0.7; its cells have a side of 1."""
    left, top = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    u, v = x - left.astype(np.float32), y - top.astype(np.float32)
    left = (left + seed * 37) & 255
    top &= 255

    def corner(i: int, j: int) -> Array:
        code = _TABLE[_TABLE[(left + i) & 255] + ((top + j) & 255)]
        return _GRADIENT_X[code] * (u - i) + _GRADIENT_Y[code] * (v - j)

    across, down = u * u * u * (u * (u * 6 - 15) + 10), v * v * v * (v * (v * 6 - 15) + 10)
    upper = corner(0, 0) + across * (corner(1, 0) - corner(0, 0))
    lower = corner(0, 1) + across * (corner(1, 1) - corner(0, 1))
    return upper + down * (lower - upper)


def layered(x: Array, y: Array, octaves: int, seed: int = 0, gain: float = 0.5) -> Array:
    """Return noise of several sizes, each half as large as the last and `gain` as strong."""
    total, weight = np.zeros_like(x), np.float32(1)
    for octave in range(octaves):
        total += weight * noise(x, y, seed + octave)
        x, y = 2.03 * x + 17.3, 2.03 * y - 9.1
        weight *= np.float32(gain)
    return total


def ridged(x: Array, y: Array, octaves: int, seed: int = 0) -> Array:
    """Return noise with sharp ridges (F. K. Musgrave), from 0 to about 1."""
    total, weight, rough = np.zeros_like(x), np.float32(0.5), np.ones_like(x)
    for octave in range(octaves):
        crest = 1 - np.abs(1.6 * noise(x, y, seed + octave))
        crest = np.clip(crest, 0, 1) ** 2 * rough
        total += weight * crest
        rough = np.clip(1.3 * crest, 0, 1)
        c, s = np.float32(0.8), np.float32(0.6)
        x, y = 2.02 * (c * x - s * y) + 11.7, 2.02 * (s * x + c * y) + 3.1
        weight *= np.float32(0.5)
    return total


def smooth(low: float, high: float, values: Array) -> Array:
    """Return 0 up to `low`, 1 from `high` on, and a smooth curve between them."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)
