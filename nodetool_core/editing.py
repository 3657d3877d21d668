"""
Workflows made of others by small changes: a part, a node replaced, taken out or renamed.

Each function takes a document and returns another one; the one that it was given stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nodetool_core.building import document_of
from nodetool_core.bypass import pass_by
from nodetool_core.declaration import NodeSpec
from nodetool_core.errors import Problem, WorkflowError, near_miss
from nodetool_core.node_base import Node, Role
from nodetool_core.registry import Registry
from nodetool_core.workflow import EdgeRecord, GraphRecord, NodeRecord, WorkflowDocument

_NAMED = (Role.INPUT, Role.OUTPUT)


def part_of(document: WorkflowDocument, wanted: Iterable[str]) -> WorkflowDocument:
    """
    Return the workflow of some nodes and all that they need.

    Raises WorkflowError for an id that no node has.
    """
    needed: dict[str, list[str]] = {}
    for edge in document.graph.edges:
        needed.setdefault(edge.target, []).append(edge.source)
    pending = list(wanted)
    for node_id in pending:
        _position(document, node_id)
    kept: set[str] = set()
    while pending:
        node_id = pending.pop()
        if node_id not in kept:
            kept.add(node_id)
            pending.extend(needed.get(node_id, ()))
    return _with_graph(
        document,
        [record for record in document.graph.nodes if record.id in kept],
        [edge for edge in document.graph.edges if edge.target in kept],
    )


def without_node(document: WorkflowDocument, node_id: str, registry: Registry) -> WorkflowDocument:
    """
    Return the workflow without a node: what it takes goes straight on, as past a bypassed one.

    Raises WorkflowError for an id that no node has.
    """
    position = _position(document, node_id)
    bypassed = document.copied()
    bypassed.graph.nodes[position].ui_properties["bypassed"] = True
    led_past = pass_by(bypassed, registry)
    return _with_graph(
        document,
        [record for record in document.graph.nodes if record.id != node_id],
        [edge for edge in led_past.graph.edges if node_id not in (edge.source, edge.target)],
    )


def with_names(
    document: WorkflowDocument, names: Mapping[str, str], registry: Registry
) -> WorkflowDocument:
    """
    Return the workflow with other names of inputs and outputs, and other ids of nodes.

    Args:
        names: Old to new. A name that an input or an output has means that one.

    Raises WorkflowError for a name that nothing has, or a new one that is taken.
    """
    renamed = document.copied()
    called = {
        str(record.data.get("name") or record.id): record
        for record in renamed.graph.nodes
        if (node_class := registry.get(record.type)) is not None and node_class.role in _NAMED
    }
    ids = {record.id: record for record in renamed.graph.nodes}
    new_ids = {}
    for old, new in names.items():
        if old in called:
            _check_free(new, called, names)
            called[old].data = called[old].data | {"name": new}
        elif old in ids:
            _check_free(new, ids, names)
            ids[old].id = new_ids[old] = new
        else:
            raise WorkflowError(
                Problem(
                    "unknown_node",
                    old,
                    f"The workflow has no input, output or node {old!r}.",
                    near_miss(old, [*called, *ids]),
                )
            )
    for edge in renamed.graph.edges:
        edge.source = new_ids.get(edge.source, edge.source)
        edge.target = new_ids.get(edge.target, edge.target)
    return renamed


def with_replacement(
    document: WorkflowDocument, node_id: str, node: Node, registry: Registry
) -> tuple[WorkflowDocument, Registry]:
    """
    Return the workflow with another node in the place of one, and where its nodes are found.

    The new node has the id of the old one. It takes what the old one was connected to where it has
    a property of that name and no value for it, and gives its output of the same name, or its one
    output, where the old one was taken.

    Raises WorkflowError for an id that no node has, and where the new node lacks a property or an
    output that is connected.
    """
    position = _position(document, node_id)
    added, found = document_of([node])
    whole = Registry()
    whole.include(registry)
    whole.include(found)
    *helpers, record = added.graph.nodes
    ids = _free_ids(helpers, document, node_id) | {record.id: node_id}
    given = {edge.targetHandle for edge in added.graph.edges if edge.target == record.id}
    given |= record.data.keys()
    edges = [_moved(edge, ids) for edge in added.graph.edges]
    for edge in document.graph.edges:
        if edge.target == node_id:
            if edge.targetHandle not in given:
                edges.append(_taken(edge, node))
        elif edge.source == node_id:
            edges.append(edge.model_copy(update={"sourceHandle": _output(edge, node.spec)}))
        else:
            edges.append(edge)
    new = [item.model_copy(update={"id": ids[item.id]}) for item in (*helpers, record)]
    nodes = [*document.graph.nodes[:position], *new, *document.graph.nodes[position + 1 :]]
    return _with_graph(document, nodes, edges), whole


def _position(document: WorkflowDocument, node_id: str) -> int:
    ids = [record.id for record in document.graph.nodes]
    if node_id in ids:
        return ids.index(node_id)
    raise WorkflowError(
        Problem(
            "unknown_node",
            node_id,
            f"The workflow has no node {node_id!r}.",
            near_miss(node_id, ids) or f"Its nodes: {', '.join(ids[:20])}.",
        )
    )


def _check_free(new: str, known: Iterable[str], names: Mapping[str, str]) -> None:
    if new in known and new not in names:
        raise WorkflowError(
            Problem("duplicate_id", new, f"The name {new!r} is taken.", "Choose another one.")
        )


def _free_ids(
    records: Iterable[NodeRecord], document: WorkflowDocument, node_id: str
) -> dict[str, str]:
    """Return an id that is free in a document for each record."""
    taken = {record.id for record in document.graph.nodes} | {node_id}
    ids = {}
    for record in records:
        number, name = 1, record.id
        while name in taken:
            number += 1
            name = f"{record.id}_{number}"
        taken.add(name)
        ids[record.id] = name
    return ids


def _moved(edge: EdgeRecord, ids: Mapping[str, str]) -> EdgeRecord:
    return edge.model_copy(update={"source": ids[edge.source], "target": ids[edge.target]})


def _taken(edge: EdgeRecord, node: Node) -> EdgeRecord:
    if edge.targetHandle in node.spec.properties or node.dynamic:
        return edge
    message = (
        f"{node.spec.title} has no property {edge.targetHandle!r}, which {edge.target!r} takes from"
        f" {edge.source!r}."
    )
    raise WorkflowError(
        Problem(
            "unknown_property",
            f"{edge.target}.{edge.targetHandle}",
            message,
            near_miss(edge.targetHandle, node.spec.properties),
        )
    )


def _output(edge: EdgeRecord, spec: NodeSpec) -> str:
    if edge.sourceHandle in spec.outputs:
        return edge.sourceHandle
    if len(spec.outputs) == 1:
        return next(iter(spec.outputs))
    message = f"{spec.title} has no output {edge.sourceHandle!r}, which {edge.target!r} takes."
    hint = f"Its outputs: {', '.join(spec.outputs) or 'none'}."
    raise WorkflowError(Problem("unknown_handle", edge.source, message, hint))


def _with_graph(
    document: WorkflowDocument, nodes: list[NodeRecord], edges: list[EdgeRecord]
) -> WorkflowDocument:
    changed = document.copied()
    changed.graph = GraphRecord(nodes=nodes, edges=edges)
    return changed
