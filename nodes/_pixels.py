"""
Colours and alpha of a picture, taken apart and put together.

What works on tones works on `L` or `RGB` with 8 bits a channel: grey stays grey, deeper tones (16 bits, floats) are scaled
to 8 bits, palettes and printing colours become RGB. What works on neighbours of a pixel weights them by their alpha, or is not
shown what is hidden, so that hidden colours leave no fringe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from nodetool_core import NodeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from nodetool_core import Context

    Band = NDArray[np.floating[Any]]
    Grade = Callable[[Band, int], Band]
    """Takes rows of RGB from 0 to 1, (rows, width, 3), and the number of the first row; gives them changed."""

_BAND_PIXELS: Final = 1 << 19
_GREY_MODES: Final = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_PREMULTIPLIED: Final = {"RGBA": "RGBa", "LA": "La"}
_STRAIGHT: Final = {"RGBa": "RGBA", "La": "LA"}

_AROUND: Final = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1))

LUMA: Final = (0.2126, 0.7152, 0.0722)
"""Share of red, green and blue in how bright a colour looks (Rec. ITU-R BT.709)."""


def is_grey(image: Image.Image) -> bool:
    """Whether the mode has no colours."""
    return image.mode in _GREY_MODES


def plain(image: Image.Image) -> Image.Image:
    """The image as L or RGB, with alpha (LA, RGBA) where it has any."""
    from nodetool_core.assets.picture import in_mode

    mode = "L" if is_grey(image) else "RGB"
    return in_mode(image, f"{mode}A" if image.has_transparency_data else mode)


def colours(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours as L or RGB, also those of transparent pixels, and the alpha as L where there is any."""
    image = plain(image)
    if image.mode == "LA":
        return image.getchannel("L"), image.getchannel("A")
    if image.mode == "RGBA":
        return image.convert("RGB"), image.getchannel("A")
    return image, None


def with_alpha(image: Image.Image, alpha: Image.Image | None) -> Image.Image:
    """Colours (L or RGB) and alpha put together."""
    if alpha is None:
        return image
    whole = image.copy()
    whole.putalpha(alpha)
    return whole


def with_profile(image: Image.Image, source: Image.Image) -> Image.Image:
    """A new image with the colour profile of what it was made from, without which its colours would be read as others."""
    if "icc_profile" in source.info:
        image.info.setdefault("icc_profile", source.info["icc_profile"])
    return image


def in_profile_of(image: Image.Image, other: Image.Image) -> Image.Image:
    """
    An image whose numbers mean the colours that they mean in another one: RGB that has a profile, in the other's profile.

    Where one of them has none, or one that can't be used for RGB, the image comes back as it is.
    """
    from io import BytesIO

    from PIL import ImageCms

    own, wanted = image.info.get("icc_profile"), other.info.get("icc_profile")
    if not own or not wanted or own == wanted or image.mode not in ("RGB", "RGBA"):
        return image
    try:
        converted = ImageCms.profileToProfile(
            image, BytesIO(own), BytesIO(wanted), ImageCms.Intent.RELATIVE_COLORIMETRIC, flags=ImageCms.Flags.BLACKPOINTCOMPENSATION
        )
    except ImageCms.PyCMSError:
        return image
    assert converted is not None
    converted.info["icc_profile"] = wanted
    return converted


def on_colours(image: Image.Image, work: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """The image with its colours changed by `work`, which is given L or RGB; the alpha is kept."""
    colour, alpha = colours(image)
    return with_profile(with_alpha(work(colour), alpha), image)


def on_visible(image: Image.Image, work: Callable[[Image.Image, Image.Image | None], Image.Image]) -> Image.Image:
    """As `on_colours`; `work` is also told where something is seen (L, not 0), or None where that is everywhere or nowhere."""
    _, alpha = colours(image)
    visible = alpha.point(lambda tone: 255 * (tone > 0)) if alpha is not None and alpha.getbbox() else None
    return on_colours(image, lambda colour: work(colour, visible))


def on_neighbours(image: Image.Image, work: Callable[[Image.Image], Image.Image], reach: int = 1) -> Image.Image:
    """As `on_colours`, for work that looks so many pixels far: beyond what is seen, it finds the colours of the edge going on evenly."""
    _, alpha = colours(image)
    return on_colours(image, lambda colour: work(colour if alpha is None else _continued(colour, alpha, reach)))


def _continued(colour: Image.Image, alpha: Image.Image, reach: int) -> Image.Image:
    """
    Colours (L or RGB) whose hidden pixels up to `reach` from a visible one have the colour of one nearby; others stay.

    What is known grows by 1, 2, 4, … pixels at a time, each copied from a pixel so far away: the cost is the logarithm of the reach.
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
    """The image changed by `work`, which mixes neighbours: it is given colours multiplied by their alpha, where there is any."""
    straight = plain(image)
    result = work(straight.convert(_PREMULTIPLIED.get(straight.mode, straight.mode)))
    return with_profile(result.convert(_STRAIGHT.get(result.mode, result.mode)), image)


def filtered(image: Image.Image, kernel: Any) -> Image.Image:
    """The image under a kernel of 3 x 3, as if it went on evenly beyond its edges; Pillow alone leaves the outermost pixels as they are."""
    import numpy as np
    from PIL import Image as Pillow

    tones = np.asarray(image)
    padded = np.pad(tones, [(1, 1), (1, 1), (0, 0)][: tones.ndim], mode="edge")
    whole = Pillow.frombytes(image.mode, (image.width + 2, image.height + 2), padded.tobytes())
    return whole.filter(kernel).crop((1, 1, image.width + 1, image.height + 1))


def alike(*images: Image.Image) -> list[Image.Image]:
    """The images in one mode: with colours where one has colours, with alpha where one has alpha; in the profile of the first."""
    from nodetool_core.assets.picture import in_mode

    ready = [plain(image) for image in images]
    mode = "L" if all(is_grey(image) for image in ready) else "RGB"
    if any(image.mode in _PREMULTIPLIED for image in ready):
        mode += "A"
    return [in_profile_of(in_mode(image, mode), images[0]) for image in ready]


def graded(image: Image.Image, grade: Grade, context: Context) -> Image.Image:
    """The image with its colours changed by `grade`, a band of rows at a time; RGB, or RGBA with the alpha kept."""
    import numpy as np
    from PIL import Image as Pillow

    colour, alpha = colours(image)
    source = np.asarray(colour.convert("RGB"))
    result = np.empty_like(source)
    rows = max(1, _BAND_PIXELS // source.shape[1])
    for top in range(0, source.shape[0], rows):
        context.check_cancelled()
        band = source[top : top + rows].astype(np.float32) / np.float32(255)
        result[top : top + rows] = as_bytes(grade(band, top))
    return with_profile(with_alpha(Pillow.fromarray(result), alpha), image)


def as_bytes(tones: NDArray[Any]) -> NDArray[np.uint8]:
    """Tones from 0 to 1 as the nearest of 256; what lies outside is cut off."""
    import numpy as np

    rounded: NDArray[np.uint8] = (np.clip(tones, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return rounded


def luma(band: Band) -> Band:
    """How bright each pixel looks, (rows, width, 1)."""
    import numpy as np

    return (band @ np.array(LUMA, np.float32))[..., None]


def check_same_size(first: Image.Image, second: Image.Image, names: tuple[str, str]) -> None:
    """Raise NodeError where two images that are compared pixel by pixel differ in size."""
    if first.size != second.size:
        sizes = f"{first.width} x {first.height} and {second.width} x {second.height}"
        raise NodeError(f"{names[0]} and {names[1]} differ in size: {sizes} pixels.", "Put a Resize in front of one of them.")
