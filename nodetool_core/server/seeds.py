"""
Fixed seeds of a workflow: what counts up where several images of one request are to differ.

A seed of -1 is drawn for each run anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nodetool_core.engine.seeds import RANDOM
from nodetool_core.graph import Graph
from nodetool_core.node_base import Role

_SEEDS: Final = 2**64
"""How many there are; after the last comes 0."""


def fixed_seeds(graph: Graph) -> dict[str, dict[str, int]]:
    """
    Return the fixed seeds by node and property.

    They are those of nodes, and values of inputs that lead to one.
    """
    found: dict[str, dict[str, int]] = {}
    nodes = {node.id: node for node in graph.nodes}
    for node_id, name in seed_places(graph):
        value = nodes[node_id].values.get(name)
        if isinstance(value, int) and value != RANDOM:
            found.setdefault(node_id, {})[name] = value
    return found


def seed_places(graph: Graph) -> list[tuple[str, str]]:
    """Return node and property of every seed that nothing but an input leads to."""
    places = [
        (node.id, prop.name)
        for node in graph.nodes
        for prop in node.spec.properties.values()
        if prop.seed and not any(edge.property == prop.name for edge in node.inputs)
    ]
    for node in graph.nodes:
        for edge in node.inputs:
            prop, source = node.spec.properties.get(edge.property), graph.nodes[edge.source]
            if prop is not None and prop.seed and source.role is Role.INPUT:
                places.append((source.id, "value"))
    return list(dict.fromkeys(places))


def counted_up(graph: Graph, values: Mapping[str, object], number: int) -> dict[str, object]:
    """
    Return values by which image `number` of a request, from 0 on, differs from the others.

    Args:
        values: Those of the request, by the names that `inputs.apply` takes.
    """
    found = dict(values)
    nodes = {node.id: node for node in graph.nodes}
    for node_id, name in seed_places(graph):
        node = nodes[node_id]
        given = node.name if node.role is Role.INPUT else f"{node_id}.{name}"
        seed = values.get(given, node.values.get(name))
        if number and isinstance(seed, int) and seed != RANDOM:
            found[given] = (seed + number) % _SEEDS
    return found
