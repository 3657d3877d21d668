"""Parts of images: cut out by a rectangle or around a mask, and pasted back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from nodes._blending import blend_onto
from nodes._colour_match import matched, sampled
from nodes._geometry import (
    MAX_SIDE,
    Anchor,
    Box,
    Size,
    anchored,
    aspect_ratio,
    resized,
)
from nodes._pixels import alike, check_same_size, colours, opened, with_alpha, with_profile
from nodetool_core import Context, Field, ImageRef, Node, NodeError

if TYPE_CHECKING:
    from PIL import Image

BOX = "Left, top, right and bottom edge, in pixels; right and bottom are not part of it"


class Crop(Node):
    """
    Cuts a rectangle out of an image: by its edges, or the largest one of an aspect ratio, or one of
    a size.
    image, crop, cut, region

    Use cases:
    - Remove a border
    - Work on one part of an image, and paste it back
    - Bring photos to 4:5 without scaling them
    """

    synonyms = ("ImageCrop", "Crop Tool", "Canvas Size", "Trim", "Cut Out", "Crop to Aspect Ratio")

    image: ImageRef = Field(description="Image to cut from.")
    by: Literal["edges", "aspect", "size", "box"] = Field(
        default="edges",
        description=(
            "What is given: `edges` are left, top, right and bottom; `aspect` and `size` cut around"
            " the anchor; `box` is the four edges in a list."
        ),
    )
    left: int = Field(default=0, ge=0, description="Left edge, in pixels from the left.")
    top: int = Field(default=0, ge=0, description="Upper edge, in pixels from the top.")
    right: int = Field(
        default=512,
        ge=0,
        description="Right edge, in pixels from the left; not part of the result.",
    )
    bottom: int = Field(
        default=512, ge=0, description="Lower edge, in pixels from the top; not part of the result."
    )
    aspect: str = Field(default="1:1", description="Width to height, as `16:9` or `1.5`.")
    width: int = Field(default=512, ge=1, le=MAX_SIDE, description="Width, in pixels.")
    height: int = Field(default=512, ge=1, le=MAX_SIDE, description="Height, in pixels.")
    anchor: Anchor = Field(
        default="center", description="What stays when it is cropped to an aspect ratio or a size."
    )
    box: list[int] = Field(default=[0, 0, 64, 64], max_length=4, description=f"{BOX}.")

    def process(self, context: Context) -> Annotated[ImageRef, "The rectangle."]:
        image = context.image(self.image)
        box = self._box(image.size)
        check_box(box, image.size)
        return context.image_from_pil(image.crop(box))

    def _box(self, size: Size) -> Box:
        if self.by == "edges":
            return self.left, self.top, self.right, self.bottom
        if self.by == "box":
            return as_box(self.box)
        shape = (self.width, self.height)
        if self.by == "size" and (shape[0] > size[0] or shape[1] > size[1]):
            raise NodeError(
                f"The image has {size[0]} x {size[1]} pixels, so that {shape[0]} x {shape[1]} can't"
                " be cut out of it.",
                "Choose a smaller size; Pad makes an image larger, and Resize fills a size.",
            )
        if self.by == "aspect":
            ratio = aspect_ratio(self.aspect)
            width = min(size[0], max(1, round(size[1] * ratio)))
            shape = (width, min(size[1], max(1, round(size[0] / ratio))))
        left, top = anchored(size, shape, self.anchor)
        return left, top, left + shape[0], top + shape[1]


def as_box(edges: list[int]) -> Box:
    """Return four edges in a list. Raises NodeError for another number of them."""
    if len(edges) != 4:
        raise NodeError(
            f"A box has four edges, not {len(edges)}.", "Give left, top, right and bottom."
        )
    return edges[0], edges[1], edges[2], edges[3]


def check_box(box: Box, size: Size) -> None:
    """Raise NodeError for a rectangle that is empty or reaches out of an image."""
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        hint = "right has to be greater than left, and bottom greater than top."
        raise NodeError(f"The rectangle {box} (left, top, right, bottom) is empty.", hint)
    if left < 0 or top < 0 or right > size[0] or bottom > size[1]:
        message = (
            f"The rectangle {box} (left, top, right, bottom) reaches out of the image, which"
            f" has {size[0]} x {size[1]} pixels."
        )
        raise NodeError(message, f"right can be at most {size[0]}, bottom at most {size[1]}.")


class Cropped(NamedTuple):
    output: Annotated[ImageRef, "The part of the image around the mask."]
    part_mask: Annotated[ImageRef, "The same part of the mask, grey."]
    box: Annotated[list[int], f"Where the part lies, for PasteBack. {BOX}."]


class CropToMask(Node):
    """
    Cuts out the part of an image around the inside of a mask, with some of its surroundings. Work
    on it at a resolution of its own, and put it back with `PasteBack`.
    image, crop, mask, inpaint, region, detail

    Use cases:
    - Repaint a small face or hand at the full resolution of a model
    - Save time: only what changes goes through the model
    - Trim an image to its subject
    """

    synonyms = (
        "Crop by Mask",
        "Inpaint Crop",
        "Inpaint only masked",
        "Crop to Selection",
        "Detailer",
        "Trim",
        "Mask Crop Region",
        "Bounding Box",
        "Autocrop",
        "Crop to Content",
        "Trim Transparent Pixels",
        "Zealous Crop",
    )

    image: ImageRef = Field(description="Image to cut from.")
    mask: ImageRef = Field(description="Mask of the same size; white is inside.")
    margin: int = Field(
        default=32,
        ge=0,
        le=MAX_SIDE,
        description="How much of the surroundings is taken on each side, in pixels.",
    )
    min_width: int = Field(
        default=1, ge=1, le=MAX_SIDE, description="The least width of the part, in pixels."
    )
    min_height: int = Field(
        default=1, ge=1, le=MAX_SIDE, description="The least height of the part, in pixels."
    )
    aspect: str = Field(
        default="",
        description="Width to height of the part, as `1:1`; empty for that of the mask's inside.",
    )
    multiple_of: int = Field(
        default=8,
        ge=1,
        le=1024,
        description="Both sides become multiples of so many pixels, where the image has the room.",
    )
    threshold: int = Field(
        default=1, ge=1, le=255, description="The least tone of the mask that counts as inside."
    )

    def process(self, context: Context) -> Cropped:
        image, mask = context.image(self.image), context.image(self.mask, "L")
        check_same_size(image, mask, ("The image", "the mask"))
        inside = mask.point(lambda tone: 255 * (tone >= self.threshold)).getbbox()
        if inside is None:
            raise NodeError(
                f"The mask has no pixel of {self.threshold} or more: nothing is inside.",
                "Check the mask, or lower `threshold`.",
            )
        box = self._box(inside, image.size)
        return Cropped(
            context.image_from_pil(image.crop(box)),
            context.image_from_pil(mask.crop(box)),
            list(box),
        )

    def _box(self, inside: Box, size: Size) -> Box:
        left, top, right, bottom = inside
        width = max(right - left + 2 * self.margin, self.min_width)
        height = max(bottom - top + 2 * self.margin, self.min_height)
        if self.aspect.strip():
            ratio = aspect_ratio(self.aspect)
            width, height = max(width, round(height * ratio)), max(height, round(width / ratio))
        across = _span(left, right, width, size[0], self.multiple_of)
        down = _span(top, bottom, height, size[1], self.multiple_of)
        return across[0], down[0], across[1], down[1]


def _span(low: int, high: int, length: int, room: int, multiple: int) -> tuple[int, int]:
    """
    Return begin and end of a length around the middle of low and high, moved into the room.

    A multiple, the next one up where it fits; never more than there is.
    """
    length = -(-length // multiple) * multiple
    if length > room:
        length = max(room // multiple * multiple, min(high - low, room))
    begin = min(max(0, (low + high - length) // 2), room - length)
    return begin, begin + length


class PasteBack(Node):
    """
    Puts a part that was cut out and worked on back into its image: at its place, in its size, with
    a soft edge, and its colours matched to what is around it.
    image, paste, mask, inpaint, stitch, feather, color match

    Use cases:
    - Finish what `CropToMask` began
    - Hide the seam of a repainted part
    """

    synonyms = (
        "Inpaint Stitch",
        "Uncrop",
        "Paste by Mask",
        "Image Crop Stitch",
        "Composite Masked",
        "Seamless Paste",
    )

    image: ImageRef = Field(description="Image to put the part into; its size is kept.")
    patch: ImageRef = Field(description="The part, in any size: it is brought to that of the box.")
    box: list[int] = Field(
        max_length=4, description=f"Where it goes, as `CropToMask` gives it. {BOX}."
    )
    mask: ImageRef | None = Field(
        default=None,
        description=(
            "What of the part is shown: white. As large as the image, or as the box, or in its"
            " shape; without one, all of it."
        ),
    )
    feather: float = Field(
        default=8.0,
        ge=0.0,
        le=512.0,
        description=(
            "How soft the edge is, in pixels: standard deviation of the blur of the mask; without"
            " a mask, the width of the seam inside of the box, except along the image's edge."
        ),
    )
    match: Literal["none", "mean", "mean_and_contrast"] = Field(
        default="none",
        description=(
            "What of the part's colours is brought to those of the image (in Oklab): their mean, or"
            " their spread as well. Measured in the box where the mask is black; without such"
            " pixels, over the whole box."
        ),
    )
    strength: float = Field(
        default=1.0, ge=0.0, le=1.0, description="How far colours are matched; 0 leaves them."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image with the part in it."]:
        image = opened(context, self.image)
        box = as_box(self.box)
        check_box(box, image.size)
        size = (box[2] - box[0], box[3] - box[1])
        whole, patch = alike(image, resized(opened(context, self.patch), size))
        mask = self._mask(context, image.size, box, size)
        below = with_profile(whole.crop(box), whole)
        if self.match != "none":
            patch = self._matched(patch, below, mask, context)
        cover = (
            self._cover(image.size, box, size) if mask is None else _softened(mask, self.feather)
        )
        result = whole.copy()
        if "A" in whole.mode:
            blend_onto(result, patch, box[:2], "normal", 1.0, cover, context)
        else:
            result.paste(patch, box[:2], cover)
        return context.image_from_pil(with_profile(result, whole))

    def _mask(self, context: Context, whole: Size, box: Box, size: Size) -> Image.Image | None:
        """Return the mask over the box, in its size."""
        if self.mask is None:
            return None
        mask = context.image(self.mask, "L")
        return resized(mask.crop(box) if mask.size == whole else mask, size)

    def _matched(
        self, patch: Image.Image, below: Image.Image, mask: Image.Image | None, context: Context
    ) -> Image.Image:
        around = None if mask is None else mask.point(lambda tone: 255 * (tone == 0))
        around = around if around is not None and around.getbbox() else None
        (own, alpha), (wanted, _) = colours(patch), colours(below)
        change = matched(
            own,
            sampled(own, around),
            sampled(wanted, around),
            "reinhard" if self.match == "mean_and_contrast" else "mean",
            self.strength,
            context,
        )
        return with_alpha(change, alpha)

    def _cover(self, whole: Size, box: Box, size: Size) -> Image.Image:
        """Return a mask over the box that fades towards its edges, except along the image's."""
        import numpy as np
        from PIL import Image as Pillow

        width = max(self.feather, 1e-6)
        ramps = []
        for low, high, end, length in (
            (box[0], box[2], whole[0], size[0]),
            (box[1], box[3], whole[1], size[1]),
        ):
            place = np.arange(length) + 0.5
            before = np.inf if low == 0 else place
            behind = np.inf if high == end else length - place
            nearest = np.broadcast_to(np.minimum(before, behind), length)
            ramps.append(np.clip(nearest / width, 0.0, 1.0))
        return Pillow.fromarray(np.rint(ramps[1][:, None] * ramps[0] * 255).astype(np.uint8))


def _softened(mask: Image.Image, deviation: float) -> Image.Image:
    from PIL import ImageFilter

    return mask.filter(ImageFilter.GaussianBlur(deviation)) if deviation else mask
