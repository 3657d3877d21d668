"""Graphs of other tools whose nodes are put into other words, before they are checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from nodetool_core.errors import Problem
from nodetool_core.workflow import EdgeRecord, NodeRecord, WorkflowDocument


class Rewriting:
    """
    Puts other nodes into the places of those without a counterpart.

    What was there before is kept beside the graph, in the file's field `left_out`.
    """

    def __init__(self, document: WorkflowDocument) -> None:
        self.notes: list[Problem] = []
        """What differs."""
        self._document = document
        self._graph = document.graph
        self._names = {str(node.data.get("name")) for node in document.graph.nodes}

    @property
    def nodes(self) -> list[NodeRecord]:
        return list(self._graph.nodes)

    def note(self, node: NodeRecord, message: str, hint: str = "", level: str = "note") -> None:
        """Note what differs at a node."""
        where = f"{node.type.rpartition('.')[2]} ({node.id})"
        found = Problem("imported_otherwise", where, message, hint, level)  # type: ignore[arg-type]
        self.notes.append(found)

    def become(
        self,
        node: NodeRecord,
        node_type: str,
        data: Mapping[str, object],
        message: str,
        hint: str = "",
    ) -> None:
        """Make a node one of another type, and note what differs."""
        self.note(node, message, hint, "warning")
        self._set_aside("nodes", node)
        node.type, node.data = node_type, {**data}

    def keep_inputs(self, node: NodeRecord, *names: str) -> None:
        """Take the edges away that lead into a node, but for some."""
        for edge in list(self._graph.edges):
            if edge.target == node.id and edge.targetHandle not in names:
                self._set_aside("edges", edge)
                self._graph.edges.remove(edge)

    def lead_from(self, node: NodeRecord, outputs: Mapping[str, str]) -> None:
        """Rename the outputs that edges start from; take the other edges away."""
        for edge in self.edges_from(node):
            if edge.sourceHandle in outputs:
                edge.sourceHandle = outputs[edge.sourceHandle]
                continue
            self._set_aside("edges", edge)
            self._graph.edges.remove(edge)
            where = f"{node.type.rpartition('.')[2]} ({node.id})"
            message = f"its output {edge.sourceHandle} has no counterpart, and is left out."
            self.notes.append(Problem("left_out_property", where, message, level="warning"))

    def edges_into(self, node: NodeRecord, name: str) -> list[EdgeRecord]:
        """Return the edges that lead to a property."""
        return [e for e in self._graph.edges if (e.target, e.targetHandle) == (node.id, name)]

    def edges_from(self, node: NodeRecord) -> list[EdgeRecord]:
        """Return the edges that start from a node."""
        return [edge for edge in self._graph.edges if edge.source == node.id]

    def connect(self, source: str, output: str, target: str, name: str) -> None:
        """Add an edge."""
        self._graph.edges.append(
            EdgeRecord(source=source, sourceHandle=output, target=target, targetHandle=name)
        )

    def add(self, node_id: str, node_type: str, data: Mapping[str, object]) -> None:
        """Add a node."""
        self._graph.nodes.append(NodeRecord(id=node_id, type=node_type, data={**data}))

    def name(self, wanted: str) -> str:
        """Return a name for an input that no other has."""
        number, name = 2, wanted
        while name in self._names:
            name, number = f"{wanted}_{number}", number + 1
        self._names.add(name)
        return name

    def _set_aside(self, kind: str, record: NodeRecord | EdgeRecord) -> None:
        """Keep a node or an edge as it was beside the graph."""
        extra = self._document.model_extra
        if extra is not None:
            aside = extra.setdefault("left_out", {})
            aside.setdefault(kind, []).append(record.model_dump())

    def leave_out_unneeded(self, types: Collection[str]) -> None:
        """Leave nodes of such types out, of which nothing is needed any more."""
        sources = {edge.source for edge in self._graph.edges}
        for node in self.nodes:
            if node.type in types and node.id not in sources:
                self._set_aside("nodes", node)
                self._graph.nodes.remove(node)
                self.note(node, "is left out: nothing needs it any more.")
