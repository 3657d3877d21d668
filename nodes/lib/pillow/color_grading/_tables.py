"""Levels, gradient maps and look-up tables: each tone or colour by what a table says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from nodes._cube import LutError, parsed
from nodes._pixels import graded, in_colours, on_colours, opened, toned, tones_in
from nodes.lib.pillow.color_grading._primary import IMAGE
from nodetool_core import ColorRef, Context, Field, ImageRef, Node, NodeError, Sources

if TYPE_CHECKING:
    from PIL import Image

    from nodes._pixels import Band


class Levels(Node):
    """
    Stretches the tones between a black and a white point over the range between two others, with a
    gamma for the midtones. Tones count as stored, not as linear light.
    image, color grading, levels, black point, white point, gamma

    Use cases:
    - Fix a flat scan
    - Lift blacks and dim whites for text that goes over an image
    """

    synonyms = ("Levels Adjustment", "Input Levels", "Output Levels", "Gamma", "Remap Range")

    image: ImageRef = Field(description=IMAGE)
    channel: Literal["rgb", "red", "green", "blue"] = Field(
        default="rgb", description="The channel that is changed, or all of them alike."
    )
    black: float = Field(
        default=0.0, ge=0.0, le=254.0, description="Tone of 0 to 255 that becomes `output_black`."
    )
    white: float = Field(
        default=255.0, ge=1.0, le=255.0, description="Tone of 0 to 255 that becomes `output_white`."
    )
    gamma: float = Field(
        default=1.0,
        ge=0.1,
        le=10.0,
        description="Above 1 makes midtones brighter, below 1 darker; 1 leaves them.",
    )
    output_black: float = Field(
        default=0.0, ge=0.0, le=255.0, description="The darkest tone of the result, of 0 to 255."
    )
    output_white: float = Field(
        default=255.0,
        ge=0.0,
        le=255.0,
        description="The brightest tone of the result; below `output_black`, tones are inverted.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The graded image."]:
        import numpy as np

        if self.black >= self.white:
            raise NodeError(
                f"black {self.black:g} is not below white {self.white:g}.",
                "Leave some range between them.",
            )
        tones = np.arange(256.0)
        share = np.clip((tones - self.black) / (self.white - self.black), 0.0, 1.0)
        bent = share ** (1 / self.gamma)
        curve = (self.output_black + bent * (self.output_white - self.output_black)) / 255
        chosen = {"rgb": (0, 1, 2), "red": (0,), "green": (1,), "blue": (2,)}[self.channel]
        curves = np.stack([curve if index in chosen else tones / 255 for index in range(3)], axis=1)
        return context.image_from_pil(toned(opened(context, self.image), curves))


class GradientMap(Node):
    """
    Gives each tone of an image the colour at its place in a gradient. How bright a colour is is its
    luma by Rec. 601, as ConvertToGrayscale has it. Tones count as stored, not as linear light.
    image, color grading, gradient, duotone, tritone, false color, colorize

    Use cases:
    - Give a portrait the look of a duotone print
    - Show a depth map or a mask in false colours
    """

    synonyms = ("Duotone", "Tritone", "False Color", "Colormap", "Colorize", "applyColorMap", "LUT")

    image: ImageRef = Field(description=IMAGE)
    colors: list[ColorRef] = Field(
        default=[ColorRef(value="#1b1464"), ColorRef(value="#ffe066")],
        description="The colours from black to white, evenly spread; at least two.",
    )
    strength: float = Field(
        default=1.0, ge=0.0, le=1.0, description="0 leaves the image, 1 gives the gradient alone."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image in these colours."]:
        import numpy as np
        from PIL import Image as Pillow

        if len(self.colors) < 2:
            raise NodeError(
                f"A gradient needs two colours or more, not {len(self.colors)}.", "Add a colour."
            )
        image = in_colours(opened(context, self.image))
        stops = np.array(tones_in(self.colors, image), np.float64)
        places = np.linspace(0, len(stops) - 1, 256)
        table = np.stack(
            [np.interp(places, range(len(stops)), stops[:, index]) for index in range(3)], axis=1
        )
        columns = [np.rint(table[:, index]).astype(int).tolist() for index in range(3)]

        def mapped(colour: Image.Image) -> Image.Image:
            grey = colour.convert("L")
            shown = Pillow.merge("RGB", [grey.point(column) for column in columns])
            if self.strength == 1.0:
                return shown
            return Pillow.blend(colour.convert("RGB"), shown, self.strength)

        return context.image_from_pil(on_colours(image, mapped))


class ApplyLut(Node):
    """
    Applies a look-up table from a `.cube` file (Adobe Cube LUT 1.0): 1D or 3D, any size and domain.
    Tones count as stored, not as linear light.
    image, color grading, lut, cube, look, 3d lut

    Use cases:
    - Give photos the look of a film stock
    - Bring log footage to Rec. 709
    """

    synonyms = (
        "Color Lookup",
        "3D LUT",
        "Cube LUT",
        "Film Emulation",
        "Apply Look",
        "lut3d",
        "Tetrahedral",
    )

    image: ImageRef = Field(description=IMAGE)
    path: str = Field(
        place="file",
        description="The `.cube` file; a relative path starts from the workflow's folder.",
    )
    interpolation: Literal["tetrahedral", "trilinear"] = Field(
        default="tetrahedral",
        description=(
            "How colours between the table's are found: `tetrahedral` keeps grey grey and is what"
            " film software does; `trilinear` is smoother."
        ),
    )
    strength: float = Field(
        default=1.0, ge=0.0, le=1.0, description="0 leaves the image, 1 applies the table fully."
    )

    @classmethod
    def fingerprint(cls, values: dict[str, object], sources: Sources) -> str | None:
        return sources.digest(ImageRef(uri=str(values["path"]))) if "path" in values else None

    def process(self, context: Context) -> Annotated[ImageRef, "The graded image."]:
        file = context.images.path(self.path)
        try:
            lut = parsed(file.read_text("utf-8-sig", errors="replace"))
        except OSError as error:
            raise NodeError(
                f"The file {str(file)!r} can't be read: {error.strerror}.", "Check the path."
            ) from error
        except LutError as error:
            raise NodeError(
                f"{str(file)!r} is no .cube file: {error}", "Export it again as .cube."
            ) from error

        def look(band: Band, _: int) -> Band:
            return band + (lut.at(band, self.interpolation) - band) * self.strength

        return context.image_from_pil(graded(opened(context, self.image), look, context))
