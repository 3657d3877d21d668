"""
The image that is started from, and its mask, prepared as the web UI prepares them.

The image is brought to the size that is requested. With a mask, the workflow gets either the whole
of both, or, at the full size, the surroundings of the mask alone; and what the mask leaves out is
put back into the result. Pure functions of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL import Image

    from nodetool_core.server.a1111.body import EditBody

Size = tuple[int, int]
Box = tuple[int, int, int, int]

_CROP: Final = 1
_FILL: Final = 2
_ITSELF: Final = 1
"""What `inpainting_fill` says where the image itself stays below the mask."""


@dataclass(frozen=True)
class Kept:
    """What stays as it was: an image, where its mask is black."""

    image: Image.Image
    mask: Image.Image
    box: Box
    """The part of the image that the workflow gets."""

    def within(self, made: Image.Image) -> Image.Image:
        """Return a result with what stays put back around it."""
        from PIL import Image
        from PIL.Image import Resampling

        left, upper, right, lower = self.box
        if made.size != (right - left, lower - upper):
            made = made.resize((right - left, lower - upper), Resampling.LANCZOS)
        whole = self.image.copy()
        whole.paste(made.convert(whole.mode), (left, upper))
        return Image.composite(whole, self.image, self.mask)


@dataclass(frozen=True)
class Start:
    """An image to start from, as a workflow gets it."""

    image: Image.Image
    mask: Image.Image | None = None
    """As large as the image, white where it is made anew."""
    kept: Kept | None = None


def prepared(image: Image.Image, mask: Image.Image | None, body: EditBody) -> Start:
    """Return the start of a request."""
    image = _flat(image)
    if mask is None:
        return Start(resized(image, body.size or image.size, body.resize_mode))
    mask = _blurred(_grey(mask, image.size, is_inverted=body.inpainting_mask_invert), body)
    box = mask.getbbox() if body.inpaint_full_res else None
    if box is None:
        return _whole(image, mask, body)
    size = body.size or image.size
    box = _widened(box, body.inpaint_full_res_padding, size, image.size)
    part = mask.crop(box).resize(size)
    start = resized(image.crop(box), size, 0)
    return Start(_below(start, part, body), part, Kept(image, mask, box))


def _whole(image: Image.Image, mask: Image.Image, body: EditBody) -> Start:
    size = body.size or image.size
    image = resized(image, size, body.resize_mode)
    mask = resized(mask, size, body.resize_mode)
    return Start(_below(image, mask, body), mask, Kept(image, mask, (0, 0, *size)))


def _below(image: Image.Image, mask: Image.Image, body: EditBody) -> Image.Image:
    return image if body.inpainting_fill == _ITSELF else filled(image, mask)


def resized(image: Image.Image, size: Size, mode: int) -> Image.Image:
    """Return an image in a size: stretched, cropped, or its edges spread to what is missing."""
    from PIL import Image, ImageOps
    from PIL.Image import Resampling

    if image.size == size:
        return image
    if mode == _CROP:
        return ImageOps.fit(image, size, Resampling.LANCZOS)
    if mode != _FILL:
        return image.resize(size, Resampling.LANCZOS)
    small = ImageOps.contain(image, size, Resampling.LANCZOS)
    place = ((size[0] - small.width) // 2, (size[1] - small.height) // 2)
    whole, missing = Image.new(image.mode, size), Image.new("L", size, 255)
    whole.paste(small, place)
    missing.paste(0, (*place, place[0] + small.width, place[1] + small.height))
    return whole if image.mode == "L" else filled(whole, missing)


def filled(image: Image.Image, mask: Image.Image) -> Image.Image:
    """
    Return an image with the colours around a mask spread to where it is white.

    From the whole image at one pixel up to its own size, each size shows through where the next
    larger one knows nothing.
    """
    from PIL import Image, ImageOps
    from PIL.Image import Resampling

    known = image.convert("RGBA")
    known.putalpha(ImageOps.invert(mask))
    sizes = [known.convert("RGBa")]
    while max(sizes[-1].size) > 1:
        half = tuple(max(1, side // 2) for side in sizes[-1].size)
        sizes.append(sizes[-1].resize((half[0], half[1]), Resampling.BOX))
    found = sizes.pop().convert("RGBA")
    found.putalpha(255)
    for larger in reversed(sizes):
        found = found.resize(larger.size, Resampling.BILINEAR)
        found = Image.alpha_composite(found, larger.convert("RGBA"))
    return found.convert("RGB")


def _flat(image: Image.Image) -> Image.Image:
    """Return an image in RGB, on white where it is transparent."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _grey(mask: Image.Image, size: Size, *, is_inverted: bool) -> Image.Image:
    """Return a mask in grey, as large as its image: what is opaque counts as white."""
    from PIL import ImageOps
    from PIL.Image import Resampling

    alpha = mask.convert("RGBA").getchannel("A") if mask.has_transparency_data else None
    found = mask.convert("L") if alpha is None or alpha.getextrema()[0] == 255 else alpha
    if found.size != size:
        found = found.resize(size, Resampling.BILINEAR)
    return ImageOps.invert(found) if is_inverted else found


def _blurred(mask: Image.Image, body: EditBody) -> Image.Image:
    from PIL import ImageFilter

    return mask.filter(ImageFilter.GaussianBlur(body.mask_blur)) if body.mask_blur else mask


def _widened(box: Box, padding: int, size: Size, bounds: Size) -> Box:
    """Return a box with padding, widened as far as it can be to the aspect ratio of a size."""
    left, right = _padded(box[0], box[2], padding, bounds[0])
    upper, lower = _padded(box[1], box[3], padding, bounds[1])
    width = max(right - left, round((lower - upper) * size[0] / size[1]))
    height = max(lower - upper, round((right - left) * size[1] / size[0]))
    left, right = _grown(left, right, width, bounds[0])
    upper, lower = _grown(upper, lower, height, bounds[1])
    return (left, upper, right, lower)


def _padded(start: int, end: int, padding: int, bound: int) -> tuple[int, int]:
    return max(0, start - padding), min(bound, end + padding)


def _grown(start: int, end: int, length: int, bound: int) -> tuple[int, int]:
    """Return a stretch of a length around another one, moved to be within the bound."""
    length = min(length, bound)
    start = min(max(0, start - (length - (end - start)) // 2), bound - length)
    return start, start + length
