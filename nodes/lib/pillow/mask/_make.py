"""Masks made of colours, tones and shapes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

from nodes._geometry import MAX_SIDE, check_size
from nodes._outlines import ellipse, rounded
from nodes._painting import Shape, coverage
from nodes._pixels import as_bytes, colours, in_colours, opened, with_alpha, with_profile
from nodes.lib.pillow.mask._regions import regions
from nodetool_core import ColorRef, Context, Field, ImageRef, Node, NodeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Share = NDArray[np.float32]

_BAND_PIXELS: Final = 1 << 17
"""Pixels that are keyed at a time, so that large images take no further memory."""


class Keyed(NamedTuple):
    output: Annotated[ImageRef, "The mask: white where the colour is not, grey mode."]
    cutout: Annotated[ImageRef, "The image without the colour's spill, transparent where it was."]


class ChromaKey(Node):
    """
    Makes a mask of all that does not have a colour, by how far colours are apart without their
    brightness (Cb and Cr), and takes the colour's reflection away from the rest. Tones count as
    stored, not as linear light.
    image, mask, chroma key, green screen, color, spill

    Use cases:
    - Cut a subject out of a green screen
    - Mask everything of one colour (and turn the mask around)
    """

    synonyms = (
        "Green Screen",
        "Keylight",
        "Color Key",
        "Color Range",
        "Mask From Color",
        "Despill",
        "ImageColorToMask",
        "Color to Alpha",
        "Keyer",
    )

    image: ImageRef = Field(description="Image to look at.")
    color: ColorRef = Field(
        default=ColorRef(value="#00b140"), description="The colour that becomes transparent."
    )
    tolerance: float = Field(
        default=0.12,
        ge=0.0,
        le=1.0,
        description="How far from the colour is outside still; 1 is the range of Cb or Cr.",
    )
    softness: float = Field(
        default=0.08,
        ge=0.0,
        le=1.0,
        description="How much farther from it a colour is fully inside; 0 gives a hard edge.",
    )
    spill: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description="How much of the colour's own channel is cut down to the mean of the others.",
    )

    def process(self, context: Context) -> Keyed:
        from PIL import Image as Pillow

        from nodetool_core.assets.profiles import in_srgb

        image = in_colours(opened(context, self.image))
        rgb, alpha = colours(image)
        seen = in_srgb(rgb)
        shown, mask = rgb.copy(), Pillow.new("L", rgb.size)
        table, channel = self._table()
        rows = max(1, _BAND_PIXELS // rgb.width)
        for top in range(0, rgb.height, rows):
            context.check_cancelled()
            place = (0, top, rgb.width, min(top + rows, rgb.height))
            mask.paste(_by_chroma(seen.crop(place), table), (0, top))
            shown.paste(_without_spill(rgb.crop(place), channel, self.spill), (0, top))
        cut = mask if alpha is None else _times(mask, alpha)
        return Keyed(
            context.image_from_pil(mask),
            context.image_from_pil(with_profile(with_alpha(shown, cut), image)),
        )

    def _table(self) -> tuple[NDArray[np.uint8], int]:
        """Return the mask of each Cb and Cr, (65536,), and the channel that the colour is of."""
        import numpy as np
        from PIL import Image as Pillow
        from PIL import ImageColor

        key = ImageColor.getrgb(self.color.value or "#000000")[:3]
        _, blue, red = Pillow.new("RGB", (1, 1), key).convert("YCbCr").getpixel((0, 0))  # type: ignore[misc]
        tones = np.arange(256)
        away = np.hypot(tones[:, None] - blue, tones - red) / 255
        share = (away - self.tolerance) / max(self.softness, 1e-6)
        inside = share if self.softness else 1.0 * (away > self.tolerance)
        return as_bytes(inside).ravel(), int(np.argmax(key))


def _by_chroma(image: Image.Image, table: NDArray[np.uint8]) -> Image.Image:
    """Return a mask of an image (RGB) by what a table says of Cb and Cr."""
    import numpy as np
    from PIL import Image as Pillow

    tones = np.asarray(image.convert("YCbCr"))
    places = np.left_shift(tones[..., 1], 8, dtype=np.uint16) | tones[..., 2]
    return Pillow.fromarray(table.take(places))


def _without_spill(image: Image.Image, channel: int, strength: float) -> Image.Image:
    """Return an image (RGB) with a channel cut down to the mean of the other two."""
    import numpy as np
    from PIL import Image as Pillow

    tones = np.array(image)
    own, one, other = (tones[..., (channel + step) % 3].astype(np.float32) for step in (0, 1, 2))
    excess = np.maximum(own - (one + other) / 2, 0.0)
    tones[..., channel] = (own - excess * np.float32(strength) + 0.5).astype(np.uint8)
    return Pillow.fromarray(tones)


def _times(one: Image.Image, other: Image.Image) -> Image.Image:
    from PIL import ImageChops

    return ImageChops.multiply(one, other)


def _as_mask(share: Share) -> Image.Image:
    """Return a mask of shares from 0 to 1."""
    from PIL import Image as Pillow

    return Pillow.fromarray(as_bytes(share))


class ToneRange(Node):
    """
    Makes a mask of the tones between two others, with soft ends. `Threshold` has one hard end.
    Tones count as stored, not as linear light.
    image, mask, luminance, range, luminosity, blend if

    Use cases:
    - Grade the shadows or the highlights alone
    - Mask everything that is strongly coloured
    """

    synonyms = (
        "Luminosity Mask",
        "Blend If",
        "Select by Luminance",
        "Color Range",
        "inRange",
        "Luma Key",
    )

    image: ImageRef = Field(description="Image to look at.")
    channel: Literal["luma", "red", "green", "blue", "saturation"] = Field(
        default="luma",
        description="What counts: the luma of Rec. 601, a channel, or the saturation (HSV).",
    )
    low: int = Field(default=64, ge=0, le=255, description="The least tone that is inside.")
    high: int = Field(default=192, ge=0, le=255, description="The greatest tone that is inside.")
    softness: int = Field(
        default=32,
        ge=0,
        le=255,
        description="How many tones beyond both ends the mask takes to fall to black.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The mask, grey."]:
        if self.low > self.high:
            raise NodeError(f"low {self.low} is above high {self.high}.", "Exchange them.")
        image = context.image(self.image, "L" if self.channel == "luma" else "RGB")
        if self.channel == "saturation":
            image = image.convert("HSV").getchannel("S")
        elif self.channel != "luma":
            image = image.getchannel(self.channel[0].upper())
        curve = []
        for tone in range(256):
            away = max(self.low - tone, tone - self.high, 0)
            curve.append(round(255 * max(0.0, 1 - away / (self.softness + 1))))
        return context.image_from_pil(image.point(curve))


class FloodSelect(Node):
    """
    Makes a mask of what has about the colour of one pixel: around it without a gap, or anywhere.
    Tones count as stored, not as linear light.
    image, mask, flood, magic wand, select, fuzzy

    Use cases:
    - Mask an even background
    - Select one cloud and not the others
    """

    synonyms = (
        "Magic Wand",
        "Fuzzy Select",
        "Select by Color",
        "Flood Fill",
        "Bucket",
        "Contiguous",
    )

    image: ImageRef = Field(description="Image to look at.")
    x: int = Field(default=0, ge=0, description="Pixel to begin at, in pixels from the left.")
    y: int = Field(default=0, ge=0, description="Pixel to begin at, in pixels from the top.")
    tolerance: int = Field(
        default=32,
        ge=0,
        le=255,
        description="How far each channel may be from the pixel's, in tones of 256.",
    )
    contiguous: bool = Field(
        default=True, description="Whether only what hangs together with the pixel is selected."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The mask, black and white, grey."]:
        import numpy as np

        image = context.image(self.image, "RGBA")
        if self.x >= image.width or self.y >= image.height:
            raise NodeError(
                f"The pixel ({self.x}, {self.y}) is outside of the image, which has {image.width} x"
                f" {image.height}.",
                f"x can be at most {image.width - 1}, y at most {image.height - 1}.",
            )
        tones = np.asarray(image, np.int16)
        away = np.abs(tones - tones[self.y, self.x])
        # Colours that nobody sees make no difference.
        hidden = (tones[..., 3] == 0) & (tones[self.y, self.x, 3] == 0)
        near = (away.max(axis=2) <= self.tolerance) | hidden
        if self.contiguous:
            found = regions(near)
            region = found.at(self.x, self.y)
            near = found.shown(np.arange(len(found.areas)) == region)
        return context.image_from_pil(_as_mask(near.astype(np.float32)))


class MakeMask(Node):
    """
    Makes a mask of a shape: a rectangle, an ellipse, a polygon, or a gradient that falls along a
    line or around a point. Edges are smooth.
    image, mask, shape, rectangle, ellipse, polygon, gradient

    Use cases:
    - Grade the sky through a gradient
    - Protect or repaint a part that is known by its place
    """

    synonyms = (
        "Rectangle Mask",
        "Ellipse Mask",
        "Polygon Mask",
        "Gradient Mask",
        "Linear Gradient",
        "Radial Gradient",
        "Graduated Filter",
        "Create Shape Mask",
        "Box Mask",
        "SolidMask",
        "Lasso",
    )

    shape: Literal["rectangle", "ellipse", "polygon", "linear", "radial"] = Field(
        default="rectangle",
        description=(
            "The shape. `linear` falls from white at the left or top edge of the box to black at"
            " the other, `radial` from its middle to the ellipse in it."
        ),
    )
    width: int = Field(default=512, ge=1, le=MAX_SIDE, description="Width of the mask, in pixels.")
    height: int = Field(
        default=512, ge=1, le=MAX_SIDE, description="Height of the mask, in pixels."
    )
    left: float = Field(
        default=0.25,
        ge=-10.0,
        le=10.0,
        description="Left edge of the box, as a share of the width.",
    )
    top: float = Field(
        default=0.25, ge=-10.0, le=10.0, description="Upper edge, as a share of the height."
    )
    right: float = Field(
        default=0.75, ge=-10.0, le=10.0, description="Right edge, as a share of the width."
    )
    bottom: float = Field(
        default=0.75, ge=-10.0, le=10.0, description="Lower edge, as a share of the height."
    )
    points: list[list[float]] = Field(
        default=[[0.5, 0.1], [0.9, 0.9], [0.1, 0.9]],
        max_length=1000,
        description="Corners [x, y] of the polygon, as shares of width and height.",
    )
    angle: float = Field(
        default=90.0,
        ge=-360.0,
        le=360.0,
        description=(
            "Where the gradient `linear` falls to, in degrees clockwise: 0 to the right, 90 down."
        ),
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The mask, grey."]:
        size = check_size(self.width, self.height)
        if self.right <= self.left or self.bottom <= self.top:
            raise NodeError(
                "The box of the shape is empty.",
                "right has to be greater than left, and bottom greater than top.",
            )
        if self.shape in ("linear", "radial"):
            return context.image_from_pil(_as_mask(self._gradient(size)))
        return context.image_from_pil(coverage(self._outline(size), (0, 0, *size)))

    def _box(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        width, height = size
        return self.left * width, self.top * height, self.right * width, self.bottom * height

    def _gradient(self, size: tuple[int, int]) -> Share:
        import numpy as np

        left, top, right, bottom = self._box(size)
        x = np.arange(size[0], dtype=np.float32)[None, :] + np.float32(0.5)
        y = np.arange(size[1], dtype=np.float32)[:, None] + np.float32(0.5)
        across = (x - (left + right) / 2) / ((right - left) / 2)
        down = (y - (top + bottom) / 2) / ((bottom - top) / 2)
        if self.shape == "radial":
            return np.asarray(1 - np.hypot(across, down), np.float32)
        turn = math.radians(self.angle)
        way = across * np.float32(math.cos(turn)) + down * np.float32(math.sin(turn))
        return np.asarray((1 - way) / 2, np.float32)

    def _outline(self, size: tuple[int, int]) -> Shape:
        """Return the rectangle, ellipse or polygon in pixels."""
        if self.shape != "polygon":
            edges = self._box(size)
            return Shape([ellipse(edges) if self.shape == "ellipse" else rounded(edges, 0)])
        if len(self.points) < 3 or any(len(point) != 2 for point in self.points):
            raise NodeError(
                "A polygon needs three corners or more, each of x and y.",
                "Give points such as [[0.5, 0.1], [0.9, 0.9], [0.1, 0.9]].",
            )
        return Shape([[(x * size[0], y * size[1]) for x, y in self.points]], may_cross=True)
