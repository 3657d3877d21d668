"""
The state of a run: one frame per region and item, and the streams whose items they are for.

A frame is what dataflow machines call a tagged token store: it holds, by slot, what each step of a
region waits for and what it returned, for one item of the loops that the region is in.

    field            states of a step                      changes when
    demanded         somebody needs its result             demand comes up from the targets
    pending_inputs   inputs that have not come             a source settles; at 0, and demanded,
                                                           the step is ready
    upstream_state   SKIPPED or FAILED, if an input is     a source settles so
    state            WAITING, RUNNING, DONE, SKIPPED,      it starts, and settles
                     FAILED
    values           what it returned                      it settles; let go of at refcount 0
    refcount         takers that have not settled          a taker settles
    keys             its cache key                         the frame begins
    duplicate_of     the earlier, equal step               the frame begins
    plain            nothing above makes it special        it is a hit or a duplicate, or an input
                                                           was skipped or failed
    open (frame)     demanded steps that have not          a step is demanded, and settles; at 0 the
                     settled                               frame is finished

Four nodes, `photo -> blur -> join` and `photo -> edge -> join`; `join` is the target, and the cache
has the result of `edge`. Each line is one step of the scheduler; `p` is pending_inputs, `r`
refcount.

                       photo           blur            edge            join
    frame begins       WAITING p0 r2   WAITING p1 r1   WAITING p1 r1   WAITING p2 r0
    demand from join   demanded, ready demanded        cached          demanded
    edge is a hit      WAITING    r1                   DONE       r1   WAITING p1
    photo runs         DONE       r1   WAITING p0      -               -
    blur runs          DONE       r0   DONE       r1   -               WAITING p0
    join runs          -               DONE       r0   DONE       r0   DONE

`photo` lets go of its values after `blur`, though `edge` never ran: a hit takes nothing, and says
so. Had `blur` failed, `join` would have upstream_state FAILED, and settle so without running.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from nodetool_core.engine.attempt import ItemSource
from nodetool_core.engine.compiled_node import Values
from nodetool_core.engine.keys import Key
from nodetool_core.engine.plan import Plan, Region
from nodetool_core.engine.steps import ITEM, LOCAL, Feed, GatherStep, NodeStep, Step, given_loops
from nodetool_core.node_base import SKIPPED as SKIPPED_VALUE

Index = tuple[int, ...]

WAITING, RUNNING, DONE, SKIPPED, FAILED = range(5)
"""What has become of a step in a frame; `SKIPPED` where its branch was not taken."""


LOCAL_KINDS = (LOCAL, ITEM)
"""Feeds that a new frame has at once, or will have from its own steps."""


class Frame:
    """
    A region while it runs for one item: what each of its steps waits for, and what it returned.

    Lists go by slot.
    """

    __slots__ = (
        "bases",
        "buckets",
        "demanded",
        "duplicate_of",
        "duplicates",
        "gaps",
        "groups",
        "index",
        "is_finished",
        "keys",
        "lazy_demanded",
        "lazy_round",
        "local",
        "number",
        "open",
        "parent",
        "pending_inputs",
        "plain",
        "refcount",
        "region",
        "skipped",
        "state",
        "steps",
        "upstream_state",
        "values",
    )

    def __init__(self, number: int, region: Region, index: Index, parent: Frame | None) -> None:
        count = len(region.members)
        self.number = number
        """Of the region."""
        self.region = region
        self.steps = region.members
        self.index = index
        self.parent = parent
        self.pending_inputs = list(region.in_degree)
        self.refcount = list(region.refcount)
        self.values: list[Values | None] = [None] * count
        self.keys: list[Key] = []
        self.bases: dict[int, bytes] = {}
        """Own parts of keys that were made for this frame, where they may be wanted again."""
        self.state = bytearray(count)
        self.upstream_state = bytearray(count)
        """For a step that can't run: SKIPPED or FAILED, after what reached it."""
        self.plain = bytearray(region.plain)
        """Whether a step that is ready is run on the shortest path (`Region.plain`)."""
        self.local: bytes | bytearray = region.local
        """Whether nothing of its frame but its consumers has to know that a step has settled."""
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
        self.lazy_demanded: dict[int, frozenset[str]] = {}
        """Lazy properties that a step has demanded."""
        self.lazy_round: dict[int, int] = {}
        """How often it has demanded some."""
        self.skipped: dict[int, frozenset[int]] = {}
        """For a step that left out some of its outputs: those."""

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

    step: NodeStep
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
    """Items still to come that an earlier attempt yielded already."""
    carried: dict[str, tuple[int, Any, Key]] = field(default_factory=dict)
    """Of the rounds of a loop: what has come of the one under way, by property (rounds.py)."""
    sent: dict[str, Any] | None = None
    """What is sent with the request for the next item."""
    chain: Key = b""
    """Stands for all that was sent so far, in keys."""
    in_flight: int = 0
    """Items that are begun and not finished; what back-pressure bounds."""
    finished: int = 0
    """Items of which all that was demanded is done."""
    expected: int = 0
    """How many there will be, where the node has said so."""
    seconds: float = 0.0

    @property
    def is_reported(self) -> bool:
        """Whether the run reports how far the loop is: not for each item of a loop around it."""
        return self.step.limited and self.frame.parent is None


class Frames:
    """
    Every frame and stream of a run, and what moves along the edges between them.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.root = Frame(0, plan.regions[0], (), None)
        self.streams: dict[tuple[int, Index], Stream] = {}
        self.ready: list[tuple[Frame, Step]] = []
        """Steps that are demanded and wait for nothing more."""
        self.pulls: deque[Stream] = deque()
        """Streams that may have room for another item."""
        self._by_region: list[dict[Index, Frame]] = [{} for _ in plan.regions]
        self._by_region[0][()] = self.root
        self._projected: dict[tuple[int, tuple[int, ...]], dict[Index, dict[Index, Frame]]] = {}

    # -- along the edges ---------------------------------------------------------------------------

    def arrive(self, frame: Frame, slot: int, state: int) -> None:
        """Note that an input of a step has arrived, or will not."""
        frame.pending_inputs[slot] -= 1
        if state != DONE:
            self.mark_upstream(frame, slot, state)
        if not frame.pending_inputs[slot] and frame.demanded[slot]:
            self.ready.append((frame, frame.steps[slot]))

    def mark_upstream(self, frame: Frame, slot: int, state: int) -> None:
        """
        Note that an input of a step was skipped or failed.

        A merging node minds only when nothing is left.
        """
        step = frame.steps[slot]
        frame.plain[slot] = 0
        if isinstance(step, NodeStep) and step.node.node_class.merges:
            if state == SKIPPED and (
                frame.pending_inputs[slot]
                or any(self.value(frame, feed) is not SKIPPED_VALUE for feed in step.feeds)
            ):
                return
            frame.upstream_state[slot] = max(frame.upstream_state[slot], state)
        elif state == SKIPPED or not frame.upstream_state[slot]:
            # A branch that is not taken is no failure, even where something else that the step
            # needs has failed.
            frame.upstream_state[slot] = state

    def note_earlier(self, frame: Frame, step: Step, origin: Frame, feed: Feed) -> None:
        """Note what became of a feed that had settled before the step began to wait."""
        state = origin.came(feed)
        if state != DONE:
            self.mark_upstream(frame, step.slot, state)

    def reach_others(self, frame: Frame, step: Step, values: Values | None, state: int) -> None:
        """
        Let a settled step arrive at its rarer takers.

        Steps of other regions, lazy properties that have been demanded, and who waits for a guard.
        """
        for region, slot, output, path, _ in step.outer:
            for reader in self.readers(region, path, frame.index):
                self.arrive(reader, slot, came(values, output, state))
        for region, slot, output, path, name in (*step.lazy, *step.watched):
            for reader in self.readers(region, path, frame.index):
                if not name or name in reader.lazy_demanded.get(slot, ()):
                    self.arrive(reader, slot, came(values, output, state))

    def drop_value(self, frame: Frame, slot: int) -> None:
        """Let go of a step's values where nobody will take them any more."""
        if frame.refcount[slot]:
            return
        for duplicate in frame.duplicates.get(slot, ()):
            if frame.state[duplicate] < DONE and (
                frame.demanded[duplicate] or frame.steps[duplicate].may_start_late
            ):
                return
        frame.values[slot] = None

    # -- what a gathered list needs ----------------------------------------------------------------

    def expect(self, frame: Frame, step: Step) -> None:
        """
        Let every frame that the items of a stream go into wait for an inner loop.

        The stream was demanded.
        """
        for number in self.plan.opened.get(step.index, ()):
            for parent in self.parents(number, frame):
                self.expect_group(number, parent)

    def expect_group(self, number: int, parent: Frame) -> None:
        """Let a frame wait for an inner loop (region `number`)."""
        if number not in parent.groups:
            parent.groups[number] = 1
            parent.open += 1

    def needs(self, frame: Frame, gather: GatherStep) -> list[tuple[Frame, Step]]:
        """
        Return what a gather needs.

        The loop it closes, and the collected step in every item that there is.
        """
        source = self.plan.steps[gather.source]
        region = self.plan.by_loops[given_loops(source)]
        wanted = [self.opener(frame, region)]
        if not source.streams:
            wanted += [(inner, source) for inner in self.inside(frame, region)]
        return wanted

    # -- finding -----------------------------------------------------------------------------------

    def add(self, number: int, parent: Frame, item: int) -> Frame:
        """Return a new frame for one item of the innermost loop of a region."""
        region = self.plan.regions[number]
        frame = Frame(number, region, (*parent.index, item), parent)
        self._by_region[number][frame.index] = frame
        for path in region.paths:
            self._projected.setdefault((number, path), {}).setdefault(
                _project(frame.index, path), {}
            )[frame.index] = frame
        return frame

    def forget(self, frame: Frame) -> None:
        del self._by_region[frame.number][frame.index]
        for path in frame.region.paths:
            self._projected[frame.number, path][_project(frame.index, path)].pop(frame.index, None)
        for number in frame.region.children:
            opener = self.plan.steps[self.plan.regions[number].opener]
            if opener.region == frame.number:
                self.streams.pop((opener.index, frame.index), None)

    def source(self, frame: Frame, feed: Feed) -> Frame:
        """
        Return the frame that a feed of a step in `frame` comes from.

        For an item, that of the step that streams.
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
        loops, own = self.plan.regions[region].loops, frame.region.loops
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
        """Return the frames of a region whose index, along a path, is the given one."""
        if path == tuple(range(len(self.plan.regions[region].loops))):
            frame = self._by_region[region].get(index)
            return [] if frame is None else [frame]
        return list(self._projected.get((region, path), {}).get(index, {}).values())

    def parents(self, number: int, frame: Frame) -> list[Frame]:
        """
        Return the frames that hold an inner loop over the items of a stream in `frame`.

        Args:
            number: The region of the inner loop.
        """
        region = self.plan.regions[number]
        if region.parent == frame.number:
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
