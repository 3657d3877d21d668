"""Each page of an image node says whether tones count as stored or as linear light."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from nodetool_core import ImageData, Node
from tests.nodes.conftest import NodeRunner
from tests.nodes.test_every_node import NODES, images_in, name_of, values

SAYS = ("linear light", "mixed as light", "as light", "light is mixed", "Oklab")

MOVES = {
    "lib.grid.SliceImageGrid",
    "lib.grid.SplitTiles",
    "lib.pillow.MergeChannels",
    "lib.pillow.enhance.RankFilter",
    "lib.pillow.filter.Expand",
    "lib.pillow.filter.GetChannel",
    "lib.pillow.mask.ApplyMask",
    "lib.pillow.mask.FromAlpha",
    "nodetool.image.BatchToList",
    "nodetool.image.Crop",
    "nodetool.image.CropToMask",
    "nodetool.image.Flip",
    "nodetool.image.ImagesToList",
    "nodetool.image.Offset",
}
"""Nodes that put tones elsewhere and compute none, so that there is nothing to say."""
FILES_AND_FLAT = {
    "lib.pillow.draw.Background",
    "lib.pillow.draw.Checkerboard",
    "lib.pillow.draw.QRCode",
    "lib.pillow.mask.PadForOutpainting",
    "nodetool.image.GetMetadata",
    "nodetool.image.LoadFrames",
    "nodetool.image.LoadImageFile",
    "nodetool.image.LoadImageFolder",
    "nodetool.image.SaveAnimation",
    "nodetool.image.SaveImageFile",
    "nodetool.image.SavePDF",
}
"""Nodes that read and write files, or fill areas with the colours that they are given."""
SHARES = {
    "lib.pillow.mask.CombineMasks",
    "lib.pillow.mask.FadeToSides",
    "lib.pillow.mask.Feather",
    "lib.pillow.mask.Grow",
    "lib.pillow.mask.InvertMask",
    "lib.pillow.mask.MakeMask",
    "lib.pillow.mask.RefineMask",
}
"""Nodes of masks alone, which are shares and no light."""

IMAGE_NODES = [
    node for node in NODES if node.spec.node_type.startswith(("lib.", "nodetool.image."))
]


@pytest.mark.parametrize("node", IMAGE_NODES, ids=name_of)
def test_a_page_says_how_tones_count(node: type[Node], run_node: NodeRunner) -> None:
    spec = node.spec
    if spec.node_type in MOVES:
        tones = sorted({16, 90, 200})
        image = Image.new("RGB", (12, 6))
        image.putdata([(tone, tone, tone) for tone in tones for _ in range(24)])
        for made in images_in(run_node(node(**values(node, ImageData.of(image))))):
            found: Any = made.convert("L").getcolors()
            # Room around an image and an opaque alpha are white or black.
            assert {tone for _, tone in found} <= {0, 255, *tones}
    elif spec.node_type not in FILES_AND_FLAT | SHARES:
        said = " ".join(
            [spec.description, *(prop.description for prop in spec.properties.values())]
        )
        assert any(words in said for words in SAYS), spec.node_type


def test_the_lists_name_nodes_that_are_there() -> None:
    there = {node.spec.node_type for node in IMAGE_NODES}
    assert there >= MOVES | FILES_AND_FLAT | SHARES
