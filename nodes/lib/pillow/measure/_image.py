"""What a single image measures: its light, its sharpness, its noise, its colours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

from nodes._light import light_of_bytes
from nodes._pixels import LUMA, colours, in_colours, opened
from nodetool_core import Context, Field, ImageRef, Node

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BAND_PIXELS: Final = 1 << 19
_STEPS: Final = 16
"""Parts that a tone is divided into where luma is counted."""
_MIDDLE_GREY: Final = 0.18
_DARKEST: Final = 2.0**-16
"""The least light that is told from none."""


class Measures(NamedTuple):
    brightness: Annotated[float, "Mean luma (BT.709), from 0 to 1."]
    contrast: Annotated[float, "Standard deviation of luma (RMS contrast), from 0 to 0.5."]
    sharpness: Annotated[
        float, "Variance of the Laplacian of luma, in squared tones of 256; low for blurred images."
    ]
    exposure: Annotated[
        float, "Mean light in stops beside middle grey (18 percent): 0 is even, below 0 dark."
    ]
    median: Annotated[float, "Luma that as many pixels lie below as above, from 0 to 1."]
    darkest: Annotated[float, "Luma that one percent of the pixels lie below, from 0 to 1."]
    brightest: Annotated[float, "Luma that one percent of the pixels lie above, from 0 to 1."]
    clipped_dark: Annotated[float, "Share of pixels with all channels at 0, from 0 to 1."]
    clipped_bright: Annotated[float, "Share of pixels with a channel at 255, from 0 to 1."]
    colorfulness: Annotated[
        float, "Colourfulness (Hasler and Süsstrunk, 2003): 0 for grey, above 80 for vivid images."
    ]
    noise: Annotated[
        float, "Standard deviation of noise in luma (Immerkær, 1996), in tones of 256."
    ]


class MeasureImage(Node):
    """
    Measures light, contrast, sharpness, clipping, noise and colours of an image. Transparent pixels
    don't count. Luma is that of Rec. 709. Tones count as stored; the exposure alone is of linear
    light.
    image, measure, statistics, sharpness, exposure, brightness, contrast, blur

    Use cases:
    - Leave blurred or dark photos out of a folder
    - Bring a series to one exposure
    - Check what a filter did
    """

    synonyms = (
        "Blur Detection",
        "Blurry",
        "Sharpness Score",
        "Image Statistics",
        "Mean Brightness",
        "Image Brightness",
        "Exposure Meter",
        "Noise Estimate",
        "Colorfulness",
        "Variance of Laplacian",
    )

    image: ImageRef = Field(description="Image to measure.")

    def process(self, context: Context) -> Measures:
        import numpy as np

        image, alpha = colours(in_colours(opened(context, self.image)))
        seen = None if alpha is None or not alpha.getbbox() else np.asarray(alpha) > 0
        sums = _Sums()
        tones = np.asarray(image)
        rows = max(1, _BAND_PIXELS // image.width)
        for top in range(0, image.height, rows):
            context.check_cancelled()
            places = np.arange(top - 1, min(top + rows, image.height) + 1)
            # Beyond the edges, the rows within are mirrored at the outermost one.
            last = max(1, image.height - 1)
            places = np.minimum(last - np.abs(last - np.abs(places)), image.height - 1)
            band = tones[places]
            sums.add(band, None if seen is None else seen[places[1:-1]])
        return sums.measures()


class _Sums:
    """What is added up band by band."""

    def __init__(self) -> None:
        import numpy as np

        self.counts = np.zeros(255 * _STEPS + 1)
        self.light = self.dark = self.bright = 0.0
        self.opponents = np.zeros((2, 2))
        self.laplacian = np.zeros(2)
        self.noise = 0.0

    def add(self, band: NDArray[np.uint8], seen: NDArray[np.bool_] | None) -> None:
        """Add a band of RGB that has a row more above and below, and which pixels count."""
        import numpy as np

        luma = band @ np.array(LUMA, np.float32)
        sides = np.pad(luma, ((0, 0), (1, 1)), mode="reflect" if luma.shape[1] > 1 else "edge")
        middle = sides[1:-1, 1:-1]
        across = sides[:, :-2] + sides[:, 2:]
        laplacian = sides[:-2, 1:-1] + sides[2:, 1:-1] + across[1:-1] - 4 * middle
        diagonal = across[:-2] + across[2:]
        noise = np.abs(diagonal - 2 * (laplacian + 4 * middle) + 4 * middle)
        inner = band[1:-1]
        if seen is not None:
            inner, middle, laplacian, noise = (
                part[seen] for part in (inner, middle, laplacian, noise)
            )
        red, green, blue = (inner[..., channel].astype(np.float32) for channel in range(3))
        self.counts += np.bincount(
            np.rint(middle * _STEPS).astype(np.int32).ravel(), minlength=255 * _STEPS + 1
        )
        light = light_of_bytes()[inner] @ np.array(LUMA, np.float32)
        self.light += float(light.sum(dtype=np.float64))
        self.dark += float((inner.max(axis=-1) == 0).sum())
        self.bright += float((inner.max(axis=-1) == 255).sum())
        for place, opponent in enumerate((red - green, (red + green) / 2 - blue)):
            self.opponents[place] += (
                opponent.sum(dtype=np.float64),
                np.square(opponent).sum(dtype=np.float64),
            )
        self.laplacian += (
            laplacian.sum(dtype=np.float64),
            np.square(laplacian).sum(dtype=np.float64),
        )
        self.noise += float(noise.sum(dtype=np.float64))

    def measures(self) -> Measures:
        import numpy as np

        count = float(self.counts.sum())
        tones = np.arange(len(self.counts)) / (255 * _STEPS)
        mean = float(self.counts @ tones) / count
        below = np.cumsum(self.counts)
        low, median, high = (
            float(tones[np.searchsorted(below, share * count)]) for share in (0.01, 0.5, 0.99)
        )
        means = self.opponents[:, 0] / count
        deviations = np.sqrt(np.maximum(0, self.opponents[:, 1] / count - means**2))
        total, squares = self.laplacian / count
        return Measures(
            brightness=mean,
            contrast=math.sqrt(max(0.0, float(self.counts @ (tones - mean) ** 2) / count)),
            sharpness=max(0.0, float(squares - total**2)),
            exposure=math.log2(max(_DARKEST, self.light / count) / _MIDDLE_GREY),
            median=median,
            darkest=low,
            brightest=high,
            clipped_dark=self.dark / count,
            clipped_bright=self.bright / count,
            colorfulness=float(np.hypot(*deviations) + 0.3 * np.hypot(*means)),
            noise=math.sqrt(math.pi / 2) / 6 * self.noise / count,
        )
