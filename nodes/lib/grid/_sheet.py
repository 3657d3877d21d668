"""Contact sheets, images in a row or column, and images cut into columns and rows."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from nodes._fonts import FONT, font_file, font_identity, fonts_identity
from nodes._geometry import Size, check_size, fitted_size, resized
from nodes._pixels import canvas, common_form, in_form, opened
from nodes._text import Typeface, lines_of
from nodetool_core import ColorRef, Context, Field, FontRef, ImageRef, Node, NodeError, Sources

if TYPE_CHECKING:
    from PIL import Image

_MOST_TILES: Final = 65536


class CombineImageGrid(Node):
    """
    Puts images side by side in rows. A column is as wide as its widest image and a row as high as
    its highest; smaller ones are centred. Labels are below their images. Tones count as stored, not
    as linear light.
    image, grid, combine, contact sheet, tiles, before and after

    Use cases:
    - Compare results of several settings on one sheet
    - Show an image before and after
    - Stitch images into one row or column, all equally high or wide
    - Put an image together again that was cut into tiles
    """

    synonyms = (
        "Image Stitch",
        "Stack Images",
        "Concatenate",
        "Montage",
        "Collage",
        "Image Concat",
        "Append Images",
        "hstack",
        "vstack",
    )

    tiles: list[ImageRef] = Field(default=[], description="Images, row by row.")
    layout: Literal["grid", "row", "column"] = Field(
        default="grid", description="Whether there are several columns, one row or one column."
    )
    columns: int = Field(
        default=0,
        ge=0,
        description="Images in a row of a grid; 0 makes about as many columns as rows.",
    )
    match: bool = Field(
        default=False,
        description=(
            "Whether images are resized to go together: in a row all are as high as the first one,"
            " in a column as wide, in a grid they fit into it."
        ),
    )
    labels: list[str] = Field(default=[], description="Texts below the images, in the same order.")
    gap: int = Field(
        default=0,
        ge=0,
        le=512,
        description="Space between the images and around the sheet, in pixels.",
    )
    background: ColorRef = Field(
        default=ColorRef(value="#ffffff"), description="Colour between and around the images."
    )
    font: FontRef = Field(default=FontRef(), description=FONT)

    @classmethod
    def fingerprint(cls, values: dict[str, Any], sources: Sources) -> str | None:
        """Labels are drawn in fonts, which are others on another machine."""
        return labels_identity(values, sources)

    def process(self, context: Context) -> Annotated[ImageRef, "The sheet."]:
        if not self.tiles:
            raise NodeError("There are no images to combine.", "Connect a list with at least one.")
        if len(self.labels) > len(self.tiles):
            raise NodeError(
                f"There are {len(self.labels)} labels for {len(self.tiles)} images.",
                "Remove a label or add an image.",
            )

        colour = self.background.value or "#00000000"
        images = [opened(context, tile) for tile in self.tiles]
        if self.match:
            images = [self._matching(image, images[0].size) for image in images]
        mode, profile = common_form(images, colours=True, alpha=len(colour) == 9)
        labels = _Labels(self.labels, images, font_file(self.font.name, context), context)
        columns = {"grid": self.columns, "row": len(images), "column": 1}[self.layout]
        layout = _Layout.of([image.size for image in images], columns, self.gap, labels.height)
        sheet = canvas(mode, check_size(*layout.size), colour, profile)
        for index, tile in enumerate(images):
            context.check_cancelled()
            left, top, width, height = layout.cell(index)
            image = in_form(tile, mode, profile)
            sheet.paste(
                image, (left + (width - image.width) // 2, top + (height - image.height) // 2)
            )
            labels.draw(
                sheet, index, (left, top + height, width, labels.height), _ink(colour), context
            )
        labels.warn_of_missing(context)
        return context.image_from_pil(sheet)

    def _matching(self, image: Image.Image, first: Size) -> Image.Image:
        """Return an image in the size in which it goes with the first one."""
        (width, height), (across, down) = image.size, first
        sizes = {
            "row": (max(1, round(width * down / height)), down),
            "column": (across, max(1, round(height * across / width))),
            "grid": fitted_size(image.size, first),
        }
        return resized(image, check_size(*sizes[self.layout]))


class SliceImageGrid(Node):
    """
    Cuts an image into tiles, row by row. Where it does not divide evenly, tiles differ by a pixel:
    nothing is lost. Tiles that overlap are made by `SplitTiles`.
    image, grid, slice, tiles, split

    Use cases:
    - Work on a large image piece by piece
    - Take a contact sheet apart
    """

    synonyms = ("Image Grid Split", "Slice Tool", "Sprite Sheet")

    image: ImageRef = Field(description="Image to cut.")
    columns: int = Field(
        default=0,
        ge=0,
        le=_MOST_TILES,
        description="Tiles in a row; 0 for as many as make the tiles nearly square.",
    )
    rows: int = Field(
        default=0,
        ge=0,
        le=_MOST_TILES,
        description="Rows of tiles; 0 for as many as make the tiles nearly square.",
    )

    def process(self, context: Context) -> Annotated[list[ImageRef], "The tiles, row by row."]:
        image = context.image(self.image)
        columns, rows = _divisions(image.width, image.height, self.columns, self.rows)
        if columns > image.width or rows > image.height:
            message = (
                f"An image of {image.width} x {image.height} pixels can't be cut into {columns} x"
                f" {rows} tiles."
            )
            raise NodeError(message, "Ask for fewer columns or rows.")
        if columns * rows > _MOST_TILES:
            message = (
                f"{columns} x {rows} tiles are more than the {_MOST_TILES} that are made of one"
                " image."
            )
            raise NodeError(message, "Ask for fewer columns or rows.")
        xs = [image.width * column // columns for column in range(columns + 1)]
        ys = [image.height * row // rows for row in range(rows + 1)]
        boxes = [(xs[x], ys[y], xs[x + 1], ys[y + 1]) for y in range(rows) for x in range(columns)]
        tiles: list[ImageRef] = []
        for box in boxes:
            context.check_cancelled()
            tiles.append(context.image_from_pil(image.crop(box)))
        return tiles


def labels_identity(values: dict[str, Any], sources: Sources) -> str | None:
    """
    Return what stands for the fonts that `labels` are drawn in, in a cache key.

    None where it is not known which font that is.
    """
    font, labels = values.get("font"), values.get("labels")
    if labels is not None and not any(labels):
        return ""
    return None if font is None else f"{font_identity(font.name, sources)} {fonts_identity(labels)}"


@dataclass(frozen=True)
class _Layout:
    """
    Where the cells of a sheet are.

    The left edge and width of each column, the upper edge and height of each row.
    """

    lefts: list[int]
    widths: list[int]
    tops: list[int]
    heights: list[int]
    size: tuple[int, int]

    @classmethod
    def of(cls, sizes: list[tuple[int, int]], columns: int, gap: int, label_height: int) -> _Layout:
        columns = min(columns, len(sizes)) or math.ceil(math.sqrt(len(sizes)))
        widths = [max(width for width, _ in sizes[column::columns]) for column in range(columns)]
        heights = [
            max(height for _, height in sizes[start : start + columns])
            for start in range(0, len(sizes), columns)
        ]
        lefts = list(accumulate((width + gap for width in widths), initial=gap))
        tops = list(accumulate((height + label_height + gap for height in heights), initial=gap))
        return cls(lefts, widths, tops, heights, (lefts[-1], tops[-1]))

    def cell(self, index: int) -> tuple[int, int, int, int]:
        """Return left, top, width and height of an image's cell, without its label."""
        row, column = divmod(index, len(self.widths))
        return self.lefts[column], self.tops[row], self.widths[column], self.heights[row]


class _Labels:
    """Texts below images, all in one size."""

    def __init__(
        self, texts: list[str], images: list[Image.Image], font: str, context: Context
    ) -> None:
        """
        Choose a text size for the images, smaller where the longest label would be wider than one.

        Args:
            font: File of the font.
        """
        self._texts: list[str] = []
        self.height = 0
        if not any(texts):
            return
        widest = max(image.width for image in images)
        size = max(10, round(max(image.height for image in images) * 0.07))
        # A letter is a pixel wide at the least, so that more can't be seen.
        most = widest + 2
        self._texts = [
            " ".join(" ".join(lines_of(text[: 4 * most])).split())[:most] for text in texts
        ]
        typeface = Typeface(font, size)
        longest = 0.0
        for text in self._texts:
            context.check_cancelled()
            longest = max(longest, typeface.length(text))
        self._typeface = (
            typeface if longest <= widest else Typeface(font, max(8, int(size * widest / longest)))
        )
        self.height = round(self._typeface.size * 1.7)

    def draw(
        self,
        sheet: Image.Image,
        index: int,
        box: tuple[int, int, int, int],
        ink: str,
        context: Context,
    ) -> None:
        """Write a label in the middle of a box, cut short with … where it is too long."""
        if index >= len(self._texts):
            return
        left, top, width, height = box
        typeface = self._typeface
        text = self._shortened(self._texts[index], width)
        baseline = top + (height + typeface.ascent - typeface.descent) / 2
        typeface.draw(
            sheet, (left + (width - typeface.length(text)) / 2, baseline), text, ink, context
        )

    def warn_of_missing(self, context: Context) -> None:
        if self._texts:
            self._typeface.warn_of_missing(context)

    def _shortened(self, text: str, width: int) -> str:
        """Return the text, or as much of its beginning as fits with an ellipsis behind it."""
        if self._typeface.length(text) <= width:
            return text
        fitting = bisect_right(
            range(len(text)),
            float(width),
            key=lambda count: self._typeface.length(f"{text[:count].rstrip()}…"),
        )
        return f"{text[: fitting - 1].rstrip()}…" if fitting else ""


def _ink(background: str) -> str:
    """Return black or white, whichever is easier to read on a colour."""
    red, green, blue = (int(background[start : start + 2], 16) for start in (1, 3, 5))
    is_transparent = len(background) == 9 and int(background[7:], 16) < 128
    return (
        "black" if is_transparent or 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "white"
    )


def _divisions(width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
    """Return columns and rows, with a 0 replaced by what makes the tiles nearly square."""
    if not columns and not rows:
        columns, rows = (0, 1) if width >= height else (1, 0)
    if not columns:
        columns = min(width, max(1, round(rows * width / height)))
    if not rows:
        rows = min(height, max(1, round(columns * height / width)))
    return columns, rows
