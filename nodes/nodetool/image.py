"""Images: their files, their size, their parts, what is known about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from nodes._files import existing_files, file_name, folder_path
from nodes._geometry import MAX_SIDE, Size, check_size, covering, fitted_size, resized
from nodes._natural import natural
from nodes._pixels import alike, opened, with_profile
from nodetool_core import (
    Context,
    Field,
    FolderRef,
    ImageData,
    ImageRef,
    Lane,
    Node,
    NodeError,
    Role,
    Sources,
)
from nodetool_core.errors import ImageError


class LoadImageFile(Node):
    """
    Reads an image from a file.
    image, load, file, open, path

    Use cases:
    - Start from an image at a known place
    - Read an image whose path another node made
    """

    path: str = Field(
        default="",
        description="Path of the file; a relative one starts from the workflow's folder.",
    )

    @classmethod
    def fingerprint(cls, values: dict[str, Any], sources: Sources) -> str | None:
        return sources.digest(ImageRef(uri=values["path"])) if "path" in values else None

    def process(self, context: Context) -> Annotated[ImageRef, "The image, upright."]:
        return context.image_from_pil(context.image(ImageRef(uri=self.path)))


class FolderItem(NamedTuple):
    image: Annotated[ImageRef, "The image, upright."]
    path: Annotated[str, "Path of its file."]


class LoadImageFolder(Node):
    """
    Reads the images of a folder one after the other, ordered by path. A file that can't be read is
    left out with a warning; hidden files are not looked at.
    image, load, folder, directory, batch, stream

    Use cases:
    - Run a workflow over all images of a folder
    - Make a contact sheet of a folder
    """

    cacheable = False

    folder: str | FolderRef = Field(
        default="",
        description="Path of the folder; a relative one starts from the workflow's folder.",
    )
    include_subdirectories: bool = Field(
        default=False, description="Whether folders in the folder are searched as well."
    )
    extensions: list[str] = Field(
        default=[".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tiff"],
        description="Endings of the files to read, in any case.",
    )
    pattern: str = Field(
        default="", description="Only files whose name matches, such as `lake_*`; empty for all."
    )

    def process(self, context: Context) -> Iterator[FolderItem]:
        folder, files = existing_files(
            self.folder, context, self.include_subdirectories, self.extensions, self.pattern
        )
        unread = 0
        for file in files:
            context.check_cancelled()
            try:
                image = context.image(ImageRef(uri=str(file)))
            except ImageError as error:
                unread += 1
                context.warn(f"Left out: {error}", path=str(file))
                continue
            yield FolderItem(context.image_from_pil(image), str(file))
        if files and unread == len(files):
            raise NodeError(
                f"None of the {unread} files in {str(folder)!r} could be read as an image.",
                "See the warnings.",
            )


class SaveImageFile(Node):
    """
    Writes an image to a file, whole or not at all, and passes it on.
    image, save, file, write, export

    Use cases:
    - Keep the result of a step
    - Write every image of a batch under a name of its own
    """

    role = Role.SINK
    cacheable = False

    image: ImageRef = Field(description="Image to write.")
    folder: str | FolderRef = Field(
        default="",
        description=(
            "Folder to write to, made where it does not exist; a relative one starts from the"
            " workflow's folder."
        ),
    )
    filename: str = Field(
        default="%Y-%m-%d_%H-%M-%S.png",
        description=(
            "Name of the file. Its ending chooses the format (PNG without one); %Y, %m, %d, %H, %M,"
            " %S become date and time."
        ),
    )
    overwrite: bool = Field(
        default=False,
        description=(
            "Whether an existing file is replaced; otherwise -2, -3, … is added to the name."
        ),
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image that was written."]:
        from nodetool_core.assets.encode import encode_image, format_of, loses_bits
        from nodetool_core.assets.files import atomic_write, write_new, write_problem

        name = file_name(self.filename, ".png")
        folder = folder_path(self.folder, context)
        image = (
            self.image
            if isinstance(self.image, ImageData)
            else context.image_from_pil(context.image(self.image))
        )
        where, file_format = str(folder / name), format_of(name)
        if loses_bits(image.image, file_format):
            context.warn(
                f"The image has more than 8 bits a channel, and is written with 8 as {file_format}:"
                " TIFF keeps them."
            )
        data = encode_image(image.image, file_format, image.provenance, where=where)
        try:
            if self.overwrite:
                atomic_write(folder / name, data)
            else:
                write_new(folder, name, data)
        except OSError as error:
            raise ImageError(write_problem(folder / name, error)) from error
        return image


class BatchToList(Node):
    """
    Makes a list of what may be one image or several.
    image, batch, list, convert

    Use cases:
    - Run a loop over the images that a model gives for one prompt
    - Put one image onto a contact sheet
    """

    lane = Lane.INLINE

    batch: ImageRef | list[ImageRef] = Field(description="An image, or several.")

    def process(self) -> Annotated[list[ImageRef], "The images, in order."]:
        return self.batch if isinstance(self.batch, list) else [self.batch]


class Resize(Node):
    """
    Gives an image exactly the width and height asked for: stretched, or cropped to the new shape
    around its middle.
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
    Gives an image the largest size that fits into a box. Its shape is kept: nothing is cut off or
    stretched.
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
    Tells size, mode and format of an image.
    image, metadata, size, width, height, format

    Use cases:
    - Give the size of one image to another node
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
