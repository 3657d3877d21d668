"""The shape of a place: ridge lines, shores, trees and noise fields, all from one integer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating[Any]]

SIZE: Final = 128


@lru_cache(maxsize=32)
def _spline(cells: int) -> Array:
    """Return the matrix of a Catmull-Rom spline from ``cells`` knots to ``SIZE`` samples."""
    matrix = np.zeros((SIZE, cells), np.float32)
    at = np.linspace(0, cells - 1, SIZE)
    low = np.minimum(at.astype(int), cells - 2)
    t = at - low
    weights = (
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    )
    for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
        np.add.at(matrix, (np.arange(SIZE), np.clip(low + offset, 0, cells - 1)), weight)
    return matrix


def line(rng: np.random.Generator, cells: int, octaves: int, gain: float = 0.5) -> Array:
    """
    Noise along x, about within -1 and 1: ``octaves`` splines, each twice as fine as the one before.
    """
    total = np.zeros(SIZE, np.float32)
    for octave in range(octaves):
        knots = cells * 2**octave
        total += gain**octave * (_spline(knots) @ rng.uniform(-1, 1, knots).astype(np.float32))
    return total


def field(
    rng: np.random.Generator, rows: int, columns: int, octaves: int, gain: float = 0.5
) -> Array:
    """Noise over the image, about within -1 and 1."""
    total = np.zeros((SIZE, SIZE), np.float32)
    for octave in range(octaves):
        r, c = rows * 2**octave, columns * 2**octave
        total += gain**octave * (
            _spline(r) @ rng.uniform(-1, 1, (r, c)).astype(np.float32) @ _spline(c).T
        )
    return total


def treetops(
    rng: np.random.Generator, density: float, height: float, width: float, pointed: bool
) -> Array:
    """Height of the trees above the ground along x, in pixels: pointed firs or round crowns."""
    count = max(3, int(SIZE * density / width))
    centre = (np.arange(count) + rng.uniform(0.1, 0.9, count)) * SIZE / count
    tall = height * rng.uniform(0.65, 1.15, count)
    broad = width * rng.uniform(0.8, 1.2, count)
    away = np.abs(np.arange(SIZE)[None, :] - centre[:, None]) / broad[:, None]
    crown = 1 - away if pointed else np.sqrt(np.clip(1 - away**2, 0, 1))
    return (tall[:, None] * np.clip(crown, 0, 1)).max(axis=0).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Lines are heights in pixels from the top along x; fields are noise over the image."""

    horizon: float
    far_ridge: Array
    near_ridge: Array
    headland: Array
    hills: Array
    dunes: tuple[Array, Array]
    lake: Array
    beach: Array
    far_trees: Array
    near_trees: Array
    orb_x: float
    orb_up: float
    star_map: Array
    cloud_noise: Array
    rock_noise: Array
    ground_noise: Array
    speckle: Array
    ripple: Array


def _stars(rng: np.random.Generator) -> Array:
    count = int(rng.integers(22, 40))
    y, x = rng.uniform(1, 70, count), rng.uniform(1, SIZE - 1, count)
    bright = rng.uniform(0.45, 1.0, count)
    grid = np.arange(SIZE)
    rows = np.exp(-((grid[:, None] - y) ** 2) / 1.3)
    columns = np.exp(-((grid[:, None] - x) ** 2) / 1.3)
    return np.asarray((rows * bright) @ columns.T, np.float32).clip(0, 1)


def _lake(rng: np.random.Generator, horizon: float) -> Array:
    """Signed distance, about in pixels: positive inside the lake."""
    x, y = np.arange(SIZE)[None, :], np.arange(SIZE)[:, None]
    half = float(rng.uniform(13, 18))
    centre_y = horizon + half + float(rng.uniform(3, 6))
    reach = float(rng.uniform(46, 80))
    across = (x - float(rng.uniform(34, 94))) / reach
    down = (y - centre_y + 3 * line(rng, 4, 2)[None, :]) / half
    return np.asarray((1 - np.sqrt(across**2 + down**2)) * half, np.float32)


def build(seed: int) -> Geometry:
    """
    Return the geometry of a seed. It has every element; the renderer draws those the scene names.
    """
    rng = np.random.default_rng([seed, 3])
    horizon = float(rng.uniform(56, 74))
    x = np.arange(SIZE, dtype=np.float32)
    peak = float(rng.uniform(20, 34))
    far = horizon - peak - 11 * line(rng, 4, 5, 0.5)
    bump = np.abs((x - float(rng.uniform(10, 118))) / float(rng.uniform(30, 60)))
    near = horizon - peak * 0.35 - 15 * np.clip(1 - bump, 0, 1) - 7 * line(rng, 5, 5, 0.52)
    side = x if rng.random() < 0.5 else SIZE - 1 - x
    reach = float(rng.uniform(45, 95))
    headland = horizon + 3 - np.clip(1 - side / reach, 0, 1) ** 0.8 * (9 + 4 * line(rng, 5, 3))
    pointed = bool(rng.random() < 0.6)
    edge = np.abs(x - float(rng.uniform(40, 88))) / 64
    clump = np.clip((edge - 0.45) * 5, 0, 1)
    tall = treetops(rng, 1.8, float(rng.uniform(26, 36)), float(rng.uniform(6, 8.5)), pointed)
    return Geometry(
        horizon=horizon,
        far_ridge=np.clip(far, 8, horizon - 4).astype(np.float32),
        near_ridge=np.clip(near, 12, horizon).astype(np.float32),
        headland=headland.astype(np.float32),
        hills=(horizon - 3 - 3.5 * line(rng, 3, 3)).astype(np.float32),
        dunes=(
            (horizon + 6 - 8 * line(rng, 3, 2)).astype(np.float32),
            (horizon + 28 - 10 * line(rng, 3, 2)).astype(np.float32),
        ),
        lake=_lake(rng, horizon),
        beach=(float(rng.uniform(98, 108)) - 7 * line(rng, 2, 3)).astype(np.float32),
        far_trees=treetops(
            rng, 1.7, float(rng.uniform(9, 13)), float(rng.uniform(3.6, 5)), pointed
        ),
        near_trees=(tall * clump).astype(np.float32),
        orb_x=float(rng.uniform(18, 110)),
        orb_up=float(rng.uniform(12, 26)),
        star_map=_stars(rng),
        cloud_noise=field(rng, 7, 3, 4, 0.5),
        rock_noise=field(rng, 6, 12, 3, 0.55),
        ground_noise=field(rng, 8, 5, 3, 0.55),
        speckle=field(rng, 26, 22, 1),
        ripple=field(rng, 40, 4, 1),
    )
