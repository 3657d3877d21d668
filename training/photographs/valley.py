"""
The valley as it is seen: what is at each pixel, its light, the air before it.

The view has no tilt, so each column of pixels looks along one line over the ground. Along it the
slope of the surface seen from the camera is sampled; its running maximum is what is not hidden, and
a pixel's distance is where that reaches the pixel's own slope. Light is linear.
"""

from __future__ import annotations

import numpy as np

from training.photographs import terrain
from training.photographs.noise import Array, layered, smooth

SUN = np.array([-0.70, 0.58, 0.10], np.float32)
SUN /= np.linalg.norm(SUN)
SUNLIGHT = np.array([1.00, 0.92, 0.79], np.float32) * 3.6
SKYLIGHT = np.array([0.40, 0.56, 0.80], np.float32) * 0.62
AIR = np.array([0.54, 0.65, 0.82], np.float32) * 0.92
HORIZON = 0.50
"""Where the horizon is, as a share of the height from the top."""
VIEW = np.tan(np.radians(27.0))
"""Half the width of the view at a distance of 1."""
FAR = 15_000.0


def rgb(*tones: float) -> Array:
    """Return a colour, linear, 1 for white paper in full light."""
    return np.array(tones, np.float32)


def mix(first: Array, second: Array, share: Array) -> Array:
    """Return colours between two others."""
    return first + share[..., None] * (second - first)


def render(width: int, height: int, steps: int) -> Array:
    """Return the light that reaches the lens, (height, width, RGB), linear."""
    across = ((np.arange(width) + 0.5) / width * 2 - 1).astype(np.float32) * VIEW
    rise = (
        (HORIZON - (np.arange(height) + 0.5) / height).astype(np.float32)
        * 2
        * VIEW
        * height
        / width
    )
    image = sky(across[None, :] + 0 * rise[:, None], rise[:, None] + 0 * across[None, :])
    depth = np.full((height, width), np.inf, np.float32)
    chunk = max(1, 700_000 // steps)
    for start in range(0, width, chunk):
        columns = slice(start, min(start + chunk, width))
        depth[:, columns] = distances(across[columns], rise, steps)
    ray_x, ray_y = (
        np.broadcast_to(across[None, :], depth.shape),
        np.broadcast_to(rise[:, None], depth.shape),
    )
    hit = np.isfinite(depth)
    x, z = ray_x[hit] * depth[hit], depth[hit]
    y = terrain.CAMERA[1] + ray_y[hit] * depth[hit]
    wet = y < 0.35
    colour = np.zeros((x.size, 3), np.float32)
    for start in range(0, x.size, 400_000):
        part = slice(start, start + 400_000)
        colour[part] = lit(x[part], z[part], VIEW * 2 / width * z[part])
    image[hit] = in_air(colour, x, y, z)
    water(image, hit, wet, x, z, ray_y[hit], height, width)
    return image


def distances(across: Array, rise: Array, steps: int) -> Array:
    """Return how far away each pixel of some columns is, in metres; infinite for sky."""
    z = (28 * (FAR / 28) ** np.linspace(0, 1, steps)).astype(np.float32)[:, None]
    x = z * across[None, :]
    slope = (terrain.surface(x, z + 0 * x) - terrain.CAMERA[1]) / z
    crest = np.maximum.accumulate(slope, axis=0)
    found = np.full((rise.size, across.size), np.inf, np.float32)
    for column in range(across.size):
        at = np.searchsorted(crest[:, column], rise)
        seen = at < steps
        last = np.maximum(at[seen], 1)
        low, high = crest[last - 1, column], crest[last, column]
        part = np.clip((rise[seen] - low) / np.maximum(high - low, 1e-9), 0, 1)
        found[seen, column] = z[last - 1, 0] + part * (z[last, 0] - z[last - 1, 0])
    return found


def lit(x: Array, z: Array, pixel: Array) -> Array:
    """Return the light that comes from places of the surface; `pixel` is the size of one there."""
    step = np.maximum(pixel * 0.8, 0.12)
    bare = terrain.ground(x, z)
    density = terrain.wooded(x, z, bare)
    top, share, kind = terrain.trees(x, z, density)
    whole = bare + top
    merged = smooth(0.3, 1.5, pixel)
    share, step = share + merged * (0.5 - share), np.maximum(step, 2.5 * merged)
    east = (terrain.surface(x + step, z) - np.maximum(whole, 0)) / step
    north = (terrain.surface(x, z + step) - np.maximum(whole, 0)) / step
    steep = np.hypot(
        (terrain.ground(x + 12, z) - bare) / 12, (terrain.ground(x, z + 12) - bare) / 12
    )
    normal = np.stack([-east, np.ones_like(x), -north], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    is_tree = smooth(0.3, 1.5, top)
    facing = np.clip(normal @ SUN, 0, 1)
    facing = facing + is_tree * (0.25 + 0.55 * facing - facing)
    albedo = colours(x, z, bare, steep, share, kind, is_tree)
    open_sky = (0.55 + 0.45 * normal[:, 1]) * (
        1 - is_tree * (1 - np.clip(0.12 + 0.95 * share**0.8, 0, 1))
    )
    direct = (
        facing
        * shadow(x, z, np.maximum(whole, 0))
        * (1 - is_tree * (1 - np.clip(0.1 + 1.1 * share, 0, 1)))
    )
    under = 1 - 0.8 * smooth(0.2, 0.8, density) * (1 - is_tree)
    direct, open_sky = direct * under, open_sky * under
    return albedo * (
        direct[:, None] * SUNLIGHT + open_sky[:, None] * SKYLIGHT + 0.06 * under[:, None]
    )


def colours(
    x: Array, z: Array, bare: Array, steep: Array, share: Array, kind: Array, is_tree: Array
) -> Array:
    """Return what colour things are: grass, rock, snow, trees."""
    patch, fine = layered(x / 90, z / 90, 6, 61), layered(x / 5, z / 5, 5, 62)
    grass = mix(
        rgb(0.065, 0.085, 0.020),
        rgb(0.125, 0.115, 0.040),
        np.clip(0.45 + 1.2 * patch + 1.3 * fine + 0.7 * layered(x / 0.7, z / 1.4, 3, 65), 0, 1),
    )
    rough = layered(x / 60, bare / 22 + z / 60, 7, 63)
    rock = mix(rgb(0.060, 0.056, 0.052), rgb(0.165, 0.152, 0.138), np.clip(0.5 + 0.9 * rough, 0, 1))
    stony = smooth(0.55, 0.95, steep + 0.35 * rough + smooth(500, 1000, bare) * 0.35)
    colour = mix(grass, rock, stony)
    sandy = 1 - smooth(0.6, 2.6, bare + 1.2 * fine)
    colour = mix(colour, rgb(0.15, 0.138, 0.115), sandy)
    line = 930 + 330 * layered(x / 700, z / 700, 6, 64)
    snowy = smooth(-60, 90, bare - line) * (1 - smooth(0.85, 1.35, steep + 0.30 * rough))
    colour = mix(colour, rgb(0.80, 0.83, 0.88), snowy)
    conifer = mix(
        rgb(0.018, 0.036, 0.015), rgb(0.042, 0.060, 0.020), np.clip(kind * 1.2 + 0.4 * fine, 0, 1)
    )
    leafy = mix(rgb(0.060, 0.085, 0.018), rgb(0.115, 0.115, 0.026), np.clip(0.5 + fine, 0, 1))
    tree = np.where((kind > 0.86)[:, None], leafy, conifer)
    return mix(colour, tree, is_tree)


def shadow(x: Array, z: Array, y: Array) -> Array:
    """Return how much of the sun is seen, from 0 to 1."""
    seen = np.ones_like(x)
    for far in (9, 22, 50, 110, 230, 450, 850, 1500, 2500):
        there = terrain.ground(x + SUN[0] * far, z + SUN[2] * far, 7)
        over = (y + SUN[1] * far + 3 - there) / (0.05 * far)
        seen = np.minimum(seen, np.clip(0.5 + over, 0, 1))
    clouds = smooth(0.02, 0.35, layered(x / 1900 + 2.2, z / 1900 + 0.7, 4, 71))
    return seen * (1 - 0.55 * clouds)


def in_air(colour: Array, x: Array, y: Array, z: Array) -> Array:
    """Return light after its way through the air, which is thicker below."""
    far = np.sqrt(x * x + z * z)
    thick = np.exp(-np.clip(0.5 * (y + terrain.CAMERA[1]), 0, None) / 1300)
    share = 1 - np.exp(-((far * thick / 15_000)[:, None]) * rgb(0.80, 1.0, 1.28))
    return colour + share * (AIR - colour)


def sky(x: Array, y: Array) -> Array:
    """Return the light of the sky in directions (x, y, 1), with clouds."""
    up = np.clip(y, 0, None) / np.sqrt(1 + x * x + y * y)
    base = mix(rgb(0.66, 0.77, 0.92), rgb(0.105, 0.235, 0.56), np.clip(up * 2.3, 0, 1) ** 0.62)
    base = base * (1.0 + 0.25 * smooth(0.5, -0.9, x))[..., None]
    over = 1 / np.maximum(up + 0.055, 0.02)
    px, pz = x * over * 0.9, over
    warp = 0.5 * layered(px * 0.6, pz * 0.6, 3, 83)
    cover = layered(px * 0.75 + warp, pz * 1.05 + 4.4, 9, 81, 0.53)
    towards = layered(px * 0.75 + warp - 0.10, pz * 1.05 + 4.4 - 0.07, 9, 81, 0.53)
    thick = smooth(0.06, 0.52, cover + 0.10)
    light = np.clip(0.80 + 1.1 * (cover - towards) - 0.33 * thick, 0.35, 1.25)
    cloud = light[..., None] * rgb(1.06, 1.04, 1.02)
    wisps = layered(px * 0.35 + 3, pz * 1.4 + 0.6 * px, 7, 91, 0.56)
    base = mix(base, rgb(0.92, 0.95, 1.0), 0.40 * smooth(0.0, 0.7, wisps))
    fade = smooth(0.0, 0.10, up)
    return mix(base, cloud, 0.93 * thick * fade)


def water(
    image: Array, hit: Array, wet: Array, x: Array, z: Array, slant: Array, height: int, width: int
) -> None:
    """Draw the lake: what stands behind it, mirrored in ripples, over the dark of its depth."""
    rows, columns = np.nonzero(hit)
    rows, columns, x, z, slant = rows[wet], columns[wet], x[wet], z[wet], slant[wet]
    calm = smooth(-0.15, 0.30, layered(x / 420, z / 130, 4, 101))
    rough = 0.25 + 0.75 * calm
    ripple = layered(x / 2.2, z / 5.5, 4, 102, 0.6) * rough
    swell = layered(x / 17, z / 30, 3, 104) * rough
    tilt = 0.020 * ripple + 0.010 * swell
    mirrored = 2 * HORIZON * height - rows + (np.abs(tilt) * 1.6 + 0.55 * tilt) * -height
    sideways = columns + 0.25 * tilt * width
    sideways = np.clip(sideways, 0, width - 1)
    seen = image[np.clip(mirrored, 0, HORIZON * height * 1.04).astype(int), sideways.astype(int)]
    above = mirrored < 0
    up = (HORIZON - mirrored[above] / height) * 2 * VIEW * height / width
    seen[above] = sky((sideways[above] / width * 2 - 1) * VIEW, up.astype(np.float32))
    grazing = np.clip(-slant + 1.2 * np.abs(tilt), 0.01, 1)
    share = 0.03 + 0.97 * (1 - grazing) ** 5 * 0.86
    deep = rgb(0.022, 0.070, 0.085)
    surface = mix(np.broadcast_to(deep, seen.shape), seen * rgb(0.93, 0.97, 1.0), share)
    image[rows, columns] = in_air(surface, x, np.zeros_like(x), 0.6 * z)
