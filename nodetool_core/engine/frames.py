"""The state of a run: one frame per region and item, and the streams whose items they are for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nodetool_core.engine.keys import Key
from nodetool_core.engine.plan import ITEM, LOCAL, Feed, Plan, Region, Step
from nodetool_core.node import SKIPPED as SKIPPED_VALUE

if TYPE_CHECKING:
    from nodetool_core.engine.invoker import ItemSource

Index = tuple[int, ...]
Values = tuple[Any, ...]

WAITING, RUNNING, DONE, SKIPPED, FAILED = range(5)
"""What has become of a step in a frame; `SKIPPED` where its branch was not taken."""


LOCAL_KINDS = (LOCAL, ITEM)
"""Feeds that a new frame has at once, or will have from its own steps."""


class Frame:
    """
    A region while it runs for one item: what each of its steps still waits for, and what it gave.

    Lists go by slot.
    """

    __slots__ = (
        "asked",
        "buckets",
        "demanded",
        "duplicate_of",
        "duplicates",
        "gaps",
        "groups",
        "index",
        "is_finished",
        "keys",
        "lazy_round",
        "open",
        "parent",
        "pending_inputs",
        "refcount",
        "region",
        "skipped",
        "state",
        "steps",
        "upstream_state",
        "values",
    )

    def __init__(
        self, number: int, steps: list[Step], region: Region, index: Index, parent: Frame | None
    ) -> None:
        count = len(steps)
        self.region = number
        self.steps = steps
        self.index = index
        self.parent = parent
        self.pending_inputs = list(region.in_degree)
        self.refcount = list(region.refcount)
        self.values: list[Values | None] = [None] * count
        self.keys: list[Key] = []
        self.state = bytearray(count)
        self.upstream_state = bytearray(count)
        """For a step that can't run: SKIPPED or FAILED, after what reached it."""
        self.demanded = bytearray(count)
        self.open = 0
        """Demanded steps that are not settled, and inner loops that are not finished."""
        self.is_finished = False
        self.groups: dict[int, int] = {}
        """For each inner region: its unfinished frames, and one more until its loop has ended."""
        self.buckets: dict[int, dict[int, Any]] = {}
        """For each gather step: the values that have come, by item."""
        self.duplicates: dict[int, list[int]] = {}
        """Steps that are the same work as an earlier one, by the earlier one's slot."""
        self.duplicate_of: dict[int, int] = {}
        self.asked: dict[int, frozenset[str]] = {}
        """Lazy properties that a step has asked for."""
        self.lazy_round: dict[int, int] = {}
        """How often it has asked."""
        self.skipped: dict[int, frozenset[int]] = {}
        """For a step that gave some of its outputs: those that it did not give."""

        self.gaps: set[int] = set()
        """Steps whose values lack items that failed, or are made of such."""

    def came(self, feed: Feed) -> int:
        """
        Return what a feed from a settled step of this frame brought.

        DONE, or why it brought nothing.
        """
        state = self.state[feed.slot]
        return (
            SKIPPED if state == DONE and feed.output in self.skipped.get(feed.slot, ()) else state
        )


@dataclass(slots=True)
class Stream:
    """A node that streams, while it does."""

    step: int
    frame: Frame
    items: dict[int, Values] = field(default_factory=dict)
    keys: dict[int, list[Key]] = field(default_factory=dict)
    """For each item, a key per output."""
    count: int = 0
    ended: bool = False
    source: ItemSource | None = None
    """The attempt at it that is under way."""
    pulling: bool = False
    passed_over: int = 0
    """Items still to come that an earlier attempt gave already."""
    in_flight: int = 0
    """Items that are begun and not finished; what back-pressure bounds."""
    seconds: float = 0.0


class Frames:
    """Every frame and stream of a run, and how to find them from one another."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._steps = [[plan.steps[number] for number in region.steps] for region in plan.regions]
        self.root = Frame(0, self._steps[0], plan.regions[0], (), None)
        self.streams: dict[tuple[int, Index], Stream] = {}
        self._by_region: list[dict[Index, Frame]] = [{} for _ in plan.regions]
        self._by_region[0][()] = self.root
        self._projected: dict[tuple[int, tuple[int, ...]], dict[Index, dict[Index, Frame]]] = {}

    def add(self, number: int, parent: Frame, item: int) -> Frame:
        """Return a new frame for one item of the innermost loop of a region."""
        region = self.plan.regions[number]
        frame = Frame(number, self._steps[number], region, (*parent.index, item), parent)
        self._by_region[number][frame.index] = frame
        for path in region.paths:
            self._projected.setdefault((number, path), {}).setdefault(
                _project(frame.index, path), {}
            )[frame.index] = frame
        return frame

    def forget(self, frame: Frame) -> None:
        del self._by_region[frame.region][frame.index]
        for path in self.plan.regions[frame.region].paths:
            self._projected[frame.region, path][_project(frame.index, path)].pop(frame.index, None)
        for number in self.plan.regions[frame.region].children:
            opener = self.plan.steps[self.plan.regions[number].opener]
            if opener.region == frame.region:
                self.streams.pop((opener.index, frame.index), None)

    def source(self, frame: Frame, feed: Feed) -> Frame:
        """
        Return the frame that a feed of a step in `frame` comes from (for an item, that of the step
        that streams).
        """
        return (
            frame
            if feed.kind == LOCAL
            else self._by_region[feed.region][_project(frame.index, feed.path)]
        )

    def opener(self, frame: Frame, number: int) -> tuple[Frame, Step]:
        """Return the step whose items open a region inside `frame`, with its frame."""
        region = self.plan.regions[number]
        step = self.plan.steps[region.opener]
        return self._by_region[step.region][_project(frame.index, region.opener_path)], step

    def enclosing(self, frame: Frame, region: int) -> Frame:
        """Return the frame of a region whose loops are all among those of `frame`."""
        loops, own = self.plan.regions[region].loops, self.plan.regions[frame.region].loops
        return self._by_region[region][tuple(frame.index[own.index(loop)] for loop in loops)]

    def inside(self, frame: Frame, region: int) -> list[Frame]:
        """Return the frames of an inner region within `frame`."""
        length = len(frame.index)
        return [
            inner
            for inner in self._by_region[region].values()
            if inner.index[:length] == frame.index
        ]

    def readers(self, region: int, path: tuple[int, ...], index: Index) -> list[Frame]:
        """Frames of a region whose index, along a path, is the given one."""
        if path == tuple(range(len(self.plan.regions[region].loops))):
            frame = self._by_region[region].get(index)
            return [] if frame is None else [frame]
        return list(self._projected.get((region, path), {}).get(index, {}).values())

    def parents(self, number: int, frame: Frame) -> list[Frame]:
        """
        Return the frames that hold an inner loop (region `number`) over the items that a stream
        gives in `frame`.
        """
        region = self.plan.regions[number]
        if region.parent == frame.region:
            return [frame]
        return self.readers(region.parent, region.opener_path, frame.index)

    def value(self, frame: Frame, feed: Feed) -> Any:
        """Return what a feed brings; SKIPPED_VALUE where its branch was not taken."""
        if feed.kind == ITEM:
            stream = self.streams[feed.source, _project(frame.index, feed.path)]
            return stream.items[frame.index[feed.item]][feed.output]
        values = (frame if feed.kind == LOCAL else self.source(frame, feed)).values[feed.slot]
        return SKIPPED_VALUE if values is None else values[feed.output]


def _project(index: Index, path: tuple[int, ...]) -> Index:
    return tuple(index[position] for position in path)


def came(values: Values | None, output: int, state: int) -> int:
    """Return what an edge brought: DONE, or why it brought nothing."""
    if state == DONE and values and values[output] is SKIPPED_VALUE:
        return SKIPPED
    return state
