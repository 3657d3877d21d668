"""
Outputs of nodes in values: what a property takes to make an edge.

An output may stand alone or in lists, tuples and mappings, and a node with one output stands for
that output. `connect` finds them, checks each against the type that is expected at its place, and
returns the value in containers of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar, get_args

from nodetool_core.declaration import NodeSpec
from nodetool_core.errors import Problem
from nodetool_core.properties import MISSING, Property
from nodetool_core.types import (
    Annotation,
    checker,
    is_assignable,
    origin_of,
    strip,
    type_name,
    union_members,
)
from nodetool_core.values import CONTAINERS, PLAIN_TYPES, complaint, levels

Item = TypeVar("Item", covariant=True)

Found = tuple[Any, list[Problem]]
"""A value, and what is wrong with it."""


class Declared(Protocol):
    """A node, as far as its outputs are concerned."""

    spec: ClassVar[NodeSpec]


class OutputHandle(Generic[Item]):
    """
    One output of a node in a graph being built, with values of the type `Item`.

    What a property of another node takes to make an edge.
    """

    __slots__ = ("name", "node")

    def __init__(self, node: Declared, name: str) -> None:
        self.node = node
        self.name = name

    @property
    def annotation(self) -> Annotation:
        return self.node.spec.outputs[self.name].annotation

    def __repr__(self) -> str:
        return f"<{self.node.spec.title}.{self.name}: {type_name(self.annotation)}>"


class OneOutput(Protocol[Item]):
    """A node that stands for its output, for type checkers."""

    @property
    def output(self) -> OutputHandle[Item]: ...


Feeds: TypeAlias = OutputHandle[Item] | OneOutput[Item]
"""What a property takes besides its values, in stubs: an output, or a node for its one output."""


class ListOf(Protocol[Item]):
    """
    A list, for type checkers: what a property of a list takes, by `mypy_plugin`.

    Unlike `list[T]`, it takes a list of any part of T: one of outputs alone where values and
        outputs may stand.
    """

    def __getitem__(self, index: int, /) -> Item: ...
    def __reversed__(self) -> Iterator[Item]: ...
    def __len__(self) -> int: ...
    def reverse(self) -> None: ...


def spec_of(value: object) -> NodeSpec | None:
    """Return the declaration of a node; None for anything else."""
    spec = getattr(type(value), "spec", None)
    return spec if isinstance(spec, NodeSpec) else None


def holds_outputs(value: object) -> bool:
    """Return whether a value is an output or a node, or has one somewhere inside."""
    if type(value) in PLAIN_TYPES:
        return False
    if not isinstance(value, CONTAINERS):
        return _is_output(value)
    # What is too deep is refused as a value, whatever it holds.
    with suppress(RecursionError):
        return any(_is_output(item) for level in levels(value, once=True) for item in level)
    return False


def _is_output(value: object) -> bool:
    return isinstance(value, OutputHandle) or spec_of(value) is not None


def connect(value: Any, annotation: Annotation, where: str) -> Found:
    """
    Return a value with outputs in it, in containers of its own, and what does not fit.

    Args:
        annotation: The type that is expected.
        where: What messages call the place.
    """
    if spec_of(value) is not None:
        value, problems = _only_output(value, where)
        if problems:
            return value, problems
    if isinstance(value, OutputHandle):
        if is_assignable(value.annotation, annotation):
            return value, []
        given = f"{value.node.spec.title}.{value.name} is {type_name(value.annotation)}"
        return value, [
            Problem("type_mismatch", where, f"expects {type_name(annotation)}, but {given}.")
        ]
    if not holds_outputs(value):
        return Property("", annotation, MISSING, "", {}).validate(value, where)
    if wrong := complaint(value):
        return value, [Problem("invalid_value", where, wrong)]
    return _connect_container(value, annotation, where)


def _only_output(node: Declared, where: str) -> Found:
    names = list(node.spec.outputs)
    if len(names) == 1:
        only: OutputHandle[object] = OutputHandle(node, names[0])
        return only, []
    title = node.spec.title
    if not names:
        return node, [
            Problem(
                "invalid_value",
                where,
                f"{title} has no output.",
                "Give a node that has one, or a value.",
            )
        ]
    hint = f"Say which: {', '.join(f'.{name}' for name in names)}."
    return node, [Problem("invalid_value", where, f"{title} has {len(names)} outputs.", hint)]


def _connect_container(value: Any, annotation: Annotation, where: str) -> Found:
    kind = type(value)
    if kind not in (list, tuple, dict):
        hint = "Outputs may stand in lists, tuples and mappings."
        return value, [
            Problem("invalid_value", where, f"a {kind.__name__} can't hold outputs of nodes.", hint)
        ]
    if (
        kind is dict
        and (wrong := next((name for name in value if type(name) is not str), None)) is not None
    ):
        message = f"the name {wrong!r} is no text; a mapping with outputs has texts as names."
        return value, [Problem("invalid_value", where, message)]
    tried = [
        _connect_parts(value, types, where)
        for member in union_members(annotation)
        if (types := _parts(value, member)) is not None
    ]
    if not tried:
        return value, [
            Problem(
                "type_mismatch",
                where,
                f"expects {type_name(annotation)}, got a {kind.__name__} of outputs.",
            )
        ]
    return next((found for found in tried if not found[1]), tried[0])


def _connect_parts(value: Any, types: list[Annotation], where: str) -> Found:
    places = [
        f"{where}[{part!r}]" for part in (value if isinstance(value, dict) else range(len(value)))
    ]
    parts = value.values() if isinstance(value, dict) else value
    found = [connect(part, of, place) for part, of, place in zip(parts, types, places, strict=True)]
    items = [item for item, _ in found]
    whole = dict(zip(value, items, strict=True)) if isinstance(value, dict) else type(value)(items)
    return whole, [problem for _, problems in found for problem in problems]


def _parts(value: Any, annotation: Annotation) -> list[Annotation] | None:
    """
    Return the type that is expected of each part of a container.

    None where there is to be no such container.
    """
    annotation = strip(annotation)
    origin, arguments, count = origin_of(annotation) or annotation, get_args(annotation), len(value)
    if annotation is Any:
        return [Any] * count
    if not isinstance(origin, type) or not issubclass(type(value), origin):
        return None
    if not arguments:
        return [Any] * count
    if isinstance(value, Mapping):
        names = checker(arguments[0])
        return [arguments[-1]] * count if all(map(names, value)) else None
    if isinstance(value, tuple) and origin is tuple and Ellipsis not in arguments:
        return list(arguments) if len(arguments) == count else None
    return [arguments[0]] * count
