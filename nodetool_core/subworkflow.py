"""
Workflows used as nodes: put in place of the node before anything is checked or run.

The nodes of the inner workflow come in as `outer/inner`. An edge to one of its inputs goes straight
to whatever takes that input, an edge from one of its outputs comes straight from what feeds it; so
the whole runs, caches and loops as if it had been written out. An input that is given neither edge
nor value keeps its own, and can be set as `outer.name`.

A few files that use each other several times stand for more nodes than any machine holds. So each
file is read and expanded once, and the nodes that are put in are counted before they are: the cost
is that of the files, and of at most MAX_NODES copies.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nodetool_core.bypass import pass_by
from nodetool_core.errors import Problem, WorkflowError, near_miss
from nodetool_core.graph import Graph, GraphNode
from nodetool_core.node_base import Role
from nodetool_core.relocating import relocated
from nodetool_core.validation import build_graph
from nodetool_core.workflow import EdgeRecord, NodeRecord, WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.registry import Registry

MAX_NODES: Final = 100_000
"""
Nodes that come in from workflows in a workflow, counted once for each workflow that they come
through.
"""
MAX_EDGES: Final = 10 * MAX_NODES
MAX_DEPTH: Final = 50
"""How deep workflows stand in each other."""
_SHOWN_FILES: Final = 8
_INLINE: Final = "workflow_json"
"""Stands for a file where a workflow has none."""

Handle = tuple[str, str]
"""A node's id and one of its outputs."""
Inner = tuple[WorkflowDocument, Graph]
"""A workflow that is used as a node, expanded and checked."""


def expand(
    document: WorkflowDocument, registry: Registry, base: Path, inside: tuple[str, ...] = ()
) -> WorkflowDocument:
    """
    Return the document with every workflow node replaced by the nodes it stands for.

    Nodes that are bypassed are led past.

    Args:
        base: The folder that paths in the document start from.
        inside: Files of the workflows that this one is part of, itself included.

    Raises WorkflowError where an inner workflow is missing, invalid, or contains itself; where more
    than MAX_NODES nodes or MAX_EDGES edges would come in, or workflows stand more than MAX_DEPTH
    deep in each other.
    """
    return _expanded(document, inside, _Shared(registry, base))


def inner_graph(
    record: NodeRecord, registry: Registry, base: Path, inside: tuple[str, ...] = ()
) -> Graph:
    """
    Return the graph of the workflow that a node stands for.

    Args:
        base: The folder that paths in the node's document start from.
        inside: Files of the workflows that the node is part of.

    Raises WorkflowError where it is missing, invalid, or contains itself.
    """
    empty = WorkflowDocument.from_json({"graph": {"nodes": [], "edges": []}})
    return _Expansion(empty, inside, _Shared(registry, base)).read(record)[1]


class _Shared:
    """What the expansion of a workflow shares with those of all that stand in it."""

    def __init__(self, registry: Registry, base: Path) -> None:
        self.registry = registry
        self.base = base
        """The folder that paths in every document start from, once it is read."""
        self.files: dict[str, Inner | Problem] = {}
        """Files that were read; of one that can't be used, the first of its problems."""
        self.nodes = 0
        self.edges = 0
        """How much was put in."""
        self._is_workflow: dict[str, bool] = {}

    def is_workflow(self, record: NodeRecord) -> bool:
        """Return whether a node of a document stands for a workflow."""
        known = self._is_workflow.get(record.type)
        if known is None:
            node_class = self.registry.get(record.type)
            known = node_class is not None and node_class.role is Role.WORKFLOW
            self._is_workflow[record.type] = known
        return known


def _expanded(
    document: WorkflowDocument, inside: tuple[str, ...], shared: _Shared
) -> WorkflowDocument:
    document = pass_by(document, shared.registry)
    if not any(map(shared.is_workflow, document.graph.nodes)):
        return document
    expansion = _Expansion(document, inside, shared)
    expanded = document.model_copy(update={"graph": expansion.graph()})
    if expansion.problems:
        raise WorkflowError(expansion.problems)
    return expanded


class _Expansion:
    def __init__(
        self, document: WorkflowDocument, inside: tuple[str, ...], shared: _Shared
    ) -> None:
        self.document = document
        self.inside = inside
        self.shared = shared
        self.problems: list[Problem] = []
        self.nodes: list[NodeRecord] = []
        self.edges: list[EdgeRecord] = []
        self.sources: dict[Handle, Handle] = {}
        """Outputs of workflow nodes, and what really feeds them."""
        self.takers: dict[Handle, list[Handle]] = {}
        """Inputs of workflow nodes, and the properties that really take them."""
        self.workflow_nodes = {
            record.id for record in document.graph.nodes if shared.is_workflow(record)
        }
        self.edges_to: dict[str, list[EdgeRecord]] = {}
        for edge in document.graph.edges:
            if edge.target in self.workflow_nodes:
                self.edges_to.setdefault(edge.target, []).append(edge)

    def graph(self) -> Any:
        for index, record in enumerate(self.document.graph.nodes):
            if record.id in self.workflow_nodes:
                self._put_in(f"nodes[{index}]", record)
            else:
                self.nodes.append(record)
        for index, edge in enumerate(self.document.graph.edges):
            self._connect(f"edges[{index}]", edge)
        return self.document.graph.model_copy(update={"nodes": self.nodes, "edges": self.edges})

    def _put_in(self, place: str, record: NodeRecord) -> None:
        try:
            inner, inner_graph = self.read(record)
        except WorkflowError as error:
            self.problems.extend(
                replace(problem, where=f"{place} > {problem.where}".rstrip(" >"))
                for problem in error.problems
            )
            return
        self._make_room(
            place,
            len(inner.graph.nodes),
            len(inner.graph.edges),
            str(record.data.get("path") or _INLINE),
        )
        given = {
            name: value
            for name, value in (record.data | record.dynamic_properties).items()
            if name not in ("path", "workflow_json")
        }
        fed = {
            edge.targetHandle: (edge.source, edge.sourceHandle)
            for edge in self.edges_to.get(record.id, ())
        }
        roles = {node.id: node for node in inner_graph.nodes}
        inputs = inner_graph.inputs()
        for name in given.keys() | fed.keys():
            if name not in inputs:
                hint = near_miss(name, inputs) or f"Its inputs: {', '.join(inputs) or 'none'}."
                self.problems.append(
                    Problem(
                        "unknown_property",
                        f"{place}.data.{name}",
                        f"The workflow has no input {name!r}.",
                        hint,
                    )
                )
        for node in inner.graph.nodes:
            self._put_node(record.id, node, roles[node.id], given, fed)
        feeds = {
            (edge.target, edge.targetHandle): (edge.source, edge.sourceHandle)
            for edge in inner.graph.edges
        }
        for edge in inner.graph.edges:
            self._put_edge(record.id, edge, roles, fed)
        for name, output in inner_graph.outputs().items():
            source = feeds.get((output.id, "value"))
            if source is None:
                self.problems.append(
                    Problem(
                        "missing_input",
                        place,
                        f"The workflow's output {name!r} is not connected to anything.",
                    )
                )
            elif roles[source[0]].role is Role.INPUT and roles[source[0]].name in fed:
                self.sources[record.id, name] = fed[roles[source[0]].name]
            else:
                self.sources[record.id, name] = (f"{record.id}/{source[0]}", source[1])

    def _put_node(
        self,
        outer: str,
        record: NodeRecord,
        node: GraphNode,
        given: dict[str, object],
        fed: dict[str, Handle],
    ) -> None:
        if node.role is Role.OUTPUT or (node.role is Role.INPUT and node.name in fed):
            return
        data = dict(record.data)
        if node.role is Role.INPUT:
            data["name"] = f"{outer}.{node.name}"
            if node.name in given:
                data["value"] = given[node.name]
        self.nodes.append(record.model_copy(update={"id": f"{outer}/{record.id}", "data": data}))

    def _put_edge(
        self, outer: str, edge: EdgeRecord, roles: dict[str, GraphNode], fed: dict[str, Handle]
    ) -> None:
        source, target = roles[edge.source], roles[edge.target]
        if target.role is Role.OUTPUT:
            return
        if source.role is Role.INPUT and source.name in fed:
            self.takers.setdefault((outer, source.name), []).append(
                (f"{outer}/{edge.target}", edge.targetHandle)
            )
            return
        self.edges.append(
            edge.model_copy(
                update={"source": f"{outer}/{edge.source}", "target": f"{outer}/{edge.target}"}
            )
        )

    def _connect(self, place: str, edge: EdgeRecord) -> None:
        source: Handle = (edge.source, edge.sourceHandle)
        passed: list[Handle] = []
        while source in self.sources:
            if source in passed:
                path = " → ".join(
                    node_id for node_id, _ in [*passed[passed.index(source) :], source]
                )
                self.problems.append(
                    Problem(
                        "cycle",
                        "edges",
                        f"The workflow runs in a circle: {path}.",
                        "Remove one of these edges.",
                    )
                )
                return
            passed.append(source)
            source = self.sources[source]
        if edge.source in self.workflow_nodes and not passed:
            names = [name for node_id, name in self.sources if node_id == edge.source]
            hint = (
                near_miss(edge.sourceHandle, names) or f"Its outputs: {', '.join(names) or 'none'}."
            )
            self.problems.append(
                Problem(
                    "unknown_handle",
                    f"{place}.sourceHandle",
                    f"The workflow has no output {edge.sourceHandle!r}.",
                    hint,
                )
            )
            return
        targets = self.takers.get((edge.target, edge.targetHandle))
        if targets is None and edge.target in self.workflow_nodes:
            return
        self._make_room(place, 0, len(targets or ()))
        for target, handle in targets or [(edge.target, edge.targetHandle)]:
            self.edges.append(
                edge.model_copy(
                    update={
                        "source": source[0],
                        "sourceHandle": source[1],
                        "target": target,
                        "targetHandle": handle,
                    }
                )
            )

    def read(self, record: NodeRecord) -> Inner:
        """Return the workflow that a node stands for. Raises WorkflowError."""
        path, inline = record.data.get("path"), record.data.get("workflow_json")
        if isinstance(path, str) and path and "\0" not in path:
            return self._read_file(Path(os.path.realpath(self.shared.base / path)))
        if isinstance(inline, dict) and inline:
            return self._inner(WorkflowDocument.from_json(inline, "data.workflow_json"), _INLINE)
        raise WorkflowError(
            Problem(
                "missing_input",
                "data.path",
                "names no workflow.",
                "Give the path of a workflow file.",
            )
        )

    def _read_file(self, path: Path) -> Inner:
        name = str(path)
        if name in self.inside:
            chain = _chain([*self.inside[self.inside.index(name) :], name])
            raise WorkflowError(
                Problem("contains_itself", "data.path", f"The workflow contains itself: {chain}.")
            )
        if name not in self.shared.files:
            try:
                self.shared.files[name] = self._inner(self._load(path), name)
            except WorkflowError as error:
                self.shared.files[name] = error.problem
                raise
        found = self.shared.files[name]
        if isinstance(found, Problem):
            raise WorkflowError(found)
        return found

    def _load(self, path: Path) -> WorkflowDocument:
        """Return the workflow of a file, with its relative paths as the outermost one has them."""
        document, base = WorkflowDocument.load(path), self.shared.base
        if path.parent == Path(os.path.realpath(base)):
            return document
        return relocated(document, self.shared.registry, path.parent, base)

    def _inner(self, document: WorkflowDocument, name: str) -> Inner:
        inside = (*self.inside, name)
        if len(inside) > MAX_DEPTH:
            message = f"Workflows stand in each other more than {MAX_DEPTH} deep: {_chain(inside)}."
            hint = "Put the nodes of some of them into the workflows that use them."
            raise WorkflowError(Problem("nested_too_deeply", "", message, hint))
        document = _expanded(document, inside, self.shared)
        return document, build_graph(document, self.shared.registry)

    def _make_room(self, place: str, nodes: int, edges: int, *used: str) -> None:
        """Count what is about to be put in. Raises WorkflowError where it is too much."""
        self.shared.nodes += nodes
        self.shared.edges += edges
        if self.shared.nodes > MAX_NODES or self.shared.edges > MAX_EDGES:
            limit = (
                f"at most {MAX_NODES:,} nodes and {MAX_EDGES:,} edges may come from workflows in a"
                " workflow"
            )
            message = (
                f"{_chain([*self.inside, *used]) or 'The workflow'}: {limit}, counted for each one"
                " that they come through."
            )
            hint = (
                "Use workflows fewer times, or one in a loop (ForEach), which runs it for every"
                " item of a list."
            )
            raise WorkflowError([*self.problems, Problem("too_many_nodes", place, message, hint)])


def _chain(files: Sequence[str]) -> str:
    """Return how one workflow leads to another, with the middle of a long way left out."""
    names = [Path(name).name for name in files]
    shown = (
        names
        if len(names) <= _SHOWN_FILES
        else [*names[: _SHOWN_FILES // 2], "…", *names[-_SHOWN_FILES // 2 :]]
    )
    return " → ".join(shown)
