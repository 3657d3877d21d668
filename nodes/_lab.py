"""
CIE L*a*b* of 1976 under D65, divided by 100, so that its numbers have the size of Oklab's.

Colours are planes, (3, …), float32: the lightness, 0 for black and 1 for white, then green to red
and blue to yellow, 0 for grey and hardly beyond ±1.1. Numbers of 8 bits are taken as sRGB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nodes._gamut import in_srgb, light_planes, times

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes._gamut import Planes

_TO_XYZ: Final = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
"""Linear sRGB to XYZ; each row adds up to the white of D65."""
_OPPONENTS: Final = ((0.0, 1.16, 0.0), (5.0, -5.0, 0.0), (0.0, 2.0, -2.0))
_EDGE: Final = 6 / 29
"""Root below which the cube root goes on as a line."""


def to_lab(tones: NDArray[np.uint8]) -> Planes:
    """Return the colours (…, 3) as planes of Lab / 100."""
    import numpy as np

    shares = times(_to_shares(), light_planes(tones))
    line = shares / np.float32(3 * _EDGE**2) + np.float32(4 / 29)
    roots = np.where(shares > _EDGE**3, np.cbrt(shares), line)
    planes = times(np.array(_OPPONENTS, np.float32), roots)
    planes[0] -= np.float32(0.16)
    return planes


def from_lab(planes: Planes) -> NDArray[np.uint8]:
    """
    Return planes of Lab / 100 as colours (…, 3).

    What lies outside of sRGB keeps its luminance and is drawn towards grey until it fits.
    """
    import numpy as np

    middle = (planes[0] + np.float32(0.16)) / np.float32(1.16)
    roots = np.stack([middle + planes[1] / 5, middle, middle - planes[2] / 2])
    line = (roots - np.float32(4 / 29)) * np.float32(3 * _EDGE**2)
    shares = np.where(roots > _EDGE, roots * roots * roots, line)
    return in_srgb(times(np.linalg.inv(_to_shares()), shares))


def _to_shares() -> Planes:
    """Return the matrix of linear RGB to XYZ as shares of white."""
    import numpy as np

    matrix = np.array(_TO_XYZ, np.float32)
    shares: Planes = matrix / matrix.sum(axis=1, keepdims=True)
    return shares
