"""
Planes of linear RGB, (3, …), from 0 to 1: taken from tones of sRGB, and brought back into it.

Spaces such as Oklab and Lab begin and end with them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from nodes._light import from_light, light_of_bytes
from nodes._pixels import LUMA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Planes = NDArray[np.float32]

_CODES: Final = 4096
"""Steps of the table that encodes, over the square root of linear light: 16 for one of 256."""


def light_planes(tones: NDArray[np.uint8]) -> Planes:
    """Return colours of sRGB, (…, 3), as planes of linear RGB."""
    import numpy as np

    table = light_of_bytes()
    return np.stack([table.take(tones[..., channel]) for channel in range(3)])


def in_srgb(linear: Planes) -> NDArray[np.uint8]:
    """
    Return planes of linear RGB as colours of sRGB, (…, 3); the planes are changed.

    What lies outside of sRGB keeps its luminance and is drawn towards grey until it fits.
    """
    import numpy as np

    luminance = np.clip(np.tensordot(np.array(LUMA, np.float32), linear, 1), 0, 1)
    outside = (linear.min(axis=0) < 0) | (linear.max(axis=0) > 1)
    if outside.any():
        linear[:, outside] = _drawn_in(linear[:, outside], luminance[outside])
    np.clip(linear, 0, 1, out=linear)
    codes = (np.sqrt(linear, out=linear) * _CODES + np.float32(0.5)).astype(np.int32)
    tones = np.empty((*linear.shape[1:], 3), np.uint8)
    for channel in range(3):
        tones[..., channel] = _encoded().take(codes[channel])
    return tones


def times(matrix: Planes, planes: Planes) -> Planes:
    """Return planes multiplied by a matrix of 3 x 3."""
    product: Planes = (matrix @ planes.reshape(3, -1)).reshape(planes.shape)
    return product


def _drawn_in(linear: Planes, luminance: Planes) -> Planes:
    """Return colours (3, count) as close to the edge of RGB as their luminance allows."""
    import numpy as np

    lowest, highest = linear.min(axis=0), linear.max(axis=0)
    share = np.minimum(
        np.where(lowest < 0, luminance / np.maximum(luminance - lowest, 1e-6), 1),
        np.where(highest > 1, (1 - luminance) / np.maximum(highest - luminance, 1e-6), 1),
    )
    inside: Planes = luminance + share * (linear - luminance)
    return inside


@cache
def _encoded() -> NDArray[np.uint8]:
    """Return the nearest of 256 tones for square roots of light in steps of 1 / 4096."""
    import numpy as np

    tones = from_light(np.linspace(0, 1, _CODES + 1) ** 2)
    codes: NDArray[np.uint8] = np.clip(tones * 255 + 0.5, 0, 255).astype(np.uint8)
    return codes
