"""Images into files, under names that patterns make."""

from __future__ import annotations

import json
import os
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from nodes._files import FOLDER, asks_for, file_name, folder_path
from nodetool_core import Context, Field, FolderRef, ImageData, ImageRef, Node, Role
from nodetool_core.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ENDINGS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tiff"}
_WITHOUT_DPI = ("WEBP", "GIF")


class Saved(NamedTuple):
    output: Annotated[ImageRef, "The image that was written."]
    path: Annotated[str, "Path of its file."]


class SaveImageFile(Node):
    """
    Writes an image to a file, whole or not at all, and passes it on. Connect properties of any
    name: `{seed}` in the file's name is the value of the property `seed`.
    image, save, file, write, export

    Use cases:
    - Keep the result of a step
    - Write every image of a batch under a name of its own
    - Make images with captions beside them, to train with
    """

    synonyms = (
        "Save Image",
        "Image Save",
        "Export",
        "Write Image",
        "Filename Prefix",
        "Caption File",
        "Save for Web",
        "Export As",
        "JPEG Quality",
        "DPI",
        "PPI",
        "Image Resolution",
        "Sidecar",
    )

    role = Role.SINK
    cacheable = False
    dynamic = True

    image: ImageRef = Field(description="Image to write.")
    folder: str | FolderRef = Field(
        default="",
        description=FOLDER,
    )
    filename: str = Field(
        place="file",
        default="%Y-%m-%d_%H-%M-%S.png",
        description=(
            "Name of the file. Its ending chooses the format (PNG without one). %Y, %m, %d, %H, %M,"
            " %S become date and time; `{index:03}` the first number that is free, with three"
            " digits; `{width}` and `{height}` the size; `{name}` the value of a property that is"
            " connected under that name, `{name:.2f}` with two decimals."
        ),
    )
    overwrite: bool = Field(
        default=False,
        description=(
            "Whether an existing file is replaced; otherwise -2, -3, … is added to the name."
        ),
    )
    format: Literal["by_name", "png", "jpeg", "webp", "tiff"] = Field(
        default="by_name",
        description="Format of the file; any but `by_name` adds its ending to a name without it.",
    )
    quality: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Quality of JPEG and WEBP; 0 for the usual one, 92 for JPEG and 90 for WEBP.",
    )
    dpi: float = Field(
        default=0.0,
        ge=0.0,
        le=10_000.0,
        description="Pixels an inch that the file states for printing; 0 states none.",
    )
    metadata: bool = Field(
        default=True,
        description="Whether what made the image is written into the file, where it is known.",
    )
    sidecar: Literal["none", "text", "json"] = Field(
        default="none",
        description=(
            "File beside the image, of the same name: `text` with the caption, `json` with caption,"
            " size and the values of connected properties."
        ),
    )
    caption: str = Field(default="", description="Text of the sidecar.")

    def process(self, context: Context) -> Saved:
        from nodetool_core.assets.encode import encode_image, format_of, loses_bits

        folder = folder_path(self.folder, context)
        image = (
            self.image
            if isinstance(self.image, ImageData)
            else context.image_from_pil(context.image(self.image))
        )
        names = self._names(image)
        name = next(names)
        where, file_format = str(folder / name), format_of(name)
        if loses_bits(image.image, file_format):
            context.warn(
                f"The image has more than 8 bits a channel, and is written with 8 as {file_format}:"
                " TIFF keeps them."
            )
        if self.dpi and file_format in _WITHOUT_DPI:
            context.warn(f"dpi: {file_format} has no place for it, so the file states none.")
        data = encode_image(
            image.image,
            file_format,
            image.provenance if self.metadata else None,
            quality=self.quality or None,
            dpi=self.dpi or None,
            where=where,
        )
        path = self._written(folder, name, names, data, image)
        return Saved(image, str(path))

    def _names(self, image: ImageData) -> Iterator[str]:
        """Yield the names that the file may have, the first choice first; no end of them."""
        known: dict[str, object] = {"width": image.image.width, "height": image.image.height}
        values = known | dict(self.dynamic_values)
        ending = _ENDINGS.get(self.format, ".png")
        if self._counts(values):
            for index in count():
                yield self._named(values | {"index": index}, ending)
        name = self._named(values, ending)
        yield name
        stem, suffix = Path(name).stem, Path(name).suffix
        yield from (f"{stem}-{number}{suffix}" for number in count(2))

    def _counts(self, values: Mapping[str, object]) -> bool:
        """Return whether the name has a number of its own for each file."""
        return asks_for(self.filename, "index") and "index" not in values

    def _named(self, values: Mapping[str, object], ending: str) -> str:
        name = file_name(self.filename, ending, values)
        if self.format == "by_name" or Path(name).suffix.lower() in (ending, f".{self.format}"):
            return name
        return f"{name}{ending}"

    def _written(
        self, folder: Path, name: str, names: Iterator[str], data: bytes, image: ImageData
    ) -> Path:
        """Write the file, and what goes beside it, under the first name that is free for both."""
        from nodetool_core.assets.files import atomic_write, write_problem

        # A number that is asked for is a free one, or every image of a batch would have the same.
        replaces = self.overwrite and not self._counts(self.dynamic_values)
        while True:
            path = folder / name
            beside = path.with_suffix(".txt" if self.sidecar == "text" else ".json")
            files = {path: data}
            if self.sidecar != "none":
                files[beside] = self._text(name, image)
            if not replaces and any(map(os.path.lexists, files)):
                name = next(names)
                continue
            try:
                for file, content in files.items():
                    atomic_write(file, content, overwrite=replaces)
                return path
            except FileExistsError as error:
                if not os.path.lexists(path):
                    raise ImageError(write_problem(path, error)) from error
                name = next(names)
            except OSError as error:
                raise ImageError(write_problem(path, error)) from error

    def _text(self, name: str, image: ImageData) -> bytes:
        if self.sidecar == "text":
            return self.caption.encode()
        from nodes._template import as_text

        values = {
            key: value if isinstance(value, (bool, int, float, str)) else as_text(value)
            for key, value in self.dynamic_values.items()
        }
        record = {
            "file": name,
            "width": image.image.width,
            "height": image.image.height,
            "caption": self.caption,
            "values": values,
        }
        return json.dumps(record, ensure_ascii=False, indent=2).encode() + b"\n"
