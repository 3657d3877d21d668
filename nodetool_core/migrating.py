"""
Workflow files that were written with names of another time.

`validation` reads them as they are, and notes what it read as what. Here they are written anew with
the names of today, by the same table (`Pack.aliases`), so that the file no longer needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from nodetool_core.errors import Problem
from nodetool_core.node_base import Role
from nodetool_core.workflow import EdgeRecord, NodeRecord, WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.packs import Alias
    from nodetool_core.registry import Registry


class Renamed(NamedTuple):
    """Values of a node under the names of today."""

    values: dict[str, object]
    notes: list[Problem]
    """What was read as what."""
    problems: list[Problem]
    """Values that can't be converted."""


class Migrated(NamedTuple):
    """A document under the names of today."""

    document: WorkflowDocument
    notes: list[Problem]
    """What was changed; nothing where the document is as it was."""
    problems: list[Problem]
    """Values that can't be converted."""

    @property
    def left_out(self) -> list[Problem]:
        """What has no counterpart today, and is lost."""
        return [note for note in self.notes if note.code == "left_out_property"]


def renamed(place: str, node_type: str, alias: Alias, data: Mapping[str, object]) -> Renamed:
    """
    Return a node's values under the names, choices and meanings of today.

    Args:
        place: What notes call the node, such as `nodes[3]`.
        node_type: Its type as the file has it.
    """
    found = Renamed({}, [], [])
    if alias.type != node_type:
        message = f"{node_type} is read as {alias.type}."
        found.notes.append(Problem("mapped_type", f"{place}.type", message, level="note"))
    for name, value in data.items():
        where = f"{place}.data.{name}"
        target = alias.properties.get(name, name)
        if target is None:
            message = f"{name} of {node_type} has no counterpart and is left out."
            found.notes.append(Problem("left_out_property", where, message, level="note"))
            continue
        said = "" if target == name else f"{name} is read as {target}"
        choices = alias.choices.get(name)
        if choices and type(value) is str:
            value = choices.get(value, value)
        if name in alias.conversions:
            try:
                value, before = alias.conversions[name](value), value
            except (TypeError, ValueError) as error:
                message = f"can't be converted to {target}: {error}."
                found.problems.append(Problem("invalid_value", where, message))
                continue
            said = f"{name} {before!r} is read as {target} {value!r}"
        if said:
            found.notes.append(Problem("mapped_property", where, f"{said}.", level="note"))
        found.values[target] = value
    return found


def migrated(document: WorkflowDocument, registry: Registry) -> Migrated:
    """Return a document with the names of today, also in the workflows inside of its nodes."""
    changed = document.copied()
    found = Migrated(changed, [], [])
    aliases: dict[str, Alias] = {}
    for index, record in enumerate(changed.graph.nodes):
        _migrate_inner(record, f"nodes[{index}]", registry, found)
        alias = registry.alias(record.type)
        if alias is None:
            continue
        aliases[record.id] = alias
        _migrate_node(record, f"nodes[{index}]", alias, found)
    edges = []
    for index, edge in enumerate(changed.graph.edges):
        if _migrate_edge(edge, f"edges[{index}]", aliases, found):
            edges.append(edge)
    changed.graph.edges = edges
    return found


def _migrate_node(record: NodeRecord, place: str, alias: Alias, found: Migrated) -> None:
    values = renamed(place, record.type, alias, record.data)
    dynamic = renamed(place, alias.type, alias, record.dynamic_properties)
    # What a type of the same name implies is added whenever the file is read.
    implied = alias.values if alias.type != record.type else {}
    record.type = alias.type
    record.data = {**implied, **values.values}
    record.dynamic_properties = dynamic.values
    found.notes.extend([*values.notes, *dynamic.notes])
    found.problems.extend([*values.problems, *dynamic.problems])


def _migrate_edge(
    edge: EdgeRecord, place: str, aliases: Mapping[str, Alias], found: Migrated
) -> bool:
    """Rename the ends of an edge; return False where it leads nowhere today."""
    source, target = aliases.get(edge.source), aliases.get(edge.target)
    if source is not None:
        output = source.outputs.get(edge.sourceHandle, edge.sourceHandle)
        if output != edge.sourceHandle:
            message = f"{edge.sourceHandle} is read as {output}."
            found.notes.append(
                Problem("mapped_property", f"{place}.sourceHandle", message, level="note")
            )
        edge.sourceHandle = output
    if target is None:
        return True
    name = target.properties.get(edge.targetHandle, edge.targetHandle)
    where = f"{place}.targetHandle"
    if name is None:
        message = f"{edge.targetHandle} has no counterpart; the edge is left out."
        found.notes.append(Problem("left_out_property", where, message, level="note"))
        return False
    if name != edge.targetHandle:
        message = f"{edge.targetHandle} is read as {name}."
        found.notes.append(Problem("mapped_property", where, message, level="note"))
    edge.targetHandle = name
    return True


def _migrate_inner(record: NodeRecord, place: str, registry: Registry, found: Migrated) -> None:
    """Migrate the workflow that is inside of a node."""
    inline = record.data.get("workflow_json")
    node_class = registry.get(record.type) if isinstance(inline, dict) and inline else None
    if node_class is None or node_class.role is not Role.WORKFLOW:
        return
    inner = migrated(WorkflowDocument.from_json(inline, f"{place}.data.workflow_json"), registry)
    if inner.notes:
        record.data["workflow_json"] = inner.document.to_json()
    prefix = f"{place}.data.workflow_json."
    for problems, of in ((found.notes, inner.notes), (found.problems, inner.problems)):
        problems.extend(
            Problem(each.code, prefix + each.where, each.message, each.hint, each.level)
            for each in of
        )
