"""Images side by side: contact sheets, and images cut into tiles."""

from nodes.lib.grid._sheet import CombineImageGrid, SliceImageGrid, labels_identity
from nodes.lib.grid._tiles import MergeTiles, SplitTiles, Tiles

__all__ = [
    "CombineImageGrid",
    "MergeTiles",
    "SliceImageGrid",
    "SplitTiles",
    "Tiles",
    "labels_identity",
]
