"""
From graph to plan: the rules of plan.py, in one pass over the nodes in topological order.

A step is made for every node that the targets need, after those of its sources, so that all that is said of a step here comes from
steps that are finished. What depends on the whole (who may ask late, what a region's frames ask for) is filled in at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from nodetool_core.engine.loop_order import loop_order
from nodetool_core.engine.plan import ITEM, LOCAL, OUTER, Feed, Loops, Plan, Region, Step
from nodetool_core.engine.work import Kind
from nodetool_core.errors import Problem, WorkflowError, near_miss
from nodetool_core.graph import Edge, Graph, GraphNode
from nodetool_core.node import Lane, Node, Role


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
        marked: set[int] = set()
        for target in targets:
            step = self.steps[target]
            step.is_target = True
            for wanted in (target, *step.loops):
                if wanted not in marked:
                    marked.add(wanted)
                    self.regions[self.steps[wanted].region].targets.append(wanted)
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
            if step.outer or step.lazy:
                step.is_late = True
                continue
            for slot, _ in step.local:
                if self.steps[region.steps[slot]].is_late:
                    step.is_late = True
                    break
            if step.is_late or not (step.gathers or step.streams):
                continue
            step.is_late = any(self.steps[gather].is_late for gather in step.gathers) or any(
                self.steps[gather].is_late or self.steps[gather].region != step.region for gather in closing.get(step.index, ())
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
        lazy = frozenset(node_class.lazy)
        if True not in drops and not lazy:
            step.may_drop = node_class.branches
            return lazy
        step.may_drop = node_class.branches or (bool(drops) and (all if node_class.merges else any)(drops))
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
