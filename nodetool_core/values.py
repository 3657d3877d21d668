"""
What lies inside of a value: lists, tuples, sets and mappings, however they stand in each other.

Values are walked through level by level and without recursion, so that one that is too deep for
everything else is found here first, and said. On each level, a container that occurs more than once
counts once: a list that holds itself comes to an end.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Any, Final

MAX_LEVELS: Final = 100
"""
How many levels a value may have.

What reads, compares and writes it goes into lists and mappings level by level.
"""

CONTAINERS: Final = (list, tuple, dict, set, frozenset)


def levels(value: Any, *, once: bool = False) -> Iterator[list[Any]]:
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


def complaint(value: Any) -> str:
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


def is_too_deep(value: Collection[Any]) -> bool:
    """Whether a list, a mapping or the like has too many levels."""
    if not any(
        isinstance(part, CONTAINERS)
        for part in (value.values() if isinstance(value, dict) else value)
    ):
        # Nearly all.
        return False
    try:
        for _ in levels(value):
            pass
    except RecursionError:
        return True
    return False


TOO_DEEP: Final = (
    f"is nested too deeply. Lists and objects inside of each other go {MAX_LEVELS} deep."
)
