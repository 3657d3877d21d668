"""The state of a run: one frame per region and item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nodetool_core.engine.keys import Key
from nodetool_core.engine.plan import Region

Index = tuple[int, ...]
Values = tuple[Any, ...]

WAITING, RUNNING, DONE, SKIPPED_STATE, FAILED = range(5)
"""What has become of a step in a frame."""


class Frame:
    """A region while it runs for one item: what each of its steps still waits for, and what it gave."""

    __slots__ = (
        "asked",
        "buckets",
        "counted",
        "demanded",
        "groups",
        "index",
        "keys",
        "open",
        "parent",
        "poison",
        "region",
        "remaining",
        "state",
        "twin_of",
        "twins",
        "uses",
        "values",
    )

    def __init__(self, number: int, region: Region, index: Index, parent: Frame | None) -> None:
        count = len(region.steps)
        self.region = number
        self.index = index
        self.parent = parent
        self.remaining = list(region.waits)
        self.uses = list(region.uses)
        self.values: list[Values | None] = [None] * count
        self.keys: list[Key] = []
        self.state = bytearray(count)
        self.poison = bytearray(count)
        """For a step that can't run: SKIPPED_STATE or FAILED, after what reached it."""
        self.demanded = bytearray(count)
        self.open = 0
        """Demanded steps that are not settled, and inner loops that are not finished."""
        self.counted = False
        self.groups: dict[int, int] = {}
        """For each inner region: its unfinished frames, and one more until its loop has ended."""
        self.buckets: dict[int, dict[int, Any]] = {}
        """For each gather step, by slot: the values that have come, by item."""
        self.twins: dict[int, list[int]] = {}
        """Steps that are the same work as an earlier one, by the earlier one's slot."""
        self.twin_of: dict[int, int] = {}
        self.asked: dict[int, frozenset[str]] = {}
        """Lazy properties that a step has asked for, by slot."""


@dataclass(slots=True)
class Stream:
    """A node that streams, while it does."""

    step: int
    frame: Frame
    items: dict[int, Values] = field(default_factory=dict)
    keys: dict[int, list[Key]] = field(default_factory=dict)
    count: int = 0
    ended: bool = False
    source: Iterator[Any] | Any = None
    """The generator that `process` returned; None before it is called."""
    pulling: bool = False
    in_flight: int = 0
    """Items that are begun and not finished; what back-pressure bounds."""
    seconds: float = 0.0
