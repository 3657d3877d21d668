"""
What nodes take and return whose types do not say it.

Of a node for a workflow the inputs and outputs of that workflow; of one whose constant values
decide, what they decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core.editor.answers import OutputInfo, Ports, PropertyInfo
from nodetool_core.errors import WorkflowError
from nodetool_core.graph import GraphNode
from nodetool_core.node_base import Role
from nodetool_core.specialized import class_of, is_specialized
from nodetool_core.subworkflow import inner_graph

if TYPE_CHECKING:
    from nodetool_core.editor.catalogue import Catalogue
    from nodetool_core.registry import Registry
    from nodetool_core.workflow import NodeRecord


def ports_of(
    records: Iterable[NodeRecord],
    registry: Registry,
    catalogue: Catalogue,
    base: Path,
    inside: tuple[str, ...],
) -> dict[str, Ports]:
    """
    Return the properties and outputs of such nodes among records, by id.

    A node whose workflow can't be read is left out: the check says what is wrong with it. Blocks.
    """
    found: dict[str, Ports] = {}
    for record in records:
        node_class = class_of(record, registry)
        if node_class is not None and is_specialized(node_class):
            outputs = node_class.spec.outputs.values()
            found[record.id] = Ports(
                properties=catalogue.properties(node_class),
                outputs=catalogue.outputs(
                    (one.name, one.annotation, one.description) for one in outputs
                ),
            )
        if node_class is None or node_class.role is not Role.WORKFLOW:
            continue
        try:
            graph = inner_graph(record, registry, base, inside)
        except WorkflowError:
            continue
        declared = catalogue.properties(node_class)
        given = [_input(name, node, catalogue) for name, node in graph.inputs().items()]
        returned: list[OutputInfo] = []
        for name, node in graph.outputs().items():
            edge = next((one for one in node.inputs if one.property == "value"), None)
            if edge is not None:
                source = list(graph.nodes[edge.source].spec.outputs.values())[edge.output]
                text = str(node.values.get("description") or "")
                returned += catalogue.outputs([(name, source.annotation, text)])
        found[record.id] = Ports(properties=[*given, *declared], outputs=returned)
    return found


def _input(name: str, node: GraphNode, catalogue: Catalogue) -> PropertyInfo:
    """Return a property that stands for an input: of its type, with its own default and bounds."""
    value = node.spec.properties["value"]
    shown = catalogue.property(value)
    shown.name, shown.required = name, False
    shown.default = value.to_json(node.values.get("value"))
    if text := node.values.get("description"):
        shown.description = str(text)
    if (limit := node.values.get("min")) is not None:
        shown.min = limit
    if (limit := node.values.get("max")) is not None:
        shown.max = limit
    if options := node.values.get("options"):
        shown.choices = list(options)
    if "seed" in name.lower() and shown.min == -1:
        shown.seed = True
    return shown
