"""
Inpainting masks: grown, feathered, and the region around them.

White is inpainted. A mask grows by whole pixels and fades outward with a ramp of finite width, so
that pixels beyond it keep every bit. Both are box sums over one summed-area table: O(pixels) for
any radius.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nodetool_core import NodeError

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[int, int, int, int]
"""Left, upper, right and lower edge, in pixels; the last two are outside."""

_THRESHOLD = 128
"""Smallest grey value, 0…255, that counts as masked."""


@dataclass(frozen=True)
class Mask:
    """A mask prepared for a pipeline and for compositing its result."""

    paint: Image.Image
    """What the model repaints, mode L: white wherever its result shows."""
    opacity: Image.Image
    """Opacity of the new image over the old one, mode L."""

    @classmethod
    def of(cls, image: Image.Image, grow: int = 0, fade: int = 0) -> Mask:
        """
        Make a mask from an image of mode L.

        Args:
            grow: Pixels by which the masked part grows in each direction.
            fade: Pixels beyond that over which the new image fades into the old.

        Raises NodeError where the mask is empty.
        """
        import numpy as np
        from PIL import Image as Pillow

        painted = np.asarray(image) >= _THRESHOLD
        if not painted.any():
            hint = "White is what is painted anew; invert the mask if it is the other way round."
            raise NodeError(
                "The mask is black everywhere, so there is nothing to paint.",
                hint,
                code="empty_mask",
                where="mask_image",
            )
        ramp = fade // 2
        grown = box_sums(painted, grow + fade - ramp) > 0
        opacity = box_sums(grown, ramp) / box_sums(np.ones_like(grown), ramp)
        alpha = np.ceil(opacity * 255).astype(np.uint8)
        return cls(Pillow.fromarray((alpha > 0).astype(np.uint8) * 255), Pillow.fromarray(alpha))

    def with_part(self, tones: Image.Image) -> Mask:
        """Return a mask through which the result shows wherever tones are not black as well."""
        from PIL import ImageChops

        shown = tones.point(lambda tone: 255 * (tone > 0))
        return replace(self, opacity=ImageChops.lighter(self.opacity, shown))

    def region(self, padding: int) -> Box:
        """Return the bounding box of the masked part, padded and cut at the image's edges."""
        box = self.opacity.getbbox()
        assert box is not None
        left, upper, right, lower = box
        return (
            max(0, left - padding),
            max(0, upper - padding),
            min(self.paint.width, right + padding),
            min(self.paint.height, lower + padding),
        )

    def composite(self, image: Image.Image, new: Image.Image, box: Box) -> Image.Image:
        """
        Return `image` with `new` pasted into the box through the mask.

        Where the mask is transparent, every bit of `image` stays.
        """
        result = image.copy()
        result.paste(new, box, self.opacity.crop(box))
        return result


def box_sums(values: Any, radius: int) -> Any:
    """Return for each pixel the sum over the square of that radius, cut at the edges."""
    import numpy as np

    if radius == 0:
        return values.astype(np.int64)
    height, width = values.shape
    table = np.pad(values.astype(np.int64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    rows, columns = np.arange(height), np.arange(width)
    upper, lower = (
        np.maximum(rows - radius, 0)[:, None],
        np.minimum(rows + radius + 1, height)[:, None],
    )
    left, right = np.maximum(columns - radius, 0), np.minimum(columns + radius + 1, width)
    return table[lower, right] - table[upper, right] - table[lower, left] + table[upper, left]
