"""
Oklab: a colour space in which equal steps look equally large (B. Ottosson, 2020).

Colours are planes, (3, …), float32. The first is the lightness, 0 for black and 1 for white; the
others are green to red and blue to yellow, 0 for grey and hardly beyond ±0.3. Numbers of 8 bits
are taken as sRGB.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from nodes._gamut import in_srgb, light_planes, times

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes._gamut import Planes

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


def to_oklab(tones: NDArray[np.uint8]) -> Planes:
    """Return the colours (…, 3) as planes of Oklab."""
    import numpy as np

    matrices = _matrices()
    return times(matrices.opponents, np.cbrt(times(matrices.cones, light_planes(tones))))


def from_oklab(planes: Planes) -> NDArray[np.uint8]:
    """
    Return planes of Oklab as colours (…, 3).

    What lies outside of sRGB keeps its luminance and is drawn towards grey until it fits.
    """
    matrices = _matrices()
    roots = times(matrices.from_opponents, planes)
    return in_srgb(times(matrices.from_cones, roots * roots * roots))


class _Matrices(NamedTuple):
    cones: Planes
    opponents: Planes
    from_cones: Planes
    from_opponents: Planes


@cache
def _matrices() -> _Matrices:
    import numpy as np

    there = [np.array(_CONES), np.array(_OPPONENTS)]
    back = [np.linalg.inv(matrix) for matrix in there]
    return _Matrices(*(matrix.astype(np.float32) for matrix in (*there, *back)))
