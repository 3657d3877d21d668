"""
From node objects to a document: what `Workflow(...)` does.

Nodes are found from the wanted ones up, without recursion, and listed after what they need. A value
with outputs inside of a list, a tuple or a mapping becomes a node of its own that makes the
container, so that the document has plain edges only: which nodes do that, the packs state
(`Pack.makers`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.handles import OutputHandle, holds_outputs
from nodetool_core.node_base import Node
from nodetool_core.ownership import own_copy
from nodetool_core.registry import Registry, distinct_types
from nodetool_core.specialized import general_class
from nodetool_core.workflow import EdgeRecord, GraphRecord, NodeRecord, WorkflowDocument
from nodetool_core.workflow_class import reused


def document_of(wanted: Sequence[Node]) -> tuple[WorkflowDocument, Registry]:
    """
    Return the document of all that the wanted nodes depend on, and where its classes are found.

    Ids follow titles and order. Of several classes of one type, as a factory makes them, each is
    given a type of its own.

    Raises WorkflowError where a type stands for one class here and for another one in a workflow
    that is used as a node.
    """
    given = _Given()
    ordered = _ancestors_first(wanted, given)
    ids, types = _ids(ordered), distinct_types(_recorded_class(node) for node in ordered)
    registry = Registry()
    for node_class, node_type in types.items():
        registry.add(node_class, node_type)
    records, edges = [], []
    for node in ordered:
        data: dict[str, object] = {}
        if (inner := reused(type(node))) is not None:
            data |= own_copy(inner.values)
            registry.include(inner.registry)
        for name, value in given.of(node).items():
            if isinstance(value, OutputHandle):
                edges.append(
                    EdgeRecord(
                        source=ids[id(value.node)],
                        sourceHandle=value.name,
                        target=ids[id(node)],
                        targetHandle=name,
                    )
                )
            else:
                data[name] = own_copy(value)
        records.append(NodeRecord(id=ids[id(node)], type=types[_recorded_class(node)], data=data))
    return WorkflowDocument(graph=GraphRecord(nodes=records, edges=edges)), registry


def _recorded_class(node: Node) -> type[Node]:
    """Return the class that a file names for a node."""
    inner = reused(type(node))
    return general_class(type(node)) if inner is None else inner.recorded_class


class _Given:
    """What was given to each node: values, and outputs for edges."""

    def __init__(self) -> None:
        self._of: dict[int, dict[str, object]] = {}
        self._packs: Registry | None = None

    def of(self, node: Node) -> dict[str, Any]:
        """
        Return every value that is not the property's default.

        Containers of outputs become outputs of nodes that make them.
        """
        known = self._of.get(id(node))
        if known is None:
            properties = node.spec.properties
            values = {
                name: value
                for name, value in vars(node).items()
                if name in properties and not properties[name].is_default(value)
            }
            values |= node.dynamic_values
            known = self._of[id(node)] = {name: self._edge(value) for name, value in values.items()}
        return known

    def _edge(self, value: Any) -> Any:
        if isinstance(value, OutputHandle) or not holds_outputs(value):
            return value
        names = value if isinstance(value, dict) else map(str, range(len(value)))
        parts = value.values() if isinstance(value, dict) else value
        maker = self._maker(type(value))(**dict(zip(names, parts, strict=True)))
        return OutputHandle[object](maker, next(iter(maker.spec.outputs)))

    def _maker(self, kind: type) -> type[Node]:
        if self._packs is None:
            self._packs = Registry.installed()
        found = self._packs.maker(kind)
        if found is None:
            message = (
                f"a {kind.__name__} of outputs needs a node that makes it, and no installed pack"
                " has one."
            )
            raise WorkflowError(
                Problem(
                    "unknown_type",
                    "Workflow",
                    message,
                    "Install the built-in pack, or connect such a node yourself.",
                )
            )
        return found


def _ancestors_first(wanted: Sequence[Node], given: _Given) -> list[Node]:
    ordered: list[Node] = []
    seen: set[int] = set()
    pending: list[tuple[Node, bool]] = [(node, False) for node in reversed(wanted)]
    while pending:
        node, expanded = pending.pop()
        if expanded:
            ordered.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            pending.append((node, True))
            handles = [
                value for value in given.of(node).values() if isinstance(value, OutputHandle)
            ]
            pending.extend((_node_of(handle), False) for handle in reversed(handles))
    return ordered


def _node_of(handle: OutputHandle[object]) -> Node:
    assert isinstance(handle.node, Node), "only nodes make handles"
    return handle.node


def _ids(nodes: Sequence[Node]) -> dict[int, str]:
    """
    Return an id for each node, by identity.

    It is the title, with a number from the second of that title on.
    """
    titles = [_snake_case(node.spec.title) for node in nodes]
    taken, counts = set(titles), dict.fromkeys(titles, 0)
    ids: dict[int, str] = {}
    for node, title in zip(nodes, titles, strict=True):
        counts[title] += 1
        name = title
        while counts[title] > 1 and (name := f"{title}_{counts[title]}") in taken:
            counts[title] += 1
        taken.add(name)
        ids[id(node)] = name
    return ids


def _snake_case(title: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", title).lower()
