"""
A workflow of ours as one of ComfyUI, in its API form.

The exporter is the importer the other way round: it follows the graph from its inputs to its
outputs, looks each node up in `RULES` by its type, and the rule writes the nodes of ComfyUI that do
the same. What has no rule is named, and so is every node that can't do without it; a property that
no rule reads is named with its value.
"""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from nodes.importers.comfyui.export_rules import LEFT_OUT, RULES
from nodes.importers.comfyui.writing import Export, Given, Writing, shown
from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.importing.draft import Unsupported
from nodetool_core.importing.exporting import Exported, values_of

if TYPE_CHECKING:
    from nodetool_core import Registry
    from nodetool_core.importing.graphs import JsonObject
    from nodetool_core.workflow import NodeRecord, WorkflowDocument

_OUTPUTS = frozenset({"SaveImage"})


def export(document: WorkflowDocument, registry: Registry, where: str) -> Exported:
    """
    Return a workflow in ComfyUI's API form: an `importing.exporting.Exporter`.

    Raises WorkflowError where none of its outputs has a counterpart.
    """
    made = Export({node.id for node in document.graph.nodes})
    outputs: dict[str, dict[str, Given] | str] = {}
    for node in _in_order(document):
        inputs = {
            edge.targetHandle: _resolved(outputs[edge.source], edge.sourceHandle)
            for edge in document.graph.edges
            if edge.target == node.id
        }
        values, defaults = values_of(node, registry)
        outputs[node.id] = _written(Writing(node, values, inputs, made), defaults)
    if not any(node["class_type"] in _OUTPUTS for node in made.nodes.values()):
        left_out = [note for note in made.notes if note.code == "left_out_node"]
        message = "has no output that ComfyUI has a counterpart for."
        hint = "The messages above name what was left out."
        raise WorkflowError([*left_out, Problem("nothing_exported", where, message, hint)])
    return Exported(dict(made.nodes), made.notes)


def _in_order(document: WorkflowDocument) -> list[NodeRecord]:
    """Return the nodes so that each comes after those that it depends on."""
    nodes = {node.id: node for node in document.graph.nodes}
    needs: dict[str, list[str]] = {node_id: [] for node_id in nodes}
    for edge in document.graph.edges:
        needs[edge.target].append(edge.source)
    return [nodes[node_id] for node_id in TopologicalSorter(needs).static_order()]


def _resolved(outputs: dict[str, Given] | str, handle: str) -> Given | str:
    if isinstance(outputs, str):
        return outputs
    return outputs.get(handle, f"an output {handle}, which has no counterpart,")


def _written(writing: Writing, defaults: JsonObject) -> dict[str, Given] | str:
    """Write what a node is there; return its outputs, or its name where it is left out."""
    node = writing.node
    if node.type in LEFT_OUT:
        writing.note("has no place in ComfyUI's API form, and no effect on a run: it is left out.")
        return {}
    if node.ui_properties.get("bypassed") is True:
        writing.note("is bypassed, and left out.")
        return {}
    rule = RULES.get(node.type)
    before = dict(writing.export.nodes), dict(writing.export.made), list(writing.export.notes)
    try:
        if rule is None:
            raise Unsupported("it has no counterpart")
        outputs = dict(rule(writing))
    except Unsupported as reason:
        writing.export.nodes, writing.export.made, writing.export.notes = before
        message = f"is left out: {reason}."
        writing.note(message, code="left_out_node", level="warning")
        return writing.label
    for name in writing.unread(defaults):
        value = writing.given(name)
        writing.lost(f"{name} has no counterpart: {shown(value)} is left out.")
    return outputs
