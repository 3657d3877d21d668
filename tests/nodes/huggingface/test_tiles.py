"""Boxes that cover an image, and the image that tiles make."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nodes.huggingface.tiles import TileBlender, grid_tiles, overlapping_tiles, with_margin

sizes = st.tuples(st.integers(1, 90), st.integers(1, 90))


@settings(deadline=None, max_examples=80)
@given(size=sizes, side=st.integers(1, 40), overlap=st.integers(0, 30))
def test_tiles_cover_the_image_and_put_it_together_again(
    size: tuple[int, int], side: int, overlap: int
) -> None:
    image = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    )
    canvas = TileBlender(size, overlap)
    tile = (min(side, size[0]), min(side, size[1]))
    boxes = overlapping_tiles(size, tile, overlap)
    for box in boxes:
        assert (box[2] - box[0], box[3] - box[1]) == tile
        assert box[0] >= 0 and box[1] >= 0 and box[2] <= size[0] and box[3] <= size[1]
        canvas.add(box, image.crop(box))
    assert canvas.image().tobytes() == image.tobytes()


@settings(deadline=None, max_examples=80)
@given(length=st.integers(2, 300), side=st.integers(2, 80), share=st.floats(0, 0.75))
def test_neighbours_overlap_at_least_as_asked(length: int, side: int, share: float) -> None:
    overlap = int(side * share)
    boxes = overlapping_tiles((length, 1), (min(side, length), 1), overlap)
    assert boxes[0][0] == 0 and boxes[-1][2] == length
    assert all(after[0] <= before[2] - overlap for before, after in pairwise(boxes))


@given(size=sizes, side=st.integers(1, 40))
def test_cells_count_every_pixel_once(size: tuple[int, int], side: int) -> None:
    seen = np.zeros((size[1], size[0]), int)
    for left, upper, right, lower in grid_tiles(size, side):
        assert right - left <= side and lower - upper <= side
        seen[upper:lower, left:right] += 1
    assert (seen == 1).all()


def test_a_margin_stays_inside() -> None:
    assert with_margin((0, 4, 8, 12), 3, (9, 20)) == (0, 1, 9, 15)


def test_seams_are_ramps() -> None:
    canvas = TileBlender((30, 4), 10)
    canvas.add((0, 0, 20, 4), Image.new("RGB", (20, 4), "black"))
    canvas.add((10, 0, 30, 4), Image.new("RGB", (20, 4), "white"))
    row = np.asarray(canvas.image())[0, :, 0].astype(int)
    assert (row[:10] == 0).all() and (row[20:] == 255).all()
    assert (np.diff(row[9:21]) > 10).all(), "it rises steadily over the overlap"
