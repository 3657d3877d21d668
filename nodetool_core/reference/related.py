"""
Which nodes relate to which, from what they declare.

A node is a set of features: its tags, its properties (name and type), the types of its outputs. A
feature that few nodes have counts more than one that many have, so each weighs the logarithm of its
rarity (as words do in a search engine); what every node has weighs nothing. Two nodes are as near
as the angle between them is small: the weight of what they share against the weight of what each
has (cosine similarity). A result of the one that fits the other brings them nearer, by the rarity
of its type.

Cost: for each page a pass over all nodes, and each pair of types compared once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nodetool_core.declaration import NodeSpec
from nodetool_core.node_base import Node, Role
from nodetool_core.types import Annotation, is_assignable, type_name

_SHOWN = 6
_LEAST = 0.12
"""Nodes further apart than this are not called related."""
_FEEDS = 0.35
"""How much a result that fits counts beside what two nodes share."""
_TAG = 2.0
"""A shared tag counts more than a shared property: the author chose it to describe the node."""


class Feature(NamedTuple):
    """Something that a node declares: `tag`, `property` or `output`, and which."""

    kind: str
    name: str


@dataclass(frozen=True)
class Relation:
    """One related node, and why."""

    spec: NodeSpec
    reason: str


class Relations:
    """The relations among a set of nodes."""

    def __init__(self, nodes: Iterable[type[Node]]) -> None:
        nodes = list(nodes)
        self.specs = [node.spec for node in nodes]
        self._sources = {
            node.spec.node_type
            for node in nodes
            if node.role is Role.INPUT or list(node.spec.properties) == ["value"]
        }
        """Inputs and constants: values come from them, and are rarely fed into them."""
        self._features = {spec.node_type: _features(spec) for spec in self.specs}
        counts = Counter(feature for features in self._features.values() for feature in features)
        self._weight = {feature: self._rarity(feature, count) for feature, count in counts.items()}
        self._length = {
            name: math.sqrt(sum(self._weight[feature] ** 2 for feature in found))
            for name, found in self._features.items()
        }
        self._given = {
            spec.node_type: {
                type_name(output.annotation): output.annotation for output in spec.outputs.values()
            }
            for spec in self.specs
        }
        self._types = Counter(name for given in self._given.values() for name in given)
        kinds = {
            name: annotation for given in self._given.values() for name, annotation in given.items()
        }
        self._takers = {
            name: self._takers_of(annotation) if name != "any" else frozenset()
            for name, annotation in kinds.items()
        }
        """Which nodes take each type that some node returns, found once per type."""

    def is_source(self, spec: NodeSpec) -> bool:
        """Return whether a node brings values into a workflow rather than works on some."""
        return spec.node_type in self._sources

    def _takers_of(self, annotation: Annotation) -> frozenset[str]:
        taking = (spec for spec in self.specs if not self.is_source(spec))
        return frozenset(
            spec.node_type
            for spec in taking
            if any(_takes(prop.annotation, annotation) for prop in spec.properties.values())
        )

    def of(self, spec: NodeSpec) -> list[Relation]:
        """Return the nodes most related to one, the nearest first."""
        scored = []
        for other in self.specs:
            if other.node_type == spec.node_type:
                continue
            score, reason = self._score(spec, other)
            if score >= _LEAST:
                scored.append((-round(score, 9), other.node_type, Relation(other, reason)))
        return [relation for _, _, relation in sorted(scored, key=lambda entry: entry[:2])[:_SHOWN]]

    def _rarity(self, feature: Feature, count: int) -> float:
        return (_TAG if feature.kind == "tag" else 1.0) * math.log((1 + len(self.specs)) / count)

    def _score(self, spec: NodeSpec, other: NodeSpec) -> tuple[float, str]:
        shared = self._features[spec.node_type] & self._features[other.node_type]
        length = self._length[spec.node_type] * self._length[other.node_type]
        score = sum(self._weight[feature] ** 2 for feature in shared) / length if length else 0.0
        if not shared:
            return 0.0, ""
        after, before = self._feeds(spec, other), self._feeds(other, spec)
        score += max(self._feed_weight(after), self._feed_weight(before))
        reasons = _told(shared, self._weight)
        reasons += [f"takes the {after} that this node gives"] if after else []
        reasons += [f"gives the {before} that this node takes"] if before and not after else []
        return score, "; ".join(reasons)

    def _feeds(self, source: NodeSpec, target: NodeSpec) -> str:
        """
        Return the type by which an output of one node fits a property of the other.

        Empty where none does.
        """
        return next(
            (
                name
                for name in self._given[source.node_type]
                if target.node_type in self._takers[name]
            ),
            "",
        )

    def _feed_weight(self, kind: str) -> float:
        """Return the weight of a type that one node takes from the other; rare types count more."""
        return (
            _FEEDS
            * math.log((1 + len(self.specs)) / self._types[kind])
            / math.log(1 + len(self.specs))
            if kind
            else 0.0
        )


def _features(spec: NodeSpec) -> frozenset[Feature]:
    tags = {Feature("tag", tag) for tag in spec.tags}
    properties = {
        Feature("property", f"{prop.name}: {type_name(prop.annotation)}")
        for prop in spec.properties.values()
    }
    return frozenset(
        tags
        | properties
        | {Feature("output", type_name(output.annotation)) for output in spec.outputs.values()}
    )


def _takes(wanted: Annotation, given: Annotation) -> bool:
    return wanted is not Any and is_assignable(given, wanted)


def _told(shared: frozenset[Feature], weight: Mapping[Feature, float]) -> list[str]:
    """Return what two nodes share, the rarest first."""
    rarest = sorted(shared, key=lambda feature: (-weight[feature], feature))
    tags = [feature.name for feature in rarest if feature.kind == "tag"][:3]
    names = [feature.name.partition(":")[0] for feature in rarest if feature.kind == "property"][:3]
    told = [f"shares {', '.join(tags)}"] if tags else []
    told += [f"both have {', '.join(names)}"] if names else []
    return told or [f"both give {next(feature.name for feature in rarest)}"]
