"""
Colours of one image brought to those of another, in Oklab or Lab.

By their mean and spread (E. Reinhard et al., Color Transfer between Images, 2001), by how they go
together (F. Pitié and A. Kokaram, The Linear Monge-Kantorovitch Linear Colour Mapping, 2007), or
by the histogram of each axis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from nodes._lab import from_lab, to_lab
from nodes._oklab import from_oklab, to_oklab

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from nodes._gamut import Planes
    from nodetool_core import Context

    Numbers = NDArray[np.float64]
    Change = Callable[[Planes], Planes]
    """Takes colours as planes, (3, count), and gives them changed."""

Method = Literal["mean", "reinhard", "mkl", "histogram"]

_SAMPLES: Final = 512
"""Longest side of the image that colours are measured on, in pixels."""
_SPREAD: Final = (0.1, 10.0)
"""How much the spread of colours is changed at most."""
_FLAT: Final = 1e-3
"""Spread below which colours hardly vary, so that there is none to go by."""
_STEP: Final = 1e-4
"""Colours of one histogram that are closer than this are one colour."""
_QUANTILES: Final = 1024
_BAND_PIXELS: Final = 1 << 18


class Space(NamedTuple):
    """A colour space, by the way to its planes, (3, …), and back."""

    to_planes: Callable[[NDArray[np.uint8]], Planes]
    from_planes: Callable[[Planes], NDArray[np.uint8]]


OKLAB: Final = Space(to_oklab, from_oklab)
LAB: Final = Space(to_lab, from_lab)


class Sample(NamedTuple):
    """Colours of an image in a space, (count, 3), and how much each counts, (count,)."""

    colours: Numbers
    weights: Numbers

    def mean(self) -> Numbers:
        """Return the mean colour, (3,)."""
        import numpy as np

        return np.asarray(np.average(self.colours, axis=0, weights=self.weights))

    def covariance(self) -> Numbers:
        """Return how the axes vary together, (3, 3)."""
        import numpy as np

        return np.asarray(np.cov(self.colours.T, aweights=self.weights, bias=True))

    def deviation(self) -> Numbers:
        """Return the standard deviation along each axis, (3,)."""
        import numpy as np

        return np.asarray(np.sqrt(np.diag(self.covariance())))

    def quantiles(self, axis: int) -> Numbers:
        """Return the values that evenly spaced shares of the sample lie below."""
        import numpy as np

        order = np.argsort(self.colours[:, axis])
        weights = self.weights[order]
        below = (np.cumsum(weights) - weights / 2) / weights.sum()
        places = np.linspace(0, 1, _QUANTILES)
        return np.asarray(np.interp(places, below, self.colours[order, axis]))


def sampled(image: Image.Image, where: Image.Image | None, space: Space = OKLAB) -> Sample:
    """
    Return colours of an image (L or RGB) in a space.

    Args:
        where: Weights of the pixels (L); None for all of them alike.
    """
    import numpy as np
    from PIL import Image as Pillow

    share = min(1.0, _SAMPLES / max(image.size))
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    nearest = Pillow.Resampling.NEAREST
    planes = space.to_planes(np.asarray(image.convert("RGB").resize(size, nearest)))
    weights = np.ones(size[0] * size[1])
    if where is not None:
        given = np.asarray(where.resize(size, nearest), np.float64).ravel()
        weights = given if given.any() else weights
    return Sample(planes.reshape(3, -1).T.astype(np.float64), weights)


def matched(
    image: Image.Image,
    own: Sample,
    wanted: Sample,
    method: Method,
    strength: float,
    context: Context,
    space: Space = OKLAB,
) -> Image.Image:
    """
    Return an image (L or RGB) with its colours brought to others, in its mode.

    Args:
        own, wanted: Colours before and after, in the space.
        strength: 0 leaves the image, 1 matches fully.
    """
    if method == "histogram":
        return _changed(image, _by_histogram(own, wanted, strength), context, space)
    import numpy as np

    if method == "mkl":
        matrix = _transport(own.covariance(), wanted.covariance())
    else:
        spread = own.deviation()
        ratio = np.clip(wanted.deviation() / np.maximum(spread, 1e-4), *_SPREAD)
        matrix = np.diag(np.where((method == "mean") | (spread < _FLAT), 1.0, ratio))
    offset = (wanted.mean() - matrix @ own.mean()) * strength
    partly = np.eye(3) + (matrix - np.eye(3)) * strength
    factors, shift = partly.astype(np.float32), offset.astype(np.float32)[:, None]
    return _changed(image, lambda planes: factors @ planes + shift, context, space)


def _by_histogram(own: Sample, wanted: Sample, strength: float) -> Change:
    """Return the change that gives each axis the other's histogram."""
    import numpy as np

    curves = []
    for axis in range(3):
        rounded = np.round(own.quantiles(axis) / _STEP) * _STEP
        values, of, counts = np.unique(rounded, return_inverse=True, return_counts=True)
        goals = np.bincount(of, wanted.quantiles(axis)) / counts
        curves.append((values, values + (goals - values) * strength))

    def change(planes: Planes) -> Planes:
        mapped = [np.interp(plane, *curve) for plane, curve in zip(planes, curves, strict=True)]
        return np.stack(mapped).astype(np.float32)

    return change


def _changed(image: Image.Image, change: Change, context: Context, space: Space) -> Image.Image:
    """Return an image (L or RGB) whose colours are changed in a space, a band of rows at a time."""
    import numpy as np
    from PIL import Image as Pillow

    source = np.asarray(image.convert("RGB"))
    result = np.empty_like(source)
    rows = max(1, _BAND_PIXELS // source.shape[1])
    for top in range(0, source.shape[0], rows):
        context.check_cancelled()
        planes = space.to_planes(source[top : top + rows])
        changed = change(planes.reshape(3, -1)).astype(np.float32, copy=False)
        result[top : top + rows] = space.from_planes(changed.reshape(planes.shape))
    return Pillow.fromarray(result).convert(image.mode)


def _transport(own: Numbers, wanted: Numbers) -> Numbers:
    """Return the linear map that brings one covariance to another and moves colours the least."""
    import numpy as np

    # A little of each axis, so that colours that vary along two of them only have an inverse.
    own, wanted = (covariance + np.eye(3) * 1e-6 for covariance in (own, wanted))
    root = _root(own)
    inverse = np.linalg.inv(root)
    matrix: Numbers = inverse @ _root(root @ wanted @ root) @ inverse
    return matrix


def _root(matrix: Numbers) -> Numbers:
    """Return the square root of a symmetric positive matrix."""
    import numpy as np

    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    root: Numbers = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root
