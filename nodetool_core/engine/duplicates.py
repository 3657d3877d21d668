"""
Duplicates: steps that are the same work as an earlier one (common subexpression elimination).

Equal keys mean equal results, whatever the nodes are called. So the later step is not computed: the
earlier one is demanded in its place (demand.py), and settles both with its result (settlement.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nodetool_core.engine.keys import Key


class Duplicates(NamedTuple):
    """The duplicates of a frame, by slot."""

    later: dict[int, list[int]]
    """Steps that are equal to an earlier one, by the earlier one."""
    earlier: dict[int, int]
    """The first step that is equal to a later one, by the later one."""


def find_duplicates(keys: Sequence[Key], shareable: bytes) -> Duplicates:
    """
    Return which steps are the same work as an earlier one.

    Args:
        keys: By slot.
        shareable: By slot: whether a result may be another step's as well.
    """
    later: dict[int, list[int]] = {}
    earlier: dict[int, int] = {}
    if len(set(keys)) < len(keys):
        seen: dict[Key, int] = {}
        for slot, key in enumerate(keys):
            if shareable[slot] and (first := seen.setdefault(key, slot)) != slot:
                later.setdefault(first, []).append(slot)
                earlier[slot] = first
    return Duplicates(later, earlier)
