"""The bounds of a number, as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nodetool_core.properties import Place

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


def place_text(place: Place | None) -> list[str]:
    """Return what a property names outside of the workflow, if anything."""
    if place is None:
        return []
    return [f"names {'an' if place == 'address' else 'a'} {place}; closed to clients of a server"]
