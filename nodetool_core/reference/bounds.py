"""The bounds of a number, as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SIGNS: Final = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
_LONG: Final = 2**31
"""From here on, the largest number of so many bits is named by its bits."""


def bound_texts(bounds: Mapping[str, float]) -> list[str]:
    """Such as `≥ 0`, one text a bound."""
    return [f"{_SIGNS[kind]} {_number(bound)}" for kind, bound in bounds.items()]


def _number(bound: float) -> str:
    if isinstance(bound, int) and bound >= _LONG - 1 and bound & (bound + 1) == 0:
        return f"2^{bound.bit_length()} - 1"
    return str(int(bound)) if float(bound).is_integer() else str(bound)
