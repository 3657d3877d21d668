"""Images made from nothing, and text drawn onto images."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

from nodes._fonts import FONT, font_file, font_identity, fonts_identity
from nodes._geometry import check_size
from nodes._pixels import as_bytes, common_form, in_form, opened, with_profile
from nodes._text import Typeface, lines_of
from nodetool_core import ColorRef, Context, Field, FontRef, ImageRef, Node, Sources

if TYPE_CHECKING:
    from PIL import Image


class Background(Node):
    """
    Makes an image of one colour.
    image, draw, background, colour, fill, blank

    Use cases:
    - Put an image with alpha onto a colour
    - Start a composition from an empty canvas
    """

    width: int = Field(default=512, ge=1, le=4096, description="Width, in pixels.")
    height: int = Field(default=512, ge=1, le=4096, description="Height, in pixels.")
    color: ColorRef = Field(
        default=ColorRef(value="#ffffff"),
        description="The colour; with alpha, the image has alpha.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image, RGB or RGBA."]:
        from PIL import Image

        colour = self.color.value or "#00000000"
        return context.image_from_pil(
            Image.new(
                "RGBA" if len(colour) == 9 else "RGB", check_size(self.width, self.height), colour
            )
        )


class GaussianNoise(Node):
    """
    Makes an image of random colours that follow a normal distribution.
    image, draw, noise, random, gaussian, texture

    Use cases:
    - Give an image to image model an image to start from
    - Mix grain into a smooth image
    """

    mean: float = Field(
        default=0.0, description="Mean of the noise: -1 is black, 0 middle grey, 1 white."
    )
    stddev: float = Field(
        default=1.0,
        ge=0.0,
        description="Standard deviation of the noise, on the same scale; 0 gives an even grey.",
    )
    width: int = Field(default=512, ge=1, le=1024, description="Width, in pixels.")
    height: int = Field(default=512, ge=1, le=1024, description="Height, in pixels.")
    seed: int = Field(
        default=-1,
        ge=-1,
        seed=True,
        description="Seed of the random generator; -1 draws another each time.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The noise, RGB."]:
        import numpy as np
        from PIL import Image

        noise = np.random.default_rng(max(0, self.seed)).standard_normal(
            (self.height, self.width, 3), np.float32
        )
        return context.image_from_pil(
            Image.fromarray(as_bytes((noise * self.stddev + self.mean) / 2 + 0.5))
        )


class RenderText(Node):
    """
    Writes a text onto an image. Line breaks begin new lines; what reaches over the edge is cut off.
    image, draw, text, label, caption, watermark, font

    Use cases:
    - Put a caption or a date on an image
    - Number the images of a batch
    """

    image: ImageRef = Field(description="Image to write on.")
    text: str = Field(default="", description="The text.")
    font: FontRef = Field(default=FontRef(), description=FONT)
    x: int = Field(
        default=0,
        ge=-(2**31),
        le=2**31 - 1,
        description="Where the text begins, in pixels from the left.",
    )
    y: int = Field(
        default=0,
        ge=-(2**31),
        le=2**31 - 1,
        description="Where the text begins, in pixels from the top.",
    )
    size: int = Field(default=12, ge=1, le=512, description="Size of the font, in pixels.")
    color: ColorRef = Field(
        default=ColorRef(), description="Colour of the text; its alpha lets the image show through."
    )
    align: Literal["left", "center", "right"] = Field(
        default="left", description="How the lines of a text are aligned."
    )
    wrap: int = Field(
        default=0,
        ge=0,
        description="Width at which lines are broken between words, in pixels; 0 breaks none.",
    )

    @classmethod
    def fingerprint(cls, values: dict[str, Any], sources: Sources) -> str | None:
        """Return what the font's name stands for here: other machines have other fonts."""
        font, text = values.get("font"), values.get("text")
        return (
            None
            if font is None
            else (
                f"{font_identity(font.name, sources)}"
                f" {fonts_identity(None if text is None else [text])}"
            )
        )

    def process(
        self, context: Context
    ) -> Annotated[ImageRef, "The image with the text, RGB or RGBA."]:
        from PIL import Image

        from nodetool_core.assets.profiles import in_profile

        image = opened(context, self.image)
        mode, profile = common_form([image], colours=True)
        colour = self.color.value or "#000000"
        layer = Image.new("RGBA", image.size, colour[:7] + "00")
        self._write(layer, Typeface(font_file(self.font.name, context), self.size), colour, context)
        written = in_form(image, "RGBA", profile)
        written = Image.alpha_composite(written, in_profile(layer, profile))
        return context.image_from_pil(
            with_profile(written.convert(mode), in_form(image, mode, profile))
        )

    def _write(self, layer: Image.Image, typeface: Typeface, colour: str, context: Context) -> None:
        whole = lines_of(self.text)
        parts = (
            (part for line in whole for part in typeface.wrapped(line, self.wrap))
            if self.wrap
            else iter(whole)
        )
        # What is below the image is not looked at: a text may be long.
        lines = list(islice(parts, max(1, 2 + int((layer.height - self.y) / typeface.line_height))))
        lengths = (
            [0.0] * len(lines)
            if self.align == "left"
            else [typeface.length(line) for line in lines]
        )
        widest = max(lengths)
        for index, (line, length) in enumerate(zip(lines, lengths, strict=True)):
            context.check_cancelled()
            left = (
                self.x + (widest - length) * {"left": 0.0, "center": 0.5, "right": 1.0}[self.align]
            )
            typeface.draw(
                layer,
                (left, self.y + typeface.ascent + index * typeface.line_height),
                line,
                colour,
                context,
            )
        typeface.warn_of_missing(context)
