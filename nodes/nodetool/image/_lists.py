"""Images: their size, their parts, their metadata, lists of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from nodes._geometry import MAX_SIDE, Size, check_size, covering, fitted_size, resized
from nodes._natural import natural
from nodes._pixels import alike, opened, with_profile
from nodetool_core import (
    Context,
    Field,
    ImageRef,
    Lane,
    Node,
    NodeError,
)


class BatchToList(Node):
    """
    Returns a list, whether it gets one image or several.
    image, batch, list, convert

    Use cases:
    - Run a loop over the images that a model generates for one prompt
    - Put one image onto a contact sheet
    """

    lane = Lane.INLINE

    batch: ImageRef | list[ImageRef] = Field(description="An image, or several.")

    def process(self) -> Annotated[list[ImageRef], "The images, in order."]:
        return self.batch if isinstance(self.batch, list) else [self.batch]


class Resize(Node):
    """
    Resizes an image to exactly a width and height: stretched, or cropped around its centre to the
    new aspect ratio.
    image, resize, size, width, height

    Use cases:
    - Bring images to the size a model wants
    - Make thumbnails of one size
    """

    image: ImageRef = Field(description="Image to resize.")
    width: int = Field(default=512, ge=1, le=MAX_SIDE, description="New width, in pixels.")
    height: int = Field(default=512, ge=1, le=MAX_SIDE, description="New height, in pixels.")
    crop: Literal["none", "center"] = Field(
        default="none", description="Whether to stretch the image, or to cut off what is too long."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image in the new size."]:
        size = check_size(self.width, self.height)
        return context.image_from_pil(
            (covering if self.crop == "center" else resized)(context.image(self.image), size)
        )


class Fit(Node):
    """
    Resizes an image to the largest size that fits into a box. Its aspect ratio is kept: nothing is
    cropped or stretched.
    image, fit, resize, aspect, box

    Use cases:
    - Bound the size of photos before they are worked on
    - Put images of different shapes into cells of one size
    """

    image: ImageRef = Field(description="Image to fit.")
    width: int = Field(default=512, ge=1, le=MAX_SIDE, description="Width of the box, in pixels.")
    height: int = Field(default=512, ge=1, le=MAX_SIDE, description="Height of the box, in pixels.")

    def process(
        self, context: Context
    ) -> Annotated[ImageRef, "The image, as wide or as high as the box."]:
        image = context.image(self.image)
        size = check_size(*fitted_size(image.size, (self.width, self.height)))
        return context.image_from_pil(resized(image, size))


class Scale(Node):
    """
    Multiplies width and height of an image by a factor.
    image, scale, resize, zoom

    Use cases:
    - Halve an image before a slow step
    - Enlarge a small result to look at it
    """

    image: ImageRef = Field(description="Image to scale.")
    scale: float = Field(
        default=1.0, gt=0.0, le=10.0, description="Factor: 0.5 halves both sides, 2 doubles them."
    )

    def process(
        self, context: Context
    ) -> Annotated[ImageRef, "The scaled image, at least one pixel wide and high."]:
        image = context.image(self.image)
        width, height = (max(1, round(side * self.scale)) for side in image.size)
        return context.image_from_pil(resized(image, check_size(width, height)))


class Crop(Node):
    """
    Cuts a rectangle out of an image.
    image, crop, cut, region

    Use cases:
    - Remove a border
    - Work on one part of an image, and paste it back
    """

    image: ImageRef = Field(description="Image to cut from.")
    left: int = Field(default=0, ge=0, description="Left edge, in pixels from the left.")
    top: int = Field(default=0, ge=0, description="Upper edge, in pixels from the top.")
    right: int = Field(
        default=512,
        ge=0,
        description="Right edge, in pixels from the left; not part of the result.",
    )
    bottom: int = Field(
        default=512, ge=0, description="Lower edge, in pixels from the top; not part of the result."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The rectangle."]:
        image = context.image(self.image)
        box = (self.left, self.top, self.right, self.bottom)
        if self.right <= self.left or self.bottom <= self.top:
            hint = "right has to be greater than left, and bottom greater than top."
            raise NodeError(f"The rectangle {box} (left, top, right, bottom) is empty.", hint)
        if self.right > image.width or self.bottom > image.height:
            size = f"{image.width} x {image.height} pixels"
            message = (
                f"The rectangle {box} (left, top, right, bottom) reaches out of the image, which"
                f" has {size}."
            )
            raise NodeError(
                message, f"right can be at most {image.width}, bottom at most {image.height}."
            )
        return context.image_from_pil(image.crop(box))


class Paste(Node):
    """
    Puts an image onto another one. Where the upper image is transparent, the lower one shows
    through; what reaches over the edge is cut off.
    image, paste, overlay, composite, watermark

    Use cases:
    - Put a logo or watermark onto an image
    - Put a part back that was worked on by itself
    """

    image: ImageRef = Field(description="Lower image; its size is kept.")
    paste: ImageRef = Field(description="Upper image.")
    left: int = Field(
        default=0,
        description=(
            "Where the left edge of the upper image goes, in pixels from the left; may be below 0."
        ),
    )
    top: int = Field(
        default=0,
        description=(
            "Where the top edge of the upper image goes, in pixels from the top; may be below 0."
        ),
    )

    def process(self, context: Context) -> Annotated[ImageRef, "Both images in one."]:
        below, above = opened(context, self.image), opened(context, self.paste)
        _check_meets(below.size, above.size, self.left, self.top)
        lower, upper = alike(below, above)
        result = lower.convert("RGBA")
        visible = (max(0, -self.left), max(0, -self.top))
        result.alpha_composite(
            upper.convert("RGBA"), (max(0, self.left), max(0, self.top)), visible
        )
        mode = lower.mode if below.has_transparency_data else lower.mode.removesuffix("A")
        return context.image_from_pil(with_profile(result.convert(mode), lower))


def _check_meets(below: Size, above: Size, left: int, top: int) -> None:
    """Raise NodeError where nothing of the upper image would lie on the lower one."""
    (width, height), (upper_width, upper_height) = below, above
    if -upper_width < left < width and -upper_height < top < height:
        return
    message = (
        f"The place ({left}, {top}) is outside of the image, which has {width} x {height} pixels."
    )
    hint = f"left can be {1 - upper_width} to {width - 1}, top {1 - upper_height} to {height - 1}."
    raise NodeError(message, hint)


class Metadata(NamedTuple):
    format: Annotated[
        str, "Format of the file, such as PNG; empty for an image made by another node."
    ]
    mode: Annotated[str, "How a pixel is stored: RGB, RGBA, L (grey), …"]
    width: Annotated[int, "Width, in pixels."]
    height: Annotated[int, "Height, in pixels."]
    channels: Annotated[int, "Numbers per pixel: 3 for RGB, 4 for RGBA, 1 for grey."]


class GetMetadata(Node):
    """
    Reports size, mode and format of an image.
    image, metadata, size, width, height, format

    Use cases:
    - Pass the size of one image to another node
    - Choose a branch by the shape of an image
    """

    image: ImageRef = Field(description="Image to look at.")

    def process(self, context: Context) -> Metadata:
        image = context.image(self.image)
        return Metadata(
            image.format or "", image.mode, image.width, image.height, len(image.getbands())
        )


class ImagesToList(Node):
    """
    Makes a list of images. Connect them to properties of any name: they are ordered by name,
    numbers by value (image_2 before image_10).
    image, list, batch, collect

    Use cases:
    - Gather the tiles of a contact sheet
    - Run a loop over a few images
    """

    lane = Lane.INLINE
    dynamic = True

    def process(
        self,
    ) -> Annotated[list[ImageRef], "The images, ordered by the names of their properties."]:
        names = sorted(self.dynamic_values, key=natural)
        return [_as_image(name, self.dynamic_values[name]) for name in names]


def _as_image(name: str, value: Any) -> ImageRef:
    if isinstance(value, ImageRef):
        return value
    from pydantic import ValidationError

    try:
        return ImageRef.model_validate(value)
    except ValidationError as error:
        raise NodeError(
            f"The property {name!r} is {type(value).__name__}, not an image.",
            "Connect an image to it, or give a path.",
        ) from error
