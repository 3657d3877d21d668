"""Masks cleaned up, and shown over an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from nodes._geometry import MAX_SIDE
from nodes._pixels import canvas, check_same_size, common_form, in_colours, on_colours, opened
from nodes.lib.pillow.mask._basic import grown
from nodes.lib.pillow.mask._regions import regions
from nodetool_core import ColorRef, Context, Field, ImageRef, Node

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tones = NDArray[np.uint8]


_WIDTH = "Width of the fade {}, in pixels; 0 for none."


class RefineMask(Node):
    """
    Cleans a mask up: fills its holes, keeps its largest region, removes specks, smooths its edge,
    or takes its outline alone. Regions are of pixels from middle grey on; their soft edge is kept.
    image, mask, holes, largest, specks, open, close, outline

    Use cases:
    - Fix the mask of a segmentation model
    - Mask the outline of a subject, to repaint it
    """

    synonyms = (
        "Fill Holes",
        "Remove Small Regions",
        "Morphology",
        "Opening",
        "Closing",
        "Mask Outline",
        "Island",
        "Largest Component",
        "Mask Cleanup",
        "Stroke Selection",
    )

    mask: ImageRef = Field(description="Mask to clean up.")
    operation: Literal["fill_holes", "keep_largest", "remove_small", "open", "close", "outline"] = (
        Field(
            default="fill_holes",
            description=(
                "`fill_holes` fills what is enclosed; `keep_largest` keeps one region;"
                " `remove_small` removes regions below `area`; `open` removes what is thinner than"
                " twice the radius, `close` fills such gaps; `outline` takes a band along the edge."
            ),
        )
    )
    radius: int = Field(
        default=4,
        ge=1,
        le=512,
        description="For `open`, `close` and `outline`: how far they reach, in pixels.",
    )
    area: int = Field(
        default=64, ge=1, description="For `remove_small`: the least area of a region, in pixels."
    )
    side: Literal["both", "inside", "outside"] = Field(
        default="both", description="For `outline`: on which side of the edge the band lies."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The mask, grey."]:
        import numpy as np
        from PIL import Image as Pillow

        tones = np.asarray(context.image(self.mask, "L"))
        work = {
            "fill_holes": self._filled,
            "keep_largest": self._kept,
            "remove_small": self._kept,
            "open": lambda tones: grown(grown(tones, self.radius, shrinks=True), self.radius),
            "close": lambda tones: grown(grown(tones, self.radius), self.radius, shrinks=True),
            "outline": self._outlined,
        }[self.operation]
        return context.image_from_pil(Pillow.fromarray(np.ascontiguousarray(work(tones))))

    def _filled(self, tones: Tones) -> Tones:
        import numpy as np

        rows, columns = tones.shape
        # With a frame, all that is outside hangs together around the image.
        outside = np.pad(tones < 128, 1, constant_values=True)
        found = regions(outside)
        chosen = np.arange(len(found.areas)) != found.at(0, 0)
        holes = found.shown(chosen)[1 : rows + 1, 1 : columns + 1]
        return np.where(holes, np.uint8(255), tones)

    def _kept(self, tones: Tones) -> Tones:
        """Return the mask without regions that are too small; soft edges go with their region."""
        import numpy as np

        found = regions(tones >= 128, corners=True)
        if not len(found.areas):
            return tones
        largest = np.arange(len(found.areas)) == found.areas.argmax()
        chosen = largest if self.operation == "keep_largest" else found.areas >= self.area
        removed, kept = found.shown(~chosen), found.shown(chosen)
        # What is grey goes with the region that it hangs together with, or of two with the nearer.
        whole = regions(tones > 0, corners=True)
        places = found.starts[chosen[found.labels]]
        runs = np.searchsorted(whole.starts, places, "right") - 1
        alone = whole.shown(~np.isin(np.arange(len(whole.areas)), whole.labels[runs]))
        near_kept = grown(kept.astype(np.uint8), _EDGE) > 0
        near_removed = grown(removed.astype(np.uint8), _EDGE) > 0
        gone = removed | alone | ((tones < 128) & near_removed & ~near_kept)
        return np.where(gone, np.uint8(0), tones)

    def _outlined(self, tones: Tones) -> Tones:
        inner = tones if self.side == "outside" else grown(tones, self.radius, shrinks=True)
        outer = tones if self.side == "inside" else grown(tones, self.radius)
        return outer - inner


_EDGE = 8
"""How far a soft edge reaches from its region, in pixels."""


class ShowMask(Node):
    """
    Shows a mask over its image in a colour, as an editor does. Tones count as stored, not as linear
    light.
    image, mask, preview, show

    Use cases:
    - Judge a mask before it is used
    - Show what a model will repaint
    """

    synonyms = (
        "Mask Preview",
        "Mask Overlay",
        "Quick Mask",
        "Rubylith",
        "Visualize Mask",
        "MaskPreview",
    )

    image: ImageRef = Field(description="Image below.")
    mask: ImageRef = Field(description="Mask of the same size.")
    color: ColorRef = Field(
        default=ColorRef(value="#ff0000"), description="Colour of the mask's inside."
    )
    opacity: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Opacity of the colour where the mask is white."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image with the mask on it."]:
        from PIL import Image as Pillow

        image = in_colours(opened(context, self.image))
        mask = context.image(self.mask, "L")
        check_same_size(image, mask, ("The image", "the mask"))
        share = mask.point(lambda tone: round(tone * self.opacity))
        _, profile = common_form([image])
        layer = canvas("RGB", image.size, (self.color.value or "#000000")[:7], profile)
        return context.image_from_pil(
            on_colours(image, lambda colour: Pillow.composite(layer, colour, share))
        )


class FadeToSides(Node):
    """
    Darkens a mask evenly towards the sides of the image, wherever its own edges are.
    image, mask, feather, fade, sides, vignette

    Use cases:
    - Blend a part of an image into a larger one without a seam
    - Let an edit end before the border of a tile
    """

    synonyms = ("FeatherMask", "Edge Fade")

    mask: ImageRef = Field(description="Mask to fade.")
    left: int = Field(default=0, ge=0, le=MAX_SIDE, description=_WIDTH.format("on the left"))
    top: int = Field(default=0, ge=0, le=MAX_SIDE, description=_WIDTH.format("above"))
    right: int = Field(default=0, ge=0, le=MAX_SIDE, description=_WIDTH.format("on the right"))
    bottom: int = Field(default=0, ge=0, le=MAX_SIDE, description=_WIDTH.format("below"))

    def process(self, context: Context) -> Annotated[ImageRef, "The mask, grey."]:
        import numpy as np
        from PIL import Image

        mask = context.image(self.mask, "L")
        if not (self.left or self.top or self.right or self.bottom):
            return context.image_from_pil(mask)
        across = _faded(mask.width, self.left) * _faded(mask.width, self.right)[::-1]
        down = _faded(mask.height, self.top) * _faded(mask.height, self.bottom)[::-1]
        tones = np.rint(np.asarray(mask) * across * down[:, None]).astype(np.uint8)
        return context.image_from_pil(Image.fromarray(tones))


def _faded(length: int, width: int) -> NDArray[np.float32]:
    """Return factors that rise to 1 over a width, in equal steps; 1 everywhere without one."""
    import numpy as np

    width = min(width, length)
    factors = np.ones(length, np.float32)
    factors[:width] = (np.arange(width) + 1) / max(1, width)
    return factors
