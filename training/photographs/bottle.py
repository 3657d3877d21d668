"""
A glazed bottle on a table, as a product is photographed.

The bottle is a surface of revolution. Its distance is bounded by that of its outline in the plane
of radius and height, so rays walk up to it safely (J. C. Hart's sphere tracing, 1996).
"""

from __future__ import annotations

import numpy as np

from training.photographs.noise import Array, layered, smooth

EYE = np.array([0.0, 1.55, -6.2], np.float32)
AIM = np.array([0.0, 1.02, 0.0], np.float32)
VIEW = 0.235
KEY = np.array([-0.62, 0.62, -0.48], np.float32)
OUTLINE = ((0.0, 0.62), (0.06, 0.68), (0.5, 0.76), (0.95, 0.70), (1.25, 0.46), (1.5, 0.235),
           (1.75, 0.20), (2.02, 0.21), (2.08, 0.245), (2.14, 0.23))  # fmt: skip
"""Height and radius."""


def radius(height: Array) -> Array:
    """Return how wide the bottle is, with a smooth outline between the given points."""
    heights, radii = (np.array(part) for part in zip(*OUTLINE, strict=True))
    slopes = np.gradient(radii, heights)
    at = np.clip(np.searchsorted(heights, height) - 1, 0, len(heights) - 2)
    step = heights[at + 1] - heights[at]
    t = np.clip((height - heights[at]) / step, 0, 1)
    wide = (
        (2 * t**3 - 3 * t**2 + 1) * radii[at]
        + (t**3 - 2 * t**2 + t) * step * slopes[at]
        + (3 * t**2 - 2 * t**3) * radii[at + 1]
        + (t**3 - t**2) * step * slopes[at + 1]
    )
    return wide.astype(np.float32)


def distance(points: Array) -> Array:
    """Return a lower bound of how far points, (…, 3), are from the bottle; negative inside."""
    top = OUTLINE[-1][0]
    away = np.hypot(points[..., 0], points[..., 2])
    beside = (away - radius(np.clip(points[..., 1], 0, top))) * 0.55
    return np.maximum(beside, np.maximum(points[..., 1] - top, -points[..., 1]) * 0.8)


def walked(origin: Array, direction: Array, steps: int, most: float) -> tuple[Array, Array]:
    """Return how far rays go before they meet the bottle, and how closely they pass it."""
    far, close = (
        np.zeros(direction.shape[:-1], np.float32),
        np.ones(direction.shape[:-1], np.float32),
    )
    for _ in range(steps):
        near = distance(origin + far[..., None] * direction)
        close = np.minimum(close, near / np.maximum(far, 0.05))
        far = np.where(far < most, far + np.clip(near, 0.0005, 0.4), far)
    return far, close


def studio(direction: Array) -> Array:
    """Return the light that comes from a direction: two softboxes in a grey room."""
    x, y, z = (direction[..., axis] for axis in range(3))
    key = smooth(0.02, -0.06, np.maximum(np.abs(x + 0.75) - 0.22, np.abs(y - 0.45) - 0.50)) * (
        z < 0.4
    )
    rim = smooth(0.02, -0.06, np.maximum(np.abs(x - 0.85) - 0.10, np.abs(y - 0.30) - 0.45))
    room = 0.20 + 0.22 * np.clip(y, -0.4, 1)
    light = room[..., None] * np.array([0.95, 0.98, 1.03], np.float32)
    return (
        light
        + key[..., None] * np.array([5.2, 5.0, 4.7])
        + rim[..., None] * np.array([1.7, 1.8, 2.0])
    )


def render(size: int) -> tuple[Array, Array]:
    """Return the light of each pixel, (size, size, RGB), and how far the bottle covers it."""
    ahead = (AIM - EYE) / np.linalg.norm(AIM - EYE)
    right = np.cross([0, 1, 0], ahead)
    right /= np.linalg.norm(right)
    up = np.cross(ahead, right)
    side = ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32) * VIEW
    ray = ahead + side[None, :, None] * right - side[:, None, None] * up
    ray = (ray / np.linalg.norm(ray, axis=-1, keepdims=True)).astype(np.float32)
    far, _ = walked(EYE, ray, 90, 9.0)
    is_bottle = far < 9.0
    light = ground(ray)
    hit = EYE + far[is_bottle][:, None] * ray[is_bottle]
    light[is_bottle] = glaze(hit, ray[is_bottle])
    return light.astype(np.float32), is_bottle.astype(np.float32)


def glaze(place: Array, ray: Array) -> Array:
    """Return the light of the bottle: a body of two glazes, and the studio mirrored in it."""
    e = 0.002
    normal = np.stack(
        [
            distance(place + e * axis) - distance(place - e * axis)
            for axis in np.eye(3, dtype=np.float32)
        ],
        -1,
    )
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    around, height = np.arctan2(place[:, 0], -place[:, 2]), place[:, 1]
    speck = layered(around * 26, height * 30, 3, 5)
    cloudy = layered(around * 2.2, height * 3.5, 5, 9)
    drip = 1.02 + 0.16 * layered(around * 4.0, 0 * around, 4, 3) + 0.03 * cloudy
    teal = np.array([0.035, 0.155, 0.150]) * (1 + 0.7 * cloudy[:, None])
    sand = np.array([0.47, 0.38, 0.27]) * (
        1 + 0.18 * cloudy[:, None] - 0.5 * smooth(0.30, 0.5, speck)[:, None]
    )
    share = smooth(-0.02, 0.02, height - drip)[:, None]
    body = sand + share * (teal - sand)
    key = KEY / np.linalg.norm(KEY)
    soft = np.clip((normal @ key + 0.25) / 1.25, 0, 1)
    sky = 0.5 + 0.5 * normal[:, 1]
    contact = 0.35 + 0.65 * smooth(0, 0.35, height)
    diffuse = body * ((1.9 * soft + 0.38 * sky + 0.16) * contact)[:, None]
    cosine = np.clip(-(ray * normal).sum(-1), 0, 1)
    mirror = ray + 2 * cosine[:, None] * normal
    fresnel = (0.045 + 0.955 * (1 - cosine) ** 5)[:, None] * (0.35 + 0.65 * share)
    return diffuse + fresnel * studio(mirror) * (0.6 + 0.4 * contact)[:, None]


def ground(ray: Array) -> Array:
    """Return the light of the table and the wall behind it, with the bottle's shadow."""
    down = ray[..., 1] < -0.005
    far = np.where(down, -EYE[1] / np.minimum(ray[..., 1], -0.005), 0)
    place = EYE + far[..., None] * ray
    deep = np.clip(place[..., 2], -6, 6)
    on_table = smooth(5.0, 2.5, deep) * down
    x, z = place[..., 0], place[..., 2]
    shade = np.ones_like(x)
    close = (np.abs(x) < 4) & (np.abs(z) < 4) & down
    origin = place[close] + np.array([0, 0.004, 0], np.float32)
    total = np.zeros(origin.shape[0], np.float32)
    for lean, rise in ((-0.16, 0.0), (0.0, 0.0), (0.16, 0.0), (0.0, 0.16), (0.0, -0.14)):
        towards = KEY + np.array([lean, rise, lean / 2], np.float32)
        towards = np.broadcast_to(towards / np.linalg.norm(towards), origin.shape)
        total += np.clip(walked(origin, towards, 28, 4.0)[1] * 9, 0, 1) / 5
    shade[close] = total
    beside = np.hypot(x, z) - OUTLINE[0][1]
    contact = 1 - 0.55 * np.exp(-np.clip(beside, 0, None) * 5) * down
    grain = layered(x * 2.2, z * 2.2, 6, 21)
    table = np.array([0.44, 0.43, 0.415]) * (1 + 0.06 * grain[..., None])
    lit = (0.30 + 0.95 * shade) * contact * (1.05 - 0.05 * deep)
    wall = (
        np.array([0.50, 0.49, 0.475])
        * (0.98 - 0.9 * np.clip(ray[..., 1] + 0.05, -0.2, 0.5))[..., None]
    )
    return wall + on_table[..., None] * (table * lit[..., None] - wall)
