"""
The graph: nodes with their values, and the edges between them.

What a document means, given the nodes there are: `validation.build_graph` makes it, and what it
makes can be compiled and run without further questions about names and types. The order is Kahn's,
so nothing recurses and a chain of 100,000 nodes is no special case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from nodetool_core.declaration import NodeSpec
from nodetool_core.errors import Problem
from nodetool_core.node_base import Node, Role
from nodetool_core.properties import Property
from nodetool_core.references import AssetRef


@dataclass(slots=True)
class GraphNode:
    """One node: its class, its validated values, and where its connected inputs come from."""

    id: str
    node_class: type[Node]
    values: dict[str, Any]
    """Values of unconnected properties, defaults included."""
    dynamic: dict[str, Any] = field(default_factory=dict)
    inputs: list[Edge] = field(default_factory=list)
    index: int = 0
    """Its place in the document."""

    @property
    def spec(self) -> NodeSpec:
        return self.node_class.spec

    @property
    def role(self) -> Role:
        return self.node_class.role

    @property
    def place(self) -> str:
        """Its place, as problems name it."""
        return f"nodes[{self.index}]"

    @property
    def name(self) -> str:
        """The name of a workflow input or output; the id where it was given none."""
        return str(self.values.get("name") or self.id)


@dataclass(frozen=True, slots=True)
class Port:
    """How an edge connects, whatever the nodes at its ends: one object for all that do alike."""

    output: int
    """Position of the output among the source's outputs."""
    property: str
    is_dynamic: bool
    checked: bool
    """False where the types leave the question to run time."""
    wiring: str = field(init=False, repr=False, compare=False)
    """The port as a cache key has it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "wiring", f"{self.property!r}.{self.output} ")


@dataclass(slots=True)
class Edge:
    """An edge into the node that holds it. Not to be changed."""

    source: int
    """Position of the source node in `Graph.nodes`."""
    port: Port

    @property
    def output(self) -> int:
        return self.port.output

    @property
    def is_dynamic(self) -> bool:
        return self.port.is_dynamic

    @property
    def property(self) -> str:
        # The last one: from here on the decorator's name is this.
        return self.port.property


class GraphIndex:
    """Where the nodes of a graph are: found once for it, and for all that differ in values."""

    def __init__(self, nodes: Sequence[GraphNode]) -> None:
        self.positions = {node.id: position for position, node in enumerate(nodes)}
        """Of each node, by its id."""
        self.inputs = [
            position for position, node in enumerate(nodes) if node.node_class.role is Role.INPUT
        ]
        """Positions of the workflow's inputs."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Graph:
    """A valid workflow: nodes in topological order."""

    nodes: list[GraphNode]
    notes: tuple[Problem, ...] = ()
    """What is worth knowing though it is no error, such as renamed types that were mapped."""
    origin: Graph | None = field(default=None, repr=False)
    """The graph that this one is but for values of some nodes, whose plan it can have."""
    changed: frozenset[int] = frozenset()
    """Positions of the nodes whose values are not the origin's."""
    _index: GraphIndex | None = field(default=None, repr=False)

    @property
    def index(self) -> GraphIndex:
        """Where its nodes are."""
        if self._index is None:
            self._index = self.origin.index if self.origin is not None else GraphIndex(self.nodes)
        return self._index

    def __reduce__(self) -> tuple[Any, ...]:
        return Graph, (self.nodes, self.notes)

    def of_role(self, *roles: Role) -> list[GraphNode]:
        return [node for node in self.nodes if node.role in roles]

    def inputs(self) -> dict[str, GraphNode]:
        """Return the workflow's inputs by name."""
        return {self.nodes[position].name: self.nodes[position] for position in self.index.inputs}

    def outputs(self) -> dict[str, GraphNode]:
        """Return the workflow's outputs by name."""
        return {node.name: node for node in self.of_role(Role.OUTPUT)}


def in_order(edges: list[Edge]) -> list[Edge]:
    """Return the edges of a node in the order in which it takes them: by property."""
    before = ""
    for edge in edges:
        # Mostly they come in order.
        if edge.port.property < before:
            return sorted(edges, key=attrgetter("port.property"))
        before = edge.port.property
    return edges


def is_missing_asset(prop: Property, value: object) -> bool:
    """Return whether an unconnected property that needs an asset holds an empty reference."""
    return isinstance(value, AssetRef) and value.is_empty() and isinstance(prop.annotation, type)


def in_topological_order(nodes: list[GraphNode]) -> list[GraphNode] | None:
    """
    Return the nodes in topological order (Kahn), with edges pointing at the new positions.

    None where there is a cycle; the edges stay as they are.
    """
    order = _kahn(nodes)
    if len(order) < len(nodes):
        return None
    moved = [0] * len(order)
    for position, index in enumerate(order):
        moved[index] = position
    for node in nodes:
        for edge in node.inputs:
            edge.source = moved[edge.source]
    return [nodes[index] for index in order]


def cycles(nodes: Sequence[GraphNode]) -> list[list[str]]:
    """Return a cycle of each part of a graph that has one, as the ids along it."""
    import networkx

    stuck = set(range(len(nodes))) - set(_kahn(nodes))
    graph: networkx.DiGraph[int] = networkx.DiGraph(
        (edge.source, index)
        for index in stuck
        for edge in nodes[index].inputs
        if edge.source in stuck
    )
    found = []
    for component in networkx.strongly_connected_components(graph):
        inner = graph.subgraph(component)
        if len(component) > 1 or any(inner.has_edge(index, index) for index in component):
            cycle = [source for source, _ in networkx.find_cycle(inner)]
            first = cycle.index(min(cycle))
            found.append([nodes[source].id for source in cycle[first:] + cycle[:first]])
    return found


def _kahn(nodes: Sequence[GraphNode]) -> list[int]:
    """Return positions in topological order, without those that a cycle holds back."""
    in_degree = [len({edge.source for edge in node.inputs}) for node in nodes]
    consumers: list[list[int]] = [[] for _ in nodes]
    for index, node in enumerate(nodes):
        for source in {edge.source for edge in node.inputs}:
            consumers[source].append(index)
    order = [index for index, count in enumerate(in_degree) if count == 0]
    for index in order:
        for consumer in consumers[index]:
            in_degree[consumer] -= 1
            if in_degree[consumer] == 0:
                order.append(consumer)
    return order
