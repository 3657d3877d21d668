"""Render a scene: layers from the sky to the foreground, each over the last with a soft edge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.tiny_landscapes.geometry import SIZE, Array, Geometry, build
from training.tiny_landscapes.palette import COVERS, HOURS, SNOW, TINTS, Colour, Cover, Hour
from training.tiny_landscapes.scenes import Scene

LABELS: Final = ("sky", "orb", "mountain", "forest", "water", "ground")

_ROW: Final[Array] = np.arange(SIZE, dtype=np.float32)[:, None]
_COLUMN: Final[Array] = np.arange(SIZE, dtype=np.float32)[None, :]


@dataclass(slots=True)
class Canvas:
    """The image so far and, per pixel, which kind of thing is on top."""

    pixels: Array
    labels: NDArray[np.uint8]

    def lay(self, colour: Array, cover: Array, label: str) -> None:
        """Lay a colour over the image where ``cover`` (0..1) says so."""
        self.pixels += cover[..., None] * (colour - self.pixels)
        self.labels[cover > 0.5] = LABELS.index(label)


def light_of(scene: Scene) -> Hour:
    """Return the hour's light, tinted by the season where it is warm."""
    hour = HOURS[scene.time]
    red, _, blue = hour.light
    if scene.season not in TINTS or red <= blue:
        return hour
    red, green, blue = np.minimum(1.0, np.multiply(hour.light, TINTS[scene.season])).tolist()
    return replace(hour, light=(red, green, blue))


def _rgb(colour: Colour) -> Array:
    return np.asarray(colour, np.float32)


def _below(edge: Array) -> Array:
    """Coverage of what lies under a line, with an edge one pixel wide however steep the line is."""
    steep = np.sqrt(1 + np.gradient(edge) ** 2)
    return np.clip((_ROW - edge[None, :]) / steep[None, :] + 0.5, 0, 1)


def _mix(first: Colour | Array, second: Colour | Array, share: Array) -> Array:
    a, b = np.asarray(first, np.float32), np.asarray(second, np.float32)
    return a + share[..., None] * (b - a)


def _sky(geometry: Geometry, hour: Hour) -> Array:
    height = np.clip(_ROW / geometry.horizon, 0, 1)
    upper = _mix(hour.zenith, hour.middle, np.clip(height / 0.55, 0, 1))
    both = _mix(upper, hour.horizon, np.clip((height - 0.4) / 0.6, 0, 1) ** 1.3)
    return np.repeat(both, SIZE, axis=1)


def _skyline(geometry: Geometry, scene: Scene) -> Array:
    if scene.has("mountains"):
        return np.minimum(geometry.far_ridge, geometry.near_ridge)
    return geometry.hills


def _heavens(canvas: Canvas, geometry: Geometry, scene: Scene, hour: Hour) -> None:
    """Stars, sun or moon with its glow, then clouds."""
    if scene.has("stars"):
        canvas.pixels += (geometry.star_map * 0.9)[..., None] * (_rgb((1, 1, 0.95)) - canvas.pixels)
    if scene.has("sun") or scene.has("moon"):
        x, y = orb_place(geometry, scene)
        far = np.sqrt((_ROW - y) ** 2 + (_COLUMN - x) ** 2)
        canvas.pixels += (0.75 * np.exp(-far / hour.glow_reach))[..., None] * (
            _rgb(hour.glow) - canvas.pixels
        )
        canvas.lay(_rgb(hour.orb), np.clip(hour.orb_radius - far + 0.5, 0, 1), "orb")
    if scene.has("clouds"):
        fade = np.clip((geometry.horizon * 0.95 - _ROW) / 22, 0, 1)
        thick = np.clip((geometry.cloud_noise - 0.12) * 2.6, 0, 1) * fade
        lit = np.clip(
            0.55 + 0.9 * (geometry.cloud_noise - np.roll(geometry.cloud_noise, -4, axis=0)), 0, 1
        )
        canvas.pixels += (0.88 * thick)[..., None] * (
            _mix(hour.cloud_shade, hour.cloud, lit) - canvas.pixels
        )


def orb_place(geometry: Geometry, scene: Scene) -> tuple[float, float]:
    """
    Return where the sun or the moon stands.

    Low over the skyline at dawn and sunset, high at noon and at night.
    """
    if scene.time in ("noon", "night"):
        return geometry.orb_x, geometry.orb_up
    skyline = _skyline(geometry, scene)
    return geometry.orb_x, float(skyline[int(geometry.orb_x)]) - 4.0


def _lit(colour: Array, shade: Array, hour: Hour, haze: float) -> Array:
    """
    Return the land's own colour under the hour's light.

    Shaded, then hazed towards the colour of the horizon.
    """
    seen = colour * (1 + hour.contrast * shade)[..., None] * _rgb(hour.light)
    return np.clip(seen + haze * hour.haze * (_rgb(hour.horizon) - seen), 0, 1)


def _mountains(canvas: Canvas, geometry: Geometry, scene: Scene, hour: Hour, cover: Cover) -> None:
    ridges = ((geometry.far_ridge, 0.95), (geometry.near_ridge, 0.45))
    for ridge, haze in ridges:
        deep = _ROW - ridge[None, :]
        facing = np.gradient(ridge)[None, :] * np.exp(-np.clip(deep, 0, None) / 12)
        slant = np.roll(geometry.rock_noise, 3, axis=1) - geometry.rock_noise
        shade = np.clip(0.32 * slant + 0.16 * facing, -0.4, 0.35)
        foot = np.clip(
            deep / (geometry.horizon - ridge[None, :] + 6) + 0.22 * geometry.rock_noise, 0, 1
        )
        if scene.season == "winter":
            colour = _mix(
                cover.slope[0], cover.slope[1], np.clip(0.35 + 0.8 * geometry.rock_noise, 0, 1)
            )
        else:
            colour = _mix(cover.slope[0], cover.slope[1], np.clip(foot * 1.7 - 0.3, 0, 1))
            if scene.has("snow"):
                cap = np.clip((10 + 5 * geometry.rock_noise - deep) / 3, 0, 1) * (
                    ridge[None, :] < geometry.horizon - 12
                )
                colour = _mix(colour, SNOW, cap)
        canvas.lay(_lit(colour, shade, hour, haze), _below(ridge), "mountain")


def _flowers(geometry: Geometry) -> Array:
    """
    Return how much of the meadow is in flower: dots in drifts that follow the ground.

    The ground shows in every season, so a model that edits another season sees where the drifts
    belong. The dots follow a noise that it cannot see: they stay few enough that the mean over
    them, which a squared error asks for, is a green meadow.
    """
    drifts = np.clip(geometry.ground_noise - 0.1, 0, 1)
    dots = np.clip((geometry.speckle + 0.1) * 2.5, 0, 1)
    return drifts * (0.5 + 0.8 * dots) * np.clip((_ROW - geometry.horizon) / 24, 0.3, 1)


def _ground(geometry: Geometry, scene: Scene, hour: Hour, cover: Cover) -> Array:
    """Return the colour of meadow or sand for the whole image; it lies under the horizon only."""
    main, second = cover.sand if scene.has("desert") else cover.meadow
    patches = np.clip(0.30 + 0.55 * geometry.ground_noise, 0, 1)
    if scene.season == "spring" and not scene.has("desert"):
        patches = _flowers(geometry)
    near = np.clip((_ROW - geometry.horizon) / (SIZE - geometry.horizon), 0, 1)
    shade = 0.12 * geometry.ground_noise - 0.18 * near + 0.04 * geometry.speckle
    haze = 0.75 * (1 - near[..., None]) ** 2
    flat = _lit(_mix(main, second, patches), shade, hour, 0.0)
    return flat + haze * hour.haze * (_rgb(hour.horizon) - flat)


def _trees(
    geometry: Geometry,
    scene: Scene,
    hour: Hour,
    cover: Cover,
    base: Array,
    tall: Array,
    haze: float,
) -> Array:
    top = base - tall
    height = np.clip((_ROW - top[None, :]) / np.maximum(tall, 2)[None, :], 0, 1)
    mottle = geometry.speckle + 0.5 * geometry.rock_noise
    share = 0.42 + 0.7 * mottle
    if scene.season == "winter":
        share = 0.9 * height + 0.35 * mottle - 0.05
    elif scene.season == "spring":
        share = 0.45 + 0.9 * geometry.ground_noise + 0.2 * geometry.speckle
    shade = 0.18 - 0.42 * height + 0.10 * mottle
    return _lit(_mix(cover.leaf[0], cover.leaf[1], np.clip(share, 0, 1)), shade, hour, haze)


def _water(canvas: Canvas, geometry: Geometry, scene: Scene, hour: Hour, cover: Cover) -> Array:
    """
    Draw water: sky and ridge mirrored at the horizon, darkened towards the viewer.

    It has ripples and the reflection of sun or moon.
    """
    mirrored = np.clip(2 * geometry.horizon - _ROW[:, 0] * 1.0, 0, SIZE - 1).astype(int)
    image = canvas.pixels[mirrored]
    deep = np.clip((_ROW - geometry.horizon) / 50, 0, 1)
    tint = _rgb(hour.zenith) * 0.6 + _rgb((0.03, 0.10, 0.12)) * _rgb(hour.light)
    image = _mix(image * 0.93, tint, 0.18 + 0.30 * deep + 0 * _COLUMN)
    image = image * (1 + 0.09 * geometry.ripple[..., None])
    if scene.has("sun") or scene.has("moon"):
        wide = 4 + 5 * deep
        path = np.exp(-(((_COLUMN - geometry.orb_x) / wide) ** 2)) * np.clip(
            0.45 + 0.9 * geometry.ripple, 0, 1
        )
        image = _mix(image, hour.orb, 0.6 * path)
    if cover.ice:
        image = _mix(image, _rgb(SNOW) * _rgb(hour.light), cover.ice * (1 + 0.35 * geometry.ripple))
    return np.clip(image, 0, 1)


def paint(scene: Scene, geometry: Geometry | None = None) -> tuple[Array, NDArray[np.uint8]]:
    """Return the image (rows, columns, RGB) in 0..1, and an index into ``LABELS`` per pixel."""
    geometry = geometry or build(scene.seed)
    hour, cover = light_of(scene), COVERS[scene.season]
    canvas = Canvas(_sky(geometry, hour), np.zeros((SIZE, SIZE), np.uint8))
    _heavens(canvas, geometry, scene, hour)
    if scene.has("mountains"):
        _mountains(canvas, geometry, scene, hour, cover)
    land = _ground(geometry, scene, hour, cover)
    desert, sea = scene.has("desert"), scene.has("sea")
    rim = geometry.headland if sea else geometry.hills
    canvas.lay(land, _below(rim), "ground")
    if desert:
        for dune in geometry.dunes:
            crest = np.exp(-np.clip(_ROW - dune[None, :], 0, None) / 7)
            facing = 0.22 * np.tanh(4 * np.gradient(dune))[None, :] * crest
            canvas.lay(
                np.clip(land * (1 + 0.10 * crest + facing * hour.contrast)[..., None], 0, 1),
                _below(dune),
                "ground",
            )
    if scene.has("forest"):
        base = np.minimum(rim + 1, geometry.horizon + 2) if sea else geometry.hills + 3
        tall = (
            geometry.far_trees * np.clip((geometry.horizon + 2 - rim) / 4, 0, 1)
            if sea
            else geometry.far_trees
        )
        shape = _below(base - tall) * (1 - _below(base + 2))
        canvas.lay(_trees(geometry, scene, hour, cover, base, tall, 0.45), shape, "forest")
    if sea or scene.has("lake"):
        water = _water(canvas, geometry, scene, hour, cover)
        if sea:
            inside = np.clip(_ROW - geometry.horizon + 0.5, 0, 1) + 0 * _COLUMN
            canvas.lay(water, inside, "water")
            sand = _lit(_rgb(cover.beach) + 0 * land, 0.05 * geometry.ground_noise, hour, 0.05)
            canvas.lay(sand, _below(geometry.beach), "ground")
            canvas.lay(land, _below(geometry.beach + 7), "ground")
        else:
            canvas.lay(water, np.clip(geometry.lake + 0.5, 0, 1), "water")
    if scene.has("forest"):
        floor = np.full(SIZE, 118, np.float32) + 3 * np.sin(_COLUMN[0] / 11)
        shape = (
            _below(floor - geometry.near_trees)
            * (1 - _below(floor))
            * (geometry.near_trees > 1)[None, :]
        )
        canvas.lay(
            _trees(geometry, scene, hour, cover, floor, geometry.near_trees, 0.06), shape, "forest"
        )
    return np.clip(canvas.pixels, 0, 1), canvas.labels


def image(scene: Scene, geometry: Geometry | None = None) -> NDArray[np.uint8]:
    """Return the image as bytes (rows, columns, RGB)."""
    pixels, _ = paint(scene, geometry)
    return np.asarray(np.rint(pixels * 255), np.uint8)
