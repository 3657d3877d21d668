"""
What clients can set: the inputs of a workflow, and parameters of its one generating node.

Clients of the image APIs send `num_inference_steps`, `guidance_scale`, `strength`, `seed` and the
like to whatever they are given. A workflow with exactly one node that generates images *exposes*
those parameters of it that nothing is connected to. An input of the same name comes first: so an
author gives a parameter bounds of his own, or closes it with an input that leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, get_args

from nodetool_core.graph import Graph, GraphNode
from nodetool_core.properties import Property
from nodetool_core.references import AssetRef, ImageRef, ModelRef
from nodetool_core.types import union_members

STANDARD: Final = (
    "prompt",
    "negative_prompt",
    "num_inference_steps",
    "guidance_scale",
    "strength",
    "seed",
    "scheduler",
    "width",
    "height",
)
"""Parameters that mean the same in every image API."""

_GUIDED: Final = "guidance_scale"
"""The property by which a node that generates images is known."""

NOT_FOR_CLIENTS: Final = ("num_images",)
"""Properties of a model's node that clients can't set: an answer holds one image."""


@dataclass(frozen=True)
class Input:
    """A value that a client can set."""

    name: str
    given: str
    """How `inputs.apply` calls it."""
    prop: Property
    default: object
    """The value where none is given; `properties.MISSING` where one must be."""
    description: str
    bounds: Mapping[str, float] = field(default_factory=dict)
    """JSON Schema keys that the input node adds, such as `maximum`."""
    is_exposed: bool = False
    """Whether it is a parameter of the generating node, for which the workflow has no input."""

    @property
    def is_image(self) -> bool:
        return ImageRef in union_members(self.prop.annotation)

    @property
    def most(self) -> float | None:
        """The largest number that it takes; None where there is no bound."""
        found = [
            bound
            for bound in (self.prop.bounds.get("le"), self.bounds.get("maximum"))
            if bound is not None
        ]
        return min(found, default=None)

    @property
    def choices(self) -> list[str]:
        """The texts among which it chooses; none where it takes any value."""
        return [
            choice
            for member in union_members(self.prop.annotation)
            for choice in get_args(member)
            if isinstance(choice, str)
        ]

    @property
    def is_text(self) -> bool:
        return self.prop.annotation is str


def declared_inputs(graph: Graph) -> dict[str, Input]:
    """
    Return what clients can set.

    The inputs that name no place on this machine, nor lead to a property that does.
    """
    forbidden = _leading_to_places(graph)
    found = {}
    for name, node in graph.inputs().items():
        prop = node.spec.properties.get("value")
        if prop is None or prop.place is not None or node.id in forbidden:
            continue
        default = node.values.get("value", prop.default)
        found[name] = Input(
            name,
            name,
            prop,
            default,
            str(node.values.get("description") or prop.description),
            _bounds(node),
        )
    return found


def _bounds(node: GraphNode) -> dict[str, float]:
    keys = {"min": "minimum", "max": "maximum"}
    found: dict[str, float] = {
        keys[name]: node.values[name] for name in keys if name in node.values
    }
    if node.values.get("max_length"):
        found["maxLength"] = node.values["max_length"]
    return found


def _leading_to_places(graph: Graph) -> set[str]:
    """
    Return the ids of the nodes from which a value can reach a property that names a place.

    Backwards, in one pass over the edges.
    """
    leading: set[int] = set()
    for index in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[index]
        for edge in node.inputs:
            prop = node.spec.properties.get(edge.property)
            if index in leading or (prop is not None and prop.place is not None):
                leading.add(edge.source)
    return {graph.nodes[index].id for index in leading}


def generating_node(graph: Graph) -> GraphNode | None:
    """
    Return the one node of a graph that generates images: that is guided, and draws a seed.

    None where there are several.
    """
    found = [
        node
        for node in graph.nodes
        if _GUIDED in node.spec.properties
        and any(prop.seed for prop in node.spec.properties.values())
    ]
    return found[0] if len(found) == 1 else None


def exposed_inputs(graph: Graph) -> dict[str, Input]:
    """
    Return the standard parameters of the one generating node.

    Those that nothing is connected to and no input is named like.
    """
    node, declared = generating_node(graph), graph.inputs()
    found = {} if node is None else _settable(node)
    return {
        name: given for name, given in found.items() if name in STANDARD and name not in declared
    }


def open_properties(graph: Graph, names: Iterable[str]) -> dict[str, str]:
    """
    Return the properties of the one generating node that nothing sets but the file.

    Each has what `inputs.apply` calls it. Those are left out that something is connected to, and
    those that an input is named like.
    """
    node, declared = generating_node(graph), graph.inputs()
    found = {} if node is None else _settable(node)
    return {name: found[name].given for name in names if name in found and name not in declared}


def model_inputs(node: GraphNode) -> dict[str, Input]:
    """
    Return what clients can set of the node that stands for a model: all but references and places.
    """
    return {name: given for name, given in _settable(node).items() if name not in NOT_FOR_CLIENTS}


def _settable(node: GraphNode) -> dict[str, Input]:
    return {
        name: Input(
            name, f"{node.id}.{name}", prop, node.values[name], prop.description, is_exposed=True
        )
        for name, prop in node.spec.properties.items()
        if name in node.values
        and prop.place is None
        and not isinstance(node.values[name], (ModelRef, AssetRef))
    }
