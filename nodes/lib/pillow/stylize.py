"""Fewer colours, coarse pixels, grain, and black and white by the surroundings of a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from nodes._pixels import (
    graded,
    in_colours,
    luma,
    on_colours,
    on_weighted,
    opened,
    tones_in,
)
from nodetool_core import ColorRef, Context, Field, ImageRef, Node, NodeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from nodes._pixels import Band

_BAND_PIXELS: Final = 1 << 18
_BAYER: Final = ((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5))


class Quantize(Node):
    """
    Reduces an image to a few colours: the best of its own, or those of a palette. Tones count as
    stored, not as linear light.
    image, stylize, quantize, palette, dither, indexed

    Use cases:
    - Bring an image to the colours of a brand
    - Make pixel art, or prepare a print in few inks
    """

    synonyms = (
        "Indexed Color",
        "Reduce Colors",
        "Dither",
        "Palette",
        "Color Quantization",
        "GIF",
        "ImageQuantize",
    )

    image: ImageRef = Field(description="Image to reduce.")
    colors: int = Field(
        default=16, ge=2, le=256, description="How many colours are left, without a palette."
    )
    palette: list[ColorRef] = Field(
        default=[],
        max_length=256,
        description="The colours that are used; empty for the best of the image's own.",
    )
    method: Literal["median_cut", "max_coverage", "octree"] = Field(
        default="median_cut",
        description=(
            "How the image's own colours are chosen: by how frequent they are, by how far they are"
            " apart, or quickly."
        ),
    )
    dither: Literal["none", "floyd_steinberg", "ordered"] = Field(
        default="floyd_steinberg",
        description=(
            "How colours between are suggested: not at all, by spreading the error to neighbours,"
            " or by a pattern of 4 x 4 pixels."
        ),
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The reduced image, RGB."]:
        image = in_colours(opened(context, self.image))
        given = self._given(image) if self.palette else None
        return context.image_from_pil(
            on_colours(image, lambda colour: self._reduced(colour, given))
        )

    def _reduced(self, colour: Image.Image, given: Image.Image | None) -> Image.Image:
        from PIL import Image as Pillow

        methods = {
            "median_cut": Pillow.Quantize.MEDIANCUT,
            "max_coverage": Pillow.Quantize.MAXCOVERAGE,
            "octree": Pillow.Quantize.FASTOCTREE,
        }
        table = given or colour.quantize(self.colors, methods[self.method])
        if self.dither == "ordered":
            colour = _patterned(colour, _step(table))
        floyd = self.dither == "floyd_steinberg"
        way = Pillow.Dither.FLOYDSTEINBERG if floyd else Pillow.Dither.NONE
        return colour.quantize(palette=table, dither=way).convert("RGB")

    def _given(self, image: Image.Image) -> Image.Image:
        """Return an image with the palette that is given, for an image."""
        from PIL import Image as Pillow

        table = Pillow.new("P", (1, 1))
        table.putpalette([tone for tones in tones_in(self.palette, image) for tone in tones])
        return table


def _step(table: Image.Image) -> float:
    """Return how far the colours of a palette are apart in a channel, as a rule."""
    import numpy as np

    colours = np.array(table.getpalette(), np.float64).reshape(-1, 3)
    away = np.linalg.norm(colours[:, None] - colours, axis=2)
    away[away == 0] = np.inf
    nearest = away.min(axis=1)
    apart = nearest[np.isfinite(nearest)]
    return float(np.median(apart) / 3**0.5) if apart.size else 0.0


def _patterned(colour: Image.Image, step: float) -> Image.Image:
    """Return an image with a pattern of thresholds added, from minus to plus half a step."""
    import numpy as np
    from PIL import Image as Pillow

    tones = np.asarray(colour, np.float32)
    pattern = ((np.array(_BAYER, np.float32) + 0.5) / 16 - 0.5) * np.float32(step)
    height, width = tones.shape[:2]
    whole = np.tile(pattern, (-(-height // 4), -(-width // 4)))[:height, :width, None]
    return Pillow.fromarray(np.clip(tones + whole + 0.5, 0, 255).astype(np.uint8))


class Pixelate(Node):
    """
    Makes squares of one colour, the mean of what they cover. Tones count as stored, not as linear
    light.
    image, stylize, pixelate, mosaic, censor

    Use cases:
    - Hide a face or a number plate (with a mask and Composite)
    - Give an image the look of pixel art
    """

    synonyms = ("Mosaic", "Censor", "Pixel Art", "Cell Size", "Anonymize")

    image: ImageRef = Field(description="Image to change.")
    size: int = Field(default=8, ge=1, le=1024, description="Side of a square, in pixels.")

    def process(self, context: Context) -> Annotated[ImageRef, "The image in squares."]:
        from PIL import Image as Pillow

        def coarse(image: Image.Image) -> Image.Image:
            small = image.reduce(self.size)
            large = small.resize(
                (small.width * self.size, small.height * self.size), Pillow.Resampling.NEAREST
            )
            return large.crop((0, 0, *image.size))

        return context.image_from_pil(on_weighted(opened(context, self.image), coarse))


class FilmGrain(Node):
    """
    Adds the grain of a film: strongest in the midtones, none in black and white. Tones count as
    stored, not as linear light.
    image, stylize, grain, noise, film

    Use cases:
    - Take the smoothness out of a generated image
    - Hide bands in a sky
    """

    synonyms = ("Add Noise", "Grain", "ISO Noise", "Film Noise", "Image Film Grain")

    image: ImageRef = Field(description="Image to add grain to.")
    amount: float = Field(
        default=0.06,
        ge=0.0,
        le=1.0,
        description="Standard deviation of the grain in middle grey; 1 is the range of tones.",
    )
    size: float = Field(default=1.0, ge=1.0, le=32.0, description="Size of a grain, in pixels.")
    monochrome: bool = Field(
        default=True, description="Whether all channels have the same grain, or each its own."
    )
    seed: int = Field(
        default=-1,
        ge=-1,
        seed=True,
        description="Seed of the random generator; -1 draws another each time.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image with grain."]:
        image = opened(context, self.image)
        noise = _grain(image.size, self.size, 1 if self.monochrome else 3, max(0, self.seed))

        def add(band: Band, top: int) -> Band:
            bright = luma(band)
            grain = noise[top : top + band.shape[0]]
            return band + grain * (self.amount * 4 * bright * (1 - bright))

        return context.image_from_pil(graded(image, add, context))


def _grain(size: tuple[int, int], grain: float, channels: int, seed: int) -> Band:
    """Return noise of a standard deviation of 1, (rows, width, channels), of grains of a size."""
    import numpy as np
    from PIL import Image as Pillow

    small = (max(1, round(size[0] / grain)), max(1, round(size[1] / grain)))
    random = np.random.default_rng(seed).standard_normal((channels, small[1], small[0]), np.float32)
    planes = [
        np.asarray(Pillow.fromarray(plane).resize(size, Pillow.Resampling.BICUBIC))
        for plane in random
    ]
    noise = np.stack(planes, axis=2)
    spread = float(noise.std()) if min(small) > 1 else 1.0
    return noise / np.float32(spread or 1.0)


class AdaptiveThreshold(Node):
    """
    Makes an image black and white: each pixel by the mean of its surroundings, so that uneven light
    does not matter. Tones count as stored, not as linear light.
    image, stylize, threshold, adaptive, binarize, document, mask

    Use cases:
    - Clean up the photo of a page
    - Make a mask of lines on uneven paper
    """

    synonyms = ("Adaptive Binarization", "adaptiveThreshold", "Local Threshold", "Scan Cleanup")

    image: ImageRef = Field(description="Image to change; its luma by Rec. 601 counts.")
    method: Literal["mean", "gaussian"] = Field(
        default="gaussian", description="Whether near pixels count more than far ones."
    )
    size: int = Field(
        default=31,
        ge=3,
        le=255,
        description="Side of the surroundings, in pixels; an odd number.",
    )
    offset: float = Field(
        default=8.0,
        ge=-255.0,
        le=255.0,
        description="How much darker than the mean a pixel has to be to become black, in tones.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image, black and white, grey."]:
        import numpy as np
        from PIL import Image as Pillow

        if self.size % 2 == 0:
            raise NodeError(
                f"Surroundings of {self.size} pixels have no middle.",
                f"Give an odd size, such as {self.size + 1}.",
            )
        grey = context.image(self.image, "L")
        tones, reach = np.asarray(grey), self.size // 2
        padded = np.pad(tones, reach, mode="edge")
        inside = np.empty(tones.shape, bool)
        rows = max(4 * self.size, _BAND_PIXELS // grey.width)
        for top in range(0, grey.height, rows):
            context.check_cancelled()
            band = padded[top : top + rows + 2 * reach]
            mean = _mean_around(band, self.size, self.method)
            inside[top : top + rows] = tones[top : top + rows] > mean - np.float32(self.offset)
        return context.image_from_pil(Pillow.fromarray(inside * np.uint8(255)))


def _mean_around(
    tones: NDArray[np.uint8], size: int, method: Literal["mean", "gaussian"]
) -> NDArray[np.float32]:
    """Return the mean of each window of a size, rounded."""
    import numpy as np

    if method == "mean":
        sums = _running_sums(_running_sums(tones, size).T, size).T
        return np.asarray(np.rint(sums.astype(np.float32) / np.float32(size * size)))
    # The width that OpenCV gives a window of a size.
    deviation = 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    weights = np.exp(-0.5 * ((np.arange(size) - size // 2) / deviation) ** 2).astype(np.float32)
    weights /= weights.sum()
    means = _weighed(_weighed(tones.astype(np.float32), weights).T, weights).T
    return np.asarray(np.rint(means))


def _running_sums(tones: NDArray[np.integer[Any]], size: int) -> NDArray[np.int32]:
    """Return the sums of so many rows, from each row on."""
    import numpy as np

    sums = np.cumsum(tones, axis=0, dtype=np.int32)
    windows: NDArray[np.int32] = sums[size - 1 :].copy()
    windows[1:] -= sums[:-size]
    return windows


def _weighed(tones: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sums of as many rows as there are weights, which are the same from both ends."""
    middle, rows = len(weights) // 2, len(tones) - len(weights) + 1
    total: NDArray[np.float32] = tones[middle : middle + rows] * weights[middle]
    for step in range(middle):
        other = len(weights) - 1 - step
        total += (tones[step : step + rows] + tones[other : other + rows]) * weights[step]
    return total
