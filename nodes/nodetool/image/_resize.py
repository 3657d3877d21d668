"""Images in another size, or with room around them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from nodes._canvas import FILL, Fill, placed
from nodes._geometry import (
    MAX_PIXELS,
    MAX_SIDE,
    METHOD,
    Anchor,
    Method,
    Size,
    anchored,
    aspect_ratio,
    check_size,
    covering,
    fitted_size,
    resized,
    rounded_to,
)
from nodes._light import LINEAR_LIGHT
from nodes._pixels import opened
from nodetool_core import ColorRef, Context, Field, ImageRef, Node

if TYPE_CHECKING:
    from PIL import Image

_WHITE = ColorRef(value="#ffffff")


class Resize(Node):
    """
    Resizes an image to a width and height, or by one side or by its pixels with its aspect ratio
    kept. What does not fit the new aspect ratio is stretched, cropped or padded.
    image, resize, size, width, height

    Use cases:
    - Bring images to the size a model wants
    - Make thumbnails of one size
    - Bring the longer side to 1024 pixels, and both to multiples of 64
    """

    synonyms = (
        "Image Size",
        "Scale Image",
        "Image Resize",
        "ImageScale",
        "ImageScaleToTotalPixels",
        "Upscale Image",
        "Resample",
        "Downscale",
        "Thumbnail",
        "Letterbox",
        "Fit Image",
        "Bicubic",
        "Bilinear",
        "Lanczos",
        "Nearest Neighbor",
        "Area",
        "Divisible By",
        "Megapixels",
        "Shorter Side",
    )

    image: ImageRef = Field(description="Image to resize.")
    by: Literal["size", "width", "height", "longer_side", "shorter_side", "megapixels"] = Field(
        default="size",
        description=(
            "What is given: `size` is width and height. By any other, the aspect ratio is kept, and"
            " the sides follow from `width`, `height`, `side` or `megapixels`."
        ),
    )
    width: int = Field(default=512, ge=1, le=MAX_SIDE, description="New width, in pixels.")
    height: int = Field(default=512, ge=1, le=MAX_SIDE, description="New height, in pixels.")
    side: int = Field(
        default=1024,
        ge=1,
        le=MAX_SIDE,
        description="New length of the longer or shorter side, in pixels.",
    )
    megapixels: float = Field(
        default=1.0,
        gt=0.0,
        le=MAX_PIXELS / 1e6,
        description="New number of pixels, in millions; 1.048576 is 1024 x 1024.",
    )
    fit: Literal["stretch", "crop", "inside", "outside", "pad"] = Field(
        default="stretch",
        description=(
            "How another aspect ratio is reached: `stretch`; `crop` cuts off what is too long;"
            " `pad` puts room around. `inside` and `outside` keep the aspect ratio: the image is as"
            " large as fits into the size, or as covers it."
        ),
    )
    method: Method = Field(default="lanczos", description=METHOD)
    linear_light: bool = Field(default=False, description=LINEAR_LIGHT)
    multiple_of: int = Field(
        default=1,
        ge=1,
        le=1024,
        description=(
            "Both sides are rounded to multiples of so many pixels: 8 or 64 for diffusion models."
        ),
    )
    enlarge: bool = Field(
        default=True,
        description="Whether a smaller image is enlarged; otherwise it keeps its size.",
    )
    anchor: Anchor = Field(
        default="center", description="What stays when it is cropped, or where it lies in the room."
    )
    fill: Fill = Field(default="color", description=f"For `pad`. {FILL}")
    color: ColorRef = Field(
        default=_WHITE, description="Colour of the room, where it is filled so."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image in the new size."]:
        image = context.image(self.image)
        size = check_size(*self._size(image.size))
        if self.fit == "pad" and self.by == "size":
            return context.image_from_pil(self._padded(opened(context, self.image), size))
        if self.fit == "crop":
            light = self.linear_light
            cut = covering(image, size, self.method, self.anchor, linear_light=light)
            return context.image_from_pil(cut)
        return context.image_from_pil(
            resized(image, size, self.method, linear_light=self.linear_light)
        )

    def _size(self, size: Size) -> Size:
        """Return the size of the result for an image of a size."""
        if self.by == "size" and self.fit in ("stretch", "crop", "pad"):
            wanted = (float(self.width), float(self.height))
            if not self.enlarge and self.fit != "pad":
                wanted = (min(wanted[0], size[0]), min(wanted[1], size[1]))
        else:
            scale = self._scale(size)
            scale = scale if self.enlarge else min(1.0, scale)
            wanted = (size[0] * scale, size[1] * scale)
        if self.by == "size" and self.fit == "inside" and self.multiple_of == 1:
            box = (min(self.width, size[0]), min(self.height, size[1]))
            return fitted_size(size, (self.width, self.height) if self.enlarge else box)
        width, height = (rounded_to(length, self.multiple_of) for length in wanted)
        return width, height

    def _scale(self, size: Size) -> float:
        """Return the factor for both sides of an image of a size."""
        across, down = self.width / size[0], self.height / size[1]
        shares = {
            "width": across,
            "height": down,
            "longer_side": self.side / max(size),
            "shorter_side": self.side / min(size),
            "megapixels": math.sqrt(self.megapixels * 1e6 / (size[0] * size[1])),
            "size": min(across, down) if self.fit == "inside" else max(across, down),
        }
        return shares[self.by]

    def _padded(self, image: Image.Image, size: Size) -> Image.Image:
        inner = fitted_size(image.size, size)
        if not self.enlarge and inner[0] > image.width:
            inner = image.size
        small = resized(image, inner, self.method, linear_light=self.linear_light)
        at = anchored(size, small.size, self.anchor)
        return placed(small, size, at, self.fill, self.color.value or "#00000000")


class Fit(Node):
    """
    Resizes an image to the largest size that fits into a box. Its aspect ratio is kept: nothing is
    cropped or stretched.
    image, fit, resize, aspect, box

    Use cases:
    - Bound the size of photos before they are worked on
    - Put images of different shapes into cells of one size
    """

    synonyms = (
        "Fit Image",
        "Constrain",
        "Thumbnail",
        "Contain",
        "Resize to Limit",
        "Keep Aspect Ratio",
    )

    image: ImageRef = Field(description="Image to fit.")
    width: int = Field(default=512, ge=1, le=MAX_SIDE, description="Width of the box, in pixels.")
    height: int = Field(default=512, ge=1, le=MAX_SIDE, description="Height of the box, in pixels.")
    method: Method = Field(default="lanczos", description=METHOD)
    linear_light: bool = Field(default=False, description=LINEAR_LIGHT)

    def process(
        self, context: Context
    ) -> Annotated[ImageRef, "The image, as wide or as high as the box."]:
        image = context.image(self.image)
        size = check_size(*fitted_size(image.size, (self.width, self.height)))
        return context.image_from_pil(
            resized(image, size, self.method, linear_light=self.linear_light)
        )


class Scale(Node):
    """
    Multiplies width and height of an image by a factor.
    image, scale, resize, zoom

    Use cases:
    - Halve an image before a slow step
    - Enlarge a small result to look at it
    """

    synonyms = ("ImageScaleBy", "Upscale Image By", "Resize by Factor", "Percent")

    image: ImageRef = Field(description="Image to scale.")
    scale: float = Field(
        default=1.0, gt=0.0, le=10.0, description="Factor: 0.5 halves both sides, 2 doubles them."
    )
    method: Method = Field(default="lanczos", description=METHOD)
    linear_light: bool = Field(default=False, description=LINEAR_LIGHT)

    def process(
        self, context: Context
    ) -> Annotated[ImageRef, "The scaled image, at least one pixel wide and high."]:
        image = context.image(self.image)
        width, height = (max(1, round(side * self.scale)) for side in image.size)
        return context.image_from_pil(
            resized(image, check_size(width, height), self.method, linear_light=self.linear_light)
        )


class Room(NamedTuple):
    output: Annotated[ImageRef, "The image with room around it."]
    mask: Annotated[ImageRef, "White where there is nothing of the image, grey mode."]


class Pad(Node):
    """
    Puts room around an image without scaling it: so many pixels a side, or up to an aspect ratio, a
    size or multiples. `PadForOutpainting` makes the room for a model that fills it in, and `Expand`
    a border of one grey. Tones count as stored, not as linear light.
    image, pad, border, canvas, extend, aspect

    Use cases:
    - Bring photos to 1:1 for a feed without cutting them
    - Mirror the edge before a filter that needs surroundings
    - Put a white frame around a print
    """

    synonyms = (
        "Canvas Size",
        "Image Pad",
        "Add Border",
        "Create Border",
        "Letterbox",
        "Pillarbox",
        "Extend Canvas",
        "Pad to Aspect Ratio",
        "copyMakeBorder",
    )

    image: ImageRef = Field(description="Image to put room around.")
    by: Literal["sides", "aspect", "size", "multiple"] = Field(
        default="sides",
        description=(
            "What is given: pixels on each side, or what the result has at least: an aspect ratio,"
            " a size, or sides that are multiples."
        ),
    )
    left: int = Field(default=0, ge=0, le=MAX_SIDE, description="Room on the left, in pixels.")
    top: int = Field(default=0, ge=0, le=MAX_SIDE, description="Room above, in pixels.")
    right: int = Field(default=0, ge=0, le=MAX_SIDE, description="Room on the right, in pixels.")
    bottom: int = Field(default=0, ge=0, le=MAX_SIDE, description="Room below, in pixels.")
    aspect: str = Field(
        default="1:1", description="Width to height of the result, as `16:9` or `1.5`."
    )
    width: int = Field(
        default=1024, ge=1, le=MAX_SIDE, description="Least width of the result, in pixels."
    )
    height: int = Field(
        default=1024, ge=1, le=MAX_SIDE, description="Least height of the result, in pixels."
    )
    multiple_of: int = Field(
        default=64, ge=1, le=1024, description="Both sides become multiples of so many pixels."
    )
    anchor: Anchor = Field(
        default="center", description="Where the image goes, unless the room is given by sides."
    )
    fill: Fill = Field(default="color", description=FILL)
    color: ColorRef = Field(
        default=_WHITE, description="Colour of the room; with alpha, the result has alpha."
    )

    def process(self, context: Context) -> Room:
        from PIL import Image as Pillow

        image = opened(context, self.image)
        size = check_size(*self._size(image.size))
        at = (
            (self.left, self.top) if self.by == "sides" else anchored(size, image.size, self.anchor)
        )
        mask = Pillow.new("L", size, 255)
        mask.paste(0, (*at, at[0] + image.width, at[1] + image.height))
        room = placed(image, size, at, self.fill, self.color.value or "#00000000")
        return Room(context.image_from_pil(room), context.image_from_pil(mask))

    def _size(self, size: Size) -> Size:
        width, height = size
        if self.by == "sides":
            return width + self.left + self.right, height + self.top + self.bottom
        if self.by == "size":
            return max(width, self.width), max(height, self.height)
        if self.by == "multiple":
            return -(-width // self.multiple_of) * self.multiple_of, -(
                -height // self.multiple_of
            ) * self.multiple_of
        ratio = aspect_ratio(self.aspect)
        return max(width, round(height * ratio)), max(height, round(width / ratio))
