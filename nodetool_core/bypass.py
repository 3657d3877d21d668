"""
Nodes that are bypassed: `ui_properties.bypassed` in a file.

What a bypassed node would take goes straight on to whatever takes its results. The node stays where
it is, with nothing that wants it, so that places in the document keep their numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodetool_core.specialized import class_of
from nodetool_core.types import Annotation, is_assignable
from nodetool_core.workflow import EdgeRecord, NodeRecord, WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.registry import Registry

Handle = tuple[str, str]
"""A node's id and one of its outputs."""


def pass_by(document: WorkflowDocument, registry: Registry) -> WorkflowDocument:
    """
    Return the document with the edges of bypassed nodes led past them.

    Each output stands for the first connected property of a type that fits it. An edge from an
    output that none fits is left out.
    """
    bypassed = {
        record.id: record
        for record in document.graph.nodes
        if record.ui_properties.get("bypassed") is True
    }
    if not bypassed:
        return document
    feeds: dict[str, dict[str, Handle]] = {}
    for edge in document.graph.edges:
        if edge.target in bypassed:
            source = edge.source, edge.sourceHandle
            feeds.setdefault(edge.target, {}).setdefault(edge.targetHandle, source)

    def led(edge: EdgeRecord) -> EdgeRecord | None:
        source: Handle | None = (edge.source, edge.sourceHandle)
        passed = set[Handle]()
        while source is not None and source[0] in bypassed and source not in passed:
            passed.add(source)
            record = bypassed[source[0]]
            source = _through(record, source[1], feeds.get(record.id, {}), registry)
        if source is None or source in passed:
            return None
        return edge.model_copy(update={"source": source[0], "sourceHandle": source[1]})

    edges = [
        found
        for edge in document.graph.edges
        if (found := edge if edge.source not in bypassed else led(edge)) is not None
    ]
    graph = document.graph.model_copy(update={"edges": edges})
    return document.model_copy(update={"graph": graph})


def _through(
    record: NodeRecord, output: str, feeds: dict[str, Handle], registry: Registry
) -> Handle | None:
    """Return what feeds a node in the place of one of its outputs; None where nothing fits."""
    node_class = class_of(record, registry)
    if node_class is None:
        return next(iter(feeds.values()), None)
    declared = node_class.spec.outputs.get(output)
    for prop in node_class.spec.properties.values():
        if prop.name in feeds and (declared is None or _fits(prop.annotation, declared.annotation)):
            return feeds[prop.name]
    others = [name for name in feeds if name not in node_class.spec.properties]
    return feeds[others[0]] if others else None


def _fits(taken: Annotation, given: Annotation) -> bool:
    return is_assignable(taken, given) or is_assignable(given, taken)
