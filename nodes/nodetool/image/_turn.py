"""Images mirrored, turned, sheared, seen in perspective and moved around their edges."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from nodes._geometry import MAX_SIDE, Size, check_size
from nodes._pixels import opened, with_profile
from nodes._warp import (
    AROUND,
    SMOOTHNESS,
    Around,
    Smoothness,
    affine,
    quad_to_quad,
    rotation,
    shifted,
    unit_square,
    warped,
)
from nodetool_core import ColorRef, Context, Field, ImageRef, Node, NodeError

if TYPE_CHECKING:
    from PIL import Image

    from nodes._warp import Map

_CLEAR = ColorRef(value="#00000000")
_COLOUR = "Colour where nothing of the image is; transparent unless said otherwise."


class Flip(Node):
    """
    Mirrors an image, or exchanges its rows and columns. No pixel is changed.
    image, flip, mirror, transpose

    Use cases:
    - Mirror a composition
    - Double the images that a model is trained on
    """

    synonyms = (
        "Flip Horizontal",
        "Flip Vertical",
        "ImageFlip",
        "Mirror Image",
        "Flip Canvas",
        "Swap Axes",
    )

    image: ImageRef = Field(description="Image to mirror.")
    direction: Literal["horizontal", "vertical", "both", "transpose", "transverse"] = Field(
        default="horizontal",
        description=(
            "`horizontal` exchanges left and right, `vertical` top and bottom, `both` turns it by"
            " half; `transpose` mirrors at the diagonal from the top left, `transverse` at the"
            " other one."
        ),
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The mirrored image."]:
        from PIL import Image

        ways = {
            "horizontal": Image.Transpose.FLIP_LEFT_RIGHT,
            "vertical": Image.Transpose.FLIP_TOP_BOTTOM,
            "both": Image.Transpose.ROTATE_180,
            "transpose": Image.Transpose.TRANSPOSE,
            "transverse": Image.Transpose.TRANSVERSE,
        }
        return context.image_from_pil(context.image(self.image).transpose(ways[self.direction]))


class Rotate(Node):
    """
    Turns an image by an angle. Quarter turns change no pixel. For other angles the canvas grows,
    stays, or is cropped to what the image fills, which straightens a photo. Tones count as stored,
    not as linear light.
    image, rotate, turn, angle, straighten

    Use cases:
    - Turn a photo upright
    - Straighten a horizon (canvas `crop`)
    - Set a label at an angle
    """

    synonyms = (
        "Arbitrary Rotation",
        "Image Rotation",
        "ImageRotate",
        "Straighten",
        "Level Horizon",
        "Rotate 90",
        "Deskew",
        "Rotate Canvas",
    )

    image: ImageRef = Field(description="Image to turn.")
    angle: float = Field(
        default=0.0,
        ge=-360.0,
        le=360.0,
        description="Angle in degrees, clockwise; below 0 counterclockwise.",
    )
    canvas: Literal["expand", "keep", "crop"] = Field(
        default="expand",
        description=(
            "`expand` shows the whole image on a larger canvas; `keep` keeps the size and cuts the"
            " corners off; `crop` cuts the largest part of the same aspect ratio without a gap."
        ),
    )
    fill: Around = Field(default="color", description=AROUND)
    color: ColorRef = Field(default=_CLEAR, description=_COLOUR)
    method: Smoothness = Field(default="bicubic", description=SMOOTHNESS)

    def process(self, context: Context) -> Annotated[ImageRef, "The turned image."]:
        quarters = round(self.angle / 90) % 4
        rest = self.angle - 90 * round(self.angle / 90)
        if rest == 0 and (self.canvas != "keep" or quarters % 2 == 0):
            return context.image_from_pil(_by_quarters(context.image(self.image), quarters))
        image = opened(context, self.image)
        if self.canvas == "keep":
            size, degrees = image.size, self.angle
        else:
            image, degrees = _by_quarters(image, quarters), rest
            size = check_size(*_turned_size(image.size, rest, self.canvas))
        middle = shifted(-image.width / 2, -image.height / 2)
        forward = shifted(size[0] / 2, size[1] / 2) @ rotation(degrees) @ middle
        fill: Around = "edge" if self.canvas == "crop" else self.fill
        colour = self.color.value or "#00000000"
        return context.image_from_pil(warped(image, size, forward, fill, colour, self.method))


def _by_quarters(image: Image.Image, quarters: int) -> Image.Image:
    """Return the image turned clockwise by so many quarters."""
    from PIL import Image as Pillow

    ways = {
        1: Pillow.Transpose.ROTATE_270,
        2: Pillow.Transpose.ROTATE_180,
        3: Pillow.Transpose.ROTATE_90,
    }
    return image.transpose(ways[quarters]) if quarters else image


def _turned_size(size: Size, degrees: float, canvas: str) -> Size:
    """Return the size of what is turned by less than a quarter: all of it, or what it fills."""
    width, height = size
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    across, down = width * cosine + height * sine, width * sine + height * cosine
    if canvas == "expand":
        return math.ceil(across - 1e-6), math.ceil(down - 1e-6)
    share = min(width / across, height / down)
    return max(1, math.floor(width * share + 1e-6)), max(1, math.floor(height * share + 1e-6))


class Transform(Node):
    """
    Scales, shears, turns and moves an image on its canvas, in this order, around its middle. The
    canvas keeps its size. Tones count as stored, not as linear light.
    image, transform, affine, scale, shear, skew, move, translate

    Use cases:
    - Zoom into the middle of an image
    - Skew a texture onto a slanted wall
    - Move a layer before it is pasted
    """

    synonyms = (
        "Free Transform",
        "Affine Transform",
        "warpAffine",
        "Skew",
        "Translate",
        "Zoom",
        "Unified Transform",
    )

    image: ImageRef = Field(description="Image to transform.")
    scale_x: float = Field(
        default=1.0, ge=0.01, le=100.0, description="Factor for the width; 1 keeps it."
    )
    scale_y: float = Field(
        default=1.0, ge=0.01, le=100.0, description="Factor for the height; 1 keeps it."
    )
    shear_x: float = Field(
        default=0.0,
        ge=-80.0,
        le=80.0,
        description="Angle in degrees by which upright lines lean, to the right at the bottom.",
    )
    shear_y: float = Field(
        default=0.0,
        ge=-80.0,
        le=80.0,
        description="Angle in degrees by which level lines fall, downwards on the right.",
    )
    angle: float = Field(
        default=0.0, ge=-360.0, le=360.0, description="Angle in degrees, clockwise."
    )
    x: float = Field(
        default=0.0,
        ge=-MAX_SIDE,
        le=MAX_SIDE,
        description="How far it is moved to the right, in pixels; below 0 to the left.",
    )
    y: float = Field(
        default=0.0,
        ge=-MAX_SIDE,
        le=MAX_SIDE,
        description="How far it is moved down, in pixels; below 0 up.",
    )
    fill: Around = Field(default="color", description=AROUND)
    color: ColorRef = Field(default=_CLEAR, description=_COLOUR)
    method: Smoothness = Field(default="bicubic", description=SMOOTHNESS)

    def process(self, context: Context) -> Annotated[ImageRef, "The image, in its own size."]:
        image = opened(context, self.image)
        across, down = image.width / 2, image.height / 2
        lean = affine(
            1.0, math.tan(math.radians(self.shear_x)), math.tan(math.radians(self.shear_y)), 1.0
        )
        forward = (
            shifted(across + self.x, down + self.y)
            @ rotation(self.angle)
            @ lean
            @ affine(self.scale_x, 0.0, 0.0, self.scale_y)
            @ shifted(-across, -down)
        )
        colour = self.color.value or "#00000000"
        return context.image_from_pil(
            warped(image, image.size, forward, self.fill, colour, self.method)
        )


class Perspective(Node):
    """
    Brings a quadrilateral of an image to a rectangle, or an image into a quadrilateral. Tones count
    as stored, not as linear light.
    image, perspective, corners, distort, straighten, warp

    Use cases:
    - Straighten a photographed sheet, sign or screen
    - Set an image into a frame that is seen at an angle
    """

    synonyms = (
        "Perspective Crop",
        "Perspective Warp",
        "Four Point Transform",
        "Corner Pin",
        "Distort",
        "Homography",
        "warpPerspective",
        "Document Scan",
        "Deskew",
    )

    image: ImageRef = Field(description="Image to change.")
    corners: list[list[float]] = Field(
        default=[],
        max_length=4,
        description=(
            "Four corners [x, y], in pixels from the top left of the image, clockwise: top left,"
            " top right, bottom right, bottom left; empty for those of the image."
        ),
    )
    direction: Literal["straighten", "distort"] = Field(
        default="straighten",
        description=(
            "`straighten` makes a rectangle of what lies between the corners; `distort` brings the"
            " corners of the image to them, on a canvas of its own size."
        ),
    )
    width: int = Field(
        default=0,
        ge=0,
        le=MAX_SIDE,
        description="Width of the rectangle, in pixels; 0 for that of the corners' longer side.",
    )
    height: int = Field(
        default=0,
        ge=0,
        le=MAX_SIDE,
        description="Height of the rectangle, in pixels; 0 for that of the corners' longer side.",
    )
    fill: Around = Field(default="color", description=AROUND)
    color: ColorRef = Field(default=_CLEAR, description=_COLOUR)
    method: Smoothness = Field(default="bicubic", description=SMOOTHNESS)

    def process(self, context: Context) -> Annotated[ImageRef, "The changed image."]:
        import numpy as np

        image = opened(context, self.image)
        whole, corners = unit_square(image.size), self._corners(image.size)
        size = image.size
        if self.direction == "straighten":
            size = check_size(*self._size(corners))
            forward = quad_to_quad(corners, unit_square(size))
        else:
            forward = quad_to_quad(whole, corners)
        # Within the image there is no gap, so that no alpha is needed.
        is_within = bool((corners >= 0).all() and (corners <= np.array(image.size)).all())
        fill = "edge" if is_within and self.direction == "straighten" else self.fill
        colour = self.color.value or "#00000000"
        return context.image_from_pil(warped(image, size, forward, fill, colour, self.method))

    def _corners(self, size: Size) -> Map:
        import numpy as np

        if not self.corners:
            square: Map = unit_square(size)
            return square
        if len(self.corners) != 4 or any(len(corner) != 2 for corner in self.corners):
            raise NodeError(
                f"There are {len(self.corners)} corners, or one without x and y.",
                "Give four corners [x, y], clockwise from the top left.",
            )
        return np.array(self.corners, np.float64)

    def _size(self, corners: Map) -> Size:
        """Return the size of the rectangle: as given, or as long as the longer of two sides."""
        import numpy as np

        top, right, bottom, left = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
        return (
            self.width or max(1, round(max(top, bottom))),
            self.height or max(1, round(max(left, right))),
        )


class Offset(Node):
    """
    Moves an image around its edges: what leaves it on one side comes in on the other. By half, the
    seams of a tile come to its middle.
    image, offset, wrap, shift, seamless, tile, texture

    Use cases:
    - See and repair the seams of a texture that is to be tiled
    - Turn a panorama to another middle
    """

    synonyms = ("Offset Filter", "Wrap Around", "Roll", "Make Seamless", "Tileable", "Shift")

    image: ImageRef = Field(description="Image to move.")
    x: float = Field(
        default=50.0,
        ge=-MAX_SIDE,
        le=MAX_SIDE,
        description="How far it moves to the right; below 0 to the left.",
    )
    y: float = Field(
        default=50.0, ge=-MAX_SIDE, le=MAX_SIDE, description="How far it moves down; below 0 up."
    )
    unit: Literal["percent", "pixels"] = Field(
        default="percent", description="Whether x and y are percent of width and height, or pixels."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The moved image."]:
        from PIL import ImageChops

        image = context.image(self.image)
        shares = (image.width / 100, image.height / 100) if self.unit == "percent" else (1.0, 1.0)
        across, down = round(self.x * shares[0]), round(self.y * shares[1])
        moved = ImageChops.offset(image, across % image.width, down % image.height)
        return context.image_from_pil(with_profile(moved, image))
