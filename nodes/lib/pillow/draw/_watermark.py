"""A text or an image that marks another one as somebody's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from nodes._fonts import FONT, font_file, text_identity
from nodes._geometry import Anchor, anchored, resized
from nodes._pixels import common_form, in_form, opened, with_profile
from nodes._text import Typeface
from nodes._text_block import TextBlock, TextStyle
from nodetool_core import ColorRef, Context, Field, FontRef, ImageRef, Node, NodeError, Sources

if TYPE_CHECKING:
    from PIL import Image


class Watermark(Node):
    """
    Marks an image with a text or a logo: in a corner, or all over it. Its size, margin and gaps are
    shares of the image's shorter side, so that it looks alike on every image of a batch. Tones
    count as stored, not as linear light.
    image, draw, watermark, logo, copyright, sign, tile

    Use cases:
    - Sign the photos of a folder
    - Protect previews with a mark all over them
    """

    synonyms = ("Logo", "Copyright", "Stamp", "Signature", "Tiled Watermark", "Image Watermark")

    image: ImageRef = Field(description="Image to mark.")
    text: str = Field(default="© Your Name", description="What is written, without a `mark`.")
    mark: ImageRef | None = Field(
        default=None, description="A logo that is put there instead of the text."
    )
    layout: Literal["corner", "tiled"] = Field(
        default="corner", description="Whether there is one mark, or many all over the image."
    )
    anchor: Anchor = Field(
        default="bottom_right", description="Side or corner of the image where the one mark is."
    )
    size: float = Field(
        default=0.05,
        ge=0.005,
        le=2.0,
        description="Size of the font or height of the logo, as a share of the shorter side.",
    )
    margin: float = Field(
        default=0.03,
        ge=0.0,
        le=0.5,
        description="Distance to the edges, as a share of the shorter side.",
    )
    gap: float = Field(
        default=0.15,
        ge=0.0,
        le=2.0,
        description="Distance between tiled marks, as a share of the shorter side.",
    )
    angle: float = Field(
        default=0.0,
        ge=-180.0,
        le=180.0,
        description="How far the mark is turned, in degrees clockwise.",
    )
    opacity: float = Field(
        default=0.6, ge=0.0, le=1.0, description="Opacity of the mark: 0 shows nothing of it."
    )
    color: ColorRef = Field(
        default=ColorRef(value="#ffffff"), description="Colour of the text; a logo keeps its own."
    )
    shade: bool = Field(
        default=True,
        description="Whether a soft shadow lies under the text, so that it shows on white too.",
    )
    font: FontRef = Field(default=FontRef(), description=FONT)

    @classmethod
    def fingerprint(cls, values: dict[str, object], sources: Sources) -> str | None:
        """Return what the font's name stands for here: other machines have other fonts."""
        return text_identity(values, "text", sources)

    def process(self, context: Context) -> Annotated[ImageRef, "The marked image, RGB or RGBA."]:
        from PIL import Image as Pillow

        from nodes._painting import composite

        if self.mark is None and not self.text.strip():
            raise NodeError(
                "There is nothing to mark the image with.",
                "Give a text, or connect a logo to `mark`.",
                code="missing_value",
                where="text",
            )
        image = opened(context, self.image)
        mode, profile = common_form([image], colours=True)
        whole = in_form(image, mode, profile)
        whole = with_profile(whole.copy(), whole)
        side = min(whole.size)
        mark = self._mark(max(1, round(self.size * side)), context)
        if self.angle:
            mark = mark.rotate(-self.angle, Pillow.Resampling.BICUBIC, expand=True)
        if self.opacity < 1:
            mark.putalpha(mark.getchannel("A").point(lambda tone: round(tone * self.opacity)))
        for left, top in self._places(whole.size, mark.size):
            context.check_cancelled()
            box = (max(0, left), max(0, top), left + mark.width, top + mark.height)
            box = (*box[:2], min(whole.width, box[2]), min(whole.height, box[3]))
            if box[0] < box[2] and box[1] < box[3]:
                part = mark.crop((box[0] - left, box[1] - top, box[2] - left, box[3] - top))
                composite(whole, part, box[:2])
        return context.image_from_pil(whole)

    def _places(self, room: tuple[int, int], mark: tuple[int, int]) -> list[tuple[int, int]]:
        """Return the left top corners of all marks."""
        side = min(room)
        if self.layout == "corner":
            margin = round(self.margin * side)
            inner = (room[0] - 2 * margin, room[1] - 2 * margin)
            left, top = anchored(inner, mark, self.anchor)
            return [(left + margin, top + margin)]
        gap = max(1, round(self.gap * side))
        across, down = mark[0] + gap, mark[1] + gap
        places = []
        for row in range(math.ceil(room[1] / down) + 1):
            # Every other row is moved by a half, as bricks are.
            start = gap // 2 - (across // 2 if row % 2 else 0)
            top = gap // 2 + row * down
            places += [(left, top) for left in range(start, room[0], across)]
        return places

    def _mark(self, height: int, context: Context) -> Image.Image:
        """Return the mark as RGBA in sRGB, cut to what is seen of it."""
        from PIL import Image as Pillow

        if self.mark is not None:
            logo = in_form(opened(context, self.mark), "RGBA", None)
            return resized(logo, (max(1, round(logo.width * height / logo.height)), height))
        blur = height / 12 if self.shade else 0.0
        offset = max(1, height // 24) if self.shade else 0
        style = TextStyle(
            color=self.color.value or "#ffffff",
            align="center",
            shadow=(offset, offset),
            shadow_blur=blur,
            shadow_color="#000000c0",
            background="#00000000",
        )
        typeface = Typeface(font_file(self.font.name, context), min(height, 512))
        block = TextBlock(self.text.strip(), typeface, style)
        room = style.reach + typeface.size // 4
        size = (math.ceil(block.width) + 2 * room, math.ceil(block.height) + 2 * room)
        layer = Pillow.new("RGBA", size, (self.color.value or "#ffffff")[:7] + "00")
        block.paint(layer, room, room, context)
        typeface.warn_of_missing(context)
        box = layer.getchannel("A").getbbox()
        return layer.crop(box) if box else layer
