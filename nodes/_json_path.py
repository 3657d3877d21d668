"""
Paths into values: JSONPath (RFC 9535) without filters and functions.

    $                the value itself
    .name ['name']   a value by its name
    [0] [-1]         an item by its place, from 0; below 0 from the end
    [1:5:2]          items from 1 to before 5, every second
    .* [*]           all values or items
    ..name ..[0] ..* the same at any depth
    [0, 'name']      several

A path is read once into segments, each a list of selectors; a value is walked through segment by
segment, and what is found stays in the order of the RFC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from nodetool_core import NodeError

MAX_FOUND: Final = 1_000_000

_SHORT: Final = re.compile(r"\s*(\.\.?)\s*([^\W\d]\w*|\*|(?=\[))")
_SELECTOR: Final = re.compile(
    r"\s*(?:(?P<slice>(-?\d{1,18})?\s*:\s*(-?\d{1,18})?\s*(?::\s*(-?\d{1,18})?)?)"
    r"|(?P<index>-?\d{1,18})|(?P<all>\*)|'(?P<single>(?:[^'\\]|\\.)*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\")\s*"
)
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

Selector = str | int | slice | None
"""A name, a place, places, or None for all."""


@dataclass(frozen=True)
class Segment:
    """One step of a path."""

    selectors: tuple[Selector, ...]
    at_any_depth: bool = False


Path = tuple[Segment, ...]


def read_path(text: str) -> Path:
    """Return the steps of a path. Raises NodeError where it can't be read."""
    if not text.startswith("$"):
        raise _unreadable(text, 0)
    segments, place = [], 1
    while place < len(text.rstrip()):
        short = _SHORT.match(text, place)
        deep = bool(short and short[1] == "..")
        if short and short[2]:
            selectors: tuple[Selector, ...] = (None if short[2] == "*" else short[2],)
            place = short.end()
        elif short is None or deep:
            place = short.end() if short else place
            selectors, place = _bracket(text, place)
        else:
            raise _unreadable(text, place)
        segments.append(Segment(selectors, deep))
    return tuple(segments)


def found_at(path: Path, value: object) -> list[object]:
    """Return what a path leads to. Raises NodeError where that is too much."""
    found = [value]
    for segment in path:
        reached = []
        for one in found:
            for level in _levels(one) if segment.at_any_depth else (one,):
                for selector in segment.selectors:
                    reached += _selected(level, selector)
            if len(reached) > MAX_FOUND:
                raise NodeError(
                    f"The path leads to more than {MAX_FOUND:,} values.", "Give a narrower one."
                )
        found = reached
    return found


def with_value(path: Path, value: object, new: object) -> object:
    """
    Return the value with another one at a path of names and places; mappings that lack are made.

    Raises NodeError for another path, or a place that is not there.
    """
    if not path:
        return new
    selector = path[0].selectors[0] if len(path[0].selectors) == 1 else None
    if path[0].at_any_depth or not isinstance(selector, (str, int)):
        raise NodeError(
            "A value is set at one place, which this path is not.",
            "Give names and places alone, such as $.scene.lights[0].",
        )
    if isinstance(selector, str):
        if value is not None and not isinstance(value, Mapping):
            raise NodeError(
                f"There are no names in a {type(value).__name__}, so {selector!r} can't be set.",
                "Look at the value with another path first.",
            )
        named = dict(value or {})
        named[selector] = with_value(path[1:], named.get(selector), new)
        return named
    items = list(value) if isinstance(value, (list, tuple)) else []
    place = selector + len(items) if selector < 0 else selector
    if not 0 <= place <= len(items):
        raise NodeError(
            f"There is no item {selector} in a list of {len(items)}.",
            f"Give a place from 0 to {len(items)}; the last one adds an item.",
        )
    old = items[place] if place < len(items) else None
    items[place : place + 1] = [with_value(path[1:], old, new)]
    return items


def _bracket(text: str, place: int) -> tuple[tuple[Selector, ...], int]:
    """Return the selectors in brackets, and the place behind them."""
    if text[place : place + 1] != "[":
        raise _unreadable(text, place)
    selectors: list[Selector] = []
    while not selectors or text[place : place + 1] == ",":
        found = _SELECTOR.match(text, place + 1)
        if not found:
            raise _unreadable(text, place + 1)
        selectors.append(_selector(found))
        place = found.end()
    if text[place : place + 1] != "]":
        raise _unreadable(text, place)
    return tuple(selectors), place + 1


def _selector(found: re.Match[str]) -> Selector:
    if found["slice"]:
        start, stop, step = (int(part) if part else None for part in found.group(2, 3, 4))
        return slice(start, stop, step)
    if found["index"]:
        return int(found["index"])
    if found["all"]:
        return None
    name = found["single"] if found["single"] is not None else found["double"]
    return _ESCAPE.sub(_unescaped, name)


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1]
    return chr(int(code[1:], 16)) if len(code) == 5 else _ESCAPES.get(code, code)


def _selected(value: object, selector: Selector) -> list[object]:
    """Return the children that a selector takes."""
    if isinstance(value, Mapping):
        if selector is None:
            return list(value.values())
        return [value[selector]] if isinstance(selector, str) and selector in value else []
    if not isinstance(value, (list, tuple)):
        return []
    if isinstance(selector, int):
        return [value[selector]] if -len(value) <= selector < len(value) else []
    if isinstance(selector, slice):
        return [] if selector.step == 0 else list(value[selector])
    return list(value) if selector is None else []


def _levels(value: object) -> Iterator[object]:
    """Yield a value and all that lies in it, what is outside first."""
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, (Mapping, list, tuple)):
            yield one
            pending += reversed(_selected(one, None))


def _unreadable(text: str, place: int) -> NodeError:
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    return NodeError(
        f"The path {shown!r} can't be read at character {place + 1}.",
        "It is JSONPath without filters: $.name, $['name'], $[0], $[1:3], $.* or $..name.",
    )
