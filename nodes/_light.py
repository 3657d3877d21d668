"""
Linear light: tones as amounts of light, by the curve of sRGB (IEC 61966-2-1).

What is averaged in it keeps its brightness, as a lens or an eye would average it. Display P3 has
the same curve; profiles of another one are taken as if they had it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes._pixels import Band

LINEAR_LIGHT = (
    "Whether pixels are averaged as light (by the curve of sRGB) instead of as stored tones."
)
"""What nodes say of their property `linear_light`."""


def to_light(tones: Band) -> Band:
    """Return tones from 0 to 1 as light from 0 to 1."""
    import numpy as np

    tones = np.maximum(tones, 0.0)
    return np.where(tones <= 0.04045, tones / 12.92, ((tones + 0.055) / 1.055) ** 2.4)


def from_light(light: Band) -> Band:
    """Return light from 0 to 1 as tones from 0 to 1; more than white stays more than white."""
    import numpy as np

    light = np.maximum(light, 0.0)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


@cache
def light_of_bytes() -> NDArray[np.float32]:
    """Return the light of each of 256 tones."""
    import numpy as np

    table = to_light(np.arange(256) / 255.0).astype(np.float32)
    table.flags.writeable = False
    return table


@cache
def bytes_of_light() -> NDArray[np.uint8]:
    """Return the nearest of 256 tones for light in steps of 1 / 65535."""
    import numpy as np

    table: NDArray[np.uint8] = np.rint(from_light(np.arange(65536) / 65535.0) * 255).astype(
        np.uint8
    )
    table.flags.writeable = False
    return table


def as_tones(light: Band) -> NDArray[np.uint8]:
    """Return light as the nearest of 256 tones; what lies outside of 0 to 1 is cut off."""
    import numpy as np

    steps = np.clip(light, 0.0, 1.0) * np.float32(65535.0) + np.float32(0.5)
    tones: NDArray[np.uint8] = bytes_of_light()[steps.astype(np.uint16)]
    return tones
