"""
A workflow of ComfyUI as one of ours.

The importer follows the graph from its sources to its outputs without running it. Each node is
looked up in `RULES` by its class; its rule takes the values of its inputs (`values`), may
write nodes of ours into the draft, and gives the values of its outputs. So a sampler, together with
the loader, the texts and the latents that lead to it, becomes the one node of ours that does the
same. One pass, each node once.

Nothing is dropped in silence. A node without a rule is named, and so is every node that can't do
without it; an input that no rule reads is named with its value.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodes.importers.comfyui import file
from nodes.importers.comfyui.graph import GROUP, ComfyNode, Inactive, Link
from nodes.importers.comfyui.reading import InactiveError, Reading
from nodes.importers.comfyui.rules import OUTPUTS, RULES, Rule, comment
from nodes.importers.comfyui.values import Missing
from nodetool_core.importing.draft import Draft, Imported, SourceNode, Unsupported

if TYPE_CHECKING:
    from nodetool_core import Registry

_BY_NAME = "Export the workflow in ComfyUI with `Export (API)`, which names every value."


@dataclass(frozen=True)
class Dialect:
    """The classes of nodes of a tool."""

    rules: Mapping[str, Rule]
    outputs: Collection[str]
    """Those that give results."""


COMFYUI: Final = Dialect(RULES, OUTPUTS)


def import_file(path: Path, registry: Registry) -> Imported:
    """
    Read a file of ComfyUI.

    Raises WorkflowError where it is none, or nothing of it has a counterpart.
    """
    return import_nodes(file.load(path), registry, name=path.stem, where=str(path))


def import_nodes(
    nodes: list[ComfyNode],
    registry: Registry,
    *,
    name: str = "",
    where: str = "workflow",
    dialect: Dialect = COMFYUI,
    knows_hub: bool = True,
) -> Imported:
    """
    Return the workflow that nodes amount to, each of them after those that it depends on.

    Args:
        name: Of the workflow.
        where: Where problems of the whole are, as messages say it.
        dialect: What their classes are.
        knows_hub: Whether well known names of files stand for their places on the Hub.

    Raises WorkflowError.
    """
    draft = Draft(registry)
    outputs: dict[str, tuple[object, ...] | Missing] = {}
    needs: dict[str, set[str]] = {}
    groups: list[Reading] = []
    outgoing: dict[str, set[int]] = {}
    for link in (link for node in nodes for link in node.links()):
        outgoing.setdefault(link.node, set()).add(link.output)
    for node in nodes:
        inputs = {key: _resolved(value, outputs) for key, value in node.inputs.items()}
        reading = Reading(node, inputs, draft, knows_hub=knows_hub)
        reading.given = outgoing.get(node.id, set())
        if node.class_type == GROUP:
            groups.append(reading)
        outputs[node.id] = () if node.class_type == GROUP else _followed(reading, dialect.rules)
        needs[node.id] = {
            value.node
            for key, value in node.inputs.items()
            if isinstance(value, Link) and key not in reading.unneeded
        }
    for group in groups:
        color = group.node.look.get("color")
        if not draft.frame(group.node.id, group.node.title, str(color or "")):
            comment(group)
    _set_aside(nodes, needs, draft, dialect)
    imported = draft.imported(name, where)
    kept = {node.id for node in imported.document.graph.nodes}
    _keep_stranded(nodes, needs, outputs, imported.sources, kept)
    return imported


def _set_aside(
    nodes: list[ComfyNode], needs: dict[str, set[str]], draft: Draft, dialect: Dialect
) -> None:
    """
    Turn into notes what was said of nodes that no output needs: ComfyUI does not run them either.

    A node without a rule may be an output, where nothing is linked to it.
    """
    linked = {link.node for node in nodes for link in node.links()}
    waiting = [
        node.id
        for node in nodes
        if node.class_type in dialect.outputs
        or (node.class_type not in dialect.rules and node.id not in linked)
    ]
    used: set[str] = set()
    while waiting:
        node_id = waiting.pop()
        if node_id not in used:
            used.add(node_id)
            waiting += needs.get(node_id, ())
    unused = {node.label for node in nodes if node.id not in used}
    draft.missing -= unused
    draft.notes = [
        replace(
            note,
            code="unused_node" if note.code.startswith("left_out") else note.code,
            message=f"{note.message} No output needs it.",
            level="note",
        )
        if note.where in unused and note.level == "warning"
        else note
        for note in draft.notes
    ]


def _keep_stranded(
    nodes: list[ComfyNode],
    needs: dict[str, set[str]],
    outputs: dict[str, tuple[object, ...] | Missing],
    sources: list[SourceNode],
    kept: set[str],
) -> None:
    """Keep the values of nodes that no node of the workflow has taken in."""
    arrived: set[str] = set()
    for node, source in reversed(list(zip(nodes, sources, strict=True))):
        if isinstance(outputs[node.id], Missing):
            continue
        if kept.intersection(source.nodes) or node.id in arrived:
            arrived |= needs[node.id]
        elif not source.left_out:
            source.left_out = {
                name: value
                for name, value in node.values().items()
                if name not in source.without_effect
            }


def _followed(reading: Reading, rules: Mapping[str, Rule]) -> tuple[object, ...] | Missing:
    """Return what a node's outputs stand for."""
    node, draft, source = reading.node, reading.draft, reading.source
    if node.mode == "field":
        draft.note("no_node", node.label, f"is no node, and left out: {node.inputs['value']!r}.")
        return ()
    if node.mode:
        source.left_out = node.values()
        draft.note(f"{node.mode}_node", node.label, f"is {node.mode}, and left out.")
        return ()
    rule = rules.get(node.class_type)
    try:
        if rule is None:
            return _left_out(reading, "has no counterpart and is left out.")
        values = rule(reading)
    except InactiveError as reason:
        source.left_out = node.values()
        draft.note("muted_node", node.label, f"does not run: {reason}.")
        return Missing(node.label, inactive=True)
    except Unsupported as reason:
        return _left_out(reading, f"is left out: {reason}.")
    for name, value in reading.unread():
        reading.lost(f"{name} has no counterpart: {value!r} is left out.")
    if node.unnamed:
        reading.lost(f"its values {node.unnamed!r} are not understood, and left out.", _BY_NAME)
    return values


def _left_out(reading: Reading, message: str) -> Missing:
    node = reading.node
    reading.source.left_out = node.values()
    reading.draft.leave_out(node.label, message)
    return Missing(node.label)


def _resolved(value: object, outputs: dict[str, tuple[object, ...] | Missing]) -> object:
    """Return the value of an input: what a link leads to, or the value that stands there."""
    if isinstance(value, Inactive):
        return Missing(value.node, inactive=True)
    if not isinstance(value, Link):
        return value
    found = outputs.get(value.node, Missing(f"node {value.node}, which is not in the file,"))
    if isinstance(found, Missing):
        return found
    return (
        found[value.output]
        if 0 <= value.output < len(found)
        else Missing(f"output {value.output} of node {value.node}")
    )
