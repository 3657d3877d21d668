"""Graphs that clients of ComfyUI's server send, in its API format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from nodes.importers.comfyui import file
from nodes.importers.comfyui.classes import UNKNOWN
from nodes.importers.comfyui.importer import import_nodes
from nodes.importers.comfyui.rules import OUTPUTS, RULES
from nodes.importers.comfyui.signatures import signatures
from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.importing.graphs import WHOLE, Files, JsonObject, ReadGraph

if TYPE_CHECKING:
    from nodetool_core import Registry

_IN_FILES: Final = frozenset({"Reroute", "Note", "MarkdownNote"})
"""Classes that only files of the editor have."""

_RECORD: Final = re.compile(r"nodes\[(\d+)\]")
"""How problems name a node of a document."""


def reader() -> ComfyGraphs:
    """Return what reads the graphs."""
    return ComfyGraphs()


class ComfyGraphs:
    """Reads graphs: an `importing.graphs.GraphReader`."""

    def classes(self, files: Files) -> Mapping[str, JsonObject]:
        """Return the classes that have a rule, as ComfyUI's server describes them."""
        known = signatures(OUTPUTS)
        names = sorted(RULES.keys() - _IN_FILES)
        return {name: known.get(name, UNKNOWN).described(name, files) for name in names}

    def read(self, graph: JsonObject, registry: Registry) -> ReadGraph:
        """Return the workflow of a graph."""
        labels: dict[str, str] = {}
        try:
            nodes = file.read(graph)
            labels = {node.label: node.id for node in nodes}
            # Names of files are those that the server lists, and nothing is fetched from the Hub.
            imported = import_nodes(nodes, registry, knows_hub=False)
        except WorkflowError as error:
            return ReadGraph(None, _by_node(error.problems, labels), {}, {})
        records = [node.id for node in imported.document.graph.nodes]
        origins = {record: _origin(record, set(labels.values())) for record in records}
        wrong = [
            note
            for note in imported.notes
            if note.level == "error"
            or (note.code == "left_out_node" and note.where in imported.missing)
        ]
        notes = [note for note in imported.notes if note not in wrong]
        placed = {f"nodes[{index}]": origins[record] for index, record in enumerate(records)}
        problems = _by_node(wrong, labels | placed)
        return ReadGraph(imported.document, problems, _by_node(notes, labels | placed), origins)


def _by_node(problems: Iterable[Problem], nodes: Mapping[str, str]) -> dict[str, list[Problem]]:
    """Return problems by the id of the node that they name: by its label, or its place."""
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        place = _RECORD.match(problem.where)
        node = nodes.get(place[0] if place else problem.where, WHOLE)
        found.setdefault(node, []).append(problem)
    return found


def _origin(record: str, ids: set[str]) -> str:
    """Return the node that a record is made of: its id is that one's, or begins with it."""
    node = record
    while node not in ids and "_" in node:
        node = node.rpartition("_")[0]
    return node if node in ids else WHOLE
