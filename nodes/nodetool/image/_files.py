"""Images from files and folders."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from nodes._files import existing_files
from nodetool_core import (
    Context,
    Field,
    FolderRef,
    ImageRef,
    Node,
    NodeError,
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

    synonyms = ("Load Image", "Open Image", "Image File", "Read Image", "imread")

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

    synonyms = ("Load Images From Directory", "Batch Load", "Load Image Batch", "Image Folder")

    cacheable = False

    folder: str | FolderRef = Field(
        default="",
        description="Path of the folder; a relative one starts from the workflow's folder.",
    )
    include_subdirectories: bool = Field(
        default=False, description="Whether folders in the folder are searched as well."
    )
    extensions: list[str] = Field(
        default=[
            ".png",
            ".jpg",
            ".jpeg",
            ".bmp",
            ".gif",
            ".webp",
            ".tif",
            ".tiff",
            ".avif",
            ".heic",
            ".heif",
        ],
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
                image = context.images.open(
                    ImageRef(uri=str(file)), partial(_warn_of, context, file)
                )
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


def _warn_of(context: Context, file: Path, note: str) -> None:
    """Say of which file a note is: of many, it would not tell which to look at."""
    context.warn(f"{file.name}: {note}", path=str(file))
