"""Images made from nothing: a colour, a gradient, a checkerboard, noise, a QR code."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Final, Literal

from nodes._geometry import MAX_SIDE, check_size
from nodes._light import as_tones, light_of_bytes
from nodes._oklab import from_oklab, to_oklab
from nodes._pixels import as_bytes
from nodetool_core import ColorRef, Context, Field, ImageRef, Node, NodeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.float32]

_FAR: Final = 1e6
"""More than any noise that shows a tone between black and white."""
_STEPS: Final = 4096
"""Colours that a gradient is made of."""
_ROWS: Final = 256
"""Rows of a gradient that are made at once."""


class Background(Node):
    """
    Makes an image of one colour.
    image, draw, background, colour, fill, blank

    Use cases:
    - Put an image with alpha onto a colour
    - Start a composition from an empty canvas
    """

    synonyms = (
        "Solid Color",
        "Color Fill",
        "Create Color",
        "EmptyImage",
        "New Image",
        "Fill Layer",
        "Color Image",
    )

    width: int = Field(default=512, ge=1, le=MAX_SIDE, description="Width, in pixels.")
    height: int = Field(default=512, ge=1, le=MAX_SIDE, description="Height, in pixels.")
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
    Makes an image of random colours that follow a normal distribution. Tones count as stored, not
    as linear light.
    image, draw, noise, random, gaussian, texture

    Use cases:
    - Give an image to image model an image to start from
    - Mix grain into a smooth image
    """

    synonyms = ("Create Noise", "Noise Generator", "Random Noise")

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
        # Beyond these, all is black or white: no product is infinite then.
        mean = max(-_FAR, min(_FAR, self.mean))
        tones = noise * min(_FAR, self.stddev) + mean
        return context.image_from_pil(Image.fromarray(as_bytes(tones / 2 + 0.5)))


class Gradient(Node):
    """
    Makes an image of colours that pass into each other: along a line, out from a point, or around
    it. `GradientMap` colours the tones of an image instead; `MakeMask` makes gradients for masks.
    image, draw, gradient, linear, radial, conic, background

    Use cases:
    - Give a product a soft background
    - Grade a sky with a blend mode
    """

    synonyms = (
        "Gradient Fill",
        "Linear Gradient",
        "Radial Gradient",
        "Conic Gradient",
        "Angle Gradient",
        "Color Ramp",
        "Create Gradient",
    )

    shape: Literal["linear", "radial", "conic"] = Field(
        default="linear",
        description="Whether colours change along a line, out from the centre, or around it.",
    )
    width: int = Field(default=512, ge=1, le=MAX_SIDE, description="Width, in pixels.")
    height: int = Field(default=512, ge=1, le=MAX_SIDE, description="Height, in pixels.")
    colors: list[ColorRef] = Field(
        default=[ColorRef(value="#0f2027"), ColorRef(value="#7ab8c8")],
        max_length=64,
        description="The colours, at least two; with alpha in one of them, the image has alpha.",
    )
    positions: list[float] = Field(
        default=[],
        max_length=64,
        description="Where each colour is, from 0 to 1 and rising; empty spreads them evenly.",
    )
    angle: float = Field(
        default=90.0,
        ge=-360.0,
        le=360.0,
        description=(
            "Where a linear gradient goes to and where a conic one begins, in degrees clockwise: 0"
            " is right, 90 down. The first and last colour are in the corners."
        ),
    )
    center_x: float = Field(
        default=0.5,
        ge=-10.0,
        le=10.0,
        description="Centre of a radial or conic gradient, as a share of the width.",
    )
    center_y: float = Field(
        default=0.5, ge=-10.0, le=10.0, description="Its centre, as a share of the height."
    )
    space: Literal["srgb", "linear", "oklab"] = Field(
        default="srgb",
        description=(
            "Where colours are mixed: as tones of sRGB, as light, or in Oklab, in equal steps for"
            " the eye."
        ),
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image, RGB or RGBA."]:
        import numpy as np
        from PIL import Image

        width, height = check_size(self.width, self.height)
        table = self._table()
        pixels = np.empty((height, width, table.shape[1]), np.uint8)
        for top in range(0, height, _ROWS):
            context.check_cancelled()
            places = self._places(width, height, top, min(height, top + _ROWS))
            steps = np.clip(places, 0.0, 1.0) * np.float32(_STEPS - 1) + np.float32(0.5)
            pixels[top : top + _ROWS] = table[steps.astype(np.int32)]
        return context.image_from_pil(Image.fromarray(pixels))

    def _table(self) -> NDArray[np.uint8]:
        """Return the colours along the gradient, (steps, 3 or 4)."""
        import numpy as np
        from PIL import ImageColor

        if len(self.colors) < 2:
            raise NodeError(
                f"A gradient needs two colours or more, not {len(self.colors)}.",
                "Add a colour.",
                code="invalid_value",
                where="colors",
            )
        stops = np.array(
            [(*ImageColor.getrgb(one.value or "#00000000"), 255)[:4] for one in self.colors],
            np.uint8,
        )
        at = self.positions or np.linspace(0, 1, len(stops)).tolist()
        if len(at) != len(stops) or any(later < one for one, later in zip(at, at[1:])):  # noqa: B905, RUF007
            raise NodeError(
                f"{len(at)} positions do not fit {len(stops)} colours.",
                "Give one for each colour, from 0 to 1 and rising, or none.",
                code="invalid_value",
                where="positions",
            )
        places = np.linspace(0, 1, _STEPS)

        def spread(columns: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.stack([np.interp(places, at, column) for column in columns.T], axis=1)

        colours = stops[:, :3]
        if self.space == "oklab":
            planes = spread(to_oklab(colours).T.astype(np.float64)).T
            mixed = from_oklab(planes.astype(np.float32))
        elif self.space == "linear":
            light = spread(light_of_bytes()[colours].astype(np.float64))
            mixed = as_tones(light.astype(np.float32))
        else:
            mixed = as_bytes(spread(colours / 255.0))
        if (stops[:, 3] == 255).all():
            return mixed
        return np.concatenate([mixed, as_bytes(spread(stops[:, 3:] / 255.0))], axis=1)

    def _places(self, width: int, height: int, top: int, bottom: int) -> Places:
        """Return where along the gradient each pixel of some rows is."""
        import numpy as np

        x = np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5)
        y = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5)
        turn = math.radians(self.angle)
        across, down = math.cos(turn), math.sin(turn)
        if self.shape == "linear":
            length = abs(width * across) + abs(height * down)
            way = (x - np.float32(width / 2)) * np.float32(across / length)
            return way + (
                (y - np.float32(height / 2)) * np.float32(down / length) + np.float32(0.5)
            )
        middle = (self.center_x * width, self.center_y * height)
        x, y = x - np.float32(middle[0]), y - np.float32(middle[1])
        if self.shape == "radial":
            corners = [(left, upper) for left in (0, width) for upper in (0, height)]
            reach = max(math.hypot(left - middle[0], upper - middle[1]) for left, upper in corners)
            return np.asarray(np.hypot(x, y) / np.float32(reach), np.float32)
        turns = (np.arctan2(y, x) - np.float32(turn)) / np.float32(2 * math.pi)
        return np.asarray(turns - np.floor(turns), np.float32)


class Checkerboard(Node):
    """
    Makes an image of squares in two colours by turns.
    image, draw, checkerboard, pattern, transparency, test

    Use cases:
    - Show what is transparent in an image
    - Test how an image is resized or warped
    """

    synonyms = ("Checker", "Chessboard", "Transparency Grid", "Checker Texture")

    width: int = Field(default=512, ge=1, le=MAX_SIDE, description="Width, in pixels.")
    height: int = Field(default=512, ge=1, le=MAX_SIDE, description="Height, in pixels.")
    size: int = Field(default=32, ge=1, le=4096, description="Side of a square, in pixels.")
    color1: ColorRef = Field(
        default=ColorRef(value="#ffffff"), description="Colour of the square at the top left."
    )
    color2: ColorRef = Field(
        default=ColorRef(value="#cccccc"), description="Colour of the squares beside it."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image, RGB or RGBA."]:
        from PIL import Image

        size = check_size(self.width, self.height)
        one, other = (color.value or "#00000000" for color in (self.color1, self.color2))
        mode = "RGBA" if max(len(one), len(other)) == 9 else "RGB"
        rows = [Image.new(mode, (size[0], self.size), one) for _ in range(2)]
        for index, row in enumerate(rows):
            for left in range((1 - index) * self.size, size[0], 2 * self.size):
                row.paste(other, (left, 0, left + self.size, self.size))
        whole = Image.new(mode, size)
        for index, top in enumerate(range(0, size[1], self.size)):
            whole.paste(rows[index % 2], (0, top))
        return context.image_from_pil(whole)


class QRCode(Node):
    """
    Makes a QR code of a text or an address. `Paste` puts it onto an image.
    image, draw, qr, qr code, barcode, link

    Use cases:
    - Put a link on a poster
    - Start a QR code art image, with a ControlNet
    """

    synonyms = ("QR Generator", "Barcode", "Matrix Code", "QR Code Generator")

    text: str = Field(default="https://example.org", description="What the code says.")
    scale: int = Field(default=8, ge=1, le=256, description="Side of a dot, in pixels.")
    border: int = Field(
        default=4,
        ge=0,
        le=64,
        description="Room around the code, in dots; readers expect 4 at least.",
    )
    error_correction: Literal["low", "medium", "quartile", "high"] = Field(
        default="medium",
        description="How much may be covered or damaged: 7, 15, 25 or 30 percent.",
    )
    color: ColorRef = Field(
        default=ColorRef(value="#000000"), description="Colour of the dots; the darker one."
    )
    background: ColorRef = Field(
        default=ColorRef(value="#ffffff"), description="Colour around the dots; with alpha, glassy."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The code, RGB or RGBA."]:
        import numpy as np
        import segno
        from PIL import Image

        if not self.text:
            raise NodeError(
                "There is no text for the code.",
                "Give a text or an address.",
                code="invalid_value",
                where="text",
            )
        try:
            level = self.error_correction[0].upper()
            code = segno.make_qr(self.text, error=level, boost_error=False)
        except segno.DataOverflowError as error:
            raise NodeError(
                f"A text of {len(self.text)} characters is too long for a QR code.",
                "Shorten it, or choose a lower error correction.",
                code="invalid_value",
                where="text",
            ) from error
        except UnicodeEncodeError as error:
            raise NodeError(
                f"The text has half of a character, {self.text[error.start]!r}, which has no code.",
                "Write the character again.",
                code="invalid_value",
                where="text",
            ) from error
        dots = np.pad(np.array(code.matrix, np.uint8), self.border)
        check_size(
            dots.shape[1] * self.scale, dots.shape[0] * self.scale, "Choose a smaller scale."
        )
        dark, light = self.color.value or "#000000", self.background.value or "#00000000"
        mode = "RGBA" if max(len(dark), len(light)) == 9 else "RGB"
        mask = Image.fromarray(dots * np.uint8(255))
        whole = Image.composite(
            Image.new(mode, mask.size, dark), Image.new(mode, mask.size, light), mask
        )
        size = (whole.width * self.scale, whole.height * self.scale)
        return context.image_from_pil(whole.resize(size, Image.Resampling.NEAREST))
