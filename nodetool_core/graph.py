"""
The validated graph: what a document means, given the nodes there are.

`build` checks a document against a registry and collects every problem, each with its place, code and near miss; what
it returns can be compiled and run without further questions about names and types. One pass over nodes and edges; the
order is Kahn's, so nothing recurses and a chain of 100,000 nodes is no special case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nodetool_core.collection import collection_paused
from nodetool_core.declaration import NodeSpec, Property
from nodetool_core.errors import Problem, WorkflowError, near_miss
from nodetool_core.node import Node, Role
from nodetool_core.references import AssetRef
from nodetool_core.types import is_assignable, is_open, type_name
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.registry import Registry


@dataclass(slots=True)
class GraphNode:
    """One node: its class, its validated values, and where its connected inputs come from."""

    id: str
    node_class: type[Node]
    values: dict[str, Any]
    """Values of unconnected properties, defaults included."""
    dynamic: dict[str, Any] = field(default_factory=dict)
    inputs: list[Edge] = field(default_factory=list)
    place: str = ""

    @property
    def spec(self) -> NodeSpec:
        return self.node_class.spec

    @property
    def role(self) -> Role:
        return self.node_class.role

    @property
    def name(self) -> str:
        """The name of a workflow input or output; the id where it was given none."""
        return str(self.values.get("name") or self.id)


@dataclass(slots=True, frozen=True)
class Edge:
    """An edge into the node that holds it. `checked` is False where the types leave the question to run time."""

    source: int
    """Position of the source node in `Graph.nodes`."""
    output: int
    """Position of the output among the source's outputs."""
    property: str
    is_dynamic: bool = False
    checked: bool = True


@dataclass(slots=True)
class Graph:
    """A valid workflow: nodes in topological order."""

    nodes: list[GraphNode]
    notes: tuple[Problem, ...] = ()
    """What is worth knowing though it is no error, such as renamed types that were mapped."""
    plans: dict[tuple[str, ...] | None, Any] = field(default_factory=dict, compare=False, repr=False)
    """Plans that the engine has made of the graph, by the outputs they are for."""

    def of_role(self, *roles: Role) -> list[GraphNode]:
        return [node for node in self.nodes if node.role in roles]

    def inputs(self) -> dict[str, GraphNode]:
        """The workflow's inputs by name."""
        return {node.name: node for node in self.of_role(Role.INPUT)}

    def outputs(self) -> dict[str, GraphNode]:
        """The workflow's outputs by name."""
        return {node.name: node for node in self.of_role(Role.OUTPUT)}


def build(document: WorkflowDocument, registry: Registry) -> Graph:
    """Check a document and give its graph. Raises WorkflowError with all problems at once."""
    reader = _Reader(document, registry)
    with collection_paused():
        graph = reader.read()
    if reader.problems:
        raise WorkflowError(reader.problems)
    return graph


class _Reader:
    """One reading of one document."""

    def __init__(self, document: WorkflowDocument, registry: Registry) -> None:
        self.document = document
        self.registry = registry
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self.nodes: list[GraphNode] = []
        self.position: dict[str, int] = {}
        self.broken: set[str] = set()
        self.connected: set[tuple[str, str]] = set()
        """Properties that have an edge, by node id."""

    def read(self) -> Graph:
        for index, record in enumerate(self.document.graph.nodes):
            self._read_node(index, record.id, record.type, record.data | record.dynamic_properties)
        for index, edge in enumerate(self.document.graph.edges):
            self._read_edge(f"edges[{index}]", edge.source, edge.sourceHandle, edge.target, edge.targetHandle)
        for node in self.nodes:
            self._check_inputs(node)
        self._check_names()
        return Graph(self._in_order(), tuple(self.notes))

    def _problem(self, code: str, where: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(code, where, message, hint))

    def _read_node(self, index: int, node_id: str, node_type: str, data: Mapping[str, Any]) -> None:
        place = f"nodes[{index}]"
        if node_id in self.position or node_id in self.broken:
            self._problem("duplicate_id", f"{place}.id", f"{node_id!r} is the id of another node as well.")
            return
        alias = self.registry.alias(node_type)
        node_class = self.registry.get(alias.type if alias else node_type)
        if node_class is None:
            self.broken.add(node_id)
            self._problem("unknown_type", f"{place}.type", f"There is no node type {node_type!r}.", self.registry.suggest(node_type))
            return
        if alias is not None:
            data = {**alias.values, **self._renamed(place, node_type, alias, data)}
        spec = node_class.spec
        values = {name: prop.default for name, prop in spec.properties.items() if not prop.required}
        dynamic: dict[str, Any] = {}
        for name, value in data.items():
            prop = spec.properties.get(name)
            if prop is not None:
                values[name], found = prop.validate(value, f"{place}.data.{name}")
                if found:
                    self.problems.extend(found)
            elif node_class.dynamic:
                dynamic[name] = value
            else:
                self._problem(
                    "unknown_property", f"{place}.data.{name}", f"{spec.title} has no property {name!r}.", _known(name, spec.properties)
                )
        self.position[node_id] = len(self.nodes)
        self.nodes.append(GraphNode(node_id, node_class, values, dynamic, [], place))

    def _renamed(self, place: str, node_type: str, alias: Any, data: Mapping[str, Any]) -> dict[str, Any]:
        renamed = {}
        self.notes.append(Problem("mapped_type", f"{place}.type", f"{node_type} is read as {alias.type}.", level="note"))
        for name, value in data.items():
            target = alias.properties.get(name, name)
            if target is None:
                message = f"{name} of {node_type} has no counterpart and is left out."
                self.notes.append(Problem("left_out_property", f"{place}.data.{name}", message, level="note"))
                continue
            if target != name:
                self.notes.append(Problem("mapped_property", f"{place}.data.{name}", f"{name} is read as {target}.", level="note"))
            renamed[target] = value
        return renamed

    def _read_edge(self, place: str, source_id: str, source_handle: str, target_id: str, target_handle: str) -> None:
        ends = [self._end(f"{place}.{end}", node_id) for end, node_id in (("source", source_id), ("target", target_id))]
        source, target = ends
        if source is None or target is None:
            return
        source_handle = self._alias_handle(source_id, source_handle, "outputs")
        target_handle = self._alias_handle(target_id, target_handle, "properties")
        outputs = list(source.spec.outputs)
        prop = target.spec.properties.get(target_handle)
        if source_handle not in outputs:
            hint = _known(source_handle, outputs)
            self._problem("unknown_handle", f"{place}.sourceHandle", f"{source.spec.title} has no output {source_handle!r}.", hint)
        if prop is None and not target.node_class.dynamic:
            hint = _known(target_handle, target.spec.properties)
            self._problem("unknown_handle", f"{place}.targetHandle", f"{target.spec.title} has no property {target_handle!r}.", hint)
        if source_handle not in outputs or (prop is None and not target.node_class.dynamic):
            return
        if (target_id, target_handle) in self.connected:
            self._problem("duplicate_edge", place, f"{target_id}.{target_handle} already has an edge; a property takes one.")
            return
        annotation = source.spec.outputs[source_handle].annotation
        wanted = Any if prop is None else prop.annotation
        if not is_assignable(annotation, wanted):
            message = f"{source_id}.{source_handle} is {type_name(annotation)}, but {target_id}.{target_handle} takes {type_name(wanted)}."
            self._problem("type_mismatch", place, message)
            return
        checked = prop is None or wanted is Any or not (is_open(annotation) or prop.is_bounded)
        self.connected.add((target_id, target_handle))
        target.inputs.append(Edge(self.position[source_id], outputs.index(source_handle), target_handle, prop is None, checked))
        (target.dynamic if prop is None else target.values).pop(target_handle, None)

    def _alias_handle(self, node_id: str, handle: str, side: str) -> str:
        node_type = self._types.get(node_id, "")
        alias = self.registry.alias(node_type)
        return handle if alias is None else (getattr(alias, side).get(handle, handle) or handle)

    @property
    def _types(self) -> dict[str, str]:
        if not hasattr(self, "_types_by_id"):
            self._types_by_id = {record.id: record.type for record in self.document.graph.nodes}
        return self._types_by_id

    def _end(self, place: str, node_id: str) -> GraphNode | None:
        if node_id in self.position:
            node = self.nodes[self.position[node_id]]
            if node.role is not Role.COMMENT:
                return node
            self._problem("unknown_handle", place, f"{node_id!r} is a comment; it has no inputs or outputs.")
        elif node_id not in self.broken:
            self._problem("unknown_node", place, f"There is no node {node_id!r}.", near_miss(node_id, self.position))
        return None

    def _check_inputs(self, node: GraphNode) -> None:
        if node.role in (Role.INPUT, Role.COMMENT):
            return
        connected = {edge.property for edge in node.inputs}
        for name, prop in node.spec.properties.items():
            if name in connected:
                continue
            if name not in node.values or is_missing_asset(prop, node.values[name]):
                message = f"{node.spec.title} needs {name} ({type_name(prop.annotation)})."
                self._problem("missing_input", f"{node.place}.data.{name}", message, "Give a value, or connect an output to it.")

    def _check_names(self) -> None:
        for role in (Role.INPUT, Role.OUTPUT):
            seen: dict[str, GraphNode] = {}
            for node in self.nodes:
                if node.role is role and seen.setdefault(node.name, node) is not node:
                    message = f"{node.name!r} is the name of another {role.value} as well."
                    self._problem("duplicate_name", f"{node.place}.data.name", message)

    def _in_order(self) -> list[GraphNode]:
        """The nodes in topological order (Kahn), with edges pointing at the new positions; a cycle is a problem."""
        remaining = [len({edge.source for edge in node.inputs}) for node in self.nodes]
        consumers: list[list[int]] = [[] for _ in self.nodes]
        for index, node in enumerate(self.nodes):
            for source in {edge.source for edge in node.inputs}:
                consumers[source].append(index)
        order = [index for index, count in enumerate(remaining) if count == 0]
        for index in order:
            for consumer in consumers[index]:
                remaining[consumer] -= 1
                if remaining[consumer] == 0:
                    order.append(consumer)
        if len(order) < len(self.nodes):
            self._report_cycle(set(range(len(self.nodes))) - set(order))
            return self.nodes
        moved = [0] * len(order)
        for position, index in enumerate(order):
            moved[index] = position
        for node in self.nodes:
            node.inputs = [Edge(moved[e.source], e.output, e.property, e.is_dynamic, e.checked) for e in node.inputs]
        return [self.nodes[index] for index in order]

    def _report_cycle(self, stuck: set[int]) -> None:
        import networkx

        graph: networkx.DiGraph[int] = networkx.DiGraph(
            (edge.source, index) for index in stuck for edge in self.nodes[index].inputs if edge.source in stuck
        )
        for component in networkx.strongly_connected_components(graph):
            inner = graph.subgraph(component)
            if len(component) > 1 or any(inner.has_edge(index, index) for index in component):
                circle = [source for source, _ in networkx.find_cycle(inner)]
                first = circle.index(min(circle))
                path = [self.nodes[source].id for source in circle[first:] + circle[:first]]
                shown = path if len(path) <= 12 else [*path[:6], "…", *path[-5:]]
                self._problem(
                    "cycle", "edges", f"The workflow runs in a circle: {' → '.join([*shown, path[0]])}.", "Remove one of these edges."
                )


def is_missing_asset(prop: Property, value: Any) -> bool:
    """Whether an unconnected property that needs an image (or another asset) holds an empty reference."""
    return isinstance(value, AssetRef) and value.is_empty() and isinstance(prop.annotation, type)


def _known(name: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    return near_miss(name, known) or (f"It has {', '.join(known)}." if known else "It has none.")
