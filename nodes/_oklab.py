"""
Oklab: a colour space in which equal steps look equally large (B. Ottosson, 2020).

Colours are planes, (3, …), float32. The first is the lightness, 0 for black and 1 for white; the
others are green to red and blue to yellow, 0 for grey and hardly beyond ±0.3. Numbers of 8 bits
are taken as sRGB.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from nodes._pixels import LUMA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Planes = NDArray[np.float32]

_CONES: Final = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
"""Linear RGB to the responses of the eye's cones."""
_OPPONENTS: Final = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
"""Cube roots of the responses to Oklab."""
_CODES: Final = 4096
"""Steps of the table that encodes, over the square root of linear light: 16 for one of 256."""


def to_oklab(tones: NDArray[np.uint8]) -> Planes:
    """Return the colours (…, 3) as planes of Oklab."""
    import numpy as np

    tables = _tables()
    linear = np.stack([tables.linear.take(tones[..., channel]) for channel in range(3)])
    return _times(tables.opponents, np.cbrt(_times(tables.cones, linear)))


def from_oklab(planes: Planes) -> NDArray[np.uint8]:
    """
    Return planes of Oklab as colours (…, 3).

    What lies outside of sRGB keeps its luminance and is drawn towards grey until it fits.
    """
    import numpy as np

    tables = _tables()
    roots = _times(tables.from_opponents, planes)
    linear = _times(tables.from_cones, roots * roots * roots)
    luminance = np.clip(np.tensordot(np.array(LUMA, np.float32), linear, 1), 0, 1)
    outside = (linear.min(axis=0) < 0) | (linear.max(axis=0) > 1)
    if outside.any():
        linear[:, outside] = _in_gamut(linear[:, outside], luminance[outside])
    np.clip(linear, 0, 1, out=linear)
    codes = (np.sqrt(linear, out=linear) * _CODES + np.float32(0.5)).astype(np.int32)
    tones = np.empty((*planes.shape[1:], 3), np.uint8)
    for channel in range(3):
        tones[..., channel] = tables.encoded.take(codes[channel])
    return tones


def _in_gamut(linear: Planes, luminance: Planes) -> Planes:
    """Return colours (3, count) as close to the edge of RGB as their luminance allows."""
    import numpy as np

    lowest, highest = linear.min(axis=0), linear.max(axis=0)
    share = np.minimum(
        np.where(lowest < 0, luminance / np.maximum(luminance - lowest, 1e-6), 1),
        np.where(highest > 1, (1 - luminance) / np.maximum(highest - luminance, 1e-6), 1),
    )
    inside: Planes = luminance + share * (linear - luminance)
    return inside


def _times(matrix: Planes, planes: Planes) -> Planes:
    product: Planes = (matrix @ planes.reshape(3, -1)).reshape(planes.shape)
    return product


class _Tables:
    """What the conversion looks up, made once."""

    def __init__(self) -> None:
        import numpy as np

        codes = np.arange(256) / 255
        linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
        light = np.linspace(0, 1, _CODES + 1) ** 2
        encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        cones, opponents = np.array(_CONES), np.array(_OPPONENTS)
        self.linear = linear.astype(np.float32)
        self.encoded = np.clip(encoded * 255 + 0.5, 0, 255).astype(np.uint8)
        self.cones, self.opponents = cones.astype(np.float32), opponents.astype(np.float32)
        self.from_cones = np.linalg.inv(cones).astype(np.float32)
        self.from_opponents = np.linalg.inv(opponents).astype(np.float32)


@cache
def _tables() -> Any:
    return _Tables()
