"""
What a JSON value may hold: text that can be encoded, finite numbers, and so many levels.
"""

from __future__ import annotations

import math
from typing import Final

MAX_DEPTH: Final = 32
"""Levels of lists and objects in a value."""


def violation(value: object) -> str:
    """
    Return why a JSON value can't be worked with, though it is valid JSON.

    Half of a character, a number that is none, or nested too deeply. Empty where it can. Nothing
    recurses.
    """
    level, depth = [value], 0
    while level:
        for item in level:
            if isinstance(item, str) and not item.isascii() and not _is_encodable(item):
                return "holds a surrogate, which is no character."
            if isinstance(item, float) and not math.isfinite(item):
                return f"{item} is not a finite number."
        depth += 1
        if depth > MAX_DEPTH:
            return f"is nested more than {MAX_DEPTH} levels deep."
        level = [part for item in level for part in _parts(item)]
    return ""


def _parts(item: object) -> list[object]:
    if isinstance(item, dict):
        return [*item, *item.values()]
    return item if isinstance(item, list) else []


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
