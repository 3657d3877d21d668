"""Animations and their frames, and images as pages of a PDF."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

from nodes._files import FOLDER, file_name, folder_path
from nodes._geometry import check_size, covering, fitted_size, resized
from nodes._pixels import in_form, opened
from nodetool_core import (
    ColorRef,
    Context,
    Field,
    FolderRef,
    ImageRef,
    Node,
    NodeError,
    Role,
    Sources,
)
from nodetool_core.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

_MOST_FRAMES: Final = 10_000
_DURATION: Final = 100
"""Milliseconds that a frame is shown where its file states nothing."""
_LONGEST: Final = 65_535
"""Milliseconds that every format can state."""
_PAGES: Final = {
    "a4": (210.0, 297.0),
    "a3": (297.0, 420.0),
    "a5": (148.0, 210.0),
    "letter": (215.9, 279.4),
}
"""Width and height of pages, in millimetres."""


class Frame(NamedTuple):
    image: Annotated[
        ImageRef,
        "The frame, as it is seen: upright, RGB, or RGBA where it has alpha; grey with more than 8"
        " bits stays so.",
    ]
    number: Annotated[int, "Which frame it is, from 0."]
    duration: Annotated[int, "How long it is shown, in milliseconds."]


class LoadFrames(Node):
    """
    Reads the frames of an animated GIF, WEBP, PNG or AVIF, or the pages of a TIFF, one after the
    other.
    image, load, animation, gif, webp, frames, video, stream

    Use cases:
    - Change every frame of an animation, and put them together again with SaveAnimation
    - Take single frames out of an animation
    """

    synonyms = (
        "GIF Frames",
        "Load GIF",
        "Split Animation",
        "Load Video Frames",
        "APNG",
        "Multi-page TIFF",
    )

    path: str = Field(
        place="file",
        default="",
        description="Path of the file; a relative one starts from the workflow's folder.",
    )
    start: int = Field(default=0, ge=0, description="The first frame that is read, from 0.")
    step: int = Field(default=1, ge=1, description="2 reads every second frame, 3 every third, …")
    limit: int = Field(
        default=_MOST_FRAMES, ge=1, le=_MOST_FRAMES, description="How many are read at most."
    )

    @classmethod
    def fingerprint(cls, values: dict[str, object], sources: Sources) -> str | None:
        path = values.get("path")
        return sources.digest(ImageRef(uri=path)) if isinstance(path, str) else None

    def process(self, context: Context) -> Iterator[Frame]:
        from nodetool_core.assets.frames import frames_of

        if not self.path.strip():
            raise NodeError(
                "No file is named.",
                "Give the path of an animation, or of a file with pages.",
                code="missing_value",
                where="path",
            )
        path = context.images.path(self.path)
        numbers = range(self.start, self.start + self.step * self.limit, self.step)
        found = 0
        for number, image, duration in frames_of(path, numbers, warn=context.warn):
            context.check_cancelled()
            found += 1
            yield Frame(context.image_from_pil(image), number, duration or _DURATION)
        if not found:
            raise NodeError(
                f"{path.name!r} has no frame {self.start}.",
                "Frames are counted from 0: choose a smaller `start`.",
                code="invalid_value",
                where="start",
            )


class SaveAnimation(Node):
    """
    Writes images as the frames of an animation: a GIF, WEBP or PNG file. Frames that differ from
    the first in size are brought to it, cropped in the middle.
    image, save, animation, gif, webp, apng, frames

    Use cases:
    - Show the steps of an edit, or a before and after that blinks
    - Put the frames of LoadFrames together again
    """

    synonyms = ("Save GIF", "Save Animated WEBP", "Make GIF", "Video Combine", "APNG")

    role = Role.SINK
    cacheable = False

    images: list[ImageRef] = Field(default=[], description="The frames, in order.")
    folder: str | FolderRef = Field(
        default="",
        description=FOLDER,
    )
    filename: str = Field(
        place="file",
        default="animation.gif",
        description=(
            "Name of the file, which ends in .gif, .webp or .png; %Y, %m, … as in SaveImageFile."
        ),
    )
    duration: int = Field(
        default=_DURATION,
        ge=10,
        le=_LONGEST,
        description="How long each frame is shown, in milliseconds; GIF counts in tens of them.",
    )
    durations: list[int] = Field(
        default=[], description="The same for each frame by itself, as LoadFrames gives it."
    )
    loop: int = Field(
        default=0, ge=0, le=65_535, description="How often it is shown; 0 for ever and ever."
    )
    quality: int = Field(
        default=90, ge=1, le=100, description="Quality of WEBP; 100 keeps every pixel."
    )
    overwrite: bool = Field(
        default=False,
        description=(
            "Whether an existing file is replaced; otherwise -2, -3, … is added to the name."
        ),
    )

    def process(self, context: Context) -> Annotated[str, "Path of the file."]:
        if not self.images:
            raise NodeError("There are no frames.", "Connect a list with at least one.")
        if self.durations and len(self.durations) != len(self.images):
            raise NodeError(
                f"There are {len(self.durations)} durations for {len(self.images)} frames.",
                "Give one for each frame, or none.",
                code="invalid_value",
                where="durations",
            )
        odd = [time for time in self.durations if not 1 <= time <= _LONGEST]
        if odd:
            raise NodeError(
                f"A frame can't be shown for {odd[0]} milliseconds.",
                f"Give 1 to {_LONGEST} for each frame.",
                code="invalid_value",
                where="durations",
            )
        name = file_name(self.filename, ".gif", {})
        kinds = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}
        kind = kinds.get(Path(name).suffix.lower())
        if kind is None:
            raise NodeError(
                f"{name!r} names no format of animations.",
                "Use one of .gif, .webp and .png.",
                code="invalid_value",
                where="filename",
            )
        frames = self._frames(context)
        options: dict[str, object] = {
            "duration": self.durations or self.duration,
            "loop": self.loop,
        }
        if kind == "WEBP":
            options |= {"quality": self.quality, "lossless": self.quality == 100}
        if kind == "GIF":
            options |= {"disposal": 2, "optimize": False}
        data = _encoded(frames, kind, options)
        return str(_written(folder_path(self.folder, context), name, data, self.overwrite))

    def _frames(self, context: Context) -> list[Image.Image]:
        images = [opened(context, ref) for ref in self.images]
        alpha = any(image.has_transparency_data for image in images)
        frames = []
        for image in images:
            context.check_cancelled()
            frame = in_form(image, "RGBA" if alpha else "RGB", None)
            frames.append(
                frame if frame.size == images[0].size else covering(frame, images[0].size)
            )
        return frames


class SavePDF(Node):
    """
    Writes images as the pages of a PDF, one on each.
    image, save, pdf, print, document, pages

    Use cases:
    - Hand over a series of images as one document
    - Print images on paper of a known size
    """

    synonyms = ("Images to PDF", "Export PDF", "Print", "Portfolio")

    role = Role.SINK
    cacheable = False

    images: list[ImageRef] = Field(default=[], description="The images, in order.")
    folder: str | FolderRef = Field(
        default="",
        description=FOLDER,
    )
    filename: str = Field(
        place="file",
        default="images.pdf",
        description="Name of the file; %Y, %m, … as in SaveImageFile.",
    )
    page: Literal["image", "a4", "a3", "a5", "letter"] = Field(
        default="image",
        description=(
            "Size of the pages: each as large as its image, or of a paper, upright or wide as the"
            " image is."
        ),
    )
    dpi: float = Field(
        default=150.0, ge=10.0, le=2400.0, description="Pixels an inch of the pages."
    )
    margin: float = Field(
        default=10.0,
        ge=0.0,
        le=100.0,
        description="Room at the edges of a paper, in millimetres.",
    )
    background: ColorRef = Field(
        default=ColorRef(value="#ffffff"), description="Colour of the paper, and behind alpha."
    )
    quality: int = Field(
        default=92, ge=1, le=100, description="Quality of the images, which are JPEG inside."
    )
    overwrite: bool = Field(
        default=False,
        description=(
            "Whether an existing file is replaced; otherwise -2, -3, … is added to the name."
        ),
    )

    def process(self, context: Context) -> Annotated[str, "Path of the file."]:
        if not self.images:
            raise NodeError("There are no images.", "Connect a list with at least one.")
        name = file_name(self.filename, ".pdf", {})
        if not name.lower().endswith(".pdf"):
            name = f"{name}.pdf"
        pages = []
        for ref in self.images:
            context.check_cancelled()
            pages.append(self._page(opened(context, ref)))
        data = _encoded(pages, "PDF", {"resolution": self.dpi, "quality": self.quality})
        return str(_written(folder_path(self.folder, context), name, data, self.overwrite))

    def _page(self, image: Image.Image) -> Image.Image:
        from PIL import Image as Pillow

        colour = (self.background.value or "#ffffff")[:7]
        shown = in_form(image, "RGBA" if image.has_transparency_data else "RGB", None)
        if self.page == "image":
            sheet = Pillow.new("RGB", shown.size, colour)
            sheet.paste(shown, (0, 0), shown if shown.mode == "RGBA" else None)
            return sheet
        sides = sorted(_PAGES[self.page], reverse=image.width > image.height)
        width, height = (round(side / 25.4 * self.dpi) for side in sides)
        size = check_size(width, height, "Choose a lower dpi.")
        room = round(self.margin / 25.4 * self.dpi)
        inner = (max(1, size[0] - 2 * room), max(1, size[1] - 2 * room))
        small = resized(shown, fitted_size(shown.size, inner))
        sheet = Pillow.new("RGB", size, colour)
        at = ((size[0] - small.width) // 2, (size[1] - small.height) // 2)
        sheet.paste(small, at, small if small.mode == "RGBA" else None)
        return sheet


def _encoded(images: list[Image.Image], kind: str, options: dict[str, object]) -> bytes:
    buffer = BytesIO()
    try:
        images[0].save(buffer, kind, save_all=True, append_images=images[1:], **options)
    except (OSError, ValueError, OverflowError, RuntimeError, MemoryError, struct.error) as error:
        # Encoders answer so to sides that the format has no number for.
        width, height = (max(image.size[side] for image in images) for side in (0, 1))
        raise NodeError(
            f"Images of up to {width} x {height} pixels can't be encoded as {kind}: {error}.",
            "Put a Fit in front of it that makes them smaller, or use another format.",
            code="encoding_failed",
        ) from error
    return buffer.getvalue()


def _written(folder: Path, name: str, data: bytes, overwrite: bool) -> Path:
    """Write a file whole or not at all, under a name of its own unless it may replace another."""
    from nodetool_core.assets.files import atomic_write, write_new, write_problem

    try:
        if overwrite:
            return atomic_write(folder / name, data)
        return write_new(folder, name, data)
    except OSError as error:
        raise ImageError(write_problem(folder / name, error)) from error
