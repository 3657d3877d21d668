"""
Workflows used as nodes: put in place of the node before anything is checked or run.

The nodes of the inner workflow come in as `outer/inner`. An edge to one of its inputs goes straight to whatever takes that
input, an edge from one of its outputs comes straight from what feeds it; so the whole runs, caches and loops as if it had been
written out. An input that is given neither edge nor value keeps its own, and can be set as `outer.name`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodetool_core import graph as graphs
from nodetool_core.errors import Problem, WorkflowError, near_miss
from nodetool_core.graph import Graph, GraphNode
from nodetool_core.node import Role
from nodetool_core.workflow import EdgeRecord, NodeRecord, WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.registry import Registry

NODE_TYPE = "nodetool.workflows.workflow_node.WorkflowNode"

Handle = tuple[str, str]
"""A node's id and one of its outputs."""


def expand(document: WorkflowDocument, registry: Registry, base: Path, inside: tuple[str, ...] = ()) -> WorkflowDocument:
    """
    The document with every workflow node replaced by the nodes it stands for.

    Args:
        base: The folder that paths in the document start from.
        inside: Files of the workflows that this one is part of, itself included.

    Raises WorkflowError where an inner workflow is missing, invalid, or contains itself.
    """
    if not any(record.type == NODE_TYPE for record in document.graph.nodes):
        return document
    expansion = _Expansion(document, registry, base, inside)
    expanded = document.model_copy(update={"graph": expansion.graph()})
    if expansion.problems:
        raise WorkflowError(expansion.problems)
    return expanded


class _Expansion:
    def __init__(self, document: WorkflowDocument, registry: Registry, base: Path, inside: tuple[str, ...]) -> None:
        self.document = document
        self.registry = registry
        self.base = base
        self.inside = inside
        self.problems: list[Problem] = []
        self.nodes: list[NodeRecord] = []
        self.edges: list[EdgeRecord] = []
        self.sources: dict[Handle, Handle] = {}
        """Outputs of workflow nodes, and what really feeds them."""
        self.takers: dict[Handle, list[Handle]] = {}
        """Inputs of workflow nodes, and the properties that really take them."""
        self.workflow_nodes = {record.id for record in document.graph.nodes if record.type == NODE_TYPE}
        self.edges_to: dict[str, list[EdgeRecord]] = {}
        for edge in document.graph.edges:
            if edge.target in self.workflow_nodes:
                self.edges_to.setdefault(edge.target, []).append(edge)

    def graph(self) -> Any:
        for index, record in enumerate(self.document.graph.nodes):
            if record.type == NODE_TYPE:
                self._put_in(f"nodes[{index}]", record)
            else:
                self.nodes.append(record)
        for index, edge in enumerate(self.document.graph.edges):
            self._connect(f"edges[{index}]", edge)
        return self.document.graph.model_copy(update={"nodes": self.nodes, "edges": self.edges})

    def _put_in(self, place: str, record: NodeRecord) -> None:
        try:
            inner, inner_graph = self._read(place, record)
        except WorkflowError as error:
            self.problems.extend(replace(problem, where=f"{place} > {problem.where}".rstrip(" >")) for problem in error.problems)
            return
        given = {name: value for name, value in (record.data | record.dynamic_properties).items() if name not in ("path", "workflow_json")}
        fed = {edge.targetHandle: (edge.source, edge.sourceHandle) for edge in self.edges_to.get(record.id, ())}
        roles = {node.id: node for node in inner_graph.nodes}
        inputs = inner_graph.inputs()
        for name in given.keys() | fed.keys():
            if name not in inputs:
                hint = near_miss(name, inputs) or f"Its inputs: {', '.join(inputs) or 'none'}."
                self.problems.append(Problem("unknown_property", f"{place}.data.{name}", f"The workflow has no input {name!r}.", hint))
        for node in inner.graph.nodes:
            self._put_node(record.id, node, roles[node.id], given, fed)
        feeds = {(edge.target, edge.targetHandle): (edge.source, edge.sourceHandle) for edge in inner.graph.edges}
        for edge in inner.graph.edges:
            self._put_edge(record.id, edge, roles, fed)
        for name, output in inner_graph.outputs().items():
            source = feeds.get((output.id, "value"))
            if source is None:
                self.problems.append(Problem("missing_input", place, f"The workflow's output {name!r} is not connected to anything."))
            elif roles[source[0]].role is Role.INPUT and roles[source[0]].name in fed:
                self.sources[record.id, name] = fed[roles[source[0]].name]
            else:
                self.sources[record.id, name] = (f"{record.id}/{source[0]}", source[1])

    def _put_node(self, outer: str, record: NodeRecord, node: GraphNode, given: dict[str, Any], fed: dict[str, Handle]) -> None:
        if node.role is Role.OUTPUT or (node.role is Role.INPUT and node.name in fed):
            return
        data = dict(record.data)
        if node.role is Role.INPUT:
            data["name"] = f"{outer}.{node.name}"
            if node.name in given:
                data["value"] = given[node.name]
        self.nodes.append(record.model_copy(update={"id": f"{outer}/{record.id}", "data": data}))

    def _put_edge(self, outer: str, edge: EdgeRecord, roles: dict[str, GraphNode], fed: dict[str, Handle]) -> None:
        source, target = roles[edge.source], roles[edge.target]
        if target.role is Role.OUTPUT:
            return
        if source.role is Role.INPUT and source.name in fed:
            self.takers.setdefault((outer, source.name), []).append((f"{outer}/{edge.target}", edge.targetHandle))
            return
        self.edges.append(edge.model_copy(update={"source": f"{outer}/{edge.source}", "target": f"{outer}/{edge.target}"}))

    def _connect(self, place: str, edge: EdgeRecord) -> None:
        source: Handle = (edge.source, edge.sourceHandle)
        passed: list[Handle] = []
        while source in self.sources:
            if source in passed:
                path = " → ".join(node_id for node_id, _ in [*passed[passed.index(source) :], source])
                self.problems.append(Problem("cycle", "edges", f"The workflow runs in a circle: {path}.", "Remove one of these edges."))
                return
            passed.append(source)
            source = self.sources[source]
        if edge.source in self.workflow_nodes and not passed:
            names = [name for node_id, name in self.sources if node_id == edge.source]
            hint = near_miss(edge.sourceHandle, names) or f"Its outputs: {', '.join(names) or 'none'}."
            self.problems.append(
                Problem("unknown_handle", f"{place}.sourceHandle", f"The workflow has no output {edge.sourceHandle!r}.", hint)
            )
            return
        targets = self.takers.get((edge.target, edge.targetHandle))
        if targets is None and edge.target in self.workflow_nodes:
            return
        for target, handle in targets or [(edge.target, edge.targetHandle)]:
            self.edges.append(
                edge.model_copy(update={"source": source[0], "sourceHandle": source[1], "target": target, "targetHandle": handle})
            )

    def _read(self, place: str, record: NodeRecord) -> tuple[WorkflowDocument, Graph]:
        path, inline = record.data.get("path"), record.data.get("workflow_json")
        if isinstance(path, str) and path and "\0" not in path:
            where = Path(os.path.realpath(self.base / path))
            if str(where) in self.inside:
                chain = " → ".join(Path(name).name for name in [*self.inside[self.inside.index(str(where)) :], str(where)])
                raise WorkflowError(Problem("contains_itself", "data.path", f"The workflow contains itself: {chain}."))
            inner, base, inside = WorkflowDocument.load(where), where.parent, (*self.inside, str(where))
        elif isinstance(inline, dict) and inline:
            inner, base, inside = WorkflowDocument.from_json(inline, "data.workflow_json"), self.base, self.inside
        else:
            raise WorkflowError(Problem("missing_input", "data.path", "names no workflow.", "Give the path of a workflow file."))
        inner = expand(inner, self.registry, base, inside)
        return inner, graphs.build(inner, self.registry)
