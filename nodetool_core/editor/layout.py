"""Places for the nodes of a graph on the canvas."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Final

from nodetool_core.drawing.layout import Link, lay_out
from nodetool_core.editor.answers import Position

if TYPE_CHECKING:
    from nodetool_core.editor.schemas import LayoutRequest

GAP_X: Final = 80.0
GAP_Y: Final = 32.0


def positions(wanted: LayoutRequest) -> dict[str, Position]:
    """
    Return where each node goes, from left to right along the wires.

    Wires that run in a circle are left out of account.
    """
    by_id = {node.id: node for node in wanted.nodes}
    edges = [
        (edge.source, edge.target)
        for edge in wanted.edges
        if edge.source in by_id and edge.target in by_id and edge.source != edge.target
    ]
    before: dict[str, set[str]] = {name: set() for name in by_id}
    for source, target in edges:
        before[target].add(source)
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError:
        order, edges = list(by_id), []
    number = {name: place for place, name in enumerate(order)}
    heights = [by_id[name].height for name in order]
    links = [
        Link(number[source], by_id[source].height / 2, number[target], by_id[target].height / 2)
        for source, target in edges
    ]
    width = max((node.width for node in wanted.nodes), default=0.0)
    found = lay_out(heights, links, width=width, gap_x=GAP_X, gap_y=GAP_Y)
    return {
        name: Position(x=round(place.x), y=round(place.y))
        for name, place in zip(order, found.places, strict=True)
    }
