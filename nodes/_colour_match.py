"""
Colours of one image brought to those of another, in Oklab.

By their mean and spread: E. Reinhard et al., Color Transfer between Images, 2001.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from nodes._oklab import from_oklab, to_oklab

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from nodetool_core import Context

_SAMPLES: Final = 512
"""Longest side of the image that colours are measured on, in pixels."""
_SPREAD: Final = (0.1, 10.0)
"""How much the spread of colours is changed at most."""
_BAND_PIXELS: Final = 1 << 18


class Moments(NamedTuple):
    """Mean and standard deviation of colours in Oklab, (3,) each."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


def sampled(
    image: Image.Image, where: Image.Image | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return colours of an image (L or RGB) in Oklab, (count, 3), and how much each counts.

    Args:
        where: Weights of the pixels (L); None for all of them alike.
    """
    import numpy as np
    from PIL import Image as Pillow

    share = min(1.0, _SAMPLES / max(image.size))
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    nearest = Pillow.Resampling.NEAREST
    planes = to_oklab(np.asarray(image.convert("RGB").resize(size, nearest)))
    weights = np.ones(size[0] * size[1])
    if where is not None:
        given = np.asarray(where.resize(size, nearest), np.float64).ravel()
        weights = given if given.any() else weights
    return planes.reshape(3, -1).T.astype(np.float64), weights


def moments(image: Image.Image, where: Image.Image | None) -> Moments:
    """Return mean and spread of an image's colours; `where` as for `sampled`."""
    import numpy as np

    lab, weights = sampled(image, where)
    mean = np.average(lab, axis=0, weights=weights)
    spread = np.sqrt(np.average((lab - mean) ** 2, axis=0, weights=weights))
    return Moments(mean.astype(np.float64), spread.astype(np.float64))


def matched(
    image: Image.Image,
    own: Moments,
    wanted: Moments,
    strength: float,
    context: Context,
    *,
    spread: bool,
) -> Image.Image:
    """
    Return an image (L or RGB) with the mean of its colours moved to another one.

    Args:
        spread: Whether their standard deviations are brought to the others' as well.
    """
    import numpy as np

    ratio = np.ones(3)
    if spread:
        ratio = np.clip(wanted.deviation / np.maximum(own.deviation, 1e-4), *_SPREAD)
    # Colours that hardly vary have no spread to go by.
    ratio = np.where(own.deviation < 1e-3, 1.0, ratio)
    matrix = np.diag(1 + (ratio - 1) * strength)
    offset = (wanted.mean - ratio * own.mean) * strength
    return moved(image, matrix, offset, context)


def moved(
    image: Image.Image,
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    context: Context,
) -> Image.Image:
    """Return an image (L or RGB) whose colours in Oklab are multiplied and moved, in its mode."""
    import numpy as np
    from PIL import Image as Pillow

    source = np.asarray(image.convert("RGB"))
    result = np.empty_like(source)
    rows = max(1, _BAND_PIXELS // source.shape[1])
    factors, shift = matrix.astype(np.float32), offset.astype(np.float32)[:, None]
    for top in range(0, source.shape[0], rows):
        context.check_cancelled()
        planes = to_oklab(source[top : top + rows])
        changed = factors @ planes.reshape(3, -1) + shift
        result[top : top + rows] = from_oklab(changed.astype(np.float32).reshape(planes.shape))
    return Pillow.fromarray(result).convert(image.mode)
