"""
Which nodes relate to which, from what they declare.

Two nodes relate by the tags they share: a rare tag says more than a common one, so each counts with the logarithm of its
rarity. A shared namespace and a result that the other takes count a little, and alone only where there are no tags.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from nodetool_core.declaration import NodeSpec
from nodetool_core.node import Node
from nodetool_core.types import is_assignable, type_name

_SHOWN = 6
_SAME_NAMESPACE = 0.5
_FEEDS = 0.25
_PLAIN = frozenset({"any", "str", "int", "float", "bool", "none", "list[any]"})
"""Types so common that they relate nothing."""


@dataclass(frozen=True)
class Relation:
    """One related node, and why."""

    spec: NodeSpec
    reason: str


class Relations:
    """The relations among a set of nodes."""

    def __init__(self, nodes: Iterable[type[Node]]) -> None:
        self.specs = [node.spec for node in nodes]
        counts = Counter(tag for spec in self.specs for tag in set(spec.tags))
        self.weight = {tag: math.log(1 + len(self.specs) / count) for tag, count in counts.items()}

    def of(self, spec: NodeSpec) -> list[Relation]:
        """The nodes most related to one, the nearest first."""
        scored = []
        for other in self.specs:
            if other.node_type == spec.node_type:
                continue
            score, reason = self._score(spec, other)
            if score > 0:
                scored.append((-score, other.node_type, Relation(other, reason)))
        return [relation for _, _, relation in sorted(scored, key=lambda entry: entry[:2])[:_SHOWN]]

    def _score(self, spec: NodeSpec, other: NodeSpec) -> tuple[float, str]:
        shared = sorted(set(spec.tags) & set(other.tags), key=lambda tag: (-self.weight[tag], tag))
        same_namespace = spec.namespace == other.namespace
        after, before = _feeds(spec, other), _feeds(other, spec)
        score = sum(self.weight[tag] for tag in shared)
        if not shared and not (same_namespace and (after or before)):
            return 0.0, ""
        score += _SAME_NAMESPACE * same_namespace + _FEEDS * (bool(after) + bool(before))
        reasons = [f"shares {', '.join(shared[:3])}"] if shared else []
        reasons += [f"takes the {after} that this node gives"] if after else []
        reasons += [f"gives the {before} that this node takes"] if before and not after else []
        return score, "; ".join(reasons)


def _feeds(source: NodeSpec, target: NodeSpec) -> str:
    """The type by which an output of one node fits a property of the other, or an empty string."""
    for output in source.outputs.values():
        name = type_name(output.annotation)
        if name in _PLAIN:
            continue
        for prop in target.properties.values():
            if type_name(prop.annotation) != "any" and is_assignable(output.annotation, prop.annotation):
                return name
    return ""
