"""What became of each node of a file that was imported."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from enum import StrEnum

from nodetool_core.errors import Problem
from nodetool_core.importing.draft import Grade, Imported, grade_of
from nodetool_core.json_types import JsonObject


class Fate(StrEnum):
    """What became of a node."""

    SAME = "same"
    OTHER_FORM = "other form"
    """It does the same in another way, or as part of another node."""
    APPROXIMATED = "approximated"
    LOST = "lost"
    """It has no counterpart, or one of its values has none."""


@dataclass(frozen=True)
class NodeReport:
    """What became of one node."""

    node: str
    fate: Fate
    nodes: list[str]
    """The nodes of ours that stand for it."""
    messages: list[str]

    def to_json(self) -> JsonObject:
        return asdict(self)


def report(imported: Imported) -> list[NodeReport]:
    """Return what became of each node of the file, in the order of the file's graph."""
    notes: dict[str, list[Problem]] = defaultdict(list)
    for note in imported.notes:
        notes[note.where].append(note)
    kept = {node.id for node in imported.document.graph.nodes}
    found = []
    for source in imported.sources:
        own = notes[source.label]
        messages = [f"{note.message} {note.hint}".rstrip() for note in own]
        for what, values in (
            ("Without effect here", source.without_effect),
            ("Left out with it", source.left_out),
        ):
            if values:
                listed = ", ".join(f"{name} {value!r}" for name, value in values.items())
                messages.append(f"{what}: {listed}.")
        nodes = [node for node in dict.fromkeys(source.nodes) if node in kept]
        found.append(NodeReport(source.label, _fate(own, bool(nodes)), nodes, messages))
    return found


def _fate(notes: list[Problem], is_node: bool) -> Fate:
    grade = grade_of(notes)
    if grade is Grade.LOSSES:
        return Fate.LOST
    if grade is Grade.NOTES:
        return Fate.APPROXIMATED
    return Fate.SAME if is_node and not notes else Fate.OTHER_FORM
