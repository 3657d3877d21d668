"""
From a document to a graph: every name and value checked against the nodes there are.

`build_graph` collects every problem, each with its place, code and near miss. One pass over nodes
and edges.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nodetool_core.errors import NodetoolError, Problem, WorkflowError, near_miss
from nodetool_core.garbage_collection import collection_paused
from nodetool_core.graph import (
    Edge,
    Graph,
    GraphNode,
    Port,
    cycles,
    in_topological_order,
    is_missing_asset,
)
from nodetool_core.migrating import renamed
from nodetool_core.node_base import Node, Role
from nodetool_core.pack_versions import version_hint
from nodetool_core.properties import ANYTHING, Property
from nodetool_core.secrets import key_problem
from nodetool_core.specialized import SpecializedNode
from nodetool_core.types import exact_type, is_assignable, is_open, type_name
from nodetool_core.values import PLAIN_TYPES
from nodetool_core.workflow import EdgeRecord, WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.packs import Alias
    from nodetool_core.registry import Registry


def build_graph(document: WorkflowDocument, registry: Registry) -> Graph:
    """Check a document and give its graph. Raises WorkflowError with all problems at once."""
    reader = _Reader(document, registry)
    with collection_paused():
        graph = reader.read()
    if reader.problems:
        raise WorkflowError(reader.problems)
    return graph


_KEYLESS = PLAIN_TYPES - {str}
"""Types whose values can hold nothing secret."""

_COMPARISONS, _SUGGESTIONS = 20_000, 100
"""
Names that misspelled ones are compared with, and unknown types that have hints.

With thousands of mistakes, the first ones have to do.
"""


class _Type:
    """A type that a document names: what is the same for all its nodes."""

    def __init__(self, node_class: type[Node], alias: Alias | None) -> None:
        self.node_class = node_class
        self.alias = alias
        self.spec = node_class.spec
        properties = self.spec.properties
        self.defaults = {
            name: prop.default for name, prop in properties.items() if not prop.required
        }
        self.needed: list[tuple[str, Property, bool]] = []
        """
        Properties that have to be connected, or given a value that the default may not be.

        With each whether it may be an asset.
        """
        if node_class.role not in (Role.INPUT, Role.COMMENT):
            self.needed = [
                (name, prop, _may_be_asset(prop))
                for name, prop in properties.items()
                if prop.required or _may_be_asset(prop)
            ]
        self.takes_any_name = node_class.dynamic and alias is None
        self.is_general = issubclass(node_class, SpecializedNode) and node_class.dynamic

    def renamed_output(self, handle: str) -> str:
        """Return an output handle by its name of today."""
        return handle if self.alias is None else self.alias.outputs.get(handle, handle)

    def renamed_property(self, handle: str) -> str:
        """Return an input handle by its name of today; as it is where it has no counterpart."""
        return handle if self.alias is None else self.alias.properties.get(handle, handle) or handle

    def has_no_counterpart(self, handle: str) -> bool:
        """Return whether an input handle of another time leads nowhere today."""
        return self.alias is not None and self.alias.properties.get(handle, handle) is None


class _Reader:
    """One reading of one document."""

    def __init__(self, document: WorkflowDocument, registry: Registry) -> None:
        self.document = document
        self.registry = registry
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self.types: dict[str, _Type | None] = {}
        """What the document's types are, None for those there are not."""
        self.specialized: dict[type[Node], _Type] = {}
        """Those that follow from the constant values of nodes."""
        self.suggestions: dict[str, str] = {}
        """Hints for types there are not."""
        self.comparisons = 0
        self.nodes: list[GraphNode] = []
        self.type_of: list[_Type] = []
        """For each of the nodes."""
        self.position: dict[str, int] = {}
        self.broken: set[str] = set()
        self.ports: dict[tuple[_Type, str, _Type, str], Port] = {}
        """
        Pairs of an output and a property that may be connected, by types and names.

        Found once for all such edges.
        """
        self.has_second_edges = False
        """Whether some property has more than one edge."""
        self.is_in_order = True
        """Whether every edge so far leads from an earlier node to a later one."""

    def read(self) -> Graph:
        for index, record in enumerate(self.document.graph.nodes):
            data, dynamic = record.data, record.dynamic_properties
            self._read_node(index, record.id, record.type, data | dynamic if dynamic else data)
        for index, edge in enumerate(self.document.graph.edges):
            self._read_edge(index, edge)
        for node, of_type in zip(self.nodes, self.type_of, strict=True):
            self._check_inputs(node, of_type)
        if self.has_second_edges:
            self._report_second_edges()
        self._check_names()
        return Graph(self.nodes if self.is_in_order else self._in_order(), tuple(self.notes))

    def _problem(self, code: str, where: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(code, where, message, hint))

    def _near_miss(self, name: str, known: Collection[str]) -> str:
        """Return the hint for a misspelled name, as long as looking for one is cheap enough."""
        self.comparisons += len(known)
        return near_miss(name, known) if self.comparisons <= _COMPARISONS else ""

    def _known(self, name: str, known: Collection[str]) -> str:
        return self._near_miss(name, known) or (
            f"It has {', '.join(known)}." if known else "It has none."
        )

    def _suggestion(self, node_type: str) -> str:
        if node_type not in self.suggestions and len(self.suggestions) < _SUGGESTIONS:
            hint = version_hint(self.document.packs)
            self.suggestions[node_type] = hint or self.registry.suggest(node_type)
        return self.suggestions.get(node_type, "")

    def _read_node(
        self, index: int, node_id: str, node_type: str, data: Mapping[str, object]
    ) -> None:
        if node_id in self.position or node_id in self.broken:
            self._problem(
                "duplicate_id",
                f"nodes[{index}].id",
                f"{node_id!r} is the id of another node as well.",
            )
            return
        of_type = self._type(node_type)
        if of_type is None:
            self.broken.add(node_id)
            message = f"There is no node type {node_type!r}."
            hint = self._suggestion(node_type)
            self._problem("unknown_type", f"nodes[{index}].type", message, hint)
            return
        if of_type.alias is not None:
            today = renamed(f"nodes[{index}]", node_type, of_type.alias, data)
            self.notes.extend(today.notes)
            self.problems.extend(today.problems)
            data = {**of_type.alias.values, **today.values}
        if of_type.is_general:
            of_type = self._specialized(index, node_id, of_type, data)
            if of_type is None:
                return
        spec, values = of_type.spec, of_type.defaults.copy()
        dynamic: dict[str, Any] = {}
        for name, value in data.items():
            prop = spec.properties.get(name)
            if type(value) not in _KEYLESS and (
                leak := key_problem(value, f"nodes[{index}].data.{name}")
            ):
                self.problems.append(leak)
            elif prop is not None and type(value) is prop.exact:
                values[prop.name] = value
            elif prop is not None or of_type.node_class.dynamic:
                read, found = (prop or ANYTHING).validate(value, f"nodes[{index}].data.{name}")
                (dynamic if prop is None else values)[prop.name if prop is not None else name] = (
                    read
                )
                self.problems.extend(found)
            else:
                hint = version_hint(self.document.packs) or self._known(name, spec.properties)
                self._problem(
                    "unknown_property",
                    f"nodes[{index}].data.{name}",
                    f"{spec.title} has no property {name!r}.",
                    hint,
                )
        self.position[node_id] = len(self.nodes)
        self.nodes.append(GraphNode(node_id, of_type.node_class, values, dynamic, [], index))
        self.type_of.append(of_type)

    def _specialized(
        self, index: int, node_id: str, of_type: _Type, data: Mapping[str, object]
    ) -> _Type | None:
        """Return the type of a node for its constant values; None where they decide nothing."""
        general, where = of_type.node_class, f"nodes[{index}].data"
        assert issubclass(general, SpecializedNode)
        try:
            node_class = general.specialized(general.deciding(data, where))
        except NodetoolError as error:
            self.broken.add(node_id)
            self.problems += [
                problem
                if isinstance(error, WorkflowError)
                else replace(problem, where=where, message=f"{problem.where} {problem.message}")
                for problem in error.problems
            ]
            return None
        return self.specialized.setdefault(node_class, _Type(node_class, of_type.alias))

    def _type(self, node_type: str) -> _Type | None:
        """Return what a type in the document is; None where there is no such type."""
        if node_type not in self.types:
            alias = self.registry.alias(node_type)
            node_class = self.registry.get(alias.type if alias else node_type)
            self.types[node_type] = None if node_class is None else _Type(node_class, alias)
        return self.types[node_type]

    def _read_edge(self, index: int, edge: EdgeRecord) -> None:
        source, target = self.position.get(edge.source), self.position.get(edge.target)
        if source is None or target is None:
            self._end(f"edges[{index}].source", edge.source)
            self._end(f"edges[{index}].target", edge.target)
            return
        node, of_type, handle = self.nodes[target], self.type_of[target], edge.targetHandle
        # All names that a type does not declare are one: what may feed them does not depend on the
        # name.
        is_free = of_type.takes_any_name and handle not in of_type.spec.properties
        known = (self.type_of[source], edge.sourceHandle, of_type, "" if is_free else handle)
        port = self.ports.get(known)
        if port is None:
            port = self._port(index, edge, self.type_of[source], of_type)
            if port is None:
                return
            self.ports[known] = port
        if is_free and port.property != handle:
            port = Port(port.output, handle, is_dynamic=True, checked=True)
        node.inputs.append(Edge(source, port))
        (node.dynamic if port.is_dynamic else node.values).pop(port.property, None)
        if source >= target:
            self.is_in_order = False

    def _port(self, index: int, edge: EdgeRecord, source: _Type, target: _Type) -> Port | None:
        """Return how an edge connects; None, and a problem, where its output does not fit."""
        ends = [
            self._end(f"edges[{index}].source", edge.source),
            self._end(f"edges[{index}].target", edge.target),
        ]
        if None in ends:
            return None
        if target.has_no_counterpart(edge.targetHandle):
            named = self.document.graph.nodes[self.nodes[self.position[edge.target]].index].type
            message = (
                f"{edge.targetHandle} of {named} has no counterpart; what {edge.source} passes to"
                " it is left out."
            )
            self.notes.append(
                Problem("left_out_property", f"edges[{index}].targetHandle", message, level="note")
            )
            return None
        source_handle = source.renamed_output(edge.sourceHandle)
        target_handle = target.renamed_property(edge.targetHandle)
        output = source.spec.outputs.get(source_handle)
        prop = target.spec.properties.get(target_handle)
        if output is None:
            hint = self._known(source_handle, source.spec.outputs)
            message = f"{source.spec.title} has no output {source_handle!r}."
            self._problem("unknown_handle", f"edges[{index}].sourceHandle", message, hint)
        if prop is None and not target.node_class.dynamic:
            hint = self._known(target_handle, target.spec.properties)
            message = f"{target.spec.title} has no property {target_handle!r}."
            self._problem("unknown_handle", f"edges[{index}].targetHandle", message, hint)
        if output is None or (prop is None and not target.node_class.dynamic):
            return None
        wanted = Any if prop is None else prop.annotation
        if not is_assignable(output.annotation, wanted):
            given, taken = f"{edge.source}.{source_handle}", f"{edge.target}.{target_handle}"
            message = (
                f"{given} is {type_name(output.annotation)}, but {taken} takes {type_name(wanted)}."
            )
            self._problem("type_mismatch", f"edges[{index}]", message)
            return None
        checked = (
            prop is None or wanted is Any or not (is_open(output.annotation) or prop.is_bounded)
        )
        number = list(source.spec.outputs).index(source_handle)
        return Port(number, target_handle if prop is None else prop.name, prop is None, checked)

    def _end(self, place: str, node_id: str) -> GraphNode | None:
        """
        Return the node at an end of an edge.

        None, and a problem, where there is none that has edges.
        """
        if node_id in self.position:
            node = self.nodes[self.position[node_id]]
            if node.role is not Role.COMMENT:
                return node
            self._problem(
                "unknown_handle", place, f"{node_id!r} is a comment; it has no inputs or outputs."
            )
        elif node_id not in self.broken:
            self._problem(
                "unknown_node",
                place,
                f"There is no node {node_id!r}.",
                self._near_miss(node_id, self.position),
            )
        return None

    def _check_inputs(self, node: GraphNode, of_type: _Type) -> None:
        edges, values = node.inputs, node.values
        if len(edges) > 1 and len({edge.port.property for edge in edges}) < len(edges):
            self.has_second_edges = True
        for name, prop, may_be_asset in of_type.needed:
            if name in values and not (may_be_asset and is_missing_asset(prop, values[name])):
                continue
            if any(edge.port.property == name for edge in edges):
                continue
            message = f"{node.spec.title} needs {name} ({type_name(prop.annotation)})."
            self._problem(
                "missing_input",
                f"{node.place}.data.{name}",
                message,
                "Give a value, or connect an output to it.",
            )

    def _report_second_edges(self) -> None:
        """Report properties that have more than one edge."""
        seen: set[tuple[int, str]] = set()
        for index, edge in enumerate(self.document.graph.edges):
            target = self.position.get(edge.target)
            if target is None or self.type_of[target].has_no_counterpart(edge.targetHandle):
                continue
            name = self.type_of[target].renamed_property(edge.targetHandle)
            if (target, name) in seen:
                self._problem(
                    "duplicate_edge",
                    f"edges[{index}]",
                    f"{edge.target}.{name} already has an edge; a property takes one.",
                )
            seen.add((target, name))

    def _check_names(self) -> None:
        for role in (Role.INPUT, Role.OUTPUT):
            seen: dict[str, GraphNode] = {}
            for node in self.nodes:
                if node.node_class.role is role and seen.setdefault(node.name, node) is not node:
                    message = f"{node.name!r} is the name of another {role.value} as well."
                    self._problem("duplicate_name", f"{node.place}.data.name", message)

    def _in_order(self) -> list[GraphNode]:
        ordered = in_topological_order(self.nodes)
        if ordered is not None:
            return ordered
        for path in cycles(self.nodes):
            shown = path if len(path) <= 12 else [*path[:6], "…", *path[-5:]]
            self._problem(
                "cycle",
                "edges",
                f"The workflow runs in a circle: {' → '.join([*shown, path[0]])}.",
                "Remove one of these edges.",
            )
        return self.nodes


def _may_be_asset(prop: Property) -> bool:
    return isinstance(prop.annotation, type) and exact_type(prop.annotation) is None
