"""Primary grading: exposure, balance and curves of the whole image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from nodes._pixels import byte_tones, graded, luma, opened, toned
from nodes.lib.pillow import _grading as grading
from nodetool_core import Context, Field, ImageRef, Node, NodeError

if TYPE_CHECKING:
    from nodes._pixels import Band

IMAGE = "Image to grade."


class CDL(Node):
    """
    Applies a colour decision list (ASC CDL): each channel times its slope, plus its offset, to its
    power; then the saturation. Tones count as stored, not as linear light.
    image, color grading, cdl, slope, offset, power

    Use cases:
    - Bring a grade over from a film editor
    - Correct a colour cast exactly
    """

    synonyms = ("ASC CDL", "Slope Offset Power", "Color Decision List")

    image: ImageRef = Field(description=IMAGE)
    slope_r: float = Field(
        default=1.0, ge=0.0, le=4.0, description="Factor for red; 1 changes nothing."
    )
    slope_g: float = Field(
        default=1.0, ge=0.0, le=4.0, description="Factor for green; 1 changes nothing."
    )
    slope_b: float = Field(
        default=1.0, ge=0.0, le=4.0, description="Factor for blue; 1 changes nothing."
    )
    offset_r: float = Field(
        default=0.0,
        ge=-1.0,
        le=1.0,
        description="Added to red: 0 changes nothing, 1 is the whole range.",
    )
    offset_g: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="Added to green; 0 changes nothing."
    )
    offset_b: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="Added to blue; 0 changes nothing."
    )
    power_r: float = Field(
        default=1.0, ge=0.1, le=4.0, description="The power of red; below 1 makes it brighter."
    )
    power_g: float = Field(default=1.0, ge=0.1, le=4.0, description="The power of green.")
    power_b: float = Field(default=1.0, ge=0.1, le=4.0, description="The power of blue.")
    saturation: float = Field(
        default=1.0,
        ge=0.0,
        le=4.0,
        description="Strength of the colours: 0 is grey, 1 leaves them.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The graded image."]:
        slope = (self.slope_r, self.slope_g, self.slope_b)
        offset = (self.offset_r, self.offset_g, self.offset_b)
        power = (self.power_r, self.power_g, self.power_b)
        image = opened(context, self.image)
        return context.image_from_pil(
            graded(
                image,
                lambda band, _: grading.cdl(band, slope, offset, power, self.saturation),
                context,
            )
        )


class ColorBalance(Node):
    """
    Shifts the colours of an image between cool and warm, and between green and magenta. How bright
    it looks is kept. Tones count as stored, not as linear light.
    image, color grading, white balance, temperature, tint

    Use cases:
    - Take the yellow of lamps out of a photo
    - Make a landscape look like evening
    """

    synonyms = ("Shadows Midtones Highlights", "Color Wheels", "Tone Balance")

    image: ImageRef = Field(description=IMAGE)
    temperature: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="Below 0 cooler (blue), above 0 warmer (orange)."
    )
    tint: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="Below 0 greener, above 0 more magenta."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The balanced image."]:
        gain = grading.triple(
            (1 + 0.3 * self.temperature, 1 - 0.3 * self.tint, 1 - 0.3 * self.temperature)
        )

        def balance(band: Band, _: int) -> Band:
            shifted = band * gain
            return grading.in_range(shifted * (luma(band) / luma(shifted).clip(1e-6)))

        return context.image_from_pil(graded(opened(context, self.image), balance, context))


class Curves(Node):
    """
    Bends the tone curve of an image: the ends, the shadows, midtones and highlights, and the
    midtones of each channel, so that what was brighter stays so; and through points, without a wave
    between them (monotone cubic). `Levels` has the ends and a gamma alone. Tones count as stored,
    not as linear light.
    image, color grading, curves, levels, tones

    Use cases:
    - Set black and white points
    - Lift the shadows without touching the sky
    - Use the points of a curve from another program
    """

    synonyms = ("Curves Adjustment", "Tone Curve", "RGB Curves", "Point Curve", "S-Curve")

    image: ImageRef = Field(description=IMAGE)
    black_point: float = Field(default=0.0, ge=0.0, le=0.5, description="Tone that becomes black.")
    white_point: float = Field(default=1.0, ge=0.5, le=1.0, description="Tone that becomes white.")
    shadows: float = Field(
        default=0.0, ge=-0.5, le=0.5, description="What is added to tones around a third."
    )
    midtones: float = Field(
        default=0.0, ge=-0.5, le=0.5, description="What is added to tones around the middle."
    )
    highlights: float = Field(
        default=0.0, ge=-0.5, le=0.5, description="What is added to tones around two thirds."
    )
    red_midtones: float = Field(
        default=0.0, ge=-0.5, le=0.5, description="What is added to the midtones of red."
    )
    green_midtones: float = Field(
        default=0.0, ge=-0.5, le=0.5, description="What is added to the midtones of green."
    )
    blue_midtones: float = Field(
        default=0.0, ge=-0.5, le=0.5, description="What is added to the midtones of blue."
    )
    points: list[list[float]] = Field(
        default=[],
        max_length=64,
        description=(
            "Points [tone, new tone] of the curve of all channels, from 0 to 1, such as"
            " [[0, 0], [0.25, 0.2], [1, 1]]; empty for a straight line."
        ),
    )
    red_points: list[list[float]] = Field(
        default=[], max_length=64, description="Points of the curve of red, after that of all."
    )
    green_points: list[list[float]] = Field(
        default=[], max_length=64, description="Points of the curve of green."
    )
    blue_points: list[list[float]] = Field(
        default=[], max_length=64, description="Points of the curve of blue."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The graded image."]:
        if self.black_point >= self.white_point:
            raise NodeError(
                "black_point and white_point are the same tone.", "Leave some range between them."
            )
        middles = (
            grading.triple((self.red_midtones, self.green_midtones, self.blue_midtones))
            + self.midtones
        )

        tones = (
            (grading.all_tones() - self.black_point) / (self.white_point - self.black_point)
        ).clip(0.0, 1.0)
        bent = (
            tones
            + self.shadows * grading.in_shadows(tones)
            + self.highlights * grading.in_highlights(tones)
        )
        curves = grading.rising(bent + middles * grading.in_midtones(tones))

        table = grading.through(self.points, curves[:: len(curves) // 255])
        channels = (self.red_points, self.green_points, self.blue_points)
        for index, points in enumerate(channels):
            table[:, index] = grading.through(points, table[:, index])
        return context.image_from_pil(toned(opened(context, self.image), table))


class Exposure(Node):
    """
    Changes the exposure of an image as linear light, its contrast, and four ranges of tones.
    image, color grading, exposure, contrast, highlights, shadows

    Use cases:
    - Correct a photo that was exposed too long or too short
    - Win back the clouds of a bright sky
    """

    synonyms = (
        "EV",
        "Stops",
        "Highlights and Shadows",
        "Exposure Compensation",
        "Shadows/Highlights",
        "Shadows Highlights",
        "Tone Mapping",
    )

    image: ImageRef = Field(description=IMAGE)
    exposure: float = Field(
        default=0.0, ge=-5.0, le=5.0, description="In stops: 1 doubles the light, -1 halves it."
    )
    contrast: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="-1 gives middle grey, 1 doubles the contrast."
    )
    highlights: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="Makes bright tones darker or brighter."
    )
    shadows: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="Makes dark tones darker or brighter."
    )
    whites: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="Makes the brightest tones darker or brighter."
    )
    blacks: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="Makes the darkest tones darker or brighter."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The graded image."]:
        light = grading.all_tones()
        shift = self.shadows * grading.in_shadows(light) + self.highlights * grading.in_highlights(
            light
        )
        shift += self.blacks * (1 - light) ** 4 + self.whites * light**4
        curve = grading.rising(light + 0.25 * shift)
        is_curved = bool(shift.any())

        def expose(band: Band, _: int) -> Band:
            if is_curved:
                before = luma(band)
                band = band + grading.along(curve, before) - before
            return (band - 0.5) * (1 + self.contrast) + 0.5

        tones = byte_tones()
        if self.exposure:
            tones = grading.exposed(tones, self.exposure).clip(0.0, 1.0)
        image = graded(opened(context, self.image), expose, context, tones)
        return context.image_from_pil(image)


class LiftGammaGain(Node):
    """
    Grades shadows (lift), midtones (gamma) and highlights (gain), all channels together and each by
    itself. Tones count as stored, not as linear light.
    image, color grading, lift, gamma, gain, color wheels

    Use cases:
    - Grade with the three wheels that film editors have
    - Tint the shadows and the highlights against each other
    """

    synonyms = ("Lift Gamma Gain", "Three-Way Color", "Color Wheels")

    image: ImageRef = Field(description=IMAGE)
    lift_r: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="What is added to red at black."
    )
    lift_g: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="What is added to green at black."
    )
    lift_b: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="What is added to blue at black."
    )
    lift_master: float = Field(
        default=0.0, ge=-1.0, le=1.0, description="What is added to all channels at black."
    )
    gamma_r: float = Field(
        default=1.0, ge=0.1, le=4.0, description="Gamma of red; above 1 makes midtones brighter."
    )
    gamma_g: float = Field(default=1.0, ge=0.1, le=4.0, description="Gamma of green.")
    gamma_b: float = Field(default=1.0, ge=0.1, le=4.0, description="Gamma of blue.")
    gamma_master: float = Field(default=1.0, ge=0.1, le=4.0, description="Gamma of all channels.")
    gain_r: float = Field(default=1.0, ge=0.0, le=4.0, description="What red is multiplied by.")
    gain_g: float = Field(default=1.0, ge=0.0, le=4.0, description="What green is multiplied by.")
    gain_b: float = Field(default=1.0, ge=0.0, le=4.0, description="What blue is multiplied by.")
    gain_master: float = Field(
        default=1.0, ge=0.0, le=4.0, description="What all channels are multiplied by."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The graded image."]:
        lift = grading.triple((self.lift_r, self.lift_g, self.lift_b)) + self.lift_master
        gamma = grading.triple((self.gamma_r, self.gamma_g, self.gamma_b)) * self.gamma_master
        gain = grading.triple((self.gain_r, self.gain_g, self.gain_b)) * self.gain_master

        def grade(band: Band, _: int) -> Band:
            raised: Band = (band * gain + lift * (1 - band)).clip(0.0, 1.0) ** (1 / gamma)
            return raised

        return context.image_from_pil(graded(opened(context, self.image), grade, context))
