"""
The plan: a graph compiled to integers, once, before anything runs.

Only ancestors of the targets are planned. Every node becomes a `Step`; the steps are grouped into *regions*. A region is
the tuple of loops that its steps run inside: `()` runs once, `(7,)` once for each item that step 7 streams, `(7, 9)` once
per item of 9 within each item of 7. Loops are opened by nodes that stream and closed by properties that gather, so

    loops of a step = union, outer ones first, of the loops of its inputs
    loops of an output = those of its step, plus the step itself where it streams
    a gathering property closes the innermost loop of what feeds it

Of two independent loops, the one that is met first on the way from the outputs is the outer one everywhere (loop_order.py).

Two independent loops that meet make a product; two branches of one loop pair item with item, because both carry the same
loop. Closing is a step of its own (`gather`), so that everything else sees plain edges of three kinds: from the same
region, from an enclosing one, or the item of a loop. What stands behind a branch that may not be taken asks for its other
inputs only once the branch has come (`guarded`), so that what only it needs does not run in vain. Compiling is one pass over
nodes and edges, O(V + E) for a nesting of fixed depth, and nothing recurses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nodetool_core.declaration import Property
from nodetool_core.engine.loop_order import loop_order
from nodetool_core.engine.work import Kind
from nodetool_core.errors import Problem, WorkflowError, near_miss
from nodetool_core.graph import Edge, Graph, GraphNode
from nodetool_core.node import Lane, Node, Role

LOCAL, OUTER, ITEM = 0, 1, 2
"""Where a feed comes from: the same region, an enclosing (or crossing) region, or the current item of a loop."""

Loops = tuple[int, ...]


@dataclass(slots=True)
class Feed:
    """One input of a step."""

    property: str
    kind: int
    source: int
    """The step it comes from; for an item, the step that streams."""
    slot: int
    output: int
    region: int
    """The region of the source's frame."""
    path: tuple[int, ...]
    """For OUTER and ITEM: which positions of the reader's index make up the source frame's index."""
    item: int = 0
    """For ITEM: which position of the reader's index is the item's number."""
    is_dynamic: bool = False
    checked: bool = True
    lazy: bool = False
    accept: Property | None = None
    """The target property, where arriving values have to be checked."""
    name: bytes = b""
    """What the feed is called in a cache key."""
    gathered: bool = False
    """The value is a list of items; with no loop to close, a list of the one."""
    in_loop: bool = False


@dataclass(slots=True)
class Step:
    """One node of the plan, or (`node` is None) the closing of a loop for one gathering property."""

    index: int
    node: GraphNode | None
    loops: Loops
    region: int = 0
    slot: int = 0
    feeds: list[Feed] = field(default_factory=list)
    waits: int = 0
    """How many arrivals the step waits for in a frame, items not counted: they are there when the frame is."""
    local: list[tuple[int, int]] = field(default_factory=list)
    """Consumers in the same region, once per edge: their slot and the output they take."""
    may_drop: bool = False
    """Whether the step can be left out because of a branch."""
    asks: bool = False
    """Whether some feeds are lazy, so that the step asks for them when the others have come."""
    guarded: frozenset[str] = frozenset()
    """Properties that are lazy because the others may not come; all are asked for then."""
    is_late: bool = False
    """Whether somebody may ask for it after its frame has begun: a lazy property, or an item of a loop."""
    outer: list[tuple[int, int, int, tuple[int, ...]]] = field(default_factory=list)
    """Consumers in other regions: region, slot, output, and the path from their index to this step's."""
    lazy: list[tuple[int, int, int, tuple[int, ...], str]] = field(default_factory=list)
    """Consumers that take the value only once they have asked for it: as `outer`, and the property."""
    gathers: list[int] = field(default_factory=list)
    """Gather steps that collect this step's values (or items, where it streams)."""
    uses: int = 0
    """How often the values are taken by steps of the same region; -1 where they must stay while the frame lives."""
    is_target: bool = False
    streams: bool = False
    kind: Kind | None = None
    """How the node's class is called; None for a gather."""
    is_plain: bool = False
    """Inline, and fed by finished values of its own region alone: what the scheduler runs on its shortest path."""
    plain_feeds: list[tuple[str, int, int, Feed | None]] = field(default_factory=list)
    """For a plain step: property, slot and output of each feed, and the feed itself where its values have to be checked."""
    mutable: tuple[str, ...] = ()
    """Properties whose values are containers: copied for each call, so that none can change the next one's."""
    shareable: bool = False
    """Whether the result may come from the cache, or from an equal node."""
    base: bytes | None = None
    """The part of the cache key that is the same in every run; None where it has to be made anew."""
    gather_source: int = -1
    """For a gather: the step that is collected."""
    gather_output: int = 0
    limited: bool = True
    """For a step that streams: whether the number of items under way may be bounded."""


@dataclass(slots=True)
class Region:
    """Steps that run in the same loops."""

    loops: Loops
    parent: int
    steps: list[int] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    opener: int = -1
    """The step whose items this region runs for; -1 for the outermost."""
    opener_path: tuple[int, ...] = ()
    waits: list[int] = field(default_factory=list)
    uses: list[int] = field(default_factory=list)
    subtree: list[int] = field(default_factory=list)
    """Steps of this region and of those inside it, in topological order."""
    gathered: list[int] = field(default_factory=list)
    """Gather steps, one region up, that collect over this region's innermost loop."""
    targets: list[int] = field(default_factory=list)
    """Steps that a frame asks for when it begins: targets, and the openers of the loops they are in."""
    groups: list[int] = field(default_factory=list)
    """Targets in loops inside this region, which are lists of lists: those of which its innermost loop gives one list."""
    paths: list[tuple[int, ...]] = field(default_factory=list)
    """Projections of this region's index under which its frames have to be found."""


@dataclass(slots=True)
class Plan:
    """What the scheduler needs to know, as flat lists."""

    graph: Graph
    steps: list[Step]
    regions: list[Region]
    targets: list[int]
    by_loops: dict[Loops, int]
    """Regions by their loops."""
    opened: dict[int, list[int]]
    """Regions directly opened by a step that streams, outer ones first."""

    @property
    def nodes(self) -> int:
        return sum(step.node is not None for step in self.steps)


def compile_plan(graph: Graph, outputs: Sequence[str] | None = None, kinds: dict[type[Node], Kind] | None = None) -> Plan:
    """
    Compile the part of a graph that the targets need.

    Args:
        outputs: Names of outputs or ids of nodes; None for all outputs and sinks (or, where there are none, all ends).
        kinds: What is known of node classes from earlier plans; grows.

    Raises WorkflowError for an unknown output.
    """
    targets = find_targets(graph, outputs)
    return _Compiler(graph, targets, {} if kinds is None else kinds).compile()


def find_targets(graph: Graph, outputs: Sequence[str] | None) -> list[int]:
    """Positions of the nodes that a run is for."""
    if outputs is None:
        wanted = [index for index, node in enumerate(graph.nodes) if node.role in (Role.OUTPUT, Role.SINK)]
        if wanted:
            return wanted
        sources = {edge.source for node in graph.nodes for edge in node.inputs}
        return [index for index, node in enumerate(graph.nodes) if index not in sources and node.role is not Role.COMMENT]
    by_name = {node.id: index for index, node in enumerate(graph.nodes) if node.role is not Role.COMMENT}
    by_name |= {node.name: index for index, node in enumerate(graph.nodes) if node.role is Role.OUTPUT}
    unknown = [name for name in outputs if name not in by_name]
    if unknown:
        raise WorkflowError(
            [Problem("unknown_output", name, f"There is no output or node {name!r}.", near_miss(name, by_name)) for name in unknown]
        )
    return list(dict.fromkeys(by_name[name] for name in outputs))


class _Compiler:
    def __init__(self, graph: Graph, targets: list[int], kinds: dict[type[Node], Kind]) -> None:
        self.graph = graph
        self.kinds = kinds
        self.targets = targets
        self.steps: list[Step] = []
        self.of_node: dict[int, int] = {}
        self.regions: list[Region] = [Region((), -1)]
        self.by_loops: dict[Loops, int] = {(): 0}
        self.gather_of: dict[tuple[int, int], int] = {}
        self.closed: list[frozenset[int]] = []
        self.unlimited: set[int] = set()
        self.order = loop_order(graph)
        self.rank: dict[int, int] = {}
        """For each step that streams: how far out its loop is."""

    def compile(self) -> Plan:
        needed = self._needed()
        for position, node in enumerate(self.graph.nodes):
            if needed[position]:
                self._add_node(position, node)
        opened: dict[int, list[int]] = {}
        for number, region in enumerate(self.regions[1:], start=1):
            opened.setdefault(region.opener, []).append(number)
            self.regions[region.parent].children.append(number)
            opener = self.steps[region.opener]
            if region.loops[:-1] != opener.loops:
                # A product: its items come again for each item of the other loop.
                self.unlimited.update(region.loops)
                self._find_by(region.parent, region.opener_path)
        for regions in opened.values():
            regions.sort(key=lambda number: len(self.regions[number].loops))
        self._fill_regions()
        for step in self.steps:
            step.limited = step.index not in self.unlimited
            step.local.reverse()
            step.feeds.sort(key=lambda feed: feed.property)
            for feed in step.feeds:
                feed.name = f"{feed.property}\0{feed.output}\0".encode()
            self._mark_plain(step)
        self._mark_late()
        targets = [self.of_node[target] for target in self.targets]
        self._mark_targets(targets)
        return Plan(self.graph, self.steps, self.regions, targets, self.by_loops, opened)

    def _mark_targets(self, targets: list[int]) -> None:
        for target in targets:
            step = self.steps[target]
            step.is_target = True
            for wanted in (target, *step.loops):
                region = self.regions[self.steps[wanted].region]
                if wanted not in region.targets:
                    region.targets.append(wanted)
            loops = (*step.loops, target) if step.streams else step.loops
            for length in range(1, len(loops) + 1):
                self.regions[self.by_loops[loops[:length]]].groups.append(target)

    def _mark_late(self) -> None:
        """From the ends up: a step is late if whoever takes it may come late, or is in another region, or is lazy."""
        closing: dict[int, list[int]] = {}
        for region in self.regions[1:]:
            closing.setdefault(region.opener, []).extend(region.gathered)
        for step in reversed(self.steps):
            region = self.regions[step.region]
            step.is_late = bool(
                step.outer
                or step.lazy
                or any(self.steps[region.steps[slot]].is_late for slot, _ in step.local)
                or any(self.steps[gather].is_late for gather in step.gathers)
                or any(self.steps[gather].is_late or self.steps[gather].region != step.region for gather in closing.get(step.index, ()))
            )

    def _mark_plain(self, step: Step) -> None:
        kind = step.kind
        if step.node is None or kind is None:
            return
        special = kind.spec.is_async or step.streams or step.asks or step.node.node_class.merges
        feeds = all(feed.kind == LOCAL and not (feed.is_dynamic or feed.gathered) for feed in step.feeds)
        step.is_plain = kind.lane is Lane.INLINE and feeds and not special
        step.plain_feeds = [(feed.property, feed.slot, feed.output, None if feed.checked else feed) for feed in step.feeds]
        step.mutable = tuple(name for name, value in step.node.values.items() if isinstance(value, (list, dict, set)))

    def _needed(self) -> bytearray:
        needed = bytearray(len(self.graph.nodes))
        pending = list(self.targets)
        while pending:
            position = pending.pop()
            if not needed[position]:
                needed[position] = 1
                pending.extend(edge.source for edge in self.graph.nodes[position].inputs)
        return needed

    def _add_node(self, position: int, node: GraphNode) -> None:
        node_class = node.node_class
        sources: list[tuple[int, int, bool]] = []
        loops: Loops = ()
        closed: frozenset[int] = frozenset()
        edges = node.inputs
        for edge in edges:
            source, output = self.of_node[edge.source], edge.output
            if edge.property in node_class.gathers and (gather := self._gather(source, output)) is not None:
                source, output = gather, 0
            streams = self.steps[source].streams
            sources.append((source, output, streams))
            given = self.steps[source].loops + ((source,) if streams else ())
            if given != loops:
                loops = given if not loops else tuple(sorted({*loops, *given}, key=self.rank.__getitem__))
            closed |= self.closed[source]
        step = self._new_step(node, loops, closed, node.spec.streams)
        if step.streams:
            self.rank[step.index] = self.order[position]
        step.kind = self.kinds.get(node_class)
        if step.kind is None:
            step.kind = self.kinds[node_class] = Kind(node_class)
        step.shareable = node_class.cacheable and not (step.streams or node_class.lazy) and node.role in (Role.STEP, Role.INPUT)
        self.of_node[position] = step.index
        lazy_ones = self._lazy(step, edges, sources)
        for edge, (source, output, streams) in zip(edges, sources, strict=True):
            lazy = edge.property in lazy_ones
            feed = self._feed(step, edge.property, source, output, streams, lazy)
            feed.is_dynamic, feed.checked = edge.is_dynamic, edge.checked
            feed.gathered = edge.property in node_class.gathers
            feed.in_loop = self.steps[source].node is None
            if not edge.checked and not edge.is_dynamic:
                feed.accept = node.spec.properties[edge.property]

    def _lazy(self, step: Step, edges: list[Edge], sources: list[tuple[int, int, bool]]) -> frozenset[str]:
        """The properties of a step that are asked for when the others have come."""
        assert step.node is not None
        node_class = step.node.node_class
        drops = [self.steps[source].may_drop and not streams for source, _, streams in sources]
        step.may_drop = node_class.branches or (bool(drops) and (all if node_class.merges else any)(drops))
        lazy = frozenset(node_class.lazy)
        if any(drops) and not (lazy or node_class.merges):
            lazy = step.guarded = frozenset(edge.property for edge, drop in zip(edges, drops, strict=True) if not drop)
        step.asks = any(edge.property in lazy and not streams for edge, (_, _, streams) in zip(edges, sources, strict=True))
        return lazy

    def _gather(self, source: int, output: int) -> int | None:
        """The step that collects an output over its innermost loop; None where it is in no loop."""
        origin = self.steps[source]
        given = origin.loops + ((source,) if origin.streams else ())
        if not given:
            return None
        if (source, output) not in self.gather_of:
            step = self._new_step(None, given[:-1], self.closed[source] | {given[-1]}, False)
            step.gather_source, step.gather_output = source, output
            step.may_drop = self.steps[given[-1]].may_drop
            self.regions[self.by_loops[given]].gathered.append(step.index)
            # One arrival says that the loop has ended; each item that is begun adds one more.
            step.waits = 1
            origin.gathers.append(step.index)
            self.gather_of[source, output] = step.index
        return self.gather_of[source, output]

    def _new_step(self, node: GraphNode | None, loops: Loops, closed: frozenset[int], streams: bool) -> Step:
        step = Step(len(self.steps), node, loops, streams=streams)
        self.steps.append(step)
        self.closed.append(closed)
        # An item that waits for the end of its own loop can't be finished before all have begun.
        self.unlimited.update(closed.intersection(loops))
        step.region = self._region(loops)
        region = self.regions[step.region]
        step.slot = len(region.steps)
        region.steps.append(step.index)
        if streams:
            self._region((*loops, step.index))
        return step

    def _region(self, loops: Loops) -> int:
        for length in range(1, len(loops) + 1):
            part = loops[:length]
            if part not in self.by_loops:
                opener = part[-1]
                path = _path(self.steps[opener].loops, part)
                self.by_loops[part] = len(self.regions)
                self.regions.append(Region(part, self.by_loops[part[:-1]], opener=opener, opener_path=path))
        return self.by_loops[loops]

    def _feed(self, step: Step, name: str, source: int, output: int, streams: bool, lazy: bool) -> Feed:
        origin = self.steps[source]
        path = _path(origin.loops, step.loops)
        if streams:
            feed = Feed(name, ITEM, source, origin.slot, output, origin.region, path, step.loops.index(source))
        else:
            kind = LOCAL if origin.region == step.region else OUTER
            feed = Feed(name, kind, source, origin.slot, output, origin.region, path, lazy=lazy)
            if kind is OUTER:
                self._find_by(step.region, path)
            if lazy:
                origin.lazy.append((step.region, step.slot, output, path, name))
            elif kind is LOCAL:
                origin.local.append((step.slot, output))
            else:
                origin.outer.append((step.region, step.slot, output, path))
            step.waits += not lazy
        step.feeds.append(feed)
        return feed

    def _find_by(self, region: int, path: tuple[int, ...]) -> None:
        if path not in self.regions[region].paths:
            self.regions[region].paths.append(path)

    def _fill_regions(self) -> None:
        for step in self.steps:
            elsewhere = step.outer or any(region != step.region for region, *_ in step.lazy)
            step.uses = -1 if elsewhere else len(step.local) + len(step.lazy)
            region = self.regions[step.region]
            region.waits.append(step.waits)
            region.uses.append(step.uses)
            for length in range(len(step.loops) + 1):
                self.regions[self.by_loops[step.loops[:length]]].subtree.append(step.index)


def _path(inner: Loops, outer: Loops) -> tuple[int, ...]:
    """Positions in an index over `outer` that make up the index over `inner`."""
    return tuple(outer.index(loop) for loop in inner)
