"""
A text as a block of lines: how large it is, and its letters, outline, shadow and background.

What is painted is kept to the block, so that a caption costs as much on a large image as on a
small one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from nodes._painting import clipped, composite
from nodes._text import Typeface, lines_of
from nodetool_core import Context

if TYPE_CHECKING:
    from PIL import Image

Align = Literal["left", "center", "right"]
_BEFORE: Final = {"left": 0.0, "center": 0.5, "right": 1.0}
"""The share of a line's room that lies before it."""
_SMALLEST: Final = 4
"""The smallest font that a text is shrunk to, in pixels."""


@dataclass(frozen=True)
class TextStyle:
    """How a text looks: colours as `#rrggbb` or `#rrggbbaa`, lengths in pixels."""

    color: str = "#000000"
    align: Align = "left"
    line_height: float = 1.0
    """Distance of the lines, in line heights of the font."""
    outline: int = 0
    outline_color: str = "#000000"
    shadow: tuple[int, int] = (0, 0)
    shadow_blur: float = 0.0
    shadow_color: str = "#000000"
    background: str | None = None
    padding: int = 0

    @property
    def has_shadow(self) -> bool:
        return self.shadow != (0, 0) or self.shadow_blur > 0

    @property
    def reach(self) -> int:
        """How far around its letters a text may paint, in pixels."""
        blur = round(3 * self.shadow_blur) + 1 if self.has_shadow else 0
        return max(self.padding, self.outline + max(map(abs, self.shadow)) + blur)


class TextBlock:
    """Lines of a text in a typeface and a style."""

    def __init__(
        self,
        text: str,
        typeface: Typeface,
        style: TextStyle,
        wrap: int = 0,
        most: int | None = None,
    ) -> None:
        """
        Break a text into lines.

        Args:
            wrap: Width at which lines are broken between words, in pixels; 0 breaks none.
            most: How many lines are looked at; None for all. A text may be long.
        """
        parts = _broken(text, typeface, wrap)
        self.lines = list(parts if most is None else islice(parts, most))
        self.typeface, self.style = typeface, style
        is_plain = style.align == "left" and most is not None and style.background is None
        self._lengths = (
            [0.0] * len(self.lines) if is_plain else [typeface.length(line) for line in self.lines]
        )

    @property
    def step(self) -> float:
        """From one baseline to the next, in pixels."""
        return self.typeface.line_height * self.style.line_height

    @property
    def width(self) -> float:
        """How wide the widest line is, in pixels."""
        return max(self._lengths)

    @property
    def height(self) -> float:
        """From the top of the first line to the bottom of the last, in pixels."""
        return self.typeface.line_height + self.step * (len(self.lines) - 1)

    def paint(self, image: Image.Image, left: int, top: int, context: Context) -> None:
        """Paint the text on an image (RGB or RGBA), which is changed."""
        from nodetool_core.assets.profiles import profile_of

        # What is plain is not measured, and may be as wide as the image.
        width = self.width or image.width - left
        reach = self.style.reach + self.typeface.size
        box = clipped(
            (left - reach, top - reach, left + width + reach, top + self.height + reach), image.size
        )
        if box is None:
            return
        size, at = (box[2] - box[0], box[3] - box[1]), (left - box[0], top - box[1])
        style = self.style
        widths = [(style.outline_color, style.outline)] if style.outline else []
        widths.append((style.color, 0))
        if style.background is not None:
            composite(image, self._background(size, at), box[:2])
        if style.has_shadow:
            shape = self._letters(size, at, *widths[0], context)
            composite(image, self._shadow(shape.getchannel("A")), box[:2])
        for colour, stroke in widths:
            if image.mode == "RGB" and len(colour) == 7 and profile_of(image) is None:
                self._draw(image, (left, top), colour, stroke, context)
            else:
                composite(image, self._letters(size, at, colour, stroke, context), box[:2])

    def _letters(
        self, size: tuple[int, int], at: tuple[int, int], colour: str, stroke: int, context: Context
    ) -> Image.Image:
        """Return the lines alone, an image with alpha."""
        from PIL import Image as Pillow

        layer = Pillow.new("RGBA", size, colour[:7] + "00")
        self._draw(layer, at, colour, stroke, context)
        return layer

    def _draw(
        self, image: Image.Image, at: tuple[int, int], colour: str, stroke: int, context: Context
    ) -> None:
        widest = self.width
        for index, (line, length) in enumerate(zip(self.lines, self._lengths, strict=True)):
            context.check_cancelled()
            left = at[0] + (widest - length) * _BEFORE[self.style.align]
            baseline = at[1] + self.typeface.ascent + index * self.step
            self.typeface.draw(image, (left, baseline), line, colour, context, stroke)

    def _background(self, size: tuple[int, int], at: tuple[int, int]) -> Image.Image:
        from PIL import Image as Pillow

        colour, pad = self.style.background or "#00000000", self.style.padding
        layer = Pillow.new("RGBA", size, colour[:7] + "00")
        right, bottom = at[0] + round(self.width) + pad, at[1] + round(self.height) + pad
        layer.paste(colour, (at[0] - pad, at[1] - pad, right, bottom))
        return layer

    def _shadow(self, shape: Image.Image) -> Image.Image:
        from PIL import Image as Pillow
        from PIL import ImageChops, ImageFilter

        style = self.style
        moved = Pillow.new("L", shape.size)
        moved.paste(shape, style.shadow)
        soft = moved.filter(ImageFilter.GaussianBlur(style.shadow_blur))
        layer = Pillow.new("RGBA", shape.size, style.shadow_color)
        layer.putalpha(ImageChops.multiply(layer.getchannel("A"), soft))
        return layer


def fitted_block(
    text: str, path: str, typeface: Typeface, style: TextStyle, wrap: int, height: int
) -> TextBlock:
    """
    Return a text in the largest font, up to that of the typeface, in which it is not too high.

    In the smallest one where none is small enough.

    Args:
        path: File of the font.
        wrap: Width at which lines are broken between words, in pixels; 0 breaks none.
        height: The greatest height, in pixels.
    """
    block = TextBlock(text, typeface, style, wrap)
    low, high = min(_SMALLEST, typeface.size), typeface.size
    if block.height <= height:
        return block
    while low < high:
        size = (low + high) // 2
        block = TextBlock(text, Typeface(path, size, typeface.direction), style, wrap)
        low, high = (size + 1, high) if block.height <= height else (low, size)
    size = max(min(_SMALLEST, typeface.size), low - 1)
    return TextBlock(text, Typeface(path, size, typeface.direction), style, wrap)


def _broken(text: str, typeface: Typeface, wrap: int) -> Iterator[str]:
    for line in lines_of(text):
        if wrap:
            yield from typeface.wrapped(line, wrap)
        else:
            yield line
