"""Colours: what the season does to the land and what the hour does to sky and light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Hour:
    """Sky from the zenith to the horizon, the light on the land, and what shines."""

    zenith: Colour
    middle: Colour
    horizon: Colour
    light: Colour
    cloud: Colour
    cloud_shade: Colour
    orb: Colour
    orb_radius: float
    glow: Colour
    glow_reach: float
    haze: float
    contrast: float


@dataclass(frozen=True, slots=True)
class Cover:
    """The land's own colours in a season, each as a main and a second tone."""

    meadow: tuple[Colour, Colour]
    leaf: tuple[Colour, Colour]
    slope: tuple[Colour, Colour]
    sand: tuple[Colour, Colour]
    beach: Colour
    ice: float


HOURS: Final[dict[str, Hour]] = {
    "dawn": Hour(
        zenith=(0.50, 0.58, 0.86),
        middle=(0.85, 0.72, 0.90),
        horizon=(1.00, 0.86, 0.86),
        light=(0.83, 0.77, 0.90),
        cloud=(1.00, 0.88, 0.92),
        cloud_shade=(0.76, 0.66, 0.82),
        orb=(1.00, 0.97, 0.93),
        orb_radius=6.0,
        glow=(1.00, 0.88, 0.86),
        glow_reach=22,
        haze=0.62,
        contrast=0.6,
    ),
    "noon": Hour(
        zenith=(0.18, 0.47, 0.88),
        middle=(0.42, 0.69, 0.95),
        horizon=(0.78, 0.90, 0.98),
        light=(1.00, 1.00, 0.97),
        cloud=(1.00, 1.00, 1.00),
        cloud_shade=(0.80, 0.86, 0.93),
        orb=(1.00, 0.99, 0.84),
        orb_radius=6.0,
        glow=(1.00, 0.99, 0.88),
        glow_reach=13,
        haze=0.42,
        contrast=1.0,
    ),
    "sunset": Hour(
        zenith=(0.36, 0.15, 0.36),
        middle=(0.90, 0.34, 0.17),
        horizon=(1.00, 0.76, 0.26),
        light=(1.00, 0.66, 0.44),
        cloud=(1.00, 0.56, 0.27),
        cloud_shade=(0.52, 0.17, 0.28),
        orb=(1.00, 0.95, 0.62),
        orb_radius=8.5,
        glow=(1.00, 0.72, 0.20),
        glow_reach=26,
        haze=0.46,
        contrast=0.85,
    ),
    "night": Hour(
        zenith=(0.02, 0.03, 0.11),
        middle=(0.05, 0.08, 0.22),
        horizon=(0.13, 0.20, 0.40),
        light=(0.40, 0.45, 0.60),
        cloud=(0.20, 0.25, 0.40),
        cloud_shade=(0.09, 0.11, 0.24),
        orb=(0.96, 0.96, 0.88),
        orb_radius=6.5,
        glow=(0.45, 0.52, 0.70),
        glow_reach=15,
        haze=0.36,
        contrast=0.8,
    ),
}

COVERS: Final[dict[str, Cover]] = {
    "spring": Cover(
        meadow=((0.47, 0.81, 0.26), (1.00, 0.78, 0.88)),
        leaf=((1.00, 0.80, 0.88), (0.92, 0.55, 0.71)),
        slope=((0.50, 0.55, 0.52), (0.46, 0.72, 0.30)),
        sand=((0.72, 0.80, 0.42), (0.46, 0.74, 0.28)),
        beach=(0.90, 0.84, 0.62),
        ice=0.0,
    ),
    "summer": Cover(
        meadow=((0.19, 0.47, 0.13), (0.32, 0.55, 0.15)),
        leaf=((0.06, 0.31, 0.11), (0.15, 0.42, 0.12)),
        slope=((0.40, 0.45, 0.47), (0.18, 0.38, 0.20)),
        sand=((1.00, 0.84, 0.44), (0.95, 0.70, 0.30)),
        beach=(0.95, 0.86, 0.60),
        ice=0.0,
    ),
    "autumn": Cover(
        meadow=((0.76, 0.50, 0.15), (0.62, 0.27, 0.09)),
        leaf=((0.90, 0.44, 0.06), (0.68, 0.16, 0.06)),
        slope=((0.50, 0.41, 0.38), (0.62, 0.36, 0.15)),
        sand=((0.76, 0.38, 0.20), (0.58, 0.24, 0.13)),
        beach=(0.80, 0.68, 0.48),
        ice=0.0,
    ),
    "winter": Cover(
        meadow=((0.93, 0.97, 1.00), (0.66, 0.79, 0.97)),
        leaf=((0.84, 0.90, 0.96), (0.26, 0.37, 0.40)),
        slope=((0.93, 0.96, 1.00), (0.58, 0.70, 0.88)),
        sand=((0.94, 0.96, 0.99), (0.78, 0.78, 0.80)),
        beach=(0.92, 0.94, 0.97),
        ice=0.38,
    ),
}

SNOW: Final[Colour] = (0.96, 0.98, 1.00)

#: What a season does to the red, green and blue of a warm light: snow mirrors the zenith, and the
#: air of spring is mild, so that its evenings do not look like those of autumn.
TINTS: Final[dict[str, Colour]] = {"winter": (0.97, 1.04, 1.35), "spring": (0.95, 1.10, 1.30)}
