"""One image on another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from nodes._blending import BLEND_MODE, BlendMode, blend_onto
from nodes._geometry import Anchor, Size, anchored, resized
from nodes._pixels import colours, common_form, in_form, opened, with_profile
from nodetool_core import Context, Field, ImageRef, Node, NodeError

if TYPE_CHECKING:
    from PIL import Image


class Paste(Node):
    """
    Puts an image onto another one. Where the upper image is transparent, the lower one shows
    through; what reaches over the edge is cut off.
    image, paste, overlay, composite, watermark

    Use cases:
    - Put a logo or watermark onto an image
    - Put a part back that was worked on by itself
    - Lay a texture over a photo with a blend mode
    """

    synonyms = (
        "ImageCompositeMasked",
        "Image Overlay",
        "Layer",
        "Overlay Images",
        "Stack Images",
        "Alpha Composite",
        "Opacity",
        "Merge Layers",
        "Flatten Image",
        "Merge Down",
    )

    image: ImageRef = Field(description="Lower image; its size is kept.")
    paste: ImageRef = Field(description="Upper image.")
    left: int = Field(
        default=0,
        description=(
            "Where the left edge of the upper image goes, in pixels to the right of where the"
            " anchor puts it; may be below 0."
        ),
    )
    top: int = Field(
        default=0,
        description=(
            "Where the top edge of the upper image goes, in pixels below where the anchor puts it;"
            " may be below 0."
        ),
    )
    anchor: Anchor = Field(
        default="top_left", description="Side or corner of the lower image that it is put to."
    )
    opacity: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description="Opacity of the upper image: 0 shows nothing of it, 1 all.",
    )
    mask: ImageRef | None = Field(
        default=None,
        description=(
            "What of the upper image is shown: white; brought to its size. Without one, all of it."
        ),
    )
    blend_mode: BlendMode = Field(default="normal", description=BLEND_MODE)
    linear_light: bool = Field(
        default=False,
        description="Whether colours are mixed as light (by the curve of sRGB), not as tones.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "Both images in one."]:
        from PIL import ImageChops

        below, above = opened(context, self.image), opened(context, self.paste)
        left, top = anchored(below.size, above.size, self.anchor)
        left, top = left + self.left, top + self.top
        _check_meets(below.size, above.size, left, top)
        mask = None if self.mask is None else resized(context.image(self.mask, "L"), above.size)
        mode, profile = common_form([below, above])
        if below.has_transparency_data:
            whole, upper = (in_form(image, mode, profile) for image in (below, above))
            whole = whole.copy()
            self._onto(whole, upper, (left, top), mask, context)
        else:
            # On an opaque image, the alpha of the upper one is a mask like any other.
            whole = in_form(below, mode.removesuffix("A"), profile).copy()
            colour, alpha = colours(in_form(above, mode, profile))
            if alpha is not None and above.has_transparency_data:
                mask = alpha if mask is None else ImageChops.multiply(alpha, mask)
            self._onto(whole, colour, (left, top), mask, context)
        return context.image_from_pil(with_profile(whole, whole))

    def _onto(
        self,
        lower: Image.Image,
        upper: Image.Image,
        at: tuple[int, int],
        mask: Image.Image | None,
        context: Context,
    ) -> None:
        """Put the upper image onto the lower one, which is changed; both of one mode."""
        is_plain = self.blend_mode == "normal" and not self.linear_light
        if is_plain and not lower.mode.endswith("A"):
            lower.paste(upper, at, _share(mask, upper.size, self.opacity))
            return
        blend_onto(
            lower,
            upper,
            at,
            self.blend_mode,
            self.opacity,
            mask,
            context,
            linear_light=self.linear_light,
        )


def _share(mask: Image.Image | None, size: Size, opacity: float) -> Image.Image | None:
    """Return a mask (L) with an opacity in it; None where all is seen."""
    from PIL import Image as Pillow

    if opacity == 1.0:
        return mask
    if mask is None:
        return Pillow.new("L", size, round(255 * opacity))
    return mask.point(lambda tone: round(tone * opacity))


def _check_meets(below: Size, above: Size, left: int, top: int) -> None:
    """Raise NodeError where nothing of the upper image would lie on the lower one."""
    (width, height), (upper_width, upper_height) = below, above
    if -upper_width < left < width and -upper_height < top < height:
        return
    message = (
        f"The place ({left}, {top}) is outside of the image, which has {width} x {height} pixels."
    )
    hint = f"left can be {1 - upper_width} to {width - 1}, top {1 - upper_height} to {height - 1}."
    raise NodeError(message, hint)
