"""Image to image in tiles of the size that a model was made for, which overlap and are blended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nodes.huggingface.pipelines import Aligned, generate, map_aligned, resized
from nodes.huggingface.tiles import TileBlender, overlapping_tiles
from nodetool_core.models.diffusers.sizes import Size, native_size, side_multiple

if TYPE_CHECKING:
    from PIL import Image

    from nodes.huggingface.noise import Noise
    from nodetool_core import Context
    from nodetool_core.context import Lease

OVERLAP = 0.25
"""Overlap of neighbouring tiles, as a fraction of a tile's side, where nobody sets any."""


def generate_in_tiles(
    lease: Lease,
    wanted: Mapping[str, object],
    *,
    image: Image.Image,
    size: tuple[int, int],
    aligned_images: Mapping[str, Aligned],
    noise: Noise,
    context: Context,
    overlap: float = OVERLAP,
    progress_slice: tuple[int, int] = (0, 1),
) -> Image.Image:
    """
    Return an image of about a size that a pipeline made tile by tile; its sides are multiples.

    Args:
        image: Where it starts from, enlarged or reduced to the size.
        aligned_images: Images of the same area by property, which are cut along.
        noise: That of the first tile; the second has that of the next seed, and so on.
        overlap: Of neighbouring tiles, as a fraction of a tile's side.
        progress_slice: Which slice this is of how many, from 0.

    The rest is as for `generate`.
    """
    multiple = side_multiple(lease.pipeline)
    whole = Size(*(max(multiple, round(side / multiple) * multiple) for side in size))
    large = resized(image, whole)
    aligned = {
        name: map_aligned(other, lambda one: resized(one, whole))
        for name, other in aligned_images.items()
    }
    native = native_size(lease.pipeline) or whole
    tile = (min(native[0], whole[0]), min(native[1], whole[1]))
    pixels = round(min(tile) * overlap)
    boxes = overlapping_tiles(whole, tile, pixels)
    blender = TileBlender(whole, pixels)
    for index, box in enumerate(boxes):
        part = large.crop(box)
        output = generate(
            lease,
            wanted,
            noise=noise.of_tile(index),
            image=part,
            aligned_images={
                name: map_aligned(other, lambda one, box=box: one.crop(box))  # type: ignore[misc]
                for name, other in aligned.items()
            },
            progress_slice=(progress_slice[0] * len(boxes) + index, progress_slice[1] * len(boxes)),
            restore_size=True,
            context=context,
        )
        blender.add(box, resized(output.image, part.size))
    return blender.image()
