"""
Values given to a workflow from outside, by name.

`photo` for the input node of that name, `resize.width` for a property.

Python passes values, the command line passes texts; both end in the same checks as the values in
the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodetool_core.errors import Problem, WorkflowError, near_miss
from nodetool_core.graph import Graph, GraphNode, is_missing_asset
from nodetool_core.properties import Property
from nodetool_core.references import AssetRef, Reference
from nodetool_core.secrets import key_problem
from nodetool_core.types import union_members
from nodetool_core.values import CONTAINERS, is_too_deep, map_leaves

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEME = re.compile(r"(?i:data|asset|file):|[A-Za-z][A-Za-z0-9+.-]*://|[A-Za-z]:[\\/]")
"""
How a URI begins, or a path of Windows with its drive.

Other colons are part of a name, such as a time of day.
"""


def apply(graph: Graph, values: Mapping[str, object], *, texts: bool = False) -> Graph:
    """
    Return the graph with values put in place.

    A value given for a connected property replaces the connection.

    Args:
        values: By input name, by `node.property` (node by id), or by input name and property.
        texts: The values are texts from a command line: read as JSON where the property is no text.

    Raises WorkflowError with every unknown name and every value that does not fit.
    """
    if not values:
        return graph
    nodes = list(graph.nodes)
    names = _Names(graph)
    problems: list[Problem] = []
    has_all_edges = True
    changed = set(graph.changed)
    for name, value in values.items():
        found = names.find(name)
        if isinstance(found, Problem):
            problems.append(found)
            continue
        index, prop = found
        if leak := key_problem(value, name):
            problems.append(leak)
            continue
        parsed = parse_text(prop, value) if texts and isinstance(value, str) else value
        validated, wrong = prop.validate(_with_images(parsed), name)
        problems.extend(wrong)
        node = nodes[index]
        inputs = [edge for edge in node.inputs if edge.property != prop.name]
        has_all_edges = has_all_edges and len(inputs) == len(node.inputs)
        changed.add(index)
        nodes[index] = replace(
            node, values=node.values | {prop.name: map_leaves(validated, _from_here)}, inputs=inputs
        )
    if problems:
        raise WorkflowError(problems)
    if not has_all_edges:
        return Graph(nodes, graph.notes)
    return Graph(nodes, graph.notes, graph.origin or graph, frozenset(changed))


def check_given(inputs: Sequence[GraphNode]) -> None:
    """
    Raise WorkflowError for each of the input nodes that has neither a value nor a usable default.
    """
    problems = []
    for node in inputs:
        prop = node.spec.properties.get("value")
        if prop is None or any(edge.property == "value" for edge in node.inputs):
            continue
        if "value" not in node.values or is_missing_asset(prop, node.values["value"]):
            message = f"The input {node.name!r} has no value."
            problems.append(
                Problem(
                    "missing_input",
                    node.place,
                    message,
                    f"Give one: --set {node.name}=…, or run({node.name}=…).",
                )
            )
    if problems:
        raise WorkflowError(problems)


def parse_text(prop: Property, text: str) -> object:
    """
    Return a command-line text as a value of the property.

    It is read as JSON, except for texts and references.
    """
    members = union_members(prop.annotation)
    if str in members or (
        isinstance(prop.annotation, type)
        and issubclass(prop.annotation, Reference)
        and not text.startswith("{")
    ):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return (
        float(value)
        if float in members and isinstance(value, int) and not isinstance(value, bool)
        else value
    )


def find(name: str, graph: Graph) -> tuple[int, Property] | Problem:
    """
    Return the position of the node that a name means, and the property; or the problem.
    """
    return _Names(graph).find(name)


class _Names:
    """What can be given to a graph from outside."""

    def __init__(self, graph: Graph) -> None:
        self._nodes = graph.nodes
        self._position = graph.index.positions
        self._by_name = {name: self._position[node.id] for name, node in graph.inputs().items()}

    def find(self, name: str) -> tuple[int, Property] | Problem:
        if name in self._by_name:
            return self._by_name[name], self._nodes[self._by_name[name]].spec.properties["value"]
        node_id, dot, property_name = name.rpartition(".")
        index = self._position.get(node_id, self._by_name.get(node_id, -1))
        if not dot or index < 0:
            wanted = node_id if dot else name
            hint = (
                near_miss(wanted, [*self._by_name, *(self._position if dot else ())])
                or self._listed()
            )
            return Problem(
                "unknown_input",
                name,
                f"The workflow has no {'node' if dot else 'input'} {wanted!r}.",
                hint,
            )
        spec = self._nodes[index].spec
        if property_name not in spec.properties:
            hint = (
                near_miss(property_name, spec.properties) or f"It has {', '.join(spec.properties)}."
            )
            return Problem(
                "unknown_property", name, f"{spec.title} has no property {property_name!r}.", hint
            )
        return index, spec.properties[property_name]

    def _listed(self) -> str:
        names = f"Its inputs: {', '.join(self._by_name)}." if self._by_name else "It has no inputs."
        return (
            f"{names} A property is set as node.property; its nodes:"
            f" {', '.join(list(self._position)[:20])}."
        )


def _with_images(value: object) -> object:
    """Return a value given from Python with what travels along edges in place of images."""
    if isinstance(value, CONTAINERS) and is_too_deep(value):
        # Refused as a value, whatever it holds.
        return value
    return map_leaves(value, _as_image)


def _as_image(value: Any) -> object:
    """Return a Pillow image given from Python as a value that travels along edges."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "mode") and hasattr(value, "tobytes"):
        from nodetool_core.assets.image_data import ImageData

        return ImageData.of(value)
    return value


def _from_here(value: object) -> object:
    """
    Return a value whose relative paths start from the current folder.

    Those in a file mean the file's folder.
    """
    if isinstance(value, AssetRef) and value.uri and not _SCHEME.match(value.uri):
        home = value.uri == "~" or value.uri.startswith("~/")
        path = Path(value.uri).expanduser() if home else Path(value.uri)
        return value.model_copy(update={"uri": str(path.absolute())})
    return value
