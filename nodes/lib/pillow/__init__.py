"""Pillow's operations as nodes; here those that make one image of several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from nodes._blending import BLEND_MODE, BlendMode, blend_onto
from nodes._geometry import covering
from nodes._pixels import alike, check_same_size, on_weighted, opened, with_profile
from nodetool_core import Context, Field, ImageRef, Node

if TYPE_CHECKING:
    from PIL import Image


class Blend(Node):
    """
    Mixes two images over their whole area, or where a mask is white, by a blend mode. A second
    image of another size is cropped to the shape of the first and resized. `Paste` puts it at a
    place, in its own size.
    image, blend, mix, fade, crossfade

    Use cases:
    - Soften an edit by mixing in the original
    - Fade from one image to another
    - Multiply a texture onto a photo
    """

    synonyms = (
        "ImageBlend",
        "Blend Mode",
        "Blending Modes",
        "Layer Blend",
        "Image Blending Mode",
        "Multiply",
        "Screen",
        "Overlay",
        "Soft Light",
        "Linear Dodge",
        "Add",
        "Subtract",
    )

    image1: ImageRef = Field(description="First image, the lower one; its size is kept.")
    image2: ImageRef = Field(description="Second image.")
    alpha: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="Share of the second image: 0 gives the first, 1 the second.",
    )
    blend_mode: BlendMode = Field(default="normal", description=BLEND_MODE)
    mask: ImageRef | None = Field(
        default=None,
        description=(
            "Where the second image is mixed in: white; cropped to the shape of the first image and"
            " resized. Without one, everywhere."
        ),
    )
    linear_light: bool = Field(
        default=False,
        description="Whether colours are mixed as light (by the curve of sRGB), not as tones.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The mixture."]:
        from PIL import Image

        one = opened(context, self.image1)
        first, second = alike(one, covering(opened(context, self.image2), one.size))
        if self.blend_mode != "normal" or self.mask is not None or self.linear_light:
            mask = None
            if self.mask is not None:
                mask = covering(context.image(self.mask, "L"), one.size)
            whole = first.copy()
            blend_onto(
                whole,
                second,
                (0, 0),
                self.blend_mode,
                self.alpha,
                mask,
                context,
                linear_light=self.linear_light,
            )
            return context.image_from_pil(with_profile(whole, first))
        if "A" not in first.mode:
            return context.image_from_pil(
                with_profile(Image.blend(first, second, self.alpha), first)
            )
        share = Image.new("L", first.size, round(self.alpha * 255))
        return context.image_from_pil(with_profile(_mixed(second, first, share), first))


class Composite(Node):
    """
    Takes each pixel from one of two images, as a mask says: the first where the mask is white, the
    second where it is black, a mixture where it is grey. What differs from the first image in size
    is cropped to its shape and resized. Tones count as stored, not as linear light.
    image, composite, mask, combine, cutout

    Use cases:
    - Keep an edit to a part of the image
    - Put a person before another background
    """

    synonyms = ("Mask Blend", "Composite Masked", "Porter-Duff", "Image.composite")

    image1: ImageRef = Field(
        description="Image that shows where the mask is white; its size is kept."
    )
    image2: ImageRef = Field(description="Image that shows where the mask is black.")
    mask: ImageRef = Field(description="Mask; only how bright it is counts.")

    def process(self, context: Context) -> Annotated[ImageRef, "The combined image."]:
        one = opened(context, self.image1)
        first, second = alike(one, covering(opened(context, self.image2), one.size))
        mixed = _mixed(first, second, covering(context.image(self.mask, "L"), one.size))
        return context.image_from_pil(with_profile(mixed, first))


def _mixed(first: Image.Image, second: Image.Image, mask: Image.Image) -> Image.Image:
    """
    Return the first image where the mask is white, the second where it is black.

    Between, colours are weighted by their alpha.
    """
    from PIL import Image as Pillow

    mixed = on_weighted(
        first, lambda image: Pillow.composite(image, second.convert(image.mode), mask)
    )
    if "A" not in mixed.mode:
        return mixed
    # Weighting rounds. What comes from one image alone stays as it was.
    kept = Pillow.composite(first, mixed, mask.point(lambda tone: 255 * (tone == 255)))
    return Pillow.composite(kept, second, mask.point(lambda tone: 255 * (tone > 0)))


class MergeChannels(Node):
    """
    Makes a colour image of three grey ones: its red, its green and its blue. `GetChannel` takes an
    image apart.
    image, channels, merge, combine, red, green, blue, alpha

    Use cases:
    - Put an image together again whose channels were changed one by one
    - Exchange channels, or pack three masks into one texture
    """

    synonyms = ("Merge Channels", "Combine RGB", "Combine RGBA", "Channel Pack", "Image.merge")

    red: ImageRef = Field(description="Red channel; colours count as their grey.")
    green: ImageRef = Field(description="Green channel, of the same size.")
    blue: ImageRef = Field(description="Blue channel, of the same size.")
    alpha: ImageRef | None = Field(
        default=None, description="Alpha, of the same size: white is opaque; none for no alpha."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image, RGB or RGBA."]:
        from PIL import Image as Pillow

        given = {"red": self.red, "green": self.green, "blue": self.blue}
        if self.alpha is not None:
            given["alpha"] = self.alpha
        channels = {name: context.image(ref, "L") for name, ref in given.items()}
        for name, channel in channels.items():
            check_same_size(channels["red"], channel, ("The red channel", f"the {name} one"))
        mode = "RGB" if self.alpha is None else "RGBA"
        return context.image_from_pil(Pillow.merge(mode, list(channels.values())))
