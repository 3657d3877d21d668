"""Compare two images, and match the tones or colours of one to the other's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

from nodes._fonts import FONT
from nodes._geometry import check_size, fitted_size, resized
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

_SMALL: Final = 256
"""Longest side at which an image and its changed version are compared."""
_HEAT: Final = (
    (0, (0, 0, 0)),
    (64, (80, 10, 110)),
    (128, (190, 50, 80)),
    (192, (250, 145, 10)),
    (255, (255, 255, 165)),
)
"""Colours of a heat map by amount, evenly from one to the next."""
_BLOCK_PIXELS: Final = 1 << 15
"""Pixels that are changed at a time: what fits into a processor's cache."""


class BeforeAfter(Node):
    """
    Shows an image before and after on one sheet. An image of another size is brought to the size of
    the one after. Tones count as stored, not as linear light.
    image, compare, before and after, sheet, side by side

    Use cases:
    - Show what a workflow does
    - Judge an edit at its border
    """

    synonyms = ("Image Compare", "Side by Side", "Split View", "Comparer")

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
    Shows and measures where two images of one size differ. Alpha counts as well. `Similarity` gives
    SSIM and PSNR. Tones count as stored, not as linear light.
    image, compare, difference, change, measure, heat map

    Use cases:
    - Find out what an edit has changed
    - Check that a mask protected what it should
    - Choose a branch by how much an image changed
    """

    synonyms = ("Image Diff", "Difference Map", "Heatmap", "Error Map", "absdiff", "Compare Images")

    image1: ImageRef = Field(description="First image.")
    image2: ImageRef = Field(description="Second image.")
    amplify: float = Field(
        default=1.0,
        ge=1.0,
        le=255.0,
        description="What the difference is multiplied by in the image of it.",
    )
    view: Literal["tones", "heat_map"] = Field(
        default="tones",
        description=(
            "What is shown: the difference of each channel, or the greatest of each pixel from"
            " black over red to yellow."
        ),
    )

    def process(self, context: Context) -> Differences:
        import numpy as np
        from PIL import Image, ImageChops

        first, second = alike(opened(context, self.image1), opened(context, self.image2))
        check_same_size(first, second, ("image1", "image2"))
        shown = ImageChops.difference(first, second)
        tones = np.asarray(shown)
        worst = tones if tones.ndim == 2 else tones.max(axis=2)
        if self.view == "heat_map":
            heat = heat_colours()[np.clip(worst * self.amplify, 0, 255).astype(np.uint8)]
            shown = Image.fromarray(heat)
        elif "A" in shown.mode:
            # An image of the difference of two alphas would be transparent where they agree.
            shown = Image.fromarray(worst)
        if self.view == "tones":
            shown = shown.point(lambda tone: tone * self.amplify)
        return Differences(
            context.image_from_pil(shown),
            float(tones.mean()),
            int(worst.max()),
            float((worst > 0).mean()),
        )


def heat_colours() -> NDArray[np.uint8]:
    """Return the colours of 256 amounts, each brighter than the one before, (256, 3)."""
    import numpy as np

    places = [place for place, _ in _HEAT]
    channels = [
        np.interp(np.arange(256), places, [colour[channel] for _, colour in _HEAT])
        for channel in range(3)
    ]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


class MatchHistogram(Node):
    """
    Gives an image the tones of another one, channel by channel: after it, both have about the same
    histogram. Tones count as stored, not as linear light.
    image, compare, histogram, match, colour transfer, tones

    Use cases:
    - Bring the images of a series to one mood
    - Give a generated part the tones of its surroundings
    """

    synonyms = ("Histogram Matching", "match_histograms", "Histogram Transfer")

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
    detail stays sharp. Tones count as stored, not as linear light.
    image, compare, colour transfer, colorize, luma, chroma

    Use cases:
    - Colour a black and white photo: colours from a model, detail from the photo
    - Keep the detail of an image that a model has restyled
    """

    synonyms = ("Color Transfer", "Reinhard", "Color Mood")

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


class TransferLight(Node):
    """
    Gives an image the light and the colours of a changed version of it, which may be much smaller,
    and leaves it all its detail. It works by bilateral guided upsampling, without masks or halos.
    Both are compared in Oklab.
    image, compare, relight, light, colour transfer, keep detail, upsampling

    Use cases:
    - Change hour and season of a large photo with a model that works on small images
    - Keep the detail of the original in what any image-to-image model has made of it
    - Try a grade on a small copy and carry it over to the original
    """

    synonyms = ("Relight", "Luminance Transfer", "Frequency Separation")

    image: ImageRef = Field(description="Original, whose size and detail stay.")
    changed: ImageRef = Field(
        description="The same view with other light and colours, of any size: a model's result."
    )
    strength: float = Field(
        default=1.0, ge=0.0, le=1.0, description="0 leaves the image, 1 takes the light fully."
    )
    deepen: float = Field(
        default=1.0,
        ge=0.0,
        le=2.0,
        description=(
            "How much darker than the changed version a part becomes that is much darker in it than"
            " in the original: models draw nights too bright. 0 takes it as it is."
        ),
    )
    keep_lights: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description=(
            "How far lamps in dark surroundings, and what is near them, keep their light where it"
            " becomes darker."
        ),
    )

    def process(
        self, context: Context
    ) -> Annotated[ImageRef, "The image in the other's light, RGB or RGBA."]:
        import numpy as np
        from PIL import Image

        from nodes.lib.pillow import _bilateral_grid as grid

        image = opened(context, self.image)
        check_size(*image.size)
        mode, profile = common_form([image], colours=True)
        own = in_form(image, mode, profile)
        changed = in_form(colours(opened(context, self.changed))[0], "RGB", profile)
        size = changed.size
        if max(size) > _SMALL:
            size = fitted_size(size, (_SMALL, _SMALL))
        small, alpha = colours(resized(own, size))
        seen = np.ones(size[::-1], np.uint8) if alpha is None else np.asarray(alpha)
        averages = grid.fit(
            np.asarray(small),
            np.asarray(resized(changed, size)),
            (seen / max(1, seen.max())).astype(np.float32),
        )
        change = grid.changes(averages, self.strength, self.deepen, self.keep_lights)
        result = Image.new(mode, own.size)
        rows = max(1, _BLOCK_PIXELS // own.width)
        for top in range(0, own.height, rows):
            bottom = min(top + rows, own.height)
            block = np.array(own.crop((0, top, own.width, bottom)))
            block[..., :3] = grid.apply(block[..., :3], change, top, own.height)
            result.paste(Image.fromarray(block), (0, top))
            context.progress(bottom, own.height)
        return context.image_from_pil(with_profile(result, own))


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
