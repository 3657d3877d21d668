"""
Files of NodeTool, and of other versions of this one, that hold what is not known here.

An image that was made here holds its workflow.

Such a file is valid but for some nodes, properties or edges. What has no counterpart is taken out
of the graph and kept beside it, in the file's field `left_out`, so that nothing is lost by saving;
what is left is checked again, until nothing is wrong with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodetool_core.assets.provenance import read_provenance
from nodetool_core.errors import ImageError, Problem, WorkflowError
from nodetool_core.importing import NotRecognizedError
from nodetool_core.importing.draft import Imported, SourceNode
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.registry import Registry

MAX_BYTES: Final = 64 * 1024 * 1024
_NODE = re.compile(r"nodes\[(\d+)\](?:\.(type)|\.data\.([^.\[]+))?")
_EDGE = re.compile(r"edges\[(\d+)\]")


def import_file(path: Path, registry: Registry) -> Imported:
    """
    Read a file whose graph has the form of this tool's.

    Raises NotRecognizedError where it has another, WorkflowError where nothing of it is left.
    """
    return import_document(load(path), path, registry)


def load(path: Path) -> WorkflowDocument:
    """Return the document of a file, or of the image that it made. Raises NotRecognizedError."""
    return _in_image(path) or _document(path)


def import_document(
    document: WorkflowDocument, path: Path, registry: Registry, changed: Iterable[Problem] = ()
) -> Imported:
    """
    Return a document without what has no counterpart here.

    Args:
        document: What a file holds; it is changed.
        path: The file, as messages name it.
        registry: The nodes that there are.
        changed: Notes on what was changed before.

    Raises WorkflowError where nothing is left.
    """
    notes = list(changed)
    labels = {
        node.id: f"{node.type.rpartition('.')[2]} ({node.id})" for node in document.graph.nodes
    }
    while True:
        try:
            graph = build_graph(document, registry)
        except WorkflowError as error:
            found = _set_aside(document, error, labels)
            if not found:
                raise
            notes += found
        else:
            break
    kept = {node.id for node in document.graph.nodes}
    if not kept:
        message = "has no node that is known here."
        raise WorkflowError([*notes, Problem("nothing_imported", str(path), message)])
    sources = [
        SourceNode(label, [node_id] if node_id in kept else []) for node_id, label in labels.items()
    ]
    return Imported(document, [*notes, *graph.notes], frozenset(), sources)


def _in_image(path: Path) -> WorkflowDocument | None:
    """Return the workflow that made an image of ours; None for other files."""
    try:
        made = read_provenance(path)
    except ImageError:
        return None
    workflow = None if made is None else made.get("workflow")
    return WorkflowDocument.from_json(workflow, str(path)) if isinstance(workflow, dict) else None


def _document(path: Path) -> WorkflowDocument:
    where = str(path)
    wanted = "Give a workflow of NodeTool: an object with a `graph` of `nodes` and `edges`."
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("it is larger than 64 MiB")
        content = json.loads(path.read_text("utf-8-sig"))
        if not isinstance(content, dict) or not isinstance(content.get("graph"), dict):
            raise ValueError("it has no `graph`")
    except (OSError, ValueError, RecursionError) as error:
        message = f"is no workflow of NodeTool: {error}."
        raise NotRecognizedError(Problem("invalid_document", where, message, wanted)) from None
    return WorkflowDocument.from_json(content, where)


def _set_aside(
    document: WorkflowDocument, error: WorkflowError, labels: dict[str, str]
) -> list[Problem]:
    """Take what is wrong out of the graph; return notes on it, none where it can't be taken out."""
    graph = document.graph
    gone_nodes: set[int] = set()
    gone_edges: set[int] = set()
    aside = dict((document.model_extra or {}).get("left_out") or {})
    notes = []
    for problem in error.problems:
        on_node, on_edge = _NODE.match(problem.where), _EDGE.match(problem.where)
        if on_node:
            index = int(on_node[1])
            node = graph.nodes[index]
            label, name = labels[node.id], on_node[3]
            if name in node.data:
                aside.setdefault("properties", []).append({"node": node.id, name: node.data[name]})
                del node.data[name]
                message = f"{name} is left out: {problem.message}"
                notes.append(_note("left_out_property", label, message))
            elif on_node[2] and index not in gone_nodes:
                gone_nodes.add(index)
                aside.setdefault("nodes", []).append(node.model_dump())
                notes.append(_note("left_out_node", label, f"is left out: {problem.message}"))
        elif on_edge and int(on_edge[1]) not in gone_edges:
            index = int(on_edge[1])
            gone_edges.add(index)
            edge = graph.edges[index]
            aside.setdefault("edges", []).append(edge.model_dump())
            label = labels.get(edge.target, edge.target)
            message = f"its {edge.targetHandle} is not connected: {problem.message}"
            notes.append(_note("left_out_property", label, message))
    gone = {graph.nodes[index].id for index in gone_nodes}
    for index, edge in enumerate(graph.edges):
        if index not in gone_edges and {edge.source, edge.target} & gone:
            gone_edges.add(index)
            aside.setdefault("edges", []).append(edge.model_dump())
    graph.nodes = [node for index, node in enumerate(graph.nodes) if index not in gone_nodes]
    graph.edges = [edge for index, edge in enumerate(graph.edges) if index not in gone_edges]
    if aside and document.model_extra is not None:
        document.model_extra["left_out"] = aside
    return notes


def _note(code: str, where: str, message: str) -> Problem:
    return Problem(code, where, message, level="warning")
