"""
Contrast, brightness, colour and sharpness.

What is measured in an image is measured where something of it is seen.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from nodes._pixels import filtered, on_colours, on_neighbours, on_visible, opened
from nodes.lib.pillow._adaptive import equalized_locally
from nodes.lib.pillow._ranks import ranked
from nodetool_core import Context, Field, ImageRef, Node, NodeError

if TYPE_CHECKING:
    from PIL import Image


class Brightness(Node):
    """
    Makes an image brighter or darker. Tones count as stored, not as linear light.
    image, enhance, brightness, lighten, darken

    Use cases:
    - Lighten an image that was taken too dark
    - Darken a background
    """

    synonyms = ("Lighten", "Darken", "Image Brightness", "ImageEnhance.Brightness", "Gain")

    image: ImageRef = Field(description="Image to change.")
    factor: float = Field(
        default=1.0,
        description="Factor for every tone: 0 is black, 1 changes nothing, 2 doubles it.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The changed image."]:
        from PIL import ImageEnhance

        return context.image_from_pil(
            on_colours(
                opened(context, self.image),
                lambda image: ImageEnhance.Brightness(image).enhance(self.factor),
            )
        )


class Color(Node):
    """
    Makes the colours of an image stronger or weaker. Tones count as stored, not as linear light.
    image, enhance, color, colour, saturation

    Use cases:
    - Make a faded photo more colourful
    - Take half of the colour out
    """

    synonyms = ("Saturation", "Image Saturation", "Desaturate", "ImageEnhance.Color")

    image: ImageRef = Field(description="Image to change.")
    factor: float = Field(
        default=1.0,
        description=(
            "Saturation: 0 is grey (the luma of Rec. 601), 1 changes nothing, 2 doubles it."
        ),
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The changed image."]:
        from PIL import ImageEnhance

        return context.image_from_pil(
            on_colours(
                opened(context, self.image),
                lambda image: ImageEnhance.Color(image).enhance(self.factor),
            )
        )


class Contrast(Node):
    """
    Makes the tones of an image differ more or less from their mean. Tones count as stored, not as
    linear light.
    image, enhance, contrast, tones

    Use cases:
    - Give depth to a hazy landscape
    - Soften hard light
    """

    synonyms = ("Image Contrast", "ImageEnhance.Contrast", "Brightness/Contrast")

    image: ImageRef = Field(description="Image to change.")
    factor: float = Field(
        default=1.0,
        description=(
            "Distance of tones from the mean: 0 is the mean grey, 1 changes nothing, 2 doubles it."
        ),
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The changed image."]:
        return context.image_from_pil(on_visible(opened(context, self.image), self._contrasted))

    def _contrasted(self, image: Image.Image, visible: Image.Image | None) -> Image.Image:
        from PIL import Image, ImageStat

        mean = ImageStat.Stat(image.convert("L"), visible).mean[0]
        return Image.blend(
            Image.new("L", image.size, int(mean + 0.5)).convert(image.mode), image, self.factor
        )


class Sharpness(Node):
    """
    Makes an image sharper or softer, by one number. `UnsharpMask` has width and strength. Tones
    count as stored, not as linear light.
    image, enhance, sharpness, sharpen, soften

    Use cases:
    - Sharpen an image after it was made smaller
    - Soften a portrait
    """

    synonyms = ("ImageEnhance.Sharpness", "Soften")

    image: ImageRef = Field(description="Image to change.")
    factor: float = Field(
        default=1.0,
        description="1 changes nothing, 0 gives a smoothed image, more than 1 gives a sharper one.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The changed image."]:
        from PIL import Image, ImageFilter

        def sharpened(image: Image.Image) -> Image.Image:
            return Image.blend(filtered(image, ImageFilter.SMOOTH), image, self.factor)

        return context.image_from_pil(on_neighbours(opened(context, self.image), sharpened))


class AutoContrast(Node):
    """
    Stretches the tones of each channel over the whole range from black to white. Tones count as
    stored, not as linear light.
    image, enhance, contrast, levels, automatic

    Use cases:
    - Correct a flat, hazy image
    - Bring images of a series to the same range
    """

    synonyms = ("Auto Levels", "Auto Tone", "Auto Contrast", "Normalize", "Stretch Contrast")

    image: ImageRef = Field(description="Image to change.")
    cutoff: int = Field(
        default=0,
        ge=0,
        le=255,
        description=(
            "Percent of the pixels left out at each end of the range; from 50 on, nothing is left."
        ),
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The changed image."]:
        from PIL import ImageOps

        if self.cutoff >= 50:
            context.warn(
                f"A cutoff of {self.cutoff} percent at each end leaves no tones, so the contrast"
                " stays as it is."
            )
            return context.image_from_pil(opened(context, self.image))
        image = opened(context, self.image)
        return context.image_from_pil(
            on_visible(
                image,
                lambda colour, visible: ImageOps.autocontrast(colour, self.cutoff, mask=visible),
            )
        )


class AdaptiveContrast(Node):
    """
    Strengthens the contrast of each part of an image by its own tones (CLAHE). Colours keep their
    hue. Tones count as stored, not as linear light.
    image, enhance, contrast, adaptive, clahe, local

    Use cases:
    - Show detail in shadows and in the sky at once
    - Bring out the structure of a scan
    """

    synonyms = ("CLAHE", "createCLAHE", "Local Contrast", "Equalize Adapthist", "Dehaze")

    image: ImageRef = Field(description="Image to change.")
    clip_limit: float = Field(
        default=2.0,
        ge=0.0,
        le=100.0,
        description=(
            "How many times a tone may be stretched at most; 1 changes nothing, 0 sets no limit."
        ),
    )
    grid_size: int = Field(
        default=8, ge=1, le=64, description="Parts along each side that have tones of their own."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The changed image."]:
        def equalized(image: Image.Image, visible: Image.Image | None) -> Image.Image:
            return equalized_locally(image, visible, self.clip_limit, self.grid_size, context)

        def work(colour: Image.Image, visible: Image.Image | None) -> Image.Image:
            from PIL import Image

            if colour.mode == "L":
                return equalized(colour, visible)
            light, blue, red = colour.convert("YCbCr").split()
            return Image.merge("YCbCr", (equalized(light, visible), blue, red)).convert("RGB")

        return context.image_from_pil(on_visible(opened(context, self.image), work))


class Equalize(Node):
    """
    Spreads the tones of each channel evenly, so that all are about as frequent. Tones count as
    stored, not as linear light.
    image, enhance, equalize, histogram

    Use cases:
    - Show what hides in a narrow range of tones
    - Make images comparable whatever the light was
    """

    synonyms = ("Histogram Equalization", "equalizeHist", "Equalize Histogram")

    image: ImageRef = Field(description="Image to change.")

    def process(self, context: Context) -> Annotated[ImageRef, "The changed image."]:
        return context.image_from_pil(on_visible(opened(context, self.image), _equalized))


class Detail(Node):
    """
    Brings out fine detail a little: a kernel of 3 x 3 pixels, weaker than that of `Sharpen`. Tones
    count as stored, not as linear light.
    image, enhance, detail, sharpen

    Use cases:
    - Show the texture of a surface
    - Freshen up an image that was made smaller
    """

    synonyms = ("ImageFilter.DETAIL", "Enhance Detail")

    image: ImageRef = Field(description="Image to change.")

    def process(self, context: Context) -> Annotated[ImageRef, "The changed image."]:
        from PIL import ImageFilter

        return context.image_from_pil(
            on_neighbours(
                opened(context, self.image), lambda image: filtered(image, ImageFilter.DETAIL)
            )
        )


class EdgeEnhance(Node):
    """
    Makes the edges of an image stand out: a kernel of 3 x 3 pixels, stronger than `Sharpen`. Tones
    count as stored, not as linear light.
    image, enhance, edges, sharpen

    Use cases:
    - Make a drawing crisper
    - Prepare an image for edge detection
    """

    synonyms = ("ImageFilter.EDGE_ENHANCE", "Edge Sharpen", "Crisp")

    image: ImageRef = Field(description="Image to change.")

    def process(self, context: Context) -> Annotated[ImageRef, "The changed image."]:
        from PIL import ImageFilter

        return context.image_from_pil(
            on_neighbours(
                opened(context, self.image), lambda image: filtered(image, ImageFilter.EDGE_ENHANCE)
            )
        )


class Sharpen(Node):
    """
    Sharpens an image with a kernel of 3 x 3 pixels. `UnsharpMask` has width and strength. Tones
    count as stored, not as linear light.
    image, enhance, sharpen, clarity

    Use cases:
    - Sharpen an image that is a little out of focus
    - Sharpen an image before it is printed
    """

    synonyms = ("ImageFilter.SHARPEN", "Sharpen Image", "Image Sharpen")

    image: ImageRef = Field(description="Image to sharpen.")

    def process(self, context: Context) -> Annotated[ImageRef, "The sharpened image."]:
        from PIL import ImageFilter

        return context.image_from_pil(
            on_neighbours(
                opened(context, self.image), lambda image: filtered(image, ImageFilter.SHARPEN)
            )
        )


class UnsharpMask(Node):
    """
    Sharpens an image by what a blur takes away from it: of five sharpeners the one to take first.
    Tones count as stored, not as linear light.
    image, enhance, sharpen, unsharp mask

    Use cases:
    - Sharpen with control over width and strength
    - Bring out large shapes with a wide radius
    """

    synonyms = (
        "USM",
        "Unsharp Mask",
        "Smart Sharpen",
        "ImageSharpen",
        "High Pass Sharpen",
        "Clarity",
        "High Boost Filter",
    )

    image: ImageRef = Field(description="Image to sharpen.")
    radius: float = Field(
        default=2.0, ge=0.0, le=512.0, description="Standard deviation of the blur, in pixels."
    )
    percent: int = Field(
        default=150, ge=0, le=1000, description="How much of the difference is added, in percent."
    )
    threshold: int = Field(
        default=3,
        ge=0,
        le=512,
        description="The least difference that is sharpened, in tones of 256.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The sharpened image."]:
        from PIL import ImageFilter

        mask = ImageFilter.UnsharpMask(self.radius, self.percent, self.threshold)
        # Pillow blurs with three boxes, which end within three standard deviations and a pixel
        # each.
        return context.image_from_pil(
            on_neighbours(
                opened(context, self.image),
                lambda image: image.filter(mask),
                3 * math.ceil(self.radius) + 3,
            )
        )


class RankFilter(Node):
    """
    Sorts the tones around each pixel and takes the one of a rank: the first makes dark parts grow,
    the middle one removes specks, the last makes bright parts grow.
    image, enhance, rank, median, minimum, maximum, denoise

    Use cases:
    - Remove dust and single wrong pixels (size 3, rank 4)
    - Make lines thicker or thinner
    """

    synonyms = (
        "Median Filter",
        "medianBlur",
        "Minimum Filter",
        "Maximum Filter",
        "Dilate",
        "Erode",
        "Despeckle",
        "Dust & Scratches",
        "Noise Reduction",
        "Denoise",
        "Reduce Noise",
    )

    image: ImageRef = Field(description="Image to change.")
    size: int = Field(
        default=3,
        ge=1,
        le=512,
        description="Side of the square around each pixel, in pixels; an odd number.",
    )
    rank: int = Field(
        default=3, ge=0, le=512**2 - 1, description="Place in the sorted tones, from 0."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The changed image."]:
        if self.size % 2 == 0:
            raise NodeError(
                f"A square of {self.size} pixels has no middle.",
                f"Give an odd size, such as {self.size + 1}.",
            )
        if self.rank >= self.size**2:
            message = (
                f"There is no rank {self.rank}: a square of size {self.size} has {self.size**2}"
                " pixels."
            )
            raise NodeError(message, f"Give a rank from 0 to {self.size**2 - 1}.")
        image = opened(context, self.image)
        return context.image_from_pil(
            on_neighbours(
                image, lambda colour: ranked(colour, self.size, self.rank, context), self.size // 2
            )
        )


def _equalized(image: Image.Image, visible: Image.Image | None) -> Image.Image:
    """
    Return each channel by the curve along which its visible pixels are spread evenly.

    The darkest is black, the brightest white.
    """
    import numpy as np

    curve: list[int] = []
    for channel in image.split():
        counts = np.array(channel.histogram(visible))
        darker = counts.cumsum() - counts
        most = darker[np.flatnonzero(counts)[-1]]
        spread = np.rint(darker.clip(0, most) * (255 / most)) if most else np.arange(256)
        curve += spread.astype(int).tolist()
    return image.point(curve)
