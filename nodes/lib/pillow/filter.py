"""Filters: blur, edges, tones turned around or reduced, channels, borders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from nodes._geometry import check_size
from nodes._light import as_tones, light_of_bytes
from nodes._pixels import (
    LUMA,
    colours,
    filtered,
    on_colours,
    on_neighbours,
    on_weighted,
    opened,
    with_profile,
)
from nodes.lib.pillow._canny import canny_edges
from nodetool_core import Context, Field, ImageRef, Node, NodeError

if TYPE_CHECKING:
    from PIL import Image


class Blur(Node):
    """
    Softens an image with a Gaussian blur. Tones count as stored, not as linear light.
    image, filter, blur, soften

    Use cases:
    - Hide detail before a second pass
    - Make a background less busy
    """

    synonyms = ("Gaussian Blur", "GaussianBlur", "Image Blur", "ImageBlur", "Soften")

    image: ImageRef = Field(description="Image to soften.")
    radius: float = Field(
        default=2.0, ge=0.0, le=128.0, description="Standard deviation of the kernel, in pixels."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The softened image."]:
        from PIL import ImageFilter

        kernel = ImageFilter.GaussianBlur(self.radius)
        return context.image_from_pil(
            on_weighted(opened(context, self.image), lambda image: image.filter(kernel))
        )


class Smooth(Node):
    """
    Smooths an image a little, with a kernel of 3 x 3 pixels. Tones count as stored, not as linear
    light.
    image, filter, smooth, denoise

    Use cases:
    - Take the noise out of an image
    - Soften hard edges after scaling
    """

    synonyms = ("ImageFilter.SMOOTH", "Box Blur")

    image: ImageRef = Field(description="Image to smooth.")

    def process(self, context: Context) -> Annotated[ImageRef, "The smoothed image."]:
        from PIL import ImageFilter

        return context.image_from_pil(
            on_weighted(
                opened(context, self.image), lambda image: filtered(image, ImageFilter.SMOOTH)
            )
        )


class Contour(Node):
    """
    Draws the outlines of an image as dark lines on white. Tones count as stored, not as linear
    light.
    image, filter, contour, outline, lines

    Use cases:
    - Make a line drawing of a photo
    - Show where an image has detail
    """

    synonyms = ("ImageFilter.CONTOUR", "Trace Contour", "Line Drawing")

    image: ImageRef = Field(description="Image to outline.")

    def process(self, context: Context) -> Annotated[ImageRef, "The outlines."]:
        from PIL import ImageFilter

        return context.image_from_pil(
            on_neighbours(
                opened(context, self.image), lambda image: filtered(image, ImageFilter.CONTOUR)
            )
        )


class Emboss(Node):
    """
    Makes an image look like a relief, lit from a corner. Tones count as stored, not as linear
    light.
    image, filter, emboss, relief

    Use cases:
    - Show the texture of a surface
    - Make a stamp or a seal of a drawing
    """

    synonyms = ("ImageFilter.EMBOSS", "Bevel", "Relief")

    image: ImageRef = Field(description="Image to emboss.")

    def process(self, context: Context) -> Annotated[ImageRef, "The relief."]:
        from PIL import ImageFilter

        return context.image_from_pil(
            on_neighbours(
                opened(context, self.image), lambda image: filtered(image, ImageFilter.EMBOSS)
            )
        )


class FindEdges(Node):
    """
    Shows the edges of an image as bright lines on black, in the colours of the change. Tones count
    as stored, not as linear light.
    image, filter, edges, detect

    Use cases:
    - Guide a model by the edges of an image
    - Find out how sharp an image is
    """

    synonyms = ("ImageFilter.FIND_EDGES", "Edge Detect", "Laplacian", "Find Edges", "Sobel")

    image: ImageRef = Field(description="Image whose edges are looked for.")

    def process(self, context: Context) -> Annotated[ImageRef, "The edges."]:
        from PIL import ImageFilter

        return context.image_from_pil(
            on_neighbours(
                opened(context, self.image), lambda image: filtered(image, ImageFilter.FIND_EDGES)
            )
        )


class Canny(Node):
    """
    Finds edges with Canny's method: thin white lines on black. A change of tone above the high
    threshold is an edge; one between the thresholds is an edge where it continues one. Tones count
    as stored, not as linear light.
    image, filter, edges, canny, controlnet

    Use cases:
    - Make the control image of a ControlNet
    - Find the outlines of objects
    """

    synonyms = ("Canny Edge", "Edge Detection", "Canny Edge Preprocessor")

    image: ImageRef = Field(description="Image whose edges are looked for.")
    low_threshold: int = Field(
        default=100, ge=0, le=255, description="Change of tone from which an edge continues."
    )
    high_threshold: int = Field(
        default=200, ge=0, le=255, description="Change of tone from which there is an edge."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The edges, white on black, grey."]:
        if self.low_threshold > self.high_threshold:
            message = (
                f"low_threshold {self.low_threshold} is above high_threshold {self.high_threshold}."
            )
            raise NodeError(message, "Exchange them.")
        return context.image_from_pil(
            canny_edges(context.image(self.image, "L"), self.low_threshold, self.high_threshold)
        )


class ConvertToGrayscale(Node):
    """
    Removes the colours of an image; each becomes as bright as it looks. Wherever a node needs
    grey, such as for a mask, it takes the luma of Rec. 601, as here unless said otherwise.
    image, filter, grayscale, grey, black and white

    Use cases:
    - Make a black and white image
    - Prepare an image to be coloured by a model
    """

    synonyms = ("Desaturate", "Black & White", "Monochrome", "Grayscale", "Luminance", "Luma")

    image: ImageRef = Field(description="Image to convert.")
    method: Literal["rec601", "rec709", "luminance", "average", "lightness"] = Field(
        default="rec601",
        description=(
            "How bright a colour is: luma with the shares of Rec. 601 or Rec. 709; `luminance`,"
            " those of Rec. 709 in linear light; `average` of the channels; `lightness`, the middle"
            " between the highest and the lowest (HSL)."
        ),
    )

    def process(
        self, context: Context
    ) -> Annotated[ImageRef, "The grey image; its alpha is kept."]:
        from nodetool_core.assets.modes import in_mode

        image = opened(context, self.image)
        if self.method != "rec601" and not image.mode.startswith("L"):
            image = on_colours(image, self._grey)
        return context.image_from_pil(in_mode(image, "LA" if image.has_transparency_data else "L"))

    def _grey(self, colour: Image.Image) -> Image.Image:
        from PIL import ImageChops

        if self.method == "lightness":
            red, green, blue = colour.split()
            high = ImageChops.lighter(ImageChops.lighter(red, green), blue)
            low = ImageChops.darker(ImageChops.darker(red, green), blue)
            return ImageChops.add(high, low, 2)
        if self.method == "luminance":
            return _luminance(colour)
        shares = LUMA if self.method == "rec709" else (1 / 3, 1 / 3, 1 / 3)
        return colour.convert("L", (*shares, 0.5))


def _luminance(colour: Image.Image) -> Image.Image:
    """Return the luminance of an image (RGB) in linear light, stored as tones (L)."""
    import numpy as np
    from PIL import Image as Pillow

    light = light_of_bytes()
    planes = [
        (light * np.float32(share))[np.asarray(channel)]
        for channel, share in zip(colour.split(), LUMA, strict=True)
    ]
    return Pillow.fromarray(as_tones(planes[0] + planes[1] + planes[2]))


class Expand(Node):
    """
    Puts a border of one shade of grey around an image.
    image, filter, expand, border, frame, padding

    Use cases:
    - Frame an image
    - Add a border around an image that a model fills in
    """

    synonyms = ("Add Border", "Border", "Frame", "Canvas Size", "ImageOps.expand")

    image: ImageRef = Field(description="Image to put a border around.")
    border: int = Field(
        default=0, ge=0, le=512, description="Width of the border on each side, in pixels."
    )
    fill: int = Field(
        default=0, ge=0, le=255, description="Shade of the border: 0 is black, 255 white."
    )

    def process(
        self, context: Context
    ) -> Annotated[ImageRef, "The image with its border, which is opaque."]:
        from PIL import ImageOps

        image = opened(context, self.image)
        check_size(image.width + 2 * self.border, image.height + 2 * self.border)
        tones = len(image.getbands())
        fill = (*[self.fill] * (tones - 1), 255) if "A" in image.mode else (self.fill,) * tones
        expanded = ImageOps.expand(image, self.border, fill if tones > 1 else self.fill)
        return context.image_from_pil(with_profile(expanded, image))


class GetChannel(Node):
    """
    Takes one channel out of an image, as a grey image. `MergeChannels` puts channels together.
    image, filter, channel, red, green, blue, separate

    Use cases:
    - Use one colour as a mask
    - Look at the noise of a single channel
    """

    synonyms = (
        "Split Channels",
        "Extract Channel",
        "Channel Separate",
        "Get Alpha",
        "Separate RGB",
        "Split RGB",
        "Separate RGBA",
    )

    image: ImageRef = Field(description="Image to take the channel from.")
    channel: Literal["R", "G", "B", "A"] = Field(
        default="R",
        description="Red, green, blue or alpha; of an image without alpha, white.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The channel, grey."]:
        from PIL import Image

        colour, alpha = colours(opened(context, self.image))
        if self.channel == "A":
            return context.image_from_pil(alpha or Image.new("L", colour.size, 255))
        return context.image_from_pil(
            colour if colour.mode == "L" else colour.getchannel(self.channel)
        )


class Invert(Node):
    """
    Turns the tones of an image around: white becomes black, each colour its opposite. The alpha is
    kept. Tones count as stored, not as linear light.
    image, filter, invert, negative

    Use cases:
    - Make a positive of a negative
    - Exchange the inside and the outside of a mask
    """

    synonyms = (
        "Negative",
        "Image Invert",
        "ImageInvert",
        "Invert Colors",
        "Value Invert",
        "ImageOps.invert",
    )

    image: ImageRef = Field(description="Image to invert.")

    def process(self, context: Context) -> Annotated[ImageRef, "The inverted image."]:
        from PIL import ImageOps

        return context.image_from_pil(on_colours(opened(context, self.image), ImageOps.invert))


class Posterize(Node):
    """
    Reduces the tones of each channel, so that areas of one flat colour appear. Tones count as
    stored, not as linear light.
    image, filter, posterize, reduce, poster

    Use cases:
    - Give a photo the look of a poster
    - Simplify an image before its outlines are drawn
    """

    synonyms = ("Reduce Tones", "Posterise", "Bit Depth")

    image: ImageRef = Field(description="Image to reduce.")
    bits: int = Field(
        default=4,
        ge=1,
        le=8,
        description="Bits kept of each channel: 1 gives black and white, 8 all 256 tones.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image with fewer tones."]:
        most = 2**self.bits - 1
        curve = [round((tone >> (8 - self.bits)) * 255 / most) for tone in range(256)]
        return context.image_from_pil(
            on_colours(
                opened(context, self.image),
                lambda image: image.point(curve * len(image.getbands())),
            )
        )


class Solarize(Node):
    """
    Inverts the tones from a threshold on, as an overexposed film does. Tones count as stored, not
    as linear light.
    image, filter, solarize, effect

    Use cases:
    - Give a photo the look of a darkroom experiment
    - Bring out the brightest parts
    """

    synonyms = ("Sabattier", "Solarise")

    image: ImageRef = Field(description="Image to solarize.")
    threshold: int = Field(
        default=128, ge=0, le=255, description="The least tone that is inverted."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The solarized image."]:
        return context.image_from_pil(on_colours(opened(context, self.image), self._solarized))

    def _solarized(self, image: Image.Image) -> Image.Image:
        from PIL import ImageOps

        return ImageOps.solarize(image, self.threshold)
