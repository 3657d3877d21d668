"""Uses that wait for parts, and an order of them with what is loaded and dropped for each."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Part = TypeVar("Part", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Use(Generic[Part]):
    """A call that needs parts on the device."""

    parts: frozenset[Part]
    after: frozenset[int] = frozenset()
    """Positions, in the list of uses, of those that have to be done before."""


@dataclass(frozen=True, slots=True)
class Step(Generic[Part]):
    """One use in a schedule."""

    use: int
    drops: frozenset[Part]
    """What goes before it begins."""
    loads: frozenset[Part]


@dataclass(frozen=True, slots=True)
class Schedule(Generic[Part]):
    """An order of uses, and what is loaded and dropped for each."""

    steps: list[Step[Part]]
    bytes: int
    """Bytes loaded in all."""
    is_optimal: bool


def chain(parts: Iterable[Collection[Part]]) -> list[Use[Part]]:
    """Return uses that run in the order given."""
    return [
        Use(frozenset(one), frozenset({index - 1} if index else ()))
        for index, one in enumerate(parts)
    ]
