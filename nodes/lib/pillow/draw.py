"""Pictures made from nothing, and text drawn onto pictures."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from nodes._geometry import check_size
from nodes._pixels import as_bytes, opened
from nodetool_core import ColorRef, Context, Field, FontRef, ImageRef, Node, NodeError, Sources
from nodetool_core.errors import ImageError

if TYPE_CHECKING:
    from PIL import ImageFont

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


_ENDINGS: Final = frozenset({".ttf", ".otf", ".ttc", ".otc"})


class Background(Node):
    """
    Makes a picture of one colour.
    image, draw, background, colour, fill, blank

    Use cases:
    - Put a picture with alpha onto a colour
    - Start a composition from an empty canvas
    """

    width: int = Field(default=512, ge=1, le=4096, description="Width, in pixels.")
    height: int = Field(default=512, ge=1, le=4096, description="Height, in pixels.")
    color: ColorRef = Field(default=ColorRef(value="#ffffff"), description="The colour; with alpha, the picture has alpha.")

    def process(self, context: Context) -> Annotated[ImageRef, "The picture, RGB or RGBA."]:
        from PIL import Image

        colour = self.color.value or "#00000000"
        return context.picture(Image.new("RGBA" if len(colour) == 9 else "RGB", check_size(self.width, self.height), colour))


class GaussianNoise(Node):
    """
    Makes a picture of random colours that follow a normal distribution.
    image, draw, noise, random, gaussian, texture

    Use cases:
    - Give an image to image model a picture to start from
    - Mix grain into a smooth picture
    """

    mean: float = Field(default=0.0, description="Mean of the noise: -1 is black, 0 middle grey, 1 white.")
    stddev: float = Field(default=1.0, ge=0.0, description="Standard deviation of the noise, on the same scale; 0 gives an even grey.")
    width: int = Field(default=512, ge=1, le=1024, description="Width, in pixels.")
    height: int = Field(default=512, ge=1, le=1024, description="Height, in pixels.")
    seed: int = Field(default=-1, ge=-1, seed=True, description="Seed of the random generator; -1 draws another each time.")

    def process(self, context: Context) -> Annotated[ImageRef, "The noise, RGB."]:
        import numpy as np
        from PIL import Image

        noise = np.random.default_rng(max(0, self.seed)).standard_normal((self.height, self.width, 3), np.float32)
        return context.picture(Image.fromarray(as_bytes((noise * self.stddev + self.mean) / 2 + 0.5)))


class RenderText(Node):
    """
    Writes a text onto a picture. Line breaks begin new lines; what reaches over the edge is cut off.
    image, draw, text, label, caption, watermark, font

    Use cases:
    - Put a caption or a date on a picture
    - Number the pictures of a batch
    """

    image: ImageRef = Field(description="Picture to write on.")
    text: str = Field(default="", description="The text.")
    font: FontRef = Field(
        default=FontRef(),
        description=(
            "Name of an installed font, or the path of a font file; a relative one starts from the workflow's folder. "
            "Empty for the font that is always there."
        ),
    )
    x: int = Field(default=0, ge=-(2**31), le=2**31 - 1, description="Where the text begins, in pixels from the left.")
    y: int = Field(default=0, ge=-(2**31), le=2**31 - 1, description="Where the text begins, in pixels from the top.")
    size: int = Field(default=12, ge=1, le=512, description="Size of the font, in pixels.")
    color: ColorRef = Field(default=ColorRef(), description="Colour of the text; its alpha lets the picture show through.")
    align: Literal["left", "center", "right"] = Field(default="left", description="How the lines of a text stand to each other.")

    @classmethod
    def fingerprint(cls, values: dict[str, Any], sources: Sources) -> str | None:
        """The same name can be another font on another machine."""
        font = values.get("font")
        return None if font is None else _font_identity(font.name, sources)

    def process(self, context: Context) -> Annotated[ImageRef, "The picture with the text, RGB or RGBA."]:
        from PIL import Image, ImageDraw

        image = opened(context, self.image)
        layer = Image.new("RGBA", image.size, (self.color.value or "#000000")[:7] + "00")
        font = _font(_file_of(self.font.name, context), self.size)
        ImageDraw.Draw(layer).text((self.x, self.y), self.text, fill=self.color.value or "#000000", font=font, align=self.align)
        written = Image.alpha_composite(image.convert("RGBA"), layer)
        return context.picture(written if "A" in image.mode else written.convert("RGB"))


def _font(name: str, size: int) -> Font:
    from PIL import ImageFont

    if not name:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(name, size)
    except (OSError, ValueError) as error:
        message = f"There is no font {name!r} on this machine."
        raise NodeError(message, "Give the name of an installed font, the path of a .ttf or .otf file, or nothing.") from error


def _file_of(name: str, context: Context) -> str:
    """The path of a font file that lies where the workflow says; any other name as it is."""
    if "/" not in name and Path(name).suffix.lower() not in _ENDINGS:
        return name
    try:
        path = context.images.path(name)
    except ImageError:
        if "/" in name:
            raise
        return name
    return str(path) if "/" in name or path.is_file() else name


def _font_identity(name: str, sources: Sources) -> str:
    """What stands for a font in a cache key: what is in its file, or which installed file it is and when that was last changed."""
    if "/" in name or Path(name).suffix.lower() in _ENDINGS:
        with suppress(ImageError):
            return sources.digest(ImageRef(uri=name))
    path = getattr(_font(name, 12), "path", "") if name else ""
    if not isinstance(path, str) or not Path(path).is_file():
        return name
    return f"{path} {Path(path).stat().st_mtime_ns}"
