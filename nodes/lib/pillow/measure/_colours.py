"""The colours of an image: the dominant ones, and how often each tone occurs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

from nodes._geometry import fitted_size
from nodes._oklab import from_oklab, to_oklab
from nodes._pixels import LUMA, colours, in_colours, opened
from nodetool_core import ColorRef, Context, Field, ImageRef, Node

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Colours = NDArray[np.float32]
    Counts = NDArray[np.int64]

_SAMPLE: Final = 160
"""Longest side of the copy whose colours are grouped."""
_ROUNDS: Final = 30
_SWATCH: Final = 96
"""Height of the palette, in pixels."""


class Palette(NamedTuple):
    palette: Annotated[ImageRef, "The colours side by side, each as wide as its share, RGB."]
    colors: Annotated[list[ColorRef], "The colours, the most frequent first."]
    hex: Annotated[list[str], "The same as texts, such as `#2f6f9f`."]
    shares: Annotated[list[float], "Share of the pixels that are nearest to each, from 0 to 1."]


class DominantColors(Node):
    """
    Finds the colours that an image is made of: groups of similar ones (k-means in Oklab, from the
    median cut of a small copy), each with its mean and its share. Transparent pixels don't count.
    image, measure, colour, palette, dominant, k-means

    Use cases:
    - Take the palette of a photo for a poster
    - Sort photos by their main colour
    """

    synonyms = (
        "Color Palette",
        "Extract Colors",
        "Main Colors",
        "Average Color",
        "Palette from Image",
        "K-Means Colors",
    )

    image: ImageRef = Field(description="Image to look at.")
    number: int = Field(
        default=5, ge=1, le=64, description="The most colours; fewer where it has fewer."
    )

    def process(self, context: Context) -> Palette:
        import numpy as np
        from PIL import Image

        small = context.image(self.image, "RGBA")
        if max(small.size) > _SAMPLE:
            size = fitted_size(small.size, (_SAMPLE, _SAMPLE))
            small = small.convert("RGBa").resize(size, Image.Resampling.BOX).convert("RGBA")
        pixels = np.asarray(small).reshape(-1, 4)
        seen = pixels[pixels[:, 3] > 0, :3] if pixels[:, 3].any() else pixels[:, :3]
        found, shares = _grouped(np.ascontiguousarray(seen), self.number)
        names = ["#" + "".join(f"{tone:02x}" for tone in colour) for colour in found.tolist()]
        return Palette(
            context.image_from_pil(_swatches(found, shares)),
            [ColorRef(value=name) for name in names],
            names,
            shares.tolist(),
        )


class Tones(NamedTuple):
    histogram: Annotated[ImageRef, "The histogram, RGB: tone 0 on the left, 255 on the right."]
    counts: Annotated[list[int], "How many pixels have each of the 256 tones of luma."]


class Histogram(Node):
    """
    Draws how often each tone occurs in an image: of each channel, or of luma (Rec. ITU-R BT.709).
    Transparent pixels don't count. Tones count as stored, not as linear light.
    image, measure, histogram, tones, levels, exposure

    Use cases:
    - See whether shadows or lights are cut off
    - Compare the tones of two images
    """

    synonyms = ("Show Histogram", "RGB Parade", "Levels Graph", "Image Histogram", "calcHist")

    image: ImageRef = Field(description="Image to look at.")
    channels: Literal["rgb", "luma", "both"] = Field(
        default="both",
        description="What is drawn: red, green and blue over each other, luma in grey, or all.",
    )
    scale: Literal["linear", "logarithmic"] = Field(
        default="linear",
        description="Whether heights are counts, or their logarithms, which show rare tones.",
    )
    width: int = Field(default=512, ge=32, le=4096, description="Width, in pixels.")
    height: int = Field(default=256, ge=32, le=4096, description="Height, in pixels.")

    def process(self, context: Context) -> Tones:
        import numpy as np
        from PIL import Image

        image, alpha = colours(in_colours(opened(context, self.image)))
        mask = None if alpha is None or not alpha.getbbox() else alpha.point(_visible())
        channels = np.array(image.histogram(mask), np.int64).reshape(3, 256)
        grey = image.convert("L", matrix=(*LUMA, 0.0))
        luma = np.array(grey.histogram(mask), np.int64)
        drawn = np.zeros((self.height, self.width, 3), np.uint8)
        shown = [] if self.channels == "luma" else list(enumerate(channels))
        highest = max(int(counts.max()) for counts in [luma, *(counts for _, counts in shown)])
        for channel, counts in shown:
            drawn[self._filled(counts, highest), channel] = 220
        if self.channels != "rgb":
            filled = self._filled(luma, highest)
            drawn[filled] = drawn[filled] // 2 + 60 if shown else 220
        return Tones(context.image_from_pil(Image.fromarray(drawn)), luma.tolist())

    def _filled(self, counts: Counts, highest: int) -> NDArray[np.bool_]:
        """Return which pixels lie below the curve of counts."""
        import numpy as np

        heights = counts / max(1, highest)
        if self.scale == "logarithmic":
            heights = np.log1p(counts) / np.log1p(max(1, highest))
        columns = heights[np.arange(self.width) * 256 // self.width]
        levels = (self.height - np.arange(self.height) - 0.5) / self.height
        filled: NDArray[np.bool_] = levels[:, None] < columns[None, :]
        return filled


def _visible() -> list[int]:
    """Return the table that makes a mask of alpha: white where anything is seen."""
    return [255 * (tone > 0) for tone in range(256)]


def _grouped(pixels: NDArray[np.uint8], number: int) -> tuple[NDArray[np.uint8], Colours]:
    """Return the colours (count, 3) of groups of pixels, and their shares, the largest first."""
    import numpy as np
    from PIL import Image

    row = Image.fromarray(pixels[None])
    palette = row.quantize(number, Image.Quantize.MEDIANCUT).convert("RGB")
    starts = np.unique(np.asarray(palette)[0], axis=0)
    points, means = to_oklab(pixels).T, to_oklab(starts).T
    nearest = _nearest(points, means)
    for _ in range(_ROUNDS):
        sums = np.stack(
            [np.bincount(nearest, points[:, axis], len(means)) for axis in range(3)], axis=1
        )
        counts = np.bincount(nearest, minlength=len(means))
        filled = counts > 0
        means = (sums[filled] / counts[filled, None]).astype(np.float32)
        changed = _nearest(points, means)
        if filled.all() and np.array_equal(changed, nearest):
            break
        nearest = changed
    counts = np.bincount(nearest, minlength=len(means))
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    return from_oklab(means[order].T), (counts[order] / len(points)).astype(np.float32)


def _nearest(points: Colours, means: Colours) -> NDArray[np.intp]:
    """Return for each colour the place of the nearest mean."""
    import numpy as np

    distances = np.stack([np.square(points - mean).sum(axis=1) for mean in means])
    nearest: NDArray[np.intp] = distances.argmin(axis=0)
    return nearest


def _swatches(found: NDArray[np.uint8], shares: Colours) -> Image.Image:
    """Return the colours side by side, each at least a pixel wide."""
    import numpy as np
    from PIL import Image

    width = 512
    ends = np.rint(np.cumsum(shares) / shares.sum() * width).astype(int)
    row = np.empty((width, 3), np.uint8)
    for place, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        row[start : max(end, start + 1)] = found[place]
    return Image.fromarray(np.broadcast_to(row, (_SWATCH, width, 3)).copy())
