"""Metadata of images, and lists of images."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from nodes._natural import natural
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

    synonyms = ("Image Batch to List", "ImageBatchToImageList", "Unbatch")

    lane = Lane.INLINE

    batch: ImageRef | list[ImageRef] = Field(description="An image, or several.")

    def process(self) -> Annotated[list[ImageRef], "The images, in order."]:
        return self.batch if isinstance(self.batch, list) else [self.batch]


class Metadata(NamedTuple):
    format: Annotated[
        str, "Format of the file, such as PNG; empty for an image made by another node."
    ]
    mode: Annotated[str, "How a pixel is stored: RGB, RGBA, L (grey), …"]
    width: Annotated[int, "Width, in pixels."]
    height: Annotated[int, "Height, in pixels."]
    channels: Annotated[int, "Numbers per pixel: 3 for RGB, 4 for RGBA, 1 for grey."]
    aspect_ratio: Annotated[float, "Width by height: 1.5 for 3:2."]
    ratio: Annotated[
        str, "Aspect ratio in small whole numbers, such as `16:9`, within half a percent."
    ]
    megapixels: Annotated[float, "Pixels, in millions."]
    orientation: Annotated[str, "`landscape`, `portrait` or `square`."]


class GetMetadata(Node):
    """
    Reports size, aspect ratio, mode and format of an image.
    image, metadata, size, width, height, format, aspect ratio

    Use cases:
    - Pass the size of one image to another node
    - Choose a branch by the shape of an image
    """

    synonyms = (
        "Get Image Size",
        "Image Dimensions",
        "Image Size",
        "Image Info",
        "Get Resolution",
        "Aspect Ratio",
        "Width and Height",
        "Megapixels",
    )

    image: ImageRef = Field(description="Image to look at.")

    def process(self, context: Context) -> Metadata:
        image = context.image(self.image)
        width, height = image.size
        shape = "landscape" if width > height else "portrait" if width < height else "square"
        return Metadata(
            image.format or "",
            image.mode,
            width,
            height,
            len(image.getbands()),
            width / height,
            _ratio(width, height),
            width * height / 1_000_000,
            shape,
        )


def _ratio(width: int, height: int) -> str:
    """Return the aspect ratio with the smallest numbers that come within half a percent of it."""
    for under in range(1, 101):
        over = round(width * under / height)
        if abs(over * height - width * under) <= 0.005 * width * under:
            return f"{over}:{under}"
    return f"{width}:{height}"


class ImagesToList(Node):
    """
    Makes a list of images. Connect them to properties of any name: they are ordered by name,
    numbers by value (image_2 before image_10).
    image, list, batch, collect

    Use cases:
    - Gather the tiles of a contact sheet
    - Run a loop over a few images
    """

    synonyms = ("ImageBatch", "Batch Images", "Image Batch", "Make Image Batch")

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
