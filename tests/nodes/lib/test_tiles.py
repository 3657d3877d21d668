"""Tiles and grids: an image in pieces, and one of many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nodes.lib.grid import CombineImageGrid, MergeTiles, SplitTiles
from nodetool_core import ImageData, NodeError
from tests.assets.images import scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.nodetool.geometry import apart, array, image


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 70),
    tile=st.integers(2, 50),
    overlap=st.integers(0, 30),
)
def test_tiles_give_the_image_back(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, tile: int, overlap: int
) -> None:
    run = NodeRunner(tmp_path_factory.getbasetemp())
    overlap = min(overlap, tile - 1)
    source = scene(width, height)
    tiles = run(
        SplitTiles(
            image=ImageData.of(source), tile_width=tile, tile_height=tile + 3, overlap=overlap
        )
    )
    assert {part.image.size for part in tiles.output} == {(min(tile, width), min(tile + 3, height))}
    whole = run(MergeTiles(tiles=tiles.output, boxes=tiles.boxes)).image
    assert whole.size == source.size and apart(array(whole), array(source)) <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_neighbours_fade_into_each_other(mode: str, run_node: NodeRunner) -> None:
    tiles = run_node(
        SplitTiles(image=image(100, 40, mode), tile_width=60, tile_height=40, overlap=20)
    )
    assert tiles.boxes == [[0, 0, 60, 40], [40, 0, 100, 40]]
    shades = [ImageData.of(Image.new("L", (120, 80), tone).convert(mode)) for tone in (0, 200)]
    whole = array(run_node(MergeTiles(tiles=shades, boxes=tiles.boxes)))
    row = whole.reshape(80, 200, -1)[40, :, 0].astype(int)
    assert len(row) == 200, "tiles of twice the size give an image of twice the size"
    assert row[79] <= 3 and row[120] >= 197 and abs(row[100] - 100) <= 3
    assert (np.diff(row) >= 0).all()


def test_tiles_and_boxes_that_do_not_fit(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="2 tiles and 1 boxes"):
        run_node(MergeTiles(tiles=[image(), image()], boxes=[[0, 0, 40, 24]]))
    boxes = [[0, 0, 40, 24], [40, 0, 80, 24]]
    whole = run_node(MergeTiles(tiles=[image(), image(9, 9)], boxes=boxes)).image
    assert whole.size == (80, 24) and "9 x 9 pixels, its box 40 x 24" in run_node.warnings()[0]
    with pytest.raises(NodeError, match="overlap"):
        run_node(SplitTiles(image=image(), tile_width=10, tile_height=10, overlap=10))


def test_images_are_stitched(run_node: NodeRunner) -> None:
    two: list[Any] = [image(40, 24), image(20, 24 * 2)]
    sizes = {
        ("row", True): (50, 24),
        ("column", True): (40, 24 + 96),
        ("row", False): (60, 48),
        ("column", False): (40, 72),
        ("grid", True): (50, 24),
    }
    for (layout, match), size in sizes.items():
        sheet = run_node(CombineImageGrid(tiles=two, layout=layout, match=match))  # type: ignore[arg-type]
        assert sheet.image.size == size, layout
