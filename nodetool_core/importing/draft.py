"""
The workflow that an importer is writing.

Nodes, edges, and the notes on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.node_base import Role
from nodetool_core.properties import Property
from nodetool_core.registry import Registry
from nodetool_core.types import choices
from nodetool_core.validation import build_graph
from nodetool_core.workflow import EdgeRecord, GraphRecord, NodeRecord, WorkflowDocument


@dataclass(frozen=True)
class Handle:
    """An output of a node that was written."""

    node: str
    output: str = "output"


_NO_OUTPUT = (
    "Check that it saves or previews an image, and which of its nodes are listed as left out."
)


class Unsupported(Exception):
    """What a node does has no counterpart; the message states why."""


class Grade(StrEnum):
    """How much of a file an imported workflow keeps."""

    WHOLE = "whole"
    """Everything, in the same form or in another."""
    NOTES = "with notes"
    """Everything is there, and some of it does only about the same."""
    LOSSES = "with losses"
    """A node or a value has no counterpart, or the result is not valid."""


@dataclass
class SourceNode:
    """A node of the file, and what became of it."""

    label: str
    """The node, as notes name it."""
    nodes: list[str] = field(default_factory=list)
    """Ids of the nodes of ours that stand for it alone; others took its values in."""
    without_effect: dict[str, object] = field(default_factory=dict)
    """Its values that make no difference here."""
    left_out: dict[str, object] = field(default_factory=dict)
    """Its values, where the node as a whole is left out, or nothing needs it."""


@dataclass(frozen=True)
class Frame:
    """What the editor draws around some nodes."""

    id: str
    title: str
    color: str
    """As CSS has it; empty where it says none."""


_LOST = frozenset({"left_out_node", "left_out_property"})


@dataclass
class Imported:
    """A workflow that was imported."""

    document: WorkflowDocument
    notes: list[Problem]
    """
    What was changed or left out: notes for what makes no great difference, warnings for the rest.
    """
    missing: frozenset[str] = frozenset()
    """Of the nodes without counterpart, those without outputs, as notes name them."""
    sources: list[SourceNode] = field(default_factory=list)
    """The nodes of the file, in the order they were read."""

    @property
    def left_out(self) -> list[Problem]:
        """The nodes that have no counterpart."""
        return [note for note in self.notes if note.code == "left_out_node"]

    @property
    def grade(self) -> Grade:
        return grade_of(self.notes)


def grade_of(notes: Iterable[Problem]) -> Grade:
    """Return the grade of a workflow, or of the part of it that these notes are on."""
    grade = Grade.WHOLE
    for note in notes:
        if note.code in _LOST or note.level == "error":
            return Grade.LOSSES
        if note.level == "warning":
            grade = Grade.NOTES
    return grade


@dataclass
class Draft:
    """Collects nodes and edges; every value is checked against what the node of ours takes."""

    registry: Registry
    nodes: dict[str, NodeRecord] = field(default_factory=dict)
    edges: list[EdgeRecord] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    sources: list[SourceNode] = field(default_factory=list)
    optional: set[str] = field(default_factory=set)
    """Nodes that are only kept where another node needs them."""
    missing: set[str] = field(default_factory=set)
    """Nodes of the other tool that have no outputs here, as notes name them."""
    _members: dict[str, list[str]] = field(default_factory=dict)
    """Ids of nodes by the frame that they are in."""
    _frames: list[Frame] = field(default_factory=list)

    def put_into(self, frame: str, node_id: str) -> None:
        """Put a node into a frame, which may be written later; into none where it has no id."""
        if frame:
            self._members.setdefault(frame, []).append(node_id)

    def frame(self, frame_id: str, title: str, color: str) -> bool:
        """Write a frame around the nodes that are in it. False where there are none."""
        is_needed = frame_id in self._members
        if is_needed:
            self._frames.append(Frame(frame_id, title, color))
        return is_needed

    def add(
        self,
        node_id: str,
        node_type: str,
        properties: Mapping[str, object],
        *,
        where: str,
        ui: Mapping[str, object] | None = None,
    ) -> str:
        """
        Write a node; a `Handle` as a value becomes an edge.

        What the node has no property for is left out and noted; a number out of bounds is brought
        within them and noted. Raises Unsupported where there is no such node, or a value does not
        fit.
        """
        node_class = self.registry.get(node_type)
        if node_class is None:
            raise Unsupported(f"there is no node {node_type}")
        data: dict[str, object] = {}
        dynamic: dict[str, object] = {}
        edges: list[EdgeRecord] = []
        for name, value in properties.items():
            prop = node_class.spec.properties.get(name)
            if prop is None and not node_class.dynamic:
                self.note(
                    "left_out_property",
                    where,
                    f"{node_class.spec.title} has no {name}; {value!r} is left out.",
                    level="warning",
                )
            elif isinstance(value, Handle):
                edges.append(
                    EdgeRecord(
                        source=value.node,
                        sourceHandle=value.output,
                        target=node_id,
                        targetHandle=name,
                    )
                )
            elif prop is None:
                dynamic[name] = value
            else:
                data[name] = self._fitting(prop, value, where)
        more = {"dynamic_properties": dynamic, "ui_properties": dict(ui or {})}
        self.nodes[node_id] = NodeRecord(
            id=node_id,
            type=node_type,
            data=data,
            **{name: values for name, values in more.items() if values},
        )
        self.edges += edges
        return node_id

    def note(
        self, code: str, where: str, message: str, hint: str = "", level: str = "note"
    ) -> None:
        self.notes.append(Problem(code, where, message, hint, level))  # type: ignore[arg-type]

    def leave_out(self, where: str, message: str) -> None:
        """Note that a node of the other tool has no counterpart, and no outputs."""
        self.missing.add(where)
        self.note("left_out_node", where, message, level="warning")

    def taken_names(self) -> set[str]:
        """Return the names of inputs and outputs that are in use."""
        return {str(node.data["name"]) for node in self.nodes.values() if "name" in node.data}

    def annotation(self, node_type: str, name: str) -> object:
        """Return the type of a property; None where there is no such node or property."""
        node_class = self.registry.get(node_type)
        prop = node_class.spec.properties.get(name) if node_class else None
        return prop.annotation if prop else None

    def gives(self, handle: Handle) -> object:
        """Return the type of an output of a node that was written; None where there is none."""
        node = self.nodes.get(handle.node)
        node_class = self.registry.get(node.type) if node else None
        output = node_class.spec.outputs.get(handle.output) if node_class else None
        return output.annotation if output else None

    def choices(self, node_type: str, name: str) -> tuple[object, ...] | None:
        """
        Return the values that a property of a node is limited to, empty where it is not.

        None where there is no such node or property.
        """
        node_class = self.registry.get(node_type)
        prop = node_class.spec.properties.get(name) if node_class else None
        return None if prop is None else choices(prop.annotation) or ()

    def imported(self, name: str, where: str) -> Imported:
        """
        Return the workflow as far as it is written, with what is wrong with it among the notes.

        Raises WorkflowError where it has no output.
        """
        document = self._document(name)
        imported = Imported(document, self.notes, frozenset(self.missing), self.sources)
        if not any(self._is_output(node.type) for node in document.graph.nodes):
            message = "has no output that can be imported."
            raise WorkflowError(
                [*imported.left_out, Problem("nothing_imported", where, message, _NO_OUTPUT)]
            )
        try:
            self.notes.extend(build_graph(document, self.registry).notes)
        except WorkflowError as error:
            self.notes.extend(error.problems)
        return imported

    def _is_output(self, node_type: str) -> bool:
        node_class = self.registry.get(node_type)
        return node_class is not None and node_class.role is Role.OUTPUT

    def _document(self, name: str) -> WorkflowDocument:
        """Return the workflow, without optional nodes that nobody needs."""
        while unused := self.optional - {edge.source for edge in self.edges}:
            self.optional -= unused
            self.nodes = {
                node_id: node for node_id, node in self.nodes.items() if node_id not in unused
            }
            self.edges = [edge for edge in self.edges if edge.target not in unused]
        graph = GraphRecord(nodes=list(self.nodes.values()), edges=self.edges)
        frames = [
            {"id": frame.id, "title": frame.title, "color": frame.color, "nodes": inside}
            for frame in self._frames
            if (inside := [name for name in self._members[frame.id] if name in self.nodes])
        ]
        document = WorkflowDocument(name=name, graph=graph)
        more = {"editor": {"frames": frames, "version": 1}}
        return document.model_copy(update=more) if frames else document

    def _fitting(self, prop: Property, value: Any, where: str) -> object:
        value = float(value) if prop.annotation is float and type(value) is int else value
        if type(value) in (int, float):
            low, high = prop.bounds.get("ge"), prop.bounds.get("le")
            kept = type(value)(
                min(max(value, value if low is None else low), value if high is None else high)
            )
            if kept != value:
                self.note(
                    "changed_value",
                    where,
                    f"{prop.name} becomes {kept}: {value} is out of its bounds.",
                    level="warning",
                )
            value = kept
        _, problems = prop.validate(value, prop.name)
        if problems:
            raise Unsupported(
                "; ".join(f"{problem.where}: {problem.message}" for problem in problems).rstrip(".")
            )
        return value
