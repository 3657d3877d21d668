"""
Steps: what the scheduler runs, and where each takes its inputs from.

A large plan is mostly nodes that run once and take from nodes that run once. What such a step has
is a slot of the object; all else is an attribute with a default, which costs nothing where it is
not set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from nodetool_core.engine.compiled_node import CompiledNode
from nodetool_core.graph import GraphNode
from nodetool_core.properties import Property

LOCAL, OUTER, ITEM = 0, 1, 2
"""
Where a feed comes from: the same region, an enclosing (or crossing) region, or the current item of
a loop.
"""

Loops = tuple[int, ...]


class Feed:
    """
    One input of a step.

    A plan has one for every edge.
    """

    __slots__ = (
        "__dict__",
        "accept",
        "copied",
        "is_dynamic",
        "output",
        "property",
        "slot",
        "source",
    )

    kind: int = LOCAL
    region: int = 0
    """The region of the source's frame."""
    path: tuple[int, ...] = ()
    """
    For OUTER and ITEM: which positions of the reader's index make up the source frame's index.
    """
    item: int = 0
    """For ITEM: which position of the reader's index is the item's number."""
    lazy: bool = False
    gathered: bool = False
    """The value is a list of items; with no loop to close, a list of the one."""
    in_loop: bool = False

    def __init__(
        self, property: str, source: int, slot: int, output: int, *, copied: bool = True
    ) -> None:
        """
        Make an input that comes from an output of a step.

        Args:
            source: The step it comes from; for an item, the step that streams.
        """
        self.property = property
        self.source = source
        self.slot = slot
        self.output = output
        self.accept: Property | None = None
        """The target property, where arriving values have to be checked."""
        self.copied = copied
        """Whether the value may be mutable, so that whoever takes it gets a copy of its own."""
        self.is_dynamic = False

    @classmethod
    def from_afar(
        cls,
        property: str,
        kind: int,
        origin: Step,
        output: int,
        path: tuple[int, ...],
        *,
        lazy: bool = False,
    ) -> Feed:
        """Return an input by its kind; `path` leads from the reader's index to the origin's."""
        feed = cls(property, origin.index, origin.slot, output)
        feed.kind, feed.region, feed.path, feed.lazy = kind, origin.region, path, lazy
        return feed


Argument = tuple[str, int, int, Feed | None]
"""
What a plain step takes: property, slot and output, and the feed unless what comes is taken as it
is, for a property that is declared.
"""

Reader = tuple[int, int, int, tuple[int, ...], str]
"""
Who takes an output from elsewhere: region, slot, output, the path from its index to that of the
step that is read, and the property where it takes the value only once it has demanded it.
"""


class Step:
    """
    What the scheduler runs: a node, the closing of a loop, or a gate.

    A plan has one for every node.
    """

    __slots__ = (
        "__dict__",
        "in_degree",
        "index",
        "local",
        "slot",
        "sources",
    )

    loops: Loops = ()
    region: int = 0
    is_target: bool = False
    streams: bool = False
    shareable: bool = False
    """Whether the result may come from the cache, or from an equal node."""
    outer: Sequence[Reader] = ()
    """Consumers in other regions."""
    lazy: Sequence[Reader] = ()
    """Consumers that take the value only once they have demanded it."""
    watched: Sequence[Reader] = ()
    """
    Steps that wait to know whether an output comes, and take no value.

    Those without a name wait from the start.
    """
    gathers: Sequence[GatherStep] = ()
    """Gather steps that collect this step's values (or items, where it streams)."""
    may_drop: bool = False
    """Whether the step can be left out because of a branch."""
    guard: Feed | None = None
    """
    What it waits for before it demands its inputs.

    States whether all of them come, and brings no value.
    """
    implicitly_lazy: frozenset[str] = frozenset()
    """Properties that it demands once the guard has come."""
    lazy_rounds: int = 0
    """
    How often it demands lazy feeds.

    When the guard has come, and when the node knows which of its lazy properties it wants.
    """
    may_start_late: bool = False
    """
    Whether it may be demanded after its frame has begun.

    A lazy property, or an item of a loop.
    """
    absorbed: bool = False
    """Whether its failure reaches nothing but lists with gaps."""
    rounds: Rounds | None = None
    """For a step that streams and is sent what came of each item: what sends it."""
    limited: bool = True
    """For a step that streams: whether the number of items under way may be bounded."""

    def __init__(self, index: int, slot: int) -> None:
        self.index = index
        self.slot = slot
        self.local: list[int] = []
        """The slots of consumers in the same region, once per edge."""
        self.sources: tuple[int, ...] = ()
        """The slots of the steps that local feeds come from."""
        self.in_degree = 0
        """
        How many arrivals the step waits for in a frame, items not counted.

        They are there when the frame is.
        """

    @cached_property
    def feeds(self) -> list[Feed]:
        """By property."""
        return []

    def placed(self, loops: Loops, region: int) -> Self:
        """Return the step, inside of loops."""
        if loops:
            self.loops, self.region = loops, region
        return self


class NodeStep(Step):
    """A node, and how its class is called."""

    __slots__ = ("arguments", "base", "compiled", "mutable", "node", "wiring")

    def __init__(self, index: int, slot: int, node: GraphNode, compiled: CompiledNode) -> None:
        # What `Step.__init__` does, written out: there is one for every node.
        self.index = index
        self.slot = slot
        self.local = []
        self.sources = ()
        self.in_degree = 0
        self.node = node
        self.compiled = compiled
        self.arguments: tuple[Argument, ...] = ()
        """Of a plain step: its feeds, as a call reads them."""
        self.wiring = ""
        """The names of the inputs, as a cache key has them."""
        self.mutable: tuple[str, ...] = ()
        """
        Properties whose values may be changed.

        Copied for each call, so that none can change the next one's.
        """
        self.base: bytes | None = None
        """
        The part of the cache key that is the same in every run; None where it has to be made anew.
        """

    @cached_property
    def feeds(self) -> list[Feed]:
        """By property; of a regular step made when something looks at them besides a call."""
        return [
            feed or Feed(name, slot, slot, output, copied=False)
            for name, slot, output, feed in self.arguments
        ]

    @property
    def shareable(self) -> bool:  # type: ignore[override]
        return self.compiled.shareable


class GatherStep(Step):
    """The closing of a loop for one gathering property: what it collects, as one list."""

    __slots__ = ("carried", "gap_policy", "opener", "output", "source")

    def __init__(
        self,
        index: int,
        slot: int,
        *,
        source: int,
        output: int,
        opener: int,
        gap_policy: str,
        carried: str = "",
    ) -> None:
        """
        Make the step that collects an output.

        Args:
            source: The step whose output is collected, for each item.
            opener: The step whose loop is closed.
            gap_policy: What an item that failed leaves in the list (gaps.py).
            carried: The property whose value goes back to the opener (rounds.py).
        """
        super().__init__(index, slot)
        self.source = source
        self.output = output
        self.opener = opener
        self.gap_policy = gap_policy
        self.carried = carried


@dataclass(frozen=True, slots=True)
class Rounds:
    """Where a step that streams learns what came of its items."""

    closer: int
    """The step that ends the loop."""
    gathers: dict[str, GatherStep]
    """What it gathers, by property."""


class GateStep(Step):
    """Whether something behind a branch comes at all (branch_guards.py); it has no value."""

    __slots__ = ("either",)

    def __init__(self, index: int, slot: int, *, either: bool) -> None:
        """
        Make a gate.

        Args:
            either: One of its two inputs is enough.
        """
        super().__init__(index, slot)
        self.either = either


def given_loops(step: Step) -> Loops:
    """Return the loops that a step's outputs are in."""
    return (*step.loops, step.index) if step.streams else step.loops


def path_between(inner: Loops, outer: Loops) -> tuple[int, ...]:
    """Return the positions in an index over `outer` that make up the index over `inner`."""
    return tuple(outer.index(loop) for loop in inner)


def argument_of(feed: Feed) -> Argument:
    """Return a feed as a plain step takes it."""
    is_simple = not (feed.copied or feed.is_dynamic) and feed.accept is None
    return feed.property, feed.slot, feed.output, None if is_simple else feed
