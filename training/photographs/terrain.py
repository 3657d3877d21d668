"""The valley: how high the ground and what grows on it is, in metres, at any place."""

from __future__ import annotations

import numpy as np

from training.photographs.noise import Array, hashed, layered, noise, ridged, smooth

CAMERA = (0.0, 150.0, 0.0)
"""East, up, north."""
_TREES_APART = 5.5
_TREE_LINE = 620.0


def ground(x: Array, z: Array, octaves: int = 11) -> Array:
    """Return the height of the bare ground over the lake; below 0 under water."""
    warp = 260 * noise(x / 2100, z / 2100, 3)
    wx, wz = x + warp, z + 200 * noise(x / 1700 + 9, z / 1700, 4)
    shore = np.sqrt(((wx - 150) / 620) ** 2 + ((z - 1500) / 1050) ** 2) - 1
    shore = shore + 0.30 * layered(x / 600, z / 600, 5, 7)
    land = 95 * np.tanh(shore * 1.5) + 55 * np.maximum(shore, 0)
    land = np.minimum(land, 260 + 0.05 * land)
    hills = smooth(0.0, 0.9, shore) * (
        120 * (layered(x / 900, z / 900, min(octaves, 7), 11) + 0.25)
    )
    far = smooth(2300, 6200, z + 0.55 * np.abs(x - 200))
    peaks = 1450 * ridged(wx / 3300 + 0.35, wz / 3300 + 0.1, octaves, 31) - 200
    side = 260 * smooth(500, 1500, np.abs(x - 150)) * smooth(400, 1500, z)
    return (
        land
        + hills
        + far * np.maximum(peaks, 0)
        + side * (0.6 + 0.5 * layered(x / 700, z / 700, min(octaves, 6), 17))
    )


def wooded(x: Array, z: Array, height: Array) -> Array:
    """Return how densely trees stand, from 0 to 1."""
    meadow = layered(x / 240, z / 240, 4, 41)
    line = _TREE_LINE + 260 * layered(x / 800, z / 800, 4, 43)
    stand = np.maximum(smooth(-0.28, -0.05, meadow + 0.1), 0.05)
    return stand * smooth(3, 9, height) * (1 - smooth(-90, 60, height - line))


def trees(x: Array, z: Array, density: Array) -> tuple[Array, Array, Array]:
    """
    Return how high trees are here, how high within its tree a place is (0 to 1), and its kind.

    Kinds go from 0 to 1; every tree has one.
    """
    top, share, kind = (np.zeros_like(x) for _ in range(3))
    column, row = (
        np.floor(x / _TREES_APART).astype(np.int32),
        np.floor(z / _TREES_APART).astype(np.int32),
    )
    ragged = 0.5 * noise(x * 0.9, z * 0.9, 51) + 0.35 * noise(x * 2.3, z * 2.3, 52)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            c, r = column + i, row + j
            own = hashed(c, r, 1)
            cx = (c + 0.5 + 0.8 * (hashed(c, r, 2) - 0.5)) * _TREES_APART
            cz = (r + 0.5 + 0.8 * (hashed(c, r, 3) - 0.5)) * _TREES_APART
            tall = 9 + 17 * hashed(c, r, 4) ** 1.3
            round_ = own > 0.86
            wide = np.where(round_, 3.6, 1.7 + 0.10 * tall)
            away = np.hypot(x - cx, z - cz) / wide * (1 + 0.5 * ragged)
            profile = np.where(
                round_,
                0.62 * np.sqrt(np.clip(1 - away * away, 0, 1)),
                np.clip(1 - away, 0, 1) ** 0.85,
            )
            stands = hashed(c, r, 5) < density
            high = np.where(stands, tall * profile, 0).astype(np.float32)
            better = high > top
            top = np.where(better, high, top)
            share = np.where(better, profile, share)
            kind = np.where(better, own, kind)
    return top, share.astype(np.float32), kind


def surface(x: Array, z: Array, octaves: int = 11) -> Array:
    """Return the height of what is seen from above: ground or trees, not below the lake."""
    bare = ground(x, z, octaves)
    return np.maximum(bare + trees(x, z, wooded(x, z, bare))[0], 0)
