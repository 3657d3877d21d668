"""White balance in Kelvin, and channels mixed of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from nodes._light import as_tones, light_of_bytes
from nodes._pixels import in_colours, on_colours, opened
from nodes.lib.pillow.color_grading._primary import IMAGE
from nodetool_core import Context, Field, ImageRef, Node

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Matrix = NDArray[np.float64]

_NEUTRAL: Final = 6504.0
"""Temperature at which white stays white, in Kelvin: that of daylight D65."""
_TINT: Final = 3000.0
"""Steps of tint in a distance of 1 from the black body's curve, in CIE 1960 (as in Adobe DNG)."""
_RGB_TO_XYZ: Final = (
    (0.4123907993, 0.3575843394, 0.1804807884),
    (0.2126390059, 0.7151686788, 0.0721923154),
    (0.0193308187, 0.1191947798, 0.9505321522),
)
_BRADFORD: Final = (
    (0.8951, 0.2664, -0.1614),
    (-0.7502, 1.7135, 0.0367),
    (0.0389, -0.0685, 1.0296),
)
_BAND_PIXELS: Final = 1 << 18


class WhiteBalance(Node):
    """
    Makes white what was white under a light of a temperature, as a raw converter does: in linear
    light (by the curve of sRGB), by Bradford's adaptation.
    image, color grading, white balance, temperature, tint, kelvin

    Use cases:
    - Take the orange of lamps out of a photo (3200 K)
    - Warm up a photo from the shade (7500 K)
    """

    synonyms = ("Temperature", "Kelvin", "Color Temperature", "Tint", "WB", "Photo Filter")

    image: ImageRef = Field(description=IMAGE)
    temperature: float = Field(
        default=_NEUTRAL,
        ge=1700.0,
        le=25000.0,
        description=(
            "Temperature of the light that was, in Kelvin. 6504 changes nothing; below it the"
            " image becomes cooler, above it warmer."
        ),
    )
    tint: float = Field(
        default=0.0,
        ge=-150.0,
        le=150.0,
        description="Above 0 more magenta, below 0 greener; 1 is 1/3000 in CIE 1960 u, v.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The balanced image."]:
        matrix = balance(self.temperature, self.tint)
        image = in_colours(opened(context, self.image))
        return context.image_from_pil(
            on_colours(image, lambda colour: mixed_as_light(colour, matrix, context))
        )


class ChannelMixer(Node):
    """
    Makes each channel of shares of all three, and a constant.
    image, color grading, channel mixer, matrix, swap channels, infrared

    Use cases:
    - Make a black and white image with the look of a red filter
    - Exchange channels
    - Apply a colour matrix
    """

    synonyms = ("Color Matrix", "Swap Channels", "Mono Mixer", "Color Transform", "Sepia")

    image: ImageRef = Field(description=IMAGE)
    red: list[float] = Field(
        default=[1.0, 0.0, 0.0],
        max_length=4,
        description="Shares of red, green and blue in red, and a constant if there is a fourth.",
    )
    green: list[float] = Field(
        default=[0.0, 1.0, 0.0], max_length=4, description="The same for green."
    )
    blue: list[float] = Field(
        default=[0.0, 0.0, 1.0], max_length=4, description="The same for blue."
    )
    monochrome: bool = Field(
        default=False, description="Whether all channels become the one that `red` describes."
    )
    preserve_luminosity: bool = Field(
        default=False,
        description="Whether shares are divided by their sum, so that white stays white.",
    )
    linear_light: bool = Field(
        default=False,
        description="Whether light is mixed (by the curve of sRGB) instead of stored tones.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The mixed image."]:
        import numpy as np

        rows = [self.red] * 3 if self.monochrome else [self.red, self.green, self.blue]
        whole = np.array([(*row, 0.0, 0.0, 0.0, 0.0)[:4] for row in rows], np.float64)
        if self.preserve_luminosity:
            sums = whole[:, :3].sum(axis=1, keepdims=True)
            whole[:, :3] /= np.where(np.abs(sums) < 1e-6, 1.0, sums)
        image = in_colours(opened(context, self.image))
        if self.linear_light:
            return context.image_from_pil(
                on_colours(image, lambda colour: mixed_as_light(colour, whole, context))
            )
        whole[:, 3] *= 255
        numbers = tuple(whole.ravel().tolist())
        return context.image_from_pil(
            on_colours(image, lambda colour: colour.convert("RGB", numbers))
        )


def mixed_as_light(colour: Image.Image, matrix: Matrix, context: Context) -> Image.Image:
    """Return an image (RGB) whose light is multiplied by a matrix, (3, 3) or (3, 4)."""
    import numpy as np
    from PIL import Image as Pillow

    source = np.asarray(colour)
    result = np.empty_like(source)
    rows = max(1, _BAND_PIXELS // source.shape[1])
    factors = matrix.astype(np.float32)
    for top in range(0, source.shape[0], rows):
        context.check_cancelled()
        light = light_of_bytes()[source[top : top + rows]]
        mixed = light.reshape(-1, 3) @ factors[:, :3].T
        if factors.shape[1] == 4:
            mixed += factors[:, 3]
        result[top : top + rows] = as_tones(mixed).reshape(light.shape)
    return Pillow.fromarray(result)


def balance(temperature: float, tint: float) -> Matrix:
    """Return the matrix over linear RGB by which the light of a temperature becomes white."""
    import numpy as np

    to_xyz, bradford = np.array(_RGB_TO_XYZ), np.array(_BRADFORD)
    there, here = (bradford @ white(*light) for light in ((temperature, tint), (_NEUTRAL, 0.0)))
    adapted = np.linalg.inv(bradford) @ np.diag(here / there) @ bradford
    matrix: Matrix = np.linalg.inv(to_xyz) @ adapted @ to_xyz
    return matrix


def white(temperature: float, tint: float) -> Matrix:
    """
    Return the light of a black body as XYZ with a luminance of 1, off its curve by a tint.

    The curve is that of M. Krystek (1985) in CIE 1960 u, v, which is within 0.0001 of Planck's.
    """
    import numpy as np

    u, v = _black_body(temperature)
    (u_before, v_before), (u_behind, v_behind) = (
        _black_body(temperature * step) for step in (0.999, 1.001)
    )
    along = np.array([u_behind - u_before, v_behind - v_before])
    along /= np.linalg.norm(along)
    u, v = u - tint / _TINT * -along[1], v - tint / _TINT * along[0]
    x, y = 3 * u / (2 * u - 8 * v + 4), 2 * v / (2 * u - 8 * v + 4)
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _black_body(kelvin: float) -> tuple[float, float]:
    t = kelvin
    u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t * t) / (
        1 + 8.42420235e-4 * t + 7.08145163e-7 * t * t
    )
    v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t * t) / (
        1 - 2.89741816e-5 * t + 1.61456053e-7 * t * t
    )
    return u, v
