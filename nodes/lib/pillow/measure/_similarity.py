"""How alike two images are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

from nodes._pixels import alike, check_same_size, is_grey
from nodetool_core import Context, Field, ImageRef, Node

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Tones = NDArray[np.float64]

_RADIUS: Final = 5
_SIGMA: Final = 1.5
"""The window of SSIM: 11 x 11 pixels, weighted by a Gaussian."""
_MOST_DECIBELS: Final = 200.0
"""More than any two images of 8 bits that differ have."""
_BAND_PIXELS: Final = 1 << 18


class Likeness(NamedTuple):
    ssim: Annotated[float, "Structural similarity, at most 1; 1 for equal images."]
    psnr: Annotated[float, "Peak signal-to-noise ratio, in decibels; 200 for equal images."]
    mse: Annotated[float, "Mean squared difference, in squared tones of 256."]
    mae: Annotated[float, "Mean absolute difference, in tones of 256."]
    map: Annotated[ImageRef, "Where they differ in structure: bright where SSIM is low, grey mode."]


class Similarity(Node):
    """
    Measures how alike two images of one size are: SSIM (Wang et al., 2004, with its Gaussian window
    and constants), PSNR, MSE and MAE, each the mean over the channels. Both are sRGB with 8 bits;
    transparent pixels are put on white. Beyond the edges of images smaller than the window (11 x 11
    pixels), they are mirrored. `Difference` shows where they differ, and by how much. There is no
    LPIPS: the network behind it comes with no package. Tones count as stored, not as linear light.
    image, compare, similarity, ssim, psnr, mse, quality, measure

    Use cases:
    - Find out what a compression or an upscaling has cost
    - Choose the variant that is nearest to the original
    """

    synonyms = (
        "SSIM",
        "PSNR",
        "MSE",
        "Image Metrics",
        "Image Quality",
        "Compare Images",
        "Structural Similarity",
    )

    image1: ImageRef = Field(description="First image.")
    image2: ImageRef = Field(description="Second image, of the same size.")

    def process(self, context: Context) -> Likeness:
        import numpy as np
        from PIL import Image

        first, second = self._opened(context)
        check_same_size(first, second, ("image1", "image2"))
        one, other = (np.atleast_3d(np.asarray(image)) for image in (first, second))
        squares = absolutes = 0.0
        rows = max(1, _BAND_PIXELS // one.shape[1])
        for top in range(0, one.shape[0], rows):
            context.check_cancelled()
            change = one[top : top + rows].astype(np.float64) - other[top : top + rows]
            squares += float(np.square(change).sum())
            absolutes += float(np.abs(change).sum())
        if is_small := min(first.size) < 2 * _RADIUS + 1:
            beyond = ((_RADIUS, _RADIUS), (_RADIUS, _RADIUS), (0, 0))
            ssim, shown = _structure(
                np.pad(one, beyond, mode="symmetric"),
                np.pad(other, beyond, mode="symmetric"),
                context,
            )
        else:
            ssim, shown = _structure(one, other, context)
        mse = squares / one.size
        whole = shown if is_small else np.pad(shown, _RADIUS, mode="edge")
        return Likeness(
            ssim,
            10 * math.log10(255**2 / mse) if mse else _MOST_DECIBELS,
            mse,
            absolutes / one.size,
            context.image_from_pil(Image.fromarray(whole)),
        )

    def _opened(self, context: Context) -> list[Image.Image]:
        grey = all(is_grey(context.image(ref)) for ref in (self.image1, self.image2))
        return alike(
            *(context.image(ref, "L" if grey else "RGB") for ref in (self.image1, self.image2))
        )


def _structure(
    one: NDArray[np.uint8], other: NDArray[np.uint8], context: Context
) -> tuple[float, NDArray[np.uint8]]:
    """Return the mean of SSIM where the window lies within, and how far it is from 1 there."""
    import numpy as np

    total = 0.0
    shown = np.empty((one.shape[0] - 2 * _RADIUS, one.shape[1] - 2 * _RADIUS), np.uint8)
    rows = max(1, _BAND_PIXELS // one.shape[1])
    for top in range(0, shown.shape[0], rows):
        context.check_cancelled()
        bottom = min(top + rows, shown.shape[0])
        band = slice(top, bottom + 2 * _RADIUS)
        similar = np.zeros((bottom - top, shown.shape[1]))
        for channel in range(one.shape[2]):
            first, second = (tones[band, :, channel].astype(np.float64) for tones in (one, other))
            similar += _ssim(first, second) / one.shape[2]
        total += float(similar.sum())
        shown[top:bottom] = np.rint((1 - np.clip(similar, 0, 1)) * 255).astype(np.uint8)
    return total / shown.size, shown


def _ssim(first: Tones, second: Tones) -> Tones:
    """Return SSIM around each pixel whose window lies within."""
    stabilizers = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    one, other = _blurred(first), _blurred(second)
    products = one * other
    squares = one * one + other * other
    covariance = _blurred(first * second) - products
    variances = _blurred(first * first + second * second) - squares
    similar: Tones = ((2 * products + stabilizers[0]) * (2 * covariance + stabilizers[1])) / (
        (squares + stabilizers[0]) * (variances + stabilizers[1])
    )
    return similar


def _blurred(tones: Tones) -> Tones:
    """Return the means under the window, where it lies within."""
    import numpy as np

    weights = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    weights /= weights.sum()
    height, width = tones.shape[0] - 2 * _RADIUS, tones.shape[1] - 2 * _RADIUS
    down = np.zeros((height, tones.shape[1]))
    for step, weight in enumerate(weights):
        down += weight * tones[step : step + height]
    across = np.zeros((height, width))
    for step, weight in enumerate(weights):
        across += weight * down[:, step : step + width]
    return across
