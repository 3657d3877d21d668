"""
Values and what lies inside of them.

Lists, tuples, sets and mappings, however they stand in each other. All that goes through a value
goes through it here, so that a container means the same to everyone: it is an instance of one of
CONTAINERS, what is in it are its items, or the values of a mapping, and what is no container is a
leaf.

- `leaves` finds, `map_leaves` replaces, `json_form` writes as lists and objects. They take values
  that were checked before, whose depth is bounded.
- `levels` goes through any value, level by level and without recursion, so that one that is too
  deep for everything else is found here first. On each level, a container that occurs more than
  once counts once: a list that holds itself comes to an end.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, TypeVar

from nodetool_core.json_types import Json

Kind = TypeVar("Kind")
Place = tuple[int | str, ...]
"""Where a leaf lies: positions in lists, and names in mappings."""

MAX_LEVELS: Final = 100
"""
How many levels a value may have.

What reads, compares and writes it goes into lists and mappings level by level.
"""

CONTAINERS: Final = (list, tuple, dict, set, frozenset)

PLAIN_TYPES: Final = frozenset({str, int, float, bool, type(None)})
"""Types of nearly all leaves: they hold nothing, can't be changed, and are JSON as they are."""

TOO_DEEP: Final = (
    f"is nested too deeply. Lists and objects inside of each other go {MAX_LEVELS} deep."
)


def leaves(value: object, kind: type[Kind]) -> Iterator[Kind]:
    """Yield the leaves of a class in a value, in their order; the value itself where it is one."""
    if isinstance(value, CONTAINERS):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item, kind)
    elif isinstance(value, kind):
        yield value


def map_leaves(value: object, change: Callable[[object], object]) -> Any:
    """
    Return a value in containers of its own, with `change(leaf)` in place of each leaf.

    Names of mappings stay as they are.
    """
    return map_places(value, lambda leaf, _: change(leaf))


def map_places(value: Any, change: Callable[[Any, Place], object], place: Place = ()) -> Any:
    """Return what `map_leaves` does, where `change` also takes the place of each leaf."""
    if not isinstance(value, CONTAINERS):
        return change(value, place)
    if isinstance(value, dict):
        new = value.copy()
        new.update({name: map_places(item, change, (*place, name)) for name, item in value.items()})
        return new
    items = [map_places(item, change, (*place, number)) for number, item in enumerate(value)]
    kind: Any = type(value)
    if kind is list:
        return items
    return kind._make(items) if hasattr(kind, "_make") else kind(items)


def json_form(value: object, write: Callable[[object], Json]) -> Json:
    """
    Return a value in lists and objects, with `write(leaf)` in place of each leaf.

    Any mapping is an object, and its names are texts.
    """
    if isinstance(value, Mapping):
        return {str(name): json_form(item, write) for name, item in value.items()}
    if isinstance(value, CONTAINERS):
        return [json_form(item, write) for item in value]
    return write(value)


def levels(value: object, *, once: bool = False) -> Iterator[list[Any]]:
    """
    Yield the value, then what is in it, then what is in that, names of mappings as well.

    Args:
        once: Look into each container once in all, for whoever looks for something in a value that
            may hold itself.

    Raises RecursionError after MAX_LEVELS levels where there are more.
    """
    level, seen = [value], set[int]()
    for _ in range(MAX_LEVELS):
        yield level
        containers = [item for item in level if isinstance(item, CONTAINERS)]
        if not containers:
            return
        found = {id(item): item for item in containers if id(item) not in seen}
        if once:
            seen.update(found)
        level = []
        for item in found.values():
            level.extend(item)
            if isinstance(item, dict):
                level.extend(item.values())
        if not level:
            return
    raise RecursionError


def complaint(value: object) -> str:
    """
    Return what is wrong with a value whatever it is for.

    A number that is not finite, or too many levels. Empty if nothing is.
    """
    try:
        for level in levels(value):
            for item in level:
                if isinstance(item, float) and not math.isfinite(item):
                    return f"{item} is not a finite number."
    except RecursionError:
        return TOO_DEEP
    return ""


def fits_floats(value: object) -> bool:
    """Return whether a number, and all in a list or mapping, are as small as floats can be."""
    # 1024 binary digits, the first of which may still round up beyond the largest float.
    return not any(
        isinstance(item, int) and item.bit_length() >= 1024 and abs(item) > sys.float_info.max
        for level in levels(value)
        for item in level
    )


def is_too_deep(value: Collection[object]) -> bool:
    """Return whether a list, a mapping or the like has too many levels."""
    items = value.values() if isinstance(value, dict) else value
    if not any(isinstance(part, CONTAINERS) for part in items):
        # Nearly all.
        return False
    try:
        for _ in levels(value):
            pass
    except RecursionError:
        return True
    return False
