"""Tiles that overlap: an image cut into them, and put together again without seams."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated, NamedTuple

from nodes._geometry import MAX_SIDE, Box, check_size, resized
from nodes._pixels import common_form, in_form, opened, with_profile
from nodetool_core import Context, Field, ImageRef, Node, NodeError

if TYPE_CHECKING:
    from PIL import Image

_MOST_TILES = 65536


class Tiles(NamedTuple):
    output: Annotated[list[ImageRef], "The tiles, row by row."]
    boxes: Annotated[
        list[list[int]],
        "Where each lies: left, top, right and bottom edge, in pixels, for MergeTiles.",
    ]


class SplitTiles(Node):
    """
    Cuts an image into tiles of one size that overlap. Work on each, and put them together with
    `MergeTiles`. `SliceImageGrid` cuts into so many columns and rows without an overlap.
    image, grid, tiles, split, overlap

    Use cases:
    - Run a model over an image that is larger than it can take
    - Enlarge a large image tile by tile
    """

    synonyms = ("Tile Split", "Ultimate SD Upscale", "Image Tile Batch", "Patchify", "Make Tiles")

    image: ImageRef = Field(description="Image to cut.")
    tile_width: int = Field(
        default=1024,
        ge=1,
        le=MAX_SIDE,
        description="Width of a tile, in pixels; at most that of the image.",
    )
    tile_height: int = Field(
        default=1024,
        ge=1,
        le=MAX_SIDE,
        description="Height of a tile, in pixels; at most that of the image.",
    )
    overlap: int = Field(
        default=64,
        ge=0,
        le=MAX_SIDE,
        description=(
            "The least that neighbours share, in pixels; it grows so that all tiles have one size."
        ),
    )

    def process(self, context: Context) -> Tiles:
        image = context.image(self.image)
        across = self._spans(image.width, self.tile_width, "tile_width")
        down = self._spans(image.height, self.tile_height, "tile_height")
        if len(across) * len(down) > _MOST_TILES:
            raise NodeError(
                f"{len(across)} x {len(down)} tiles are more than the {_MOST_TILES} that are made.",
                "Choose larger tiles.",
            )
        boxes = [(x[0], y[0], x[1], y[1]) for y in down for x in across]
        tiles: list[ImageRef] = []
        for box in boxes:
            context.check_cancelled()
            tiles.append(context.image_from_pil(image.crop(box)))
        return Tiles(tiles, [list(box) for box in boxes])

    def _spans(self, length: int, tile: int, name: str) -> list[tuple[int, int]]:
        """Return begin and end of the tiles along a side, spread evenly."""
        tile = min(tile, length)
        if tile == length:
            return [(0, length)]
        if self.overlap >= tile:
            raise NodeError(
                f"Tiles of {tile} pixels can't overlap by {self.overlap}.",
                f"Choose an overlap below {name}.",
            )
        count = -(-(length - self.overlap) // (tile - self.overlap))
        begins = [(length - tile) * index // (count - 1) for index in range(count)]
        return [(begin, begin + tile) for begin in begins]


class MergeTiles(Node):
    """
    Puts tiles together that `SplitTiles` cut. Where neighbours overlap, one fades into the other.
    Tiles that were enlarged give an enlarged image. Tones count as stored, not as linear light.
    image, grid, tiles, merge, overlap, feather

    Use cases:
    - Put an image together that was worked on tile by tile
    - Hide the seams between tiles
    """

    synonyms = ("Tile Merge", "Untile", "Image Untile Batch", "Stitch Tiles", "Unpatchify")

    tiles: list[ImageRef] = Field(default=[], description="The tiles, in the order of the boxes.")
    boxes: list[list[int]] = Field(
        default=[],
        description="Where each lies, as `SplitTiles` gives it: left, top, right, bottom.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The whole image."]:
        boxes = self._boxes()
        first = opened(context, self.tiles[0])
        scale = first.width / (boxes[0][2] - boxes[0][0])
        width, height = max(box[2] for box in boxes), max(box[3] for box in boxes)
        size = check_size(round(width * scale), round(height * scale))
        scaled = [_scaled(box, scale) for box in boxes]
        mode, profile = common_form([first])
        whole: Image.Image | None = None
        done = 0
        for (top, bottom), row in groupby(
            zip(scaled, self.tiles, strict=True), key=lambda item: (item[0][1], item[0][3])
        ):
            tiles = [
                (box, in_form(_fitting(context, tile, box), mode, profile)) for box, tile in row
            ]
            strip = _merged(tiles, (size[0], bottom - top), mode, context)
            if whole is None:
                whole = _blank(mode, size)
            _lay(whole, strip, (0, top), done - top, down=True)
            done = bottom
        assert whole is not None
        return context.image_from_pil(with_profile(whole, in_form(first, mode, profile)))

    def _boxes(self) -> list[Box]:
        """Return the boxes in rows. Raises NodeError where they don't fit the tiles."""
        if not self.tiles or len(self.tiles) != len(self.boxes):
            raise NodeError(
                f"There are {len(self.tiles)} tiles and {len(self.boxes)} boxes.",
                "Connect both outputs of SplitTiles, with a tile for every box.",
            )
        if any(len(box) != 4 or box[0] >= box[2] or box[1] >= box[3] for box in self.boxes):
            raise NodeError(
                "A box has to be left, top, right and bottom edge, and not empty.",
                "Connect the boxes of SplitTiles.",
            )
        return [(box[0], box[1], box[2], box[3]) for box in self.boxes]


def _scaled(box: Box, scale: float) -> Box:
    left, top, right, bottom = (round(edge * scale) for edge in box)
    return left, top, right, bottom


def _blank(mode: str, size: tuple[int, int]) -> Image.Image:
    from PIL import Image as Pillow

    return Pillow.new(mode, size)


def _fitting(context: Context, tile: ImageRef, box: Box) -> Image.Image:
    """Return a tile in the size of its box; warn where it has another by more than rounding."""
    context.check_cancelled()
    image, size = opened(context, tile), (max(1, box[2] - box[0]), max(1, box[3] - box[1]))
    if abs(image.width - size[0]) > 1 or abs(image.height - size[1]) > 1:
        context.warn(
            f"A tile has {image.width} x {image.height} pixels, its box {size[0]} x {size[1]}: it"
            " is stretched. Scale all tiles by one factor."
        )
    return resized(image, size)


def _merged(
    tiles: list[tuple[Box, Image.Image]], size: tuple[int, int], mode: str, context: Context
) -> Image.Image:
    """Return a row of tiles in one strip."""
    strip, done = _blank(mode, size), 0
    for (left, _, right, _), tile in tiles:
        _lay(strip, tile, (left, 0), done - left, down=False)
        done = right
    return strip


def _lay(
    sheet: Image.Image, part: Image.Image, at: tuple[int, int], overlap: int, *, down: bool
) -> None:
    """Put a part onto the sheet that fades in over its overlap, from its left or its upper edge."""
    if overlap <= 0:
        sheet.paste(part, at)
        return
    import numpy as np
    from PIL import Image as Pillow

    length = part.height if down else part.width
    ramp = np.clip((np.arange(length) + 0.5) / overlap, 0.0, 1.0)
    tones = np.rint(ramp * 255).astype(np.uint8)
    across = np.broadcast_to(tones[:, None] if down else tones[None, :], part.size[::-1])
    sheet.paste(part, at, Pillow.fromarray(np.ascontiguousarray(across)))
