"""Creative grading: looks, ranges of colours, toning and a vignette."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from nodes._pixels import LUMA, graded, in_colours, on_colours, opened
from nodes.lib.pillow import _grading as grading
from nodes.lib.pillow._looks import LOOKS
from nodes.lib.pillow.color_grading._primary import IMAGE
from nodetool_core import Context, Field, ImageRef, Node

if TYPE_CHECKING:
    from nodes._pixels import Band

ColorRange = Literal[
    "all", "reds", "oranges", "yellows", "greens", "cyans", "blues", "purples", "magentas"
]
FilmPreset = Literal[
    "teal_orange",
    "blockbuster",
    "noir",
    "vintage",
    "cold_blue",
    "warm_sunset",
    "matrix",
    "bleach_bypass",
    "cross_process",
    "faded_film",
]

_HUES: dict[str, float] = {
    "reds": 0,
    "oranges": 30,
    "yellows": 60,
    "greens": 120,
    "cyans": 180,
    "blues": 225,
    "purples": 270,
    "magentas": 315,
}
"""The middle of each range of colours, in degrees."""


class FilmLook(Node):
    """
    Gives an image the look of a known kind of film. Tones count as stored, not as linear light.
    image, color grading, film, look, preset, cinematic

    Use cases:
    - Give the images of a series one mood
    - Try several looks before grading by hand
    """

    synonyms = (
        "Film Simulation",
        "Film Preset",
        "Instagram Filter",
        "Look",
        "Teal and Orange",
        "Bleach Bypass",
        "Cross Processing",
        "Color Grade Preset",
    )

    image: ImageRef = Field(description=IMAGE)
    preset: FilmPreset = Field(default="teal_orange", description="The look.")
    intensity: float = Field(
        default=1.0,
        ge=0.0,
        le=2.0,
        description="0 leaves the image, 1 is the look, 2 twice the change.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image in that look."]:
        look = LOOKS[self.preset]
        image = opened(context, self.image)
        return context.image_from_pil(
            graded(image, lambda band, _: band + (look(band) - band) * self.intensity, context)
        )


class HSLAdjust(Node):
    """
    Changes hue, saturation and luminance of one range of colours, or of all. The range fades out
    towards its neighbours. Tones count as stored, not as linear light.
    image, color grading, hue, saturation, luminance, selective

    Use cases:
    - Make only the sky deeper
    - Turn green leaves into autumn leaves
    """

    synonyms = (
        "Hue/Saturation",
        "Hue Saturation Lightness",
        "HSL",
        "HSV Adjust",
        "Hue Shift",
        "Hue & Saturation",
        "Replace Color",
    )

    image: ImageRef = Field(description=IMAGE)
    color_range: ColorRange = Field(default="all", description="Which colours are changed.")
    hue_shift: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="Turn of the colour circle: 1 is half a turn."
    )
    hue: float = Field(
        default=0.0,
        ge=-180.0,
        le=180.0,
        description="The same in degrees, added to it: 60 turns red to yellow, -60 to magenta.",
    )
    saturation: float = Field(
        default=0.0,
        ge=-1.0,
        le=1.0,
        description="-1 gives the grey of their lightness, 1 doubles it.",
    )
    luminance: float = Field(default=0.0, ge=-1.0, le=1.0, description="-1 gives black, 1 white.")

    def process(self, context: Context) -> Annotated[ImageRef, "The graded image."]:
        def adjust(band: Band, _: int) -> Band:
            hue, saturation, lightness = grading.to_hsl(band)
            weight = _belonging(hue, saturation, self.color_range)
            room = 1 - lightness if self.luminance > 0 else lightness
            return grading.from_hsl(
                (hue + weight * (self.hue_shift / 2 + self.hue / 360)) % 1.0,
                (saturation * (1 + weight * self.saturation)).clip(0.0, 1.0),
                lightness + weight * self.luminance * room,
            )

        return context.image_from_pil(graded(opened(context, self.image), adjust, context))


class SaturationVibrance(Node):
    """
    Changes the strength of all colours, and (vibrance) that of weak colours more than that of
    strong ones. Tones count as stored, not as linear light.
    image, color grading, saturation, vibrance, color

    Use cases:
    - Make a landscape more colourful without overdoing the sky
    - Take the colour out of an image
    """

    synonyms = ("Vibrance", "Saturation", "Chroma")

    image: ImageRef = Field(description=IMAGE)
    saturation: float = Field(
        default=0.0,
        ge=-1.0,
        le=1.0,
        description="-1 gives grey (the luma of Rec. 709), 1 doubles it.",
    )
    vibrance: float = Field(
        default=0.0,
        ge=-1.0,
        le=1.0,
        description="The same, the less the stronger a colour is already.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The graded image."]:
        if not self.vibrance:
            # All colours by one factor: each channel is a sum of all three.
            matrix = _saturation(1 + self.saturation)
            image = in_colours(opened(context, self.image))
            return context.image_from_pil(
                on_colours(image, lambda colour: colour.convert("RGB", matrix))
            )

        def strengthen(band: Band, _: int) -> Band:
            strength = (band.max(axis=2) - band.min(axis=2))[..., None]
            return grading.saturated(
                band, (1 + self.saturation) * (1 + self.vibrance * (1 - strength))
            )

        return context.image_from_pil(graded(opened(context, self.image), strengthen, context))


def _saturation(factor: float) -> tuple[float, ...]:
    """Return the matrix (3 x 4, row by row) that puts colours so far from their luma."""
    return tuple(
        LUMA[column] * (1 - factor) + factor * (row == column) if column < 3 else 0.0
        for row in range(3)
        for column in range(4)
    )


class SplitToning(Node):
    """
    Tints the shadows in one colour and the highlights in another. Tones count as stored, not as
    linear light.
    image, color grading, split toning, tint, duotone

    Use cases:
    - Give a black and white photo the warmth of an old print
    - Set cold shadows against a warm light
    """

    synonyms = ("Split Tone", "Color Grading Wheels", "Shadow and Highlight Tint")

    image: ImageRef = Field(description=IMAGE)
    shadow_hue: float = Field(
        default=200.0,
        ge=0.0,
        le=360.0,
        description="Hue of the shadows, in degrees: 0 red, 120 green, 240 blue.",
    )
    shadow_saturation: float = Field(
        default=0.3, ge=0.0, le=1.0, description="Strength of the shadows' tint."
    )
    highlight_hue: float = Field(
        default=40.0, ge=0.0, le=360.0, description="Hue of the highlights, in degrees."
    )
    highlight_saturation: float = Field(
        default=0.3, ge=0.0, le=1.0, description="Strength of the highlights' tint."
    )
    balance: float = Field(
        default=0.0,
        ge=-1.0,
        le=1.0,
        description="Below 0 the shadows' tint reaches further, above 0 the highlights'.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The tinted image."]:
        shadow = grading.tint(self.shadow_hue, self.shadow_saturation)
        highlight = grading.tint(self.highlight_hue, self.highlight_saturation)
        image = opened(context, self.image)
        return context.image_from_pil(
            graded(
                image,
                lambda band, _: grading.split_toned(band, shadow, highlight, self.balance),
                context,
            )
        )


class Vignette(Node):
    """
    Makes an image darker or brighter towards its edges. Tones count as stored, not as linear light.
    image, color grading, vignette, edges, frame

    Use cases:
    - Lead the eye to the middle
    - Imitate an old lens
    """

    synonyms = ("Lens Vignette", "Darken Corners", "Vignetting")

    image: ImageRef = Field(description=IMAGE)
    amount: float = Field(
        default=0.5,
        ge=-1.0,
        le=1.0,
        description="Above 0 darker edges, below 0 brighter ones; 1 gives black.",
    )
    midpoint: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="Where it begins: 0 at the middle, 1 at the corners.",
    )
    roundness: float = Field(
        default=0.0,
        ge=-1.0,
        le=1.0,
        description="-1 follows the frame, 0 is an ellipse, 1 a circle.",
    )
    feather: float = Field(
        default=0.5, ge=0.0, le=1.0, description="How soft the transition is; 0 gives a hard edge."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image with its vignette."]:
        image = opened(context, self.image)

        def shade(band: Band, top: int) -> Band:
            distance = _distance(band.shape[0], top, image.size, self.roundness)[..., None]
            edge = grading.smooth_step(distance, self.midpoint, self.midpoint + self.feather)
            shaded: Band = (
                band * (1 - edge * self.amount)
                if self.amount >= 0
                else band - (1 - band) * edge * self.amount
            )
            return shaded

        return context.image_from_pil(graded(image, shade, context))


def _belonging(hue: Band, saturation: Band, color_range: ColorRange) -> Band:
    """
    Return how much each pixel belongs to a range of colours, 0 to 1; grey belongs to `all` only.
    """
    import numpy as np

    if color_range == "all":
        return np.ones_like(hue)
    away = np.abs((hue * 360 - _HUES[color_range] + 180) % 360 - 180)
    weight: Band = (1 - grading.smooth_step(away, 15.0, 45.0)) * grading.smooth_step(
        saturation, 0.0, 0.15
    )
    return weight


def _distance(rows: int, top: int, size: tuple[int, int], roundness: float) -> Band:
    """Return how far from the middle each pixel of some rows is: 0 there, 1 in the corners."""
    import numpy as np

    width, height = size
    across = np.abs((np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1)[None, :]
    down = np.abs((np.arange(top, top + rows, dtype=np.float32) + 0.5) / height * 2 - 1)[:, None]
    if roundness > 0:
        shorter = min(width, height)
        across = across * (1 + roundness * (width / shorter - 1))
        down = down * (1 + roundness * (height / shorter - 1))
    power = 2.0 if roundness >= 0 else 2.0 - 6.0 * roundness
    distance: Band = (across**power + down**power) ** (1 / power)
    return distance / np.float32(2 ** (1 / power))
