"""
How far two images are apart: peak signal-to-noise ratio, structural similarity, colour difference.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

Images = NDArray[np.uint8]


def psnr(first: Images, second: Images) -> NDArray[np.float64]:
    """
    Return the peak signal-to-noise ratio of each pair of images (count, rows, columns, RGB), in dB.

    Infinite where they are equal.
    """
    error = np.square(first.astype(np.float64) - second).mean(axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255**2 / error)


def ssim(first: Images, second: Images) -> NDArray[np.float64]:
    """
    Return the structural similarity of the luma of each pair, at most 1.

    Wang, Bovik, Sheikh and Simoncelli 2004: an 11x11 Gaussian window of deviation 1.5, K1 = 0.01,
        K2 = 0.03.
    """
    at = torch.arange(11, dtype=torch.float64) - 5
    line = torch.exp(-(at**2) / (2 * 1.5**2))
    window = torch.outer(line, line)[None, None] / line.sum() ** 2
    x, y = (
        torch.from_numpy(images @ np.array([0.299, 0.587, 0.114]))[:, None]
        for images in (first, second)
    )

    def mean(values: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(values, window)

    x_mean, y_mean = mean(x), mean(y)
    x_variance, y_variance = mean(x * x) - x_mean**2, mean(y * y) - y_mean**2
    covariance = mean(x * y) - x_mean * y_mean
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = (
        (2 * x_mean * y_mean + c1)
        * (2 * covariance + c2)
        / ((x_mean**2 + y_mean**2 + c1) * (x_variance + y_variance + c2))
    )
    result: NDArray[np.float64] = similarity.mean(dim=(1, 2, 3)).numpy()
    return result


def lab(images: Images) -> NDArray[np.float64]:
    """sRGB as CIE L*a*b* under D65 (IEC 61966-2-1 for the transfer curve, CIE 15 for the rest)."""
    values = images / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = linear @ to_xyz.T / to_xyz.sum(axis=1)
    bent = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(bent, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def delta_e(first: Images, second: Images) -> NDArray[np.float64]:
    """Return the mean colour difference of each pair, CIE76: the distance in L*a*b*."""
    return np.linalg.norm(lab(first) - lab(second), axis=-1).mean(axis=(1, 2))
