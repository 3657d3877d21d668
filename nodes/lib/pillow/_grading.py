"""
The arithmetic of colour grading.

All of it works on bands: rows of RGB from 0 to 1, (rows, width, 3), float32.

A result may lie outside of 0 to 1; whoever makes an image of it cuts it off.
"""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Any

from nodes._pixels import luma
from nodetool_core import NodeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes._pixels import Band

Triple = tuple[float, float, float]
"""A number each for red, green and blue."""

_STEPS = 1021
"""Tones at which a curve is kept: four for each of 256, so that those are met exactly."""

_PEAK = 6.75
"""Brings x (1 - x)² to a height of 1, which it has at one third."""


def triple(values: Triple) -> NDArray[np.float32]:
    import numpy as np

    return np.array(values, np.float32)


def cdl(band: Band, slope: Triple, offset: Triple, power: Triple, saturation: float) -> Band:
    """
    Apply slope, offset and power to each channel, then saturation around the luma.

    These are the rules of the ASC Color Decision List, version 1.2.
    """
    import numpy as np

    toned = np.clip(band * triple(slope) + triple(offset), 0.0, 1.0) ** triple(power)
    return saturated(toned, saturation)


def saturated(band: Band, factor: float | Band) -> Band:
    """Return colours at `factor` times their distance from the grey of the same luma."""
    grey = luma(band)
    return grey + (band - grey) * factor


def in_shadows(tones: Band) -> Band:
    """Return how much a tone counts as shadow: 1 at a third, 0 at black and white."""
    return _PEAK * tones * (1 - tones) ** 2


def in_midtones(tones: Band) -> Band:
    """Return how much a tone counts as midtone: 1 at the middle, 0 at black and white."""
    return 4 * tones * (1 - tones)


def in_highlights(tones: Band) -> Band:
    """Return how much a tone counts as highlight: 1 at two thirds, 0 at black and white."""
    return in_shadows(1 - tones)


def all_tones() -> Band:
    """Return the tones from 0 to 1 at which curves are kept, (count, 1)."""
    import numpy as np

    return np.linspace(0.0, 1.0, _STEPS, dtype=np.float32)[:, None]


def rising(curves: Band) -> Band:
    """
    Return curves over `all_tones`, one a column, that never fall.

    Their values within 0 and 1, in rising order.
    """
    import numpy as np

    return np.sort(np.clip(curves, 0.0, 1.0), axis=0)


def along(curves: Band, band: Band) -> Band:
    """Return the tones that curves lead to: one curve for all channels, or one for each."""
    import numpy as np

    tones, columns = np.linspace(0.0, 1.0, _STEPS), curves.shape[1]
    channels = [
        np.interp(band[..., index], tones, curves[:, index % columns])
        for index in range(band.shape[2])
    ]
    return np.stack(channels, axis=2).astype(np.float32)


def through(points: list[list[float]], tones: Band) -> Band:
    """
    Return tones by a curve through points [tone, new tone]; as they are where there is none.

    It is level beyond the first and the last point, and between two it neither overshoots nor
    waves (F. N. Fritsch and J. Butland, 1984: harmonic means of the slopes).

    Raises:
        NodeError: For points that are none, or two above each other.
    """
    import numpy as np

    if not points:
        return np.array(tones)
    if len(points) < 2 or any(len(point) != 2 for point in points):
        raise NodeError(
            "A curve needs two points or more, each of a tone and a new tone.",
            "Give points such as [[0, 0], [0.5, 0.6], [1, 1]].",
        )
    x, y = np.array(sorted(points), np.float64).T
    steps = np.diff(x)
    if not np.isfinite([x, y]).all() or (steps <= 0).any():
        raise NodeError(
            "Two points of the curve have the same tone, or a coordinate is not finite.",
            "Give each point a tone of its own.",
        )
    slopes = np.diff(y) / steps
    bends = np.zeros(len(x))
    before, behind = steps[:-1], steps[1:]
    weights = (2 * behind + before, behind + 2 * before)
    same = slopes[:-1] * slopes[1:] > 0
    with np.errstate(divide="ignore"):
        means = (weights[0] + weights[1]) / (weights[0] / slopes[:-1] + weights[1] / slopes[1:])
    bends[1:-1] = np.where(same, means, 0.0)
    bends[0], bends[-1] = _end_slope(steps, slopes), _end_slope(steps[::-1], slopes[::-1])
    place = np.clip(tones, x[0], x[-1])
    cell = np.clip(np.searchsorted(x, place, "right") - 1, 0, len(steps) - 1)
    width = steps[cell]
    share = (place - x[cell]) / width
    curved: Band = (
        y[cell] * (1 + 2 * share) * (1 - share) ** 2
        + bends[cell] * width * share * (1 - share) ** 2
        + y[cell + 1] * share**2 * (3 - 2 * share)
        + bends[cell + 1] * width * share**2 * (share - 1)
    )
    return curved


def _end_slope(steps: Band, slopes: Band) -> float:
    """Return the slope at the first point, by three points, kept from turning the curve around."""
    if len(slopes) == 1:
        return float(slopes[0])
    slope = ((2 * steps[0] + steps[1]) * slopes[0] - steps[0] * slopes[1]) / (steps[0] + steps[1])
    if slope * slopes[0] <= 0:
        return 0.0
    if slopes[0] * slopes[1] <= 0 and abs(slope) > 3 * abs(slopes[0]):
        return float(3 * slopes[0])
    return float(slope)


def in_range(band: Band) -> Band:
    """Return colours within 0 to 1; others are brought nearer to the grey of their luma."""
    import numpy as np

    grey = luma(band).clip(0.0, 1.0)
    away = band - grey
    room = np.where(away > 0, 1 - grey, grey)
    share = (room / np.abs(away).clip(1e-6)).min(axis=2, keepdims=True).clip(0.0, 1.0)
    ranged: Band = grey + away * share
    return ranged


def exposed(band: Band, stops: float) -> Band:
    """
    Return colours as if the camera had taken in 2 ** stops times the light.

    Tones are multiplied as linear light (sRGB, IEC 61966-2-1).
    """
    import numpy as np

    linear = np.where(band <= 0.04045, band / 12.92, ((band + 0.055) / 1.055) ** 2.4) * np.float32(
        2.0**stops
    )
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def split_toned(band: Band, shadow: Triple, highlight: Triple, balance: float) -> Band:
    """
    Return colours with tints added to dark and to bright tones.

    A balance above 0 lets the highlights reach further down.
    """
    bright = smooth_step(luma(band) + balance * 0.5, 0.0, 1.0)
    toned: Band = band + triple(shadow) * (1 - bright) + triple(highlight) * bright
    return toned


def tint(hue: float, saturation: float) -> Triple:
    """
    Return a colour's direction away from grey: what is added to tint without making brighter.

    The hue is in degrees.
    """
    import numpy as np

    colour = np.array(colorsys.hsv_to_rgb(hue % 360 / 360, 1.0, 1.0), np.float32)
    red, green, blue = (colour - luma(colour[None, None]).item()) * saturation * 0.35
    return float(red), float(green), float(blue)


def smooth_step(values: Any, low: float, high: float) -> Any:
    """0 up to `low`, 1 from `high` on, and a smooth curve between them."""
    import numpy as np

    share = np.clip((values - low) / max(high - low, 1e-6), 0.0, 1.0)
    return share * share * (3 - 2 * share)


def to_hsl(band: Band) -> tuple[Band, Band, Band]:
    """Return hue (0 to 1, red at 0), saturation and lightness of each pixel, (rows, width) each."""
    import numpy as np

    band = np.clip(band, 0.0, 1.0)
    high, low = band.max(axis=2), band.min(axis=2)
    range_, lightness = high - low, (high + low) / 2
    red, green, blue = band[..., 0], band[..., 1], band[..., 2]
    part = np.where(range_ > 0, range_, 1)
    hue = np.select(
        [high == red, high == green],
        [(green - blue) / part, (blue - red) / part + 2],
        (red - green) / part + 4,
    )
    room = 1 - np.abs(2 * lightness - 1)
    saturation = np.where(range_ > 0, range_ / np.where(room > 0, room, 1), 0)
    return np.where(range_ > 0, hue / 6 % 1.0, 0).astype(np.float32), saturation, lightness


def from_hsl(hue: Band, saturation: Band, lightness: Band) -> Band:
    """Return the band of hue, saturation and lightness."""
    import numpy as np

    width = saturation * np.minimum(lightness, 1 - lightness)
    twelfths = (np.array([0, 8, 4], np.float32) + hue[..., None] * 12) % 12
    band: Band = lightness[..., None] - width[..., None] * np.clip(
        np.minimum(twelfths - 3, 9 - twelfths), -1.0, 1.0
    )
    return band
