"""
Paths into values: JSONPath (RFC 9535), which python-jsonpath reads.

    $                the value itself
    .name ['name']   a value by its name
    [0] [-1]         an item by its place, from 0; below 0 from the end
    [1:5:2]          items from 1 to before 5, every second
    .* [*]           all values or items
    ..name ..[0] ..* the same at any depth
    [0, 'name']      several
    [?@.size > 2]    those for which a condition holds

The functions `match` and `search` are left out: a pattern could keep a run busy without an end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Final

from nodetool_core import NodeError

if TYPE_CHECKING:
    from jsonpath import JSONPath, JSONPathEnvironment

MAX_FOUND: Final = 1_000_000

_DEEPEST: Final = 500
"""Levels of a value that `..` looks into."""


@cache
def _environment() -> JSONPathEnvironment:
    # Imported at the first path: the library takes as long as the rest of this pack.
    from jsonpath import JSONPathEnvironment

    environment = JSONPathEnvironment(strict=True)
    environment.max_recursion_depth = _DEEPEST
    for name in ("match", "search"):
        del environment.function_extensions[name]
    return environment


def read_path(text: str) -> JSONPath:
    """Return a path. Raises NodeError where it can't be read."""
    from jsonpath import JSONPath
    from jsonpath.exceptions import JSONPathError

    if not text.startswith("$"):
        raise _unreadable(text, "it does not begin with $")
    try:
        path = _environment().compile(text)
    except JSONPathError as error:
        raise _unreadable(text, str(error.args[0])) from error
    assert isinstance(path, JSONPath)  # the strict form has no unions of paths
    return path


def found_at(path: JSONPath, value: object) -> list[object]:
    """Return what a path leads to. Raises NodeError where that is too much."""
    from jsonpath.exceptions import JSONPathError

    if not isinstance(value, (Mapping, list, tuple)):
        return [] if path.segments else [value]
    try:
        found = [match.obj for match in islice(path.finditer(value), MAX_FOUND + 1)]
    except JSONPathError as error:
        raise _unreadable(str(path), str(error.args[0])) from error
    if len(found) > MAX_FOUND:
        raise NodeError(
            f"The path leads to more than {MAX_FOUND:,} values.", "Give a narrower one."
        )
    return found


def with_value(path: JSONPath, value: object, new: object) -> object:
    """
    Return the value with another one at a path of names and places; mappings that lack are made.

    Raises NodeError for another path, or a place that is not there.
    """
    return _set(_steps(path), value, new)


def _set(steps: Sequence[str | int], value: object, new: object) -> object:
    if not steps:
        return new
    selector = steps[0]
    if isinstance(selector, str):
        if value is not None and not isinstance(value, Mapping):
            raise NodeError(
                f"A value of type {type(value).__name__} has no names: {selector!r} can't be set.",
                "Look at the value with another path first.",
            )
        named = dict(value or {})
        named[selector] = _set(steps[1:], named.get(selector), new)
        return named
    items = list(value) if isinstance(value, (list, tuple)) else []
    place = selector + len(items) if selector < 0 else selector
    if not 0 <= place <= len(items):
        raise NodeError(
            f"There is no item {selector} in a list of {len(items)}.",
            f"Give a place from 0 to {len(items)}; the last one adds an item.",
        )
    old = items[place] if place < len(items) else None
    items[place : place + 1] = [_set(steps[1:], old, new)]
    return items


def _steps(path: JSONPath) -> list[str | int]:
    """Return the names and places of a path. Raises NodeError where it has other steps."""
    from jsonpath.segments import JSONPathChildSegment
    from jsonpath.selectors import IndexSelector, NameSelector

    steps: list[str | int] = []
    for segment in path.segments:
        selector = segment.selectors[0] if len(segment.selectors) == 1 else None
        if isinstance(segment, JSONPathChildSegment) and isinstance(selector, NameSelector):
            steps.append(selector.name)
        elif isinstance(segment, JSONPathChildSegment) and isinstance(selector, IndexSelector):
            steps.append(selector.index)
        else:
            raise NodeError(
                "A value is set at one place, which this path is not.",
                "Give names and places alone, such as $.scene.lights[0].",
            )
    return steps


def _unreadable(text: str, reason: str) -> NodeError:
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    return NodeError(
        f"The path {shown!r} can't be read: {reason}.",
        "It is JSONPath: $.name, $['name'], $[0], $[1:3], $.*, $..name or $[?@.size > 2].",
    )
