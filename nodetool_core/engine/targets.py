"""What a run is for: the nodes whose results are wanted, and those that they need."""

from __future__ import annotations

from collections.abc import Sequence

from nodetool_core.errors import Problem, WorkflowError, near_miss
from nodetool_core.graph import Graph
from nodetool_core.node_base import Role

_WANTED = frozenset({Role.OUTPUT, Role.SINK})


def find_targets(graph: Graph, outputs: Sequence[str] | None) -> list[int]:
    """
    Return the positions of the nodes that a run is for.

    Args:
        outputs: Names of outputs or ids of nodes; None for all outputs and sinks (or, where there
            are none, all ends).

    Raises WorkflowError for an unknown output.
    """
    if outputs is None:
        wanted = [
            index for index, node in enumerate(graph.nodes) if node.node_class.role in _WANTED
        ]
        if wanted:
            return wanted
        sources = {edge.source for node in graph.nodes for edge in node.inputs}
        return [
            index
            for index, node in enumerate(graph.nodes)
            if index not in sources and node.role is not Role.COMMENT
        ]
    by_name = {
        node.id: index for index, node in enumerate(graph.nodes) if node.role is not Role.COMMENT
    }
    by_name |= {
        node.name: index for index, node in enumerate(graph.nodes) if node.role is Role.OUTPUT
    }
    unknown = [name for name in outputs if name not in by_name]
    if unknown:
        raise WorkflowError(
            [
                Problem(
                    "unknown_output",
                    name,
                    f"There is no output or node {name!r}.",
                    near_miss(name, by_name) or _outputs_of(graph),
                )
                for name in unknown
            ]
        )
    return list(dict.fromkeys(by_name[name] for name in outputs))


def _outputs_of(graph: Graph) -> str:
    """Return the hint that lists the outputs of a workflow."""
    names = [node.name for node in graph.nodes if node.role is Role.OUTPUT]
    return f"Its outputs are {', '.join(names)}." if names else "Name a node: it has no output."


def needed_nodes(graph: Graph, targets: Sequence[int], *, with_ends: bool) -> bytearray:
    """
    Return which nodes the targets need, by position.

    Sources stand before what they feed, so one pass from the end finds them all.

    Args:
        with_ends: Whether nodes that end rounds are needed in any case.
    """
    nodes = graph.nodes
    needed = bytearray(len(nodes))
    for target in targets:
        needed[target] = 1
    if with_ends:
        for position, node in enumerate(nodes):
            needed[position] |= node.node_class.carries
    for position in range(len(nodes) - 1, -1, -1):
        if needed[position]:
            for edge in nodes[position].inputs:
                needed[edge.source] = 1
    return needed
