"""Images from files, and into files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

from nodes._files import existing_files, file_name, folder_path
from nodetool_core import (
    Context,
    Field,
    FolderRef,
    ImageData,
    ImageRef,
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
        place="file",
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
        place="file",
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
