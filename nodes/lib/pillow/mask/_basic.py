"""
Masks: grey images that say where something happens.

White is inside, black outside, grey in between.

Whatever reads a mask looks at how bright it is; transparent parts count as white.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from nodes._geometry import MAX_SIDE, check_size
from nodes._pixels import check_same_size, colours, opened, with_alpha, with_profile
from nodetool_core import Context, Field, ImageRef, Node

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tones = NDArray[np.uint8]


class Threshold(Node):
    """
    Makes a mask of what is bright in an image. `ToneRange` has two ends that may be soft, and
    `AdaptiveThreshold` goes by the surroundings of each pixel. Tones count as stored, not as linear
    light.
    image, mask, threshold, select, luminance

    Use cases:
    - Mask a bright sky
    - Make a soft mask hard
    """

    synonyms = ("ThresholdMask", "Binarize", "Black and White Mask", "Binary Mask")

    image: ImageRef = Field(description="Image to look at.")
    threshold: int = Field(default=128, ge=0, le=255, description="The least tone that is inside.")
    select: Literal["bright", "dark"] = Field(
        default="bright", description="Whether bright or dark parts are inside."
    )

    def process(
        self, context: Context
    ) -> Annotated[ImageRef, "The mask: black and white, grey mode."]:
        inside, outside = (255, 0) if self.select == "bright" else (0, 255)
        mask = context.image(self.image, "L").point(
            lambda tone: inside if tone >= self.threshold else outside
        )
        return context.image_from_pil(mask)


class FromAlpha(Node):
    """
    Makes a mask of the alpha of an image: white where it is opaque. An image without alpha is white
    all over.
    image, mask, alpha, transparency

    Use cases:
    - Mask a subject that was cut out
    - Fill in the transparent part of an image (with select `transparent`)
    """

    synonyms = (
        "LoadImageMask",
        "ImageToMask",
        "Alpha to Selection",
        "Alpha to Mask",
        "SplitImageWithAlpha",
        "Transparency to Mask",
    )

    image: ImageRef = Field(description="Image whose alpha is taken.")
    select: Literal["opaque", "transparent"] = Field(
        default="opaque", description="Whether opaque or transparent parts are inside."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The mask, grey."]:
        from PIL import Image, ImageOps

        colour, alpha = colours(opened(context, self.image))
        mask = alpha or Image.new("L", colour.size, 255)
        return context.image_from_pil(mask if self.select == "opaque" else ImageOps.invert(mask))


class InvertMask(Node):
    """
    Exchanges the inside and the outside of a mask.
    image, mask, invert, outside

    Use cases:
    - Keep the subject and change the background
    - Use a mask of another tool, where black is inside
    """

    synonyms = ("Select Inverse", "Invert Selection")

    mask: ImageRef = Field(description="Mask to turn around.")

    def process(self, context: Context) -> Annotated[ImageRef, "The mask turned around, grey."]:
        from PIL import ImageOps

        return context.image_from_pil(ImageOps.invert(context.image(self.mask, "L")))


class Grow(Node):
    """
    Makes the inside of a mask larger or smaller on all sides.
    image, mask, grow, shrink, dilate, erode

    Use cases:
    - Cover the border of what is to be replaced
    - Keep away from the edge of a subject
    """

    synonyms = ("GrowMask", "Dilate", "Erode", "Expand Selection", "Contract Selection", "Choke")

    mask: ImageRef = Field(description="Mask to change.")
    pixels: int = Field(
        default=8,
        ge=-512,
        le=512,
        description="How far the inside grows, in pixels; below 0 it shrinks.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The changed mask, grey."]:
        import numpy as np
        from PIL import Image

        tones = np.asarray(context.image(self.mask, "L"))
        changed = grown(tones, abs(self.pixels), shrinks=self.pixels < 0)
        return context.image_from_pil(Image.fromarray(changed))


class Feather(Node):
    """
    Makes the edge of a mask soft: on both sides, or on one, so that the other stays as it is.
    image, mask, feather, blur, soften

    Use cases:
    - Let an edit fade into its surroundings
    - Hide the seam of a composition
    """

    synonyms = ("FeatherMask", "Feather Selection", "Mask Blur", "Soft Edge", "Refine Edge")

    mask: ImageRef = Field(description="Mask to soften.")
    radius: float = Field(
        default=8.0, ge=0.0, le=512.0, description="Standard deviation of the blur, in pixels."
    )
    side: Literal["both", "inside", "outside"] = Field(
        default="both",
        description=(
            "Where the mask fades: across its edge; `inside` keeps black what is black, `outside`"
            " keeps white what is white."
        ),
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The softened mask, grey."]:
        import numpy as np
        from PIL import Image, ImageChops, ImageFilter

        mask = context.image(self.mask, "L")
        if self.side != "both" and self.radius:
            # Moved by a deviation, so that the fade begins at the edge.
            reach = round(self.radius)
            moved = grown(np.asarray(mask), reach, shrinks=self.side == "inside")
            soft = Image.fromarray(moved).filter(ImageFilter.GaussianBlur(self.radius / 2))
            keep = ImageChops.darker if self.side == "inside" else ImageChops.lighter
            return context.image_from_pil(keep(soft, mask))
        return context.image_from_pil(mask.filter(ImageFilter.GaussianBlur(self.radius)))


class CombineMasks(Node):
    """
    Makes one mask of two: of the same size, or the second over a part of the first.
    image, mask, combine, union, intersection, subtract

    Use cases:
    - Mask the sky without the birds in it
    - Join the masks of several objects
    """

    synonyms = (
        "MaskComposite",
        "Merge Masks",
        "Add Masks",
        "Subtract Masks",
        "Intersect Selection",
    )

    a: ImageRef = Field(description="First mask.")
    b: ImageRef = Field(description="Second mask.")
    operation: Literal["union", "intersection", "subtract", "difference", "add", "multiply"] = (
        Field(
            default="union",
            description=(
                "Inside of either, of both, of the first but not the second, or of just one;"
                " `add` and `multiply` take soft masks as numbers between 0 and 1."
            ),
        )
    )
    covers: Literal["all", "part"] = Field(
        default="all",
        description=(
            "Whether `b` has the size of `a`, or may have another and lies over a part of it; what"
            " it does not cover stays."
        ),
    )
    left: int = Field(
        default=0, ge=0, le=MAX_SIDE, description="Where `b` begins, in pixels, with `part`."
    )
    top: int = Field(
        default=0, ge=0, le=MAX_SIDE, description="Where `b` begins, in pixels, with `part`."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The mask, grey."]:
        from PIL import ImageChops, ImageOps

        first, second = context.image(self.a, "L"), context.image(self.b, "L")
        whole = first.copy()
        if self.covers == "part":
            right, bottom = self.left + second.width, self.top + second.height
            box = (self.left, self.top, min(right, first.width), min(bottom, first.height))
            if box[0] >= box[2] or box[1] >= box[3]:
                return context.image_from_pil(first)
            first = first.crop(box)
            second = second.crop((0, 0, *first.size))
        check_same_size(first, second, ("The masks a", "b"))
        combine: dict[str, Any] = {
            "union": ImageChops.lighter,
            "intersection": ImageChops.darker,
            "subtract": lambda one, other: ImageChops.darker(one, ImageOps.invert(other)),
            "difference": ImageChops.difference,
            "add": ImageChops.add,
            "multiply": ImageChops.multiply,
        }
        made = combine[self.operation](first, second)
        if self.covers == "all":
            return context.image_from_pil(made)
        whole.paste(made, (self.left, self.top))
        return context.image_from_pil(whole)


class Padded(NamedTuple):
    output: Annotated[ImageRef, "The image with grey around it."]
    mask: Annotated[
        ImageRef,
        "White where there is nothing of the image, and along its edge where it is feathered.",
    ]


class PadForOutpainting(Node):
    """
    Adds a border around an image, and the mask for a model that fills it in.
    image, mask, pad, outpaint, extend, canvas

    Use cases:
    - Let a model continue a landscape beyond its edge
    - Bring an image to another shape without cutting it
    """

    synonyms = ("ImagePadForOutpaint", "Outpaint", "Generative Expand", "Uncrop")

    image: ImageRef = Field(description="Image to extend.")
    left: int = Field(default=0, ge=0, le=MAX_SIDE, description="Border on the left, in pixels.")
    top: int = Field(default=0, ge=0, le=MAX_SIDE, description="Border above, in pixels.")
    right: int = Field(default=0, ge=0, le=MAX_SIDE, description="Border on the right, in pixels.")
    bottom: int = Field(default=0, ge=0, le=MAX_SIDE, description="Border below, in pixels.")
    feather: int = Field(
        default=40,
        ge=0,
        le=MAX_SIDE,
        description="Width of the edge that is painted over ever less, in pixels.",
    )

    def process(self, context: Context) -> Padded:
        import numpy as np
        from PIL import Image

        from nodetool_core.assets.modes import in_mode

        image = in_mode(opened(context, self.image), "RGB")
        size = check_size(
            image.width + self.left + self.right, image.height + self.top + self.bottom
        )
        canvas = Image.new("RGB", size, (128, 128, 128))
        canvas.paste(image, (self.left, self.top))
        with_profile(canvas, image)
        mask = np.full(size[::-1], 255, np.uint8)
        mask[self.top : self.top + image.height, self.left : self.left + image.width] = self._edge(
            image.width, image.height
        )
        return Padded(context.image_from_pil(canvas), context.image_from_pil(Image.fromarray(mask)))

    def _edge(self, width: int, height: int) -> Tones:
        """
        Return the mask over the image.

        White at the sides with room, falling to black over the feather.
        """
        import numpy as np

        # The nearer an edge, the whiter: so the whiter of both directions is that of the nearer
        # one.
        edge: Tones = np.maximum(
            self._falling(width, self.left, self.right),
            self._falling(height, self.top, self.bottom)[:, None],
        )
        return edge

    def _falling(self, length: int, before: int, behind: int) -> Tones:
        """Return the mask along one side of the image: white at the ends with room."""
        import numpy as np

        place = np.arange(length) + 0.5
        far = float(length + self.feather)
        nearest = np.minimum(place if before else far, length - place if behind else far)
        share = np.clip(1 - nearest / max(self.feather, 1e-6), 0.0, 1.0)
        falling: Tones = np.rint(np.broadcast_to(share, length) ** 2 * 255).astype(np.uint8)
        return falling


class ApplyMask(Node):
    """
    Makes an image transparent where a mask is black. What was transparent before stays so.
    image, mask, alpha, cutout, transparent

    Use cases:
    - Cut a subject out
    - Fade an image out towards an edge
    """

    synonyms = (
        "Layer Mask",
        "Clipping Mask",
        "JoinImageWithAlpha",
        "Join Image with Alpha",
        "Add Alpha",
        "Set Alpha",
        "Merge Transparency",
    )

    image: ImageRef = Field(description="Image to cut out of.")
    mask: ImageRef = Field(description="Mask of the same size.")

    def process(self, context: Context) -> Annotated[ImageRef, "The image with alpha."]:
        from PIL import ImageChops

        colour, alpha = colours(opened(context, self.image))
        mask = context.image(self.mask, "L")
        check_same_size(colour, mask, ("The image", "the mask"))
        return context.image_from_pil(
            with_alpha(colour, mask if alpha is None else ImageChops.multiply(alpha, mask))
        )


def grown(tones: Tones, radius: int, *, shrinks: bool = False) -> Tones:
    """
    Return the greatest tone within a square of 2 * radius + 1 pixels, one axis after the other.

    Args:
        shrinks: Whether it is the least one instead.
    """
    if shrinks:
        return 255 - grown(255 - tones, radius)
    for axis in (0, 1):
        tones = _greatest_along(tones, radius, axis)
    return tones


def _greatest_along(tones: Tones, radius: int, axis: int) -> Tones:
    """
    Return the greatest of the 2 * radius + 1 tones around each, along one axis.

    Windows double: the greatest of 2n is the greater of two neighbouring windows of n, so the cost
        is the logarithm of the radius.
    """
    import numpy as np

    length = 2 * radius + 1
    pad = [(radius, radius) if here == axis else (0, 0) for here in (0, 1)]
    window, covered = np.moveaxis(np.pad(tones, pad), axis, 0), 1
    while covered < length:
        step = min(covered, length - covered)
        window = np.maximum(window[:-step], window[step:])
        covered += step
    return np.ascontiguousarray(np.moveaxis(window, 0, axis))
