"""
Which of two independent loops is the outer one.

The graph itself has to determine it: neither ids nor the order of nodes or edges in a file may mean
anything. So the nodes are walked from the outputs, by name, through their inputs, in the order in
which the classes declare them, what a node needs before the node; the loop that comes first is the
outer one. A loop inside another always comes after it.
"""

from __future__ import annotations

from nodetool_core.graph import Edge, Graph, GraphNode
from nodetool_core.node_base import Role


def loop_order(graph: Graph) -> dict[int, int]:
    """Return the place in the order of loops of each node that streams, by position."""
    streams = [
        position for position, node in enumerate(graph.nodes) if node.node_class.spec.streams
    ]
    if len(streams) < 2:
        return dict.fromkeys(streams, 0)
    order: dict[int, int] = {}
    seen = bytearray(len(graph.nodes))
    pending = [(position, False) for position in reversed(_ends(graph))]
    while pending:
        position, needs_are_done = pending.pop()
        if needs_are_done:
            order[position] = len(order)
        elif not seen[position]:
            seen[position] = 1
            if graph.nodes[position].spec.streams:
                pending.append((position, True))
            pending.extend(
                (edge.source, False) for edge in reversed(as_declared(graph.nodes[position]))
            )
    return order


def _ends(graph: Graph) -> list[int]:
    """Nodes that nothing depends on: outputs by name, then the others."""
    sources = {edge.source for node in graph.nodes for edge in node.inputs}
    ends = [position for position in range(len(graph.nodes)) if position not in sources]
    return sorted(
        ends,
        key=lambda position: (
            graph.nodes[position].role is not Role.OUTPUT,
            graph.nodes[position].name,
        ),
    )


def as_declared(node: GraphNode) -> list[Edge]:
    """
    Return a node's edges in the order of its properties.

    Those of undeclared ones after them, by name.
    """
    if len(node.inputs) < 2:
        return node.inputs
    place = {name: number for number, name in enumerate(node.spec.properties)}
    return sorted(
        node.inputs, key=lambda edge: (place.get(edge.property, len(place)), edge.property)
    )
