"""Text drawn onto images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from nodes._bidi import DIRECTION, Direction
from nodes._fonts import FONT, font_file, text_identity
from nodes._geometry import Anchor, anchored
from nodes._pixels import common_form, in_form, opened, with_profile
from nodes._text import Typeface
from nodes._text_block import Align, TextBlock, TextStyle, fitted_block
from nodetool_core import ColorRef, Context, Field, FontRef, ImageRef, Node, Sources

if TYPE_CHECKING:
    from PIL import Image

_FARTHEST = 2**31 - 1


class RenderText(Node):
    """
    Writes a text onto an image: with an outline, a shadow or a plate behind it, broken into lines,
    and made smaller until it fits. Line breaks begin new lines; what reaches over the edge is cut
    off. `Watermark` repeats a text or sizes it by the image. Tones count as stored, not as linear
    light.
    image, draw, text, label, caption, title, subtitle, font

    Use cases:
    - Put a caption or a date on an image
    - Number the images of a batch
    - Set a title that can be read on any background
    """

    synonyms = (
        "Draw Text",
        "Text Overlay",
        "Add Text",
        "Caption",
        "Type Tool",
        "Text Layer",
        "putText",
        "Meme",
        "Subtitle",
        "Drop Shadow",
        "Emoji",
        "Wrap Text",
        "Right to Left",
        "Word Wrap",
        "Line Height",
        "Text Stroke",
        "Right-to-Left",
        "Arabic",
        "Hebrew",
    )

    image: ImageRef = Field(description="Image to write on.")
    text: str = Field(default="", description="The text.")
    font: FontRef = Field(default=FontRef(), description=FONT)
    x: int = Field(
        default=0,
        ge=-(2**31),
        le=_FARTHEST,
        description="Pixels to the right of where the anchor puts the text; may be below 0.",
    )
    y: int = Field(
        default=0,
        ge=-(2**31),
        le=_FARTHEST,
        description="Pixels below where the anchor puts the text; may be below 0.",
    )
    anchor: Anchor = Field(
        default="top_left", description="Side or corner of the image that the text is put to."
    )
    size: int = Field(default=12, ge=1, le=512, description="Size of the font, in pixels.")
    color: ColorRef = Field(
        default=ColorRef(), description="Colour of the text; its alpha lets the image show through."
    )
    align: Align = Field(default="left", description="How the lines of a text are aligned.")
    wrap: int = Field(
        default=0,
        ge=0,
        description="Width at which lines are broken between words, in pixels; 0 breaks none.",
    )
    max_height: int = Field(
        default=0,
        ge=0,
        description=(
            "Height in which the text has to fit, in pixels: the font is made smaller for it, to 4"
            " pixels at least; 0 for any height."
        ),
    )
    line_height: float = Field(
        default=1.0,
        ge=0.1,
        le=10.0,
        description="Distance of the lines, as a factor of the font's own.",
    )
    direction: Direction = Field(default="auto", description=DIRECTION)
    outline: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Width of a line around the letters, in pixels; emoji have none.",
    )
    outline_color: ColorRef = Field(
        default=ColorRef(value="#000000"), description="Colour of that line."
    )
    shadow_x: int = Field(
        default=0, ge=-512, le=512, description="How far right the shadow lies, in pixels."
    )
    shadow_y: int = Field(
        default=0, ge=-512, le=512, description="How far down the shadow lies, in pixels."
    )
    shadow_blur: float = Field(
        default=0.0,
        ge=0.0,
        le=256.0,
        description=(
            "Standard deviation of the shadow's blur, in pixels. There is a shadow where this or"
            " one of its distances is not 0."
        ),
    )
    shadow_color: ColorRef = Field(
        default=ColorRef(value="#000000a0"), description="Colour of the shadow."
    )
    background: ColorRef | None = Field(
        default=None, description="Colour of a plate behind the text; none for no plate."
    )
    padding: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="How far the plate reaches beyond the text, in pixels.",
    )

    @classmethod
    def fingerprint(cls, values: dict[str, object], sources: Sources) -> str | None:
        """Return what the font's name stands for here: other machines have other fonts."""
        return text_identity(values, "text", sources)

    def process(
        self, context: Context
    ) -> Annotated[ImageRef, "The image with the text, RGB or RGBA."]:
        image = opened(context, self.image)
        mode, profile = common_form([image], colours=True)
        written = in_form(image, mode, profile)
        written = with_profile(written.copy(), written)
        block = self._block(written, context)
        left, top = self.x, self.y
        if self.anchor != "top_left":
            size = (round(block.width), round(block.height))
            start = anchored(written.size, size, self.anchor)
            left, top = left + start[0], top + start[1]
        block.paint(written, left, top, context)
        block.typeface.warn_of_missing(context)
        return context.image_from_pil(written)

    def _block(self, image: Image.Image, context: Context) -> TextBlock:
        path = font_file(self.font.name, context)
        typeface = Typeface(path, self.size, self.direction)
        style = self._style()
        if self.max_height:
            return fitted_block(self.text, path, typeface, style, self.wrap, self.max_height)
        most = None
        if self.anchor == "top_left" and style.background is None:
            # What is below the image is not looked at: a text may be long.
            step = typeface.line_height * self.line_height
            most = max(1, 2 + int((image.height - self.y) / step))
        return TextBlock(self.text, typeface, style, self.wrap, most)

    def _style(self) -> TextStyle:
        return TextStyle(
            color=self.color.value or "#000000",
            align=self.align,
            line_height=self.line_height,
            outline=self.outline,
            outline_color=self.outline_color.value or "#000000",
            shadow=(self.shadow_x, self.shadow_y),
            shadow_blur=self.shadow_blur,
            shadow_color=self.shadow_color.value or "#000000",
            background=self.background.value if self.background is not None else None,
            padding=self.padding,
        )
