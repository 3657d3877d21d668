"""
Colours and alpha of an image, taken apart and put together.

What works on tones works on `L` or `RGB` with 8 bits a channel: grey stays grey, deeper tones (16
bits, floats) are scaled to 8 bits, palettes and printing colours become RGB. What works on
neighbours of a pixel weights them by their alpha, or is not shown what is hidden, so that hidden
colours leave no fringe.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from nodetool_core import NodeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from nodetool_core import ColorRef, Context, ImageRef

    Band = NDArray[np.floating[Any]]
    Grade = Callable[[Band, int], Band]
    """
    Takes rows of RGB from 0 to 1, (rows, width, 3), and the number of the first row.

    Gives them changed.
    """

_BAND_PIXELS: Final = 1 << 19
_GREY_MODES: Final = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_PREMULTIPLIED: Final = {"RGBA": "RGBa", "LA": "La"}
_STRAIGHT: Final = {"RGBa": "RGBA", "La": "LA"}

_AROUND: Final = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1))

LUMA: Final = (0.2126, 0.7152, 0.0722)
"""Share of red, green and blue in how bright a colour looks (Rec. ITU-R BT.709)."""


def is_grey(image: Image.Image) -> bool:
    """Return whether the mode has no colours."""
    return image.mode in _GREY_MODES


def opened(context: Context, ref: ImageRef) -> Image.Image:
    """
    Return the image behind a reference as L or RGB, with alpha (LA, RGBA) where it has any.

    Warns where tones lose bits.
    """
    from nodetool_core.assets.modes import BITS_LOST, DEEP_MODES

    image = context.image(ref)
    if image.mode in DEEP_MODES:
        context.warn(BITS_LOST)
    return plain(image)


def plain(image: Image.Image) -> Image.Image:
    """Return the image as L or RGB, with alpha (LA, RGBA) where it has any."""
    from nodetool_core.assets.modes import in_mode

    mode = "L" if is_grey(image) else "RGB"
    return in_mode(image, f"{mode}A" if image.has_transparency_data else mode)


def in_colours(image: Image.Image) -> Image.Image:
    """Return the image as RGB, or as RGBA where it has alpha."""
    from nodetool_core.assets.modes import in_mode

    return in_mode(plain(image), "RGBA" if image.has_transparency_data else "RGB")


def colours(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """
    Return the colours as L or RGB, and the alpha as L; None where there is no alpha.

    Transparent pixels keep their colours.
    """
    image = plain(image)
    if image.mode == "LA":
        return image.getchannel("L"), image.getchannel("A")
    if image.mode == "RGBA":
        return image.convert("RGB"), image.getchannel("A")
    return image, None


def with_alpha(image: Image.Image, alpha: Image.Image | None) -> Image.Image:
    """Return colours (L or RGB) and alpha put together."""
    if alpha is None:
        return image
    whole = image.copy()
    whole.putalpha(alpha)
    return whole


def with_profile(image: Image.Image, source: Image.Image) -> Image.Image:
    """Return a new image with the colour profile of the image that it was made from."""
    from nodetool_core.assets.profiles import fits, profile_of

    profile = profile_of(source)
    if fits(profile, image.mode):
        image.info["icc_profile"] = profile
    else:
        image.info.pop("icc_profile", None)
    return image


def canvas(mode: str, size: tuple[int, int], colour: str, profile: bytes | None) -> Image.Image:
    """
    Return a new image, RGB or RGBA, of one colour (`#rrggbb` or `#rrggbbaa`, sRGB) in a profile.
    """
    from PIL import Image as Pillow

    dot = in_form(Pillow.new(mode, (1, 1), colour), mode, profile)
    image = Pillow.new(mode, size, dot.getpixel((0, 0)))
    image.info = dict(dot.info)
    return image


def tones_in(given: Sequence[ColorRef], image: Image.Image) -> list[tuple[int, int, int]]:
    """
    Return given colours as the tones that stand for them in an image (RGB).

    They are sRGB, as everywhere; in the numbers of another profile they would look different.
    """
    from PIL import Image as Pillow
    from PIL import ImageColor

    from nodetool_core.assets.profiles import in_profile, profile_of

    row = Pillow.new("RGB", (len(given), 1))
    row.putdata([ImageColor.getrgb(one.value or "#000000")[:3] for one in given])
    data = in_profile(row, profile_of(image)).tobytes()
    return [(*data[start : start + 3],) for start in range(0, len(data), 3)]


def on_colours(image: Image.Image, work: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """
    Return the image with its colours changed by `work`, which is given L or RGB; the alpha is kept.
    """
    colour, alpha = colours(image)
    return with_profile(with_alpha(work(colour), alpha), image)


def on_visible(
    image: Image.Image, work: Callable[[Image.Image, Image.Image | None], Image.Image]
) -> Image.Image:
    """
    Do as `on_colours`, and pass `work` the visible part as well.

    That is a mask (L, not 0 where visible), or None where all or none of the image is visible.
    """
    _, alpha = colours(image)
    visible = (
        alpha.point(lambda tone: 255 * (tone > 0))
        if alpha is not None and alpha.getbbox()
        else None
    )
    return on_colours(image, lambda colour: work(colour, visible))


def on_neighbours(
    image: Image.Image, work: Callable[[Image.Image], Image.Image], reach: int = 1
) -> Image.Image:
    """
    Do as `on_colours` for work that looks so many pixels far.

    Beyond what is seen, it finds the colours of the edge going on evenly.
    """
    _, alpha = colours(image)
    return on_colours(
        image, lambda colour: work(colour if alpha is None else _continued(colour, alpha, reach))
    )


def _continued(colour: Image.Image, alpha: Image.Image, reach: int) -> Image.Image:
    """
    Return colours (L or RGB) whose hidden pixels within `reach` of a visible one take its colour.

    What is known grows by 1, 2, 4, … pixels at a time, each copied from a pixel so far away: the
    cost is the logarithm of the reach.
    """
    from PIL import ImageChops

    known, filled, step, done = alpha.point(lambda tone: 255 * (tone > 0)), colour.copy(), 1, 0
    while done < reach and known.getextrema()[0] == 0 and known.getbbox():
        source, there = filled.copy(), known
        for across, down in _AROUND:
            left, top = across * step, down * step
            box = (left, top, left + colour.width, top + colour.height)
            near = there.crop(box)
            filled.paste(source.crop(box), mask=ImageChops.subtract(near, known))
            known = ImageChops.lighter(known, near)
        done, step = done + step, 2 * step
    return filled


def on_weighted(image: Image.Image, work: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """
    Return the image changed by `work`, which mixes neighbours.

    It is given colours multiplied by their alpha, where there is any.
    """
    straight = plain(image)
    # A conversion to the same mode would be a copy.
    if straight.mode not in _PREMULTIPLIED:
        return with_profile(work(straight), image)
    result = work(straight.convert(_PREMULTIPLIED[straight.mode]))
    return with_profile(result.convert(_STRAIGHT[result.mode]), image)


def filtered(image: Image.Image, kernel: Any) -> Image.Image:
    """
    Return the image under a kernel of 3 x 3, as if it went on evenly beyond its edges.

    Pillow alone leaves the outermost pixels as they are.
    """
    import numpy as np
    from PIL import Image as Pillow

    tones = np.asarray(image)
    padded = np.pad(tones, [(1, 1), (1, 1), (0, 0)][: tones.ndim], mode="edge")
    whole = Pillow.frombytes(image.mode, (image.width + 2, image.height + 2), padded.tobytes())
    return whole.filter(kernel).crop((1, 1, image.width + 1, image.height + 1))


def alike(*images: Image.Image) -> list[Image.Image]:
    """
    Return the images in one mode and one profile, that of the first.

    With colours where one has colours, with alpha where one has alpha.

    What several images are made into has the profile of the first one then.
    """
    mode, profile = common_form(images)
    return [in_form(image, mode, profile) for image in images]


def common_form(
    images: Sequence[Image.Image], *, colours: bool = False, alpha: bool = False
) -> tuple[str, bytes | None]:
    """
    Return the mode and the profile (None for sRGB) in which images can be put together.

    The profile of the first.

    Args:
        colours: Whether colours are wanted also where all images are grey.
        alpha: Whether alpha is wanted also where no image has any.
    """
    from nodetool_core.assets.profiles import fits, profile_of

    mode = "RGB" if colours or not all(map(is_grey, images)) else "L"
    mode += "A" if alpha or any(image.has_transparency_data for image in images) else ""
    profile = profile_of(images[0])
    return mode, profile if fits(profile, mode) else None


def in_form(image: Image.Image, mode: str, profile: bytes | None) -> Image.Image:
    """Return the image in a mode (L, LA, RGB, RGBA) and a profile; its colours stay."""
    from nodetool_core.assets.modes import in_mode
    from nodetool_core.assets.profiles import in_profile

    return in_profile(in_mode(plain(image), mode), profile)


def byte_tones() -> Band:
    """Return the 256 tones of a channel of 8 bits, from 0 to 1."""
    import numpy as np

    return np.arange(256, dtype=np.float32) / np.float32(255)


def graded(
    image: Image.Image, grade: Grade, context: Context, tones: Band | None = None
) -> Image.Image:
    """
    Return the image with its colours changed by `grade`, a band of rows at a time.

    RGB, or RGBA with the alpha kept.

    Args:
        tones: What the 256 tones of a channel are for `grade`; from 0 to 1 in equal steps if None.
    """
    import numpy as np
    from PIL import Image as Pillow

    image = in_colours(image)
    colour, alpha = colours(image)
    source = np.asarray(colour)
    result = np.empty_like(source)
    rows = max(1, _BAND_PIXELS // source.shape[1])
    tones = byte_tones() if tones is None else tones
    for top in range(0, source.shape[0], rows):
        context.check_cancelled()
        band = tones[source[top : top + rows]]
        result[top : top + rows] = as_bytes(grade(band, top))
    return with_profile(with_alpha(Pillow.fromarray(result), alpha), image)


def toned(image: Image.Image, curves: Band) -> Image.Image:
    """
    Return the image with each of 256 tones changed by a curve; RGB, or RGBA with the alpha kept.

    Args:
        curves: New tones from 0 to 1 in a column for all channels, or in one for each, (256, 1 or
            3).
    """
    image = in_colours(image)
    columns = [as_bytes(curves[:, index % curves.shape[1]]).tolist() for index in range(3)]
    return on_colours(
        image, lambda colour: colour.point([tone for column in columns for tone in column])
    )


def as_bytes(tones: NDArray[Any]) -> NDArray[np.uint8]:
    """Return tones from 0 to 1 as the nearest of 256; what lies outside is cut off."""
    import numpy as np

    rounded: NDArray[np.uint8] = (np.clip(tones, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return rounded


def luma(band: Band) -> Band:
    """Return how bright each pixel looks, (rows, width, 1)."""
    import numpy as np

    return (band @ np.array(LUMA, np.float32))[..., None]


def check_same_size(first: Image.Image, second: Image.Image, names: tuple[str, str]) -> None:
    """Raise NodeError where two images that are compared pixel by pixel differ in size."""
    if first.size != second.size:
        sizes = f"{first.width} x {first.height} and {second.width} x {second.height}"
        raise NodeError(
            f"{names[0]} and {names[1]} differ in size: {sizes} pixels.",
            "Put a Resize in front of one of them.",
        )


def distinct_colour(number: int) -> tuple[int, int, int]:
    """
    Return colours that are far apart for neighbouring numbers.

    Hues by the golden ratio, in three brightnesses.
    """
    red, green, blue = colorsys.hsv_to_rgb(number * 0.618034 % 1.0, 0.75, 1.0 - 0.25 * (number % 3))
    return round(red * 255), round(green * 255), round(blue * 255)
