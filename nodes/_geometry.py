"""Sizes, places and resampling, shared by the nodes that change an image's geometry."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, Literal

from nodetool_core import NodeError

if TYPE_CHECKING:
    from PIL import Image

    from nodes._pixels import Band

MAX_SIDE: Final = 16384
"""The longest side that is made, in pixels."""
MAX_PIXELS: Final = 100_000_000
"""The most pixels that are made: what can also be read again."""

_STRIP: Final = 64
"""Rows that are made at once where an image is made strip by strip."""

Size = tuple[int, int]
Box = tuple[int, int, int, int]
"""Left, top, right and bottom edge, in pixels; right and bottom are not part of it."""

Method = Literal["lanczos", "bicubic", "bilinear", "area", "nearest"]
METHOD: Final = (
    "How pixels are resampled: `lanczos` is the sharpest, `bicubic` a little softer with less"
    " ringing, `bilinear` soft, `area` the mean of the pixels that are covered, `nearest` takes one"
    " pixel and mixes none. All but `nearest` cover every pixel of the source when they shrink."
)
"""What nodes say of their property `method`."""

Anchor = Literal[
    "top_left",
    "top",
    "top_right",
    "left",
    "center",
    "right",
    "bottom_left",
    "bottom",
    "bottom_right",
]
_BEFORE: Final = {"left": 0.0, "right": 1.0, "top": 0.0, "bottom": 1.0}
"""The share of the room that lies before what is anchored."""


def anchored(room: Size, size: Size, anchor: Anchor) -> tuple[int, int]:
    """
    Return the left and the top edge of what has a size and is anchored in a room.

    Below 0 where it is larger than the room. What can't be halved is one more behind it.
    """
    words = anchor.split("_")
    across, down = (
        next((_BEFORE[word] for word in words if word in sides), 0.5)
        for sides in (("left", "right"), ("top", "bottom"))
    )
    return math.floor((room[0] - size[0]) * across), math.floor((room[1] - size[1]) * down)


def aspect_ratio(text: str) -> float:
    """
    Return the width over the height that a text such as `16:9`, `3x2` or `1.5` states.

    Raises NodeError for another one.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:[:x/]\s*(\d+(?:\.\d+)?)\s*)?", text)
    ratio = float(found[1]) / (float(found[2] or 1) or math.inf) if found else 0.0
    if not 1 / 1000 <= ratio <= 1000:
        raise NodeError(
            f"{text!r} is no aspect ratio.", "Give width and height as in 16:9, or one as in 1.5."
        )
    return ratio


def rounded_to(length: float, multiple: int) -> int:
    """Return the multiple that is nearest to a length, at least one of them."""
    return max(1, round(length / multiple)) * multiple


def check_size(width: int, height: int, hint: str = "Choose a smaller size.") -> Size:
    """
    Return the size, if an image of it may be made.

    Raises NodeError, with what to do where it is too large.
    """
    if width < 1 or height < 1:
        raise NodeError(
            f"The image would have {width} x {height} pixels.", "Both sides need at least 1."
        )
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        limit = f"at most {MAX_SIDE} a side and {MAX_PIXELS // 1_000_000} megapixels are made"
        raise NodeError(f"The image would have {width} x {height} pixels; {limit}.", hint)
    return width, height


def longest_side_of(size: Size) -> int:
    """Return the longest side that an image of the shape of a size may have."""
    width, height = size
    return min(MAX_SIDE, math.isqrt(MAX_PIXELS * max(size) // min(width, height)))


def fitted_size(size: Size, box: Size) -> Size:
    """Return the largest size of the same shape that fits into the box; sides are at least 1."""
    (width, height), (box_width, box_height) = size, box
    if width * box_height >= height * box_width:
        return box_width, min(box_height, max(1, round(height * box_width / width)))
    return min(box_width, max(1, round(width * box_height / height))), box_height


def resized(
    image: Image.Image, size: Size, method: Method = "lanczos", *, linear_light: bool = False
) -> Image.Image:
    """
    Return the image in another size.

    Palettes and bilevel images are converted first, because indices can't be averaged; colours are
    weighted by their alpha (Pillow does so for RGBA and LA), so that hidden pixels leave no
    fringes.
    """
    if image.size == size:
        return image
    if method == "nearest":
        return image.resize(size, _kernel(method))
    if linear_light:
        return _resized_as_light(smooth(image), size, method)
    return within_range(smooth(image).resize(size, _kernel(method)))


def covering(
    image: Image.Image,
    size: Size,
    method: Method = "lanczos",
    anchor: Anchor = "center",
    *,
    linear_light: bool = False,
) -> Image.Image:
    """Return the image cropped around its anchor to the shape of a size, and resized to it."""
    if image.size == size:
        return image
    if anchor == "center" and not linear_light:
        from PIL import ImageOps

        image = image if method == "nearest" else smooth(image)
        return within_range(ImageOps.fit(image, size, _kernel(method)))
    shape = fitted_size(size, image.size)
    left, top = anchored(image.size, shape, anchor)
    cut = image.crop((left, top, left + shape[0], top + shape[1]))
    return resized(cut, size, method, linear_light=linear_light)


def _kernel(method: Method) -> Image.Resampling:
    from PIL import Image as Pillow

    return {
        "lanczos": Pillow.Resampling.LANCZOS,
        "bicubic": Pillow.Resampling.BICUBIC,
        "bilinear": Pillow.Resampling.BILINEAR,
        "area": Pillow.Resampling.BOX,
        "nearest": Pillow.Resampling.NEAREST,
    }[method]


def _as_light(channel: Image.Image) -> Image.Image:
    """Return the light of a channel (L) as F, made strip by strip to save memory."""
    import numpy as np
    from PIL import Image as Pillow

    from nodes._light import light_of_bytes

    light = Pillow.new("F", channel.size)
    for top in range(0, channel.height, _STRIP):
        strip = channel.crop((0, top, channel.width, min(channel.height, top + _STRIP)))
        light.paste(Pillow.fromarray(light_of_bytes()[np.asarray(strip)]), (0, top))
    return light


def _resized_as_light(image: Image.Image, size: Size, method: Method) -> Image.Image:
    """Return the image resampled a channel at a time, as light that is weighted by its alpha."""
    import numpy as np
    from PIL import Image as Pillow

    from nodes._light import as_tones, from_light, light_of_bytes, to_light

    def resample(plane: Band) -> Band:
        return np.asarray(Pillow.fromarray(plane).resize(size, _kernel(method)))

    white = {"I;16": 65535.0, "F": 1.0}.get(image.mode)
    if white is not None:
        tones = from_light(resample(to_light(np.asarray(image, np.float32) / np.float32(white))))
        deep = (np.clip(tones, 0.0, 1.0) * white + (0.5 if white > 1 else 0.0)).astype(
            np.uint16 if white > 1 else np.float32
        )
        result = Pillow.fromarray(deep)
    elif not image.mode.endswith("A"):
        planes = [
            Pillow.fromarray(as_tones(np.asarray(_as_light(channel).resize(size, _kernel(method)))))
            for channel in image.split()
        ]
        result = Pillow.merge(image.mode, planes)
    else:
        *channels, alpha = image.split()
        share = np.asarray(alpha, np.float32) / np.float32(255)
        resampled = resample(share)
        planes = [
            Pillow.fromarray(
                as_tones(
                    resample(light_of_bytes()[np.asarray(channel)] * share)
                    / np.maximum(resampled, 1e-6)
                )
            )
            for channel in channels
        ]
        opacity = np.rint(np.clip(resampled, 0.0, 1.0) * 255.0).astype(np.uint8)
        result = Pillow.merge(image.mode, [*planes, Pillow.fromarray(opacity)])
    result.info = dict(image.info)
    return result


def smooth(image: Image.Image) -> Image.Image:
    """Return the image in a mode whose pixels can be averaged."""
    from nodetool_core.assets.modes import in_mode, standard_mode

    image = standard_mode(image)
    return in_mode(image, "L") if image.mode == "1" else image


def within_range(image: Image.Image) -> Image.Image:
    """
    Return the image without what resampling adds beyond black and white beside an edge.

    Pillow itself leaves that in floats.
    """
    if image.mode != "F":
        return image
    import numpy as np
    from PIL import Image as Pillow

    clipped = Pillow.fromarray(np.asarray(image).clip(0.0, 1.0))
    clipped.info = dict(image.info)
    return clipped
