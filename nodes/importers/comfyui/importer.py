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

from pathlib import Path
from typing import TYPE_CHECKING

from nodes.importers.comfyui import file
from nodes.importers.comfyui.file import ComfyNode, Link
from nodes.importers.comfyui.reading import Reading
from nodes.importers.comfyui.rules import RULES
from nodes.importers.comfyui.values import Missing
from nodetool_core.importing.draft import Draft, Imported, Unsupported

if TYPE_CHECKING:
    from nodetool_core import Registry


def import_file(path: Path, registry: Registry) -> Imported:
    """
    Read a file of ComfyUI.

    Raises WorkflowError where it is none, or nothing of it has a counterpart.
    """
    return import_nodes(file.load(path), registry, name=path.stem, where=str(path))


def import_nodes(
    nodes: list[ComfyNode], registry: Registry, *, name: str = "", where: str = "workflow"
) -> Imported:
    """
    Return the workflow that nodes amount to, each of them after those that it depends on.

    Raises WorkflowError.
    """
    draft = Draft(registry)
    outputs: dict[str, tuple[object, ...] | Missing] = {}
    for node in nodes:
        inputs = {key: _resolved(value, outputs) for key, value in node.inputs.items()}
        outputs[node.id] = _followed(node, inputs, draft)
    return draft.imported(name, where)


def _followed(
    node: ComfyNode, inputs: dict[str, object], draft: Draft
) -> tuple[object, ...] | Missing:
    """Return what a node's outputs stand for."""
    if node.mode:
        draft.note(f"{node.mode}_node", node.label, f"is {node.mode}, and left out.")
        return Missing(node.label) if node.mode == "muted" else _passed_on(inputs)
    rule = RULES.get(node.class_type)
    if rule is None:
        draft.leave_out(node.label, "has no counterpart and is left out.")
        return Missing(node.label)
    reading = Reading(node, inputs, draft)
    try:
        values = rule(reading)
    except Unsupported as reason:
        draft.leave_out(node.label, f"is left out: {reason}.")
        return Missing(node.label)
    for name, value in reading.unread():
        draft.note(
            "left_out_property",
            node.label,
            f"{name} has no counterpart: {value!r} is left out.",
            level="warning",
        )
    return values


def _passed_on(inputs: dict[str, object]) -> tuple[object, ...]:
    """
    Return the outputs of a node that is bypassed: the input that is named by the output's number.
    """
    last = max(map(int, inputs), default=-1)
    return tuple(inputs.get(str(number), Missing("a bypassed node")) for number in range(last + 1))


def _resolved(value: object, outputs: dict[str, tuple[object, ...] | Missing]) -> object:
    """Return the value of an input: what a link leads to, or the value that stands there."""
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
