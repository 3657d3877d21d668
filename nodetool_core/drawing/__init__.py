"""Images of graphs and nodes: `graph_svg`, `node_svg`, and Mermaid text with `graph_mermaid`."""

from __future__ import annotations

from nodetool_core.drawing.mermaid import graph_mermaid
from nodetool_core.drawing.svg import graph_svg, node_svg

__all__ = ["graph_mermaid", "graph_svg", "node_svg"]
