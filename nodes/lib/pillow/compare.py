"""Compare two images, and match the tones or colours of one to the other's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from nodes._fonts import FONT
from nodes._geometry import check_size, resized
from nodes._pixels import (
    alike,
    check_same_size,
    colours,
    common_form,
    in_form,
    opened,
    with_alpha,
    with_profile,
)
from nodes.lib.grid import CombineImageGrid, labels_identity
from nodetool_core import Context, Field, FontRef, ImageRef, Node, Sources

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image


class BeforeAfter(Node):
    """
    Shows an image before and after on one sheet. An image of another size is brought to the size of
    the one after.
    image, compare, before and after, sheet, side by side

    Use cases:
    - Show what a workflow does
    - Judge an edit at its border
    """

    before: ImageRef = Field(description="Image before.")
    after: ImageRef = Field(description="Image after.")
    layout: Literal["side_by_side", "split"] = Field(
        default="side_by_side",
        description=(
            "Both whole, beside each other; or the left half of the one and the right half of the"
            " other."
        ),
    )
    labels: list[str] = Field(
        default=["before", "after"],
        description="Texts below the images when they are side by side.",
    )
    gap: int = Field(
        default=4,
        ge=0,
        le=512,
        description="Space around each image, or width of the dividing line, in pixels.",
    )
    font: FontRef = Field(default=FontRef(), description=FONT)

    @classmethod
    def fingerprint(cls, values: dict[str, Any], sources: Sources) -> str | None:
        """Labels are drawn in fonts, which are others on another machine."""
        return labels_identity(values, sources)

    def process(self, context: Context) -> Annotated[ImageRef, "The sheet."]:
        after = opened(context, self.after)
        before = resized(opened(context, self.before), after.size)
        if self.layout == "side_by_side":
            tiles: list[ImageRef] = [context.image_from_pil(before), context.image_from_pil(after)]
            return CombineImageGrid(
                tiles=tiles, columns=2, labels=self.labels, gap=self.gap, font=self.font
            ).process(context)
        left, sheet = alike(before, after)
        middle, half = after.width // 2, self.gap // 2
        sheet = sheet.copy()
        sheet.paste(left.crop((0, 0, middle, after.height)), (0, 0))
        sheet.paste(
            "white",
            (max(0, middle - half), 0, min(after.width, middle - half + self.gap), after.height),
        )
        return context.image_from_pil(sheet)


class Differences(NamedTuple):
    image: Annotated[ImageRef, "How much each pixel and channel differs, brighter for more."]
    mean: Annotated[float, "Mean difference of all pixels, in tones of 256."]
    maximum: Annotated[int, "The greatest difference of a pixel, in tones of 256."]
    changed: Annotated[float, "Share of the pixels that differ at all, from 0 to 1."]


class Difference(Node):
    """
    Shows and measures where two images of one size differ. Alpha counts as well.
    image, compare, difference, change, measure

    Use cases:
    - Find out what an edit has changed
    - Check that a mask protected what it should
    - Choose a branch by how much an image changed
    """

    image1: ImageRef = Field(description="First image.")
    image2: ImageRef = Field(description="Second image.")
    amplify: float = Field(
        default=1.0,
        ge=1.0,
        le=255.0,
        description="What the difference is multiplied by in the image of it.",
    )

    def process(self, context: Context) -> Differences:
        import numpy as np
        from PIL import Image, ImageChops

        first, second = alike(opened(context, self.image1), opened(context, self.image2))
        check_same_size(first, second, ("image1", "image2"))
        shown = ImageChops.difference(first, second)
        tones = np.asarray(shown)
        worst = tones if tones.ndim == 2 else tones.max(axis=2)
        if "A" in shown.mode:
            # An image of the difference of two alphas would be transparent where they agree.
            shown = Image.fromarray(worst)
        shown = shown.point(lambda tone: tone * self.amplify)
        return Differences(
            context.image_from_pil(shown),
            float(tones.mean()),
            int(worst.max()),
            float((worst > 0).mean()),
        )


class MatchHistogram(Node):
    """
    Gives an image the tones of another one, channel by channel: after it, both have about the same
    histogram.
    image, compare, histogram, match, colour transfer, tones

    Use cases:
    - Bring the images of a series to one mood
    - Give a generated part the tones of its surroundings
    """

    image: ImageRef = Field(description="Image to change.")
    reference: ImageRef = Field(description="Image whose tones are taken; of any size.")
    strength: float = Field(
        default=1.0, ge=0.0, le=1.0, description="0 leaves the image, 1 matches fully."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image with the other's tones."]:
        from PIL import Image

        image = opened(context, self.image)
        check_size(*image.size)
        ready, reference = alike(image, opened(context, self.reference))
        (colour, alpha), (wanted, wanted_alpha) = colours(ready), colours(reference)
        channels = []
        for own, other in zip(colour.split(), wanted.split(), strict=True):
            curve = _matching_curve(_shares(own, alpha), _shares(other, wanted_alpha))
            channels.append(
                own.point(
                    [round(tone + (new - tone) * self.strength) for tone, new in enumerate(curve)]
                )
            )
        merged = with_alpha(
            Image.merge(colour.mode, channels), alpha if image.has_transparency_data else None
        )
        return context.image_from_pil(with_profile(merged, ready))


class TransferColor(Node):
    """
    Gives an image the colours of another one and leaves it its own brightness, so that all its
    detail stays sharp.
    image, compare, colour transfer, colorize, luma, chroma

    Use cases:
    - Colour a black and white photo: colours from a model, detail from the photo
    - Keep the detail of an image that a model has restyled
    """

    image: ImageRef = Field(description="Image whose brightness and detail stay.")
    colors: ImageRef = Field(
        description="Image whose colours are taken; brought to the size of the first."
    )
    strength: float = Field(
        default=1.0, ge=0.0, le=1.0, description="0 leaves the image, 1 takes the colours fully."
    )

    def process(
        self, context: Context
    ) -> Annotated[ImageRef, "The image in the other's colours, RGB or RGBA."]:
        from PIL import Image

        image = opened(context, self.image)
        check_size(*image.size)
        mode, profile = common_form([image], colours=True)
        own, alpha = colours(in_form(image, mode, profile))
        wanted = resized(
            in_form(colours(opened(context, self.colors))[0], "RGB", profile), own.size
        )
        brightness = own.convert("YCbCr").getchannel(0)
        mixed = Image.merge("YCbCr", (brightness, *wanted.convert("YCbCr").split()[1:])).convert(
            "RGB"
        )
        return context.image_from_pil(
            with_profile(with_alpha(Image.blend(own, mixed, self.strength), alpha), own)
        )


def _shares(channel: Image.Image, alpha: Image.Image | None) -> NDArray[np.float64]:
    """Return the share of visible pixels that are as dark or darker, for each tone."""
    import numpy as np

    counts = np.array(
        channel.histogram(alpha.point(lambda tone: 255 * (tone > 0)) if alpha else None), np.float64
    )
    counts = counts if counts.any() else np.ones(256)
    shares: NDArray[np.float64] = counts.cumsum() / counts.sum()
    return shares


def _matching_curve(own: NDArray[np.float64], wanted: NDArray[np.float64]) -> list[float]:
    """
    Return the tone that as many pixels of the other image lie below, for each tone.

    Tones that it does not have count for nothing.
    """
    import numpy as np

    occurs = np.diff(wanted, prepend=0.0) > 0
    curve: list[float] = np.interp(own, wanted[occurs], np.arange(256)[occurs]).tolist()
    return curve
