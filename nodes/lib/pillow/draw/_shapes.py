"""Shapes, lines, arrows and labelled boxes drawn onto images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from nodes import _outlines as outlines
from nodes._fonts import FONT, font_file, text_identity
from nodes._outlines import Edges, Point, Polygon
from nodes._painting import Shape, clipped, paint
from nodes._pixels import common_form, distinct_colour, in_form, opened, with_profile
from nodes._text import Typeface, lines_of
from nodetool_core import (
    ColorRef,
    Context,
    Field,
    FontRef,
    ImageRef,
    Node,
    NodeError,
    Sources,
)

if TYPE_CHECKING:
    from PIL import Image


class DrawShape(Node):
    """
    Draws a rectangle, an ellipse, a line, an arrow or a polygon onto an image. Edges are smooth;
    what reaches over the edge of the image is cut off. Places are counted from the left and top
    edge, so that 0 and the width are the image's own edges. Tones count as stored, not as linear
    light.
    image, draw, shape, rectangle, ellipse, circle, line, arrow, polygon, annotation

    Use cases:
    - Point at something in a screenshot
    - Put a plain plate behind a caption
    - Draw the outline of what a mask or a detection found
    """

    synonyms = (
        "Draw Rectangle",
        "Draw Circle",
        "Draw Line",
        "Draw Arrow",
        "Draw Polygon",
        "Rounded Rectangle",
        "Shape Tool",
        "ImageDraw",
        "Stroke",
        "Callout",
        "Star",
    )

    image: ImageRef = Field(description="Image to draw on.")
    shape: Literal["rectangle", "ellipse", "line", "arrow", "polygon", "polyline", "star"] = Field(
        default="rectangle",
        description=(
            "What is drawn. `rectangle`, `ellipse` and `star` (five points) fill the box; `line`"
            " and `arrow` go from (left, top) to (right, bottom), in any direction; `polygon` and"
            " `polyline` go through `points`."
        ),
    )
    left: float = Field(
        default=32.0, ge=-1e5, le=1e5, description="Left edge, or where a line begins, in pixels."
    )
    top: float = Field(
        default=32.0, ge=-1e5, le=1e5, description="Upper edge, or where a line begins, in pixels."
    )
    right: float = Field(
        default=160.0, ge=-1e5, le=1e5, description="Right edge, or where a line ends, in pixels."
    )
    bottom: float = Field(
        default=96.0, ge=-1e5, le=1e5, description="Lower edge, or where a line ends, in pixels."
    )
    points: list[list[float]] = Field(
        default=[],
        max_length=10_000,
        description="Places [x, y] of a polygon's corners or a polyline's bends, in pixels.",
    )
    fill: ColorRef | None = Field(
        default=None, description="Colour inside of the shape; none leaves it open."
    )
    color: ColorRef = Field(
        default=ColorRef(value="#ff3b30"), description="Colour of the line; with alpha, glassy."
    )
    line_width: float = Field(
        default=4.0,
        ge=0.0,
        le=1024.0,
        description="Width of the line, in pixels, half to each side; 0 draws none.",
    )
    radius: float = Field(
        default=0.0, ge=0.0, le=1e5, description="Radius of a rectangle's corners, in pixels."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image, RGB or RGBA."]:
        image = _drawable(opened(context, self.image))
        filled, lined = self._shapes()
        if self.fill is not None and self.fill.value:
            paint(image, filled, self.fill.value, context)
        if self.line_width:
            paint(image, lined, self.color.value or "#000000", context)
        return context.image_from_pil(image)

    def _shapes(self) -> tuple[Shape, Shape]:
        """Return what is filled, and the line around it or along it."""
        start, end = (self.left, self.top), (self.right, self.bottom)
        if self.shape == "line":
            return Shape([]), Shape(outlines.stroke([start, end], self.line_width))
        if self.shape == "arrow":
            return Shape([]), Shape(outlines.arrow(start, end, self.line_width))
        if self.shape in ("polygon", "polyline"):
            return self._through_points()
        box = self._box()
        if self.shape == "star":
            star = outlines.star(box)
            return Shape([star]), Shape(outlines.stroke([*star, star[0]], self.line_width))
        half = self.line_width / 2
        outline = Shape([self._outlined(box, half)], [self._outlined(box, -half)])
        return Shape([self._outlined(box, 0)]), outline

    def _through_points(self) -> tuple[Shape, Shape]:
        least = 3 if self.shape == "polygon" else 2
        if len(self.points) < least or any(len(point) != 2 for point in self.points):
            raise NodeError(
                f"A {self.shape} needs {least} points or more, each of x and y.",
                "Give points such as [[20, 20], [100, 40], [60, 90]].",
                code="invalid_value",
                where="points",
            )
        points = [(x, y) for x, y in self.points]
        if self.shape == "polyline":
            return Shape([points], may_cross=True), Shape(outlines.stroke(points, self.line_width))
        return Shape([points], may_cross=True), Shape(
            outlines.stroke([*points, points[0]], self.line_width)
        )

    def _box(self) -> Edges:
        if self.right <= self.left or self.bottom <= self.top:
            raise NodeError(
                f"The box of the {self.shape} is empty.",
                "right has to be greater than left, and bottom greater than top.",
                code="invalid_value",
            )
        return self.left, self.top, self.right, self.bottom

    def _outlined(self, box: Edges, grown: float) -> Polygon:
        """Return a rectangle or an ellipse that is grown by pixels to each side."""
        left, top, right, bottom = box
        edges = (left - grown, top - grown, right + grown, bottom + grown)
        if edges[0] >= edges[2] or edges[1] >= edges[3]:
            return [((left + right) / 2, (top + bottom) / 2)] * 3
        if self.shape == "ellipse":
            return outlines.ellipse(edges)
        return outlines.rounded(edges, max(0.0, self.radius + grown) if self.radius else 0.0)


class DrawBoxes(Node):
    """
    Draws boxes and their labels onto an image, as detectors find them. Boxes with the same label
    have the same colour. Tones count as stored, not as linear light.
    image, draw, boxes, bounding box, detection, label, annotation

    Use cases:
    - See what a detector found
    - Mark the places where two images differ
    """

    synonyms = ("Bounding Boxes", "Annotate Detections", "BBox Visualize", "Draw BBox", "SEGS")

    image: ImageRef = Field(description="Image to draw on.")
    boxes: list[list[float]] = Field(
        default=[],
        max_length=10_000,
        description="The boxes [left, top, right, bottom], in pixels.",
    )
    labels: list[str] = Field(default=[], description="Their labels, in the same order.")
    color: ColorRef | None = Field(
        default=None, description="Colour of all boxes; without one, each label has its own."
    )
    line_width: float = Field(
        default=3.0, ge=0.5, le=64.0, description="Width of the lines, in pixels."
    )
    size: int = Field(default=18, ge=4, le=256, description="Size of the labels, in pixels.")
    font: FontRef = Field(default=FontRef(), description=FONT)

    @classmethod
    def fingerprint(cls, values: dict[str, object], sources: Sources) -> str | None:
        """Labels are drawn in fonts, which are others on another machine."""
        return text_identity(values, "labels", sources)

    def process(self, context: Context) -> Annotated[ImageRef, "The image, RGB or RGBA."]:
        if any(len(box) != 4 for box in self.boxes):
            raise NodeError(
                "A box has four edges: left, top, right, bottom.",
                "Connect the boxes of a detector, or give numbers in pixels.",
                code="invalid_value",
                where="boxes",
            )
        if len(self.labels) > len(self.boxes):
            raise NodeError(
                f"There are {len(self.labels)} labels for {len(self.boxes)} boxes.",
                "Remove a label or add a box.",
                code="invalid_value",
                where="labels",
            )
        image = _drawable(opened(context, self.image))
        typeface = Typeface(font_file(self.font.name, context), self.size)
        labels = self.labels + [""] * (len(self.boxes) - len(self.labels))
        numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
        half = self.line_width / 2
        for (left, top, right, bottom), label in zip(self.boxes, labels, strict=True):
            colour = self._colour(numbers[label])
            outer = (left - half, top - half, right + half, bottom + half)
            inner = (left + half, top + half, right - half, bottom - half)
            has_room = inner[0] < inner[2] and inner[1] < inner[3]
            frame = Shape(
                [outlines.rounded(outer, 0)], [outlines.rounded(inner, 0)] if has_room else []
            )
            paint(image, frame, colour, context)
            if label:
                self._write(image, (outer[0], outer[1]), label, colour, typeface, context)
        typeface.warn_of_missing(context)
        return context.image_from_pil(image)

    def _colour(self, number: int) -> str:
        if self.color is not None and self.color.value:
            return self.color.value[:7]
        return "#{:02x}{:02x}{:02x}".format(*distinct_colour(number))

    def _write(
        self,
        image: Image.Image,
        corner: Point,
        label: str,
        colour: str,
        typeface: Typeface,
        context: Context,
    ) -> None:
        """Write a label on a plate above a box, or where there is room for it."""
        from nodes._painting import composite

        text = " ".join(lines_of(label))
        pad = max(2, self.size // 5)
        width, height = typeface.length(text) + 2 * pad, typeface.line_height + pad
        left = max(0.0, min(corner[0], image.width - width))
        top = corner[1] - height if corner[1] >= height else max(0.0, corner[1])
        plate = (left, top, left + width, top + height)
        paint(image, Shape([outlines.rounded(plate, 0)]), colour, context)
        box = clipped(plate, image.size)
        if box is None:
            return
        from PIL import Image as Pillow

        ink = "#000000" if _is_bright(colour) else "#ffffff"
        layer = Pillow.new("RGBA", (box[2] - box[0], box[3] - box[1]), ink + "00")
        baseline = top + pad / 2 + typeface.ascent - box[1]
        typeface.draw(layer, (left + pad - box[0], baseline), text, ink, context)
        composite(image, layer, box[:2])


def _drawable(image: Image.Image) -> Image.Image:
    """Return a copy of an image that has colours, to draw on."""
    mode, profile = common_form([image], colours=True)
    whole = in_form(image, mode, profile)
    return with_profile(whole.copy(), whole)


def _is_bright(colour: str) -> bool:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 140
