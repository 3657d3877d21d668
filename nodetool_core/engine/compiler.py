"""
From graph to plan: the rules of plan.py, in one pass over the nodes in topological order.

A step is made for every node that the targets need, after those of its sources, so that all that is
said of a step here comes from steps that are finished. What depends on the whole (who may ask late,
what a region's frames ask for) is filled in at the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from operator import attrgetter

from nodetool_core.engine.compiled_node import CompiledNode
from nodetool_core.engine.gaps import mark_absorbed, policy_of
from nodetool_core.engine.guards import Guards, Source
from nodetool_core.engine.loop_order import as_declared, loop_order
from nodetool_core.engine.plan import ITEM, LOCAL, OUTER, Feed, Loops, Plan, Region, Step
from nodetool_core.engine.seeds import seed_sources
from nodetool_core.engine.targets import find_targets
from nodetool_core.graph import Edge, Graph, GraphNode
from nodetool_core.node import Node, Role


def compile_plan(
    graph: Graph,
    outputs: Sequence[str] | None = None,
    compiled_nodes: dict[type[Node], CompiledNode] | None = None,
) -> Plan:
    """
    Compile the part of a graph that the targets need.

    Args:
        outputs: Names of outputs or ids of nodes; None for all outputs and sinks (or, where there
            are none, all ends).
        compiled_nodes: What is known of node classes from earlier plans; grows.

    Raises WorkflowError for an unknown output.
    """
    targets = find_targets(graph, outputs)
    return _Compiler(graph, targets, {} if compiled_nodes is None else compiled_nodes).compile()


_SIMPLE = frozenset({str, int, float, bool, type(None)})
_NO_NAMES: frozenset[str] = frozenset()
_NO_STEPS: frozenset[int] = frozenset()


class _Compiler:
    def __init__(
        self, graph: Graph, targets: list[int], compiled_nodes: dict[type[Node], CompiledNode]
    ) -> None:
        self.graph = graph
        self.compiled_nodes = compiled_nodes
        self.targets = targets
        self.steps: list[Step] = []
        self.of_node = [-1] * len(graph.nodes)
        self.regions: list[Region] = [Region((), -1)]
        self.by_loops: dict[Loops, int] = {(): 0}
        self.gather_of: dict[tuple[int, int, str], int] = {}
        self.closed: dict[int, frozenset[int]] = {}
        """For steps that depend on whole loops: the steps that open these."""
        self.outer: defaultdict[int, list[tuple[int, int, int, tuple[int, ...]]]] = defaultdict(
            list
        )
        self.lazy: defaultdict[int, list[tuple[int, int, int, tuple[int, ...], str]]] = defaultdict(
            list
        )
        self.watched: defaultdict[int, list[tuple[int, int, int, tuple[int, ...], str]]] = (
            defaultdict(list)
        )
        self.gathers: defaultdict[int, list[int]] = defaultdict(list)
        """
        What is rare among the takers of a step, by its number.

        What becomes `Step.outer`, `lazy`, `watched` and `gathers`.
        """
        self.guards = Guards(self._new_gate, self._watch)
        self.unlimited: set[int] = set()
        self.order = loop_order(graph)
        self.rank: dict[int, int] = {}
        """For each step that streams: how far out its loop is."""

    def compile(self) -> Plan:
        needed = self._needed()
        for position, node in enumerate(self.graph.nodes):
            if needed[position]:
                self._add_node(position, node)
        for number, outer in self.outer.items():
            self.steps[number].outer = outer
        for number, lazy in self.lazy.items():
            self.steps[number].lazy = lazy
        for number, watched in self.watched.items():
            self.steps[number].watched = watched
        for number, gathers in self.gathers.items():
            self.steps[number].gathers = gathers
        opened = self._open_regions()
        targets = [self.of_node[target] for target in self.targets]
        self._mark_targets(targets)
        self._mark_late_starts()
        self._finish_steps()
        mark_absorbed(self.steps, self.regions, opened)
        for region in self.regions:
            region.in_degree = [self.steps[number].in_degree for number in region.steps]
            region.refcount = [self.steps[number].refcount for number in region.steps]
        # Guards know the compiler in turn: a ring, which would hold the graph and its values.
        del self.guards
        nodes = [step for step in self.steps if step.node is not None]
        inputs = [
            step.node
            for step in nodes
            if step.node is not None and step.node.node_class.role is Role.INPUT
        ]
        seeds = [step for step in nodes if step.compiled is not None and step.compiled.seeds]
        return Plan(
            self.steps,
            self.regions,
            targets,
            self.by_loops,
            opened,
            len(nodes),
            inputs,
            seeds,
            seed_sources(self.steps, seeds),
        )

    def _needed(self) -> bytearray:
        """
        Which nodes the targets need.

        Sources stand before what they feed, so one pass from the end finds them all.
        """
        nodes = self.graph.nodes
        needed = bytearray(len(nodes))
        for target in self.targets:
            needed[target] = 1
        for position in range(len(nodes) - 1, -1, -1):
            if needed[position]:
                for edge in nodes[position].inputs:
                    needed[edge.source] = 1
        return needed

    # -- one node ----------------------------------------------------------------------------------

    def _add_node(self, position: int, node: GraphNode) -> None:
        node_class, edges, steps = node.node_class, node.inputs, self.steps
        compiled = self.compiled_nodes.get(node_class)
        if compiled is None:
            compiled = self.compiled_nodes[node_class] = CompiledNode(node_class)
        sources: list[Source] = []
        loops: Loops = ()
        closed = _NO_STEPS
        may_drop = False
        for edge in edges:
            origin, output = steps[self.of_node[edge.source]], edge.output
            if edge.property in node_class.gathers:
                origin, output = self._gathered(origin, output, policy_of(node))
            sources.append((origin, output))
            if origin.loops or origin.streams:
                loops = self._joined(loops, _given(origin))
            if origin.may_drop and not origin.streams:
                may_drop = True
            if origin.index in self.closed:
                closed |= self.closed[origin.index]
        step = self._new_step(node, loops, closed, compiled.spec.streams)
        step.compiled, step.shareable, step.may_drop = (
            compiled,
            compiled.shareable,
            node_class.branches,
        )
        self.of_node[position] = step.index
        if step.streams:
            self.rank[step.index] = self.order[position]
        if not _SIMPLE.issuperset(map(type, node.values.values())):
            step.mutable = tuple(
                name for name, value in node.values.items() if type(value) not in _SIMPLE
            )
        lazy = self._lazy(step, edges, sources) if may_drop or node_class.lazy else _NO_NAMES
        for edge, (origin, output) in zip(edges, sources, strict=True):
            if origin.streams or origin.region != step.region or edge.property in lazy:
                feed = self._rarer_feed(step, edge.property, origin, output, edge.property in lazy)
            else:
                feed = Feed(edge.property, LOCAL, origin.index, origin.slot, output, origin.region)
                if loops:
                    feed.path = _path(loops, loops)
                origin.local.append((step.slot, output))
                step.in_degree += 1
            if edge.is_dynamic:
                feed.is_dynamic = True
            elif not edge.checked:
                feed.accept = node_class.spec.properties[edge.property]
            feed.copied = origin.compiled is None or origin.compiled.exact is None
            if node_class.gathers:
                feed.gathered, feed.in_loop = (
                    edge.property in node_class.gathers,
                    origin.node is None,
                )
            step.feeds.append(feed)

    def _joined(self, loops: Loops, others: Loops) -> Loops:
        """Return the loops of both, outer ones first."""
        if loops == others or not loops:
            return others
        return tuple(sorted({*loops, *others}, key=self.rank.__getitem__))

    def _lazy(self, step: Step, edges: list[Edge], sources: list[Source]) -> frozenset[str]:
        """
        Find out whether a step may be left out, and give the properties that it asks for only once
        others have come.
        """
        assert step.node is not None
        node_class, given = (
            step.node.node_class,
            {edge.property: source for edge, source in zip(edges, sources, strict=True)},
        )
        found = {
            edge.property: self.guards.of(*given[edge.property]) for edge in as_declared(step.node)
        }
        guards = [guard for guard in found.values() if guard is not None]
        step.may_drop = node_class.branches or (
            len(guards) == len(found) > 0 if node_class.merges else bool(guards)
        )
        asked = frozenset(
            name for name in given if name in node_class.lazy and not given[name][0].streams
        )
        step.lazy_rounds = int(bool(asked))
        if node_class.merges:
            if guards and step.may_drop and not node_class.branches:
                self.guards.set(step, self.guards.either(guards))
            return asked
        first = {
            name: guard
            for name, guard in found.items()
            if name not in asked and not given[name][0].streams
        }
        known = list(
            {
                (guard[0].index, guard[1]): guard for guard in first.values() if guard is not None
            }.values()
        )
        if known:
            own = self.guards.both(known)
            if not (node_class.branches or any(found[name] for name in asked)):
                self.guards.set(step, own)
            if len(known) > 1 or None in first.values():
                step.guard, step.implicitly_lazy = self._watch(step, own, ""), frozenset(first)
                step.in_degree += 1
                step.lazy_rounds += 1
        return asked | step.implicitly_lazy

    def _watch(self, step: Step, source: Source, name: str) -> Feed:
        """Let a step know whether an output comes; where the way has a name, once it has asked."""
        origin, output = source
        path = _path(origin.loops, step.loops)
        kind = LOCAL if origin.region == step.region else OUTER
        if kind is OUTER:
            self._find_by(step.region, path)
        self.watched[origin.index].append((step.region, step.slot, output, path, name))
        return Feed(
            name, kind, origin.index, origin.slot, output, origin.region, path, lazy=bool(name)
        )

    def _new_gate(self, first: Source, second: Source) -> Step:
        """Return a step without a node, in the loops of both of what it watches."""
        (one, _), (other, _) = first, second
        closed = self.closed.get(one.index, _NO_STEPS) | self.closed.get(other.index, _NO_STEPS)
        return self._new_step(None, self._joined(one.loops, other.loops), closed, False)

    def _gathered(self, origin: Step, output: int, gaps: str) -> Source:
        """
        Return the step that collects an output over its innermost loop.

        The output itself where it is in no loop.
        """
        given = _given(origin)
        if not given:
            return origin, output
        source = origin.index
        if (source, output, gaps) not in self.gather_of:
            step = self._new_step(
                None, given[:-1], self.closed.get(source, _NO_STEPS) | {given[-1]}, False
            )
            step.gather_source, step.gather_output, step.gap_policy = source, output, gaps
            step.may_drop = self.steps[given[-1]].may_drop
            self.guards.copy(self.steps[given[-1]], step)
            self.regions[self.by_loops[given]].gathered.append(step.index)
            # One arrival says that the loop has ended; each item that is begun adds one more.
            step.in_degree = 1
            self.gathers[source].append(step.index)
            self.gather_of[source, output, gaps] = step.index
        return self.steps[self.gather_of[source, output, gaps]], 0

    def _new_step(
        self, node: GraphNode | None, loops: Loops, closed: frozenset[int], streams: bool
    ) -> Step:
        number = self._region(loops) if loops else 0
        region, index = self.regions[number], len(self.steps)
        step = Step(index, node, loops, number, len(region.steps), streams=streams)
        self.steps.append(step)
        region.steps.append(index)
        region.subtree.append(index)
        for length in range(len(loops)):
            self.regions[self.by_loops[loops[:length]]].subtree.append(index)
        if closed:
            self.closed[index] = closed
            # An item that waits for the end of its own loop can't be finished before all have
            # begun.
            self.unlimited.update(closed.intersection(loops))
        if streams:
            self._region((*loops, index))
        return step

    def _region(self, loops: Loops) -> int:
        for length in range(1, len(loops) + 1):
            part = loops[:length]
            if part not in self.by_loops:
                opener = part[-1]
                path = _path(self.steps[opener].loops, part)
                self.by_loops[part] = len(self.regions)
                self.regions.append(
                    Region(part, self.by_loops[part[:-1]], opener=opener, opener_path=path)
                )
        return self.by_loops[loops]

    def _rarer_feed(self, step: Step, name: str, origin: Step, output: int, lazy: bool) -> Feed:
        """Return a feed that is the item of a loop, comes from another region, or is lazy."""
        path = _path(origin.loops, step.loops)
        if origin.streams:
            return Feed(
                name,
                ITEM,
                origin.index,
                origin.slot,
                output,
                origin.region,
                path,
                step.loops.index(origin.index),
            )
        kind = LOCAL if origin.region == step.region else OUTER
        if kind is OUTER:
            self._find_by(step.region, path)
        if lazy:
            self.lazy[origin.index].append((step.region, step.slot, output, path, name))
        else:
            self.outer[origin.index].append((step.region, step.slot, output, path))
            step.in_degree += 1
        return Feed(name, kind, origin.index, origin.slot, output, origin.region, path, lazy=lazy)

    def _find_by(self, region: int, path: tuple[int, ...]) -> None:
        if path not in self.regions[region].paths:
            self.regions[region].paths.append(path)

    # -- what depends on the whole -----------------------------------------------------------------

    def _open_regions(self) -> dict[int, list[int]]:
        """
        Return the regions that each streaming step opens, and what their nesting says of them.
        """
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
        return opened

    def _mark_targets(self, targets: list[int]) -> None:
        marked: set[int] = set()
        for target in targets:
            step = self.steps[target]
            step.is_target = True
            for wanted in (target, *step.loops):
                if wanted not in marked:
                    marked.add(wanted)
                    self.regions[self.steps[wanted].region].targets.append(wanted)
            loops = _given(step)
            for length in range(1, len(loops) + 1):
                self.regions[self.by_loops[loops[:length]]].groups.append(target)

    def _mark_late_starts(self) -> None:
        """
        From the ends up: a step is late if whoever takes it may come late, or is in another region,
        or is lazy.
        """
        if len(self.regions) == 1 and not self.lazy:
            return
        closing: dict[int, list[int]] = {}
        for region in self.regions[1:]:
            closing.setdefault(region.opener, []).extend(region.gathered)
        for step in reversed(self.steps):
            region = self.regions[step.region]
            if step.outer or step.lazy or step.watched:
                step.may_start_late = True
                continue
            for slot, _ in step.local:
                if self.steps[region.steps[slot]].may_start_late:
                    step.may_start_late = True
                    break
            if step.may_start_late or not (step.gathers or step.streams):
                continue
            step.may_start_late = any(
                self.steps[gather].may_start_late for gather in step.gathers
            ) or any(
                self.steps[gather].may_start_late or self.steps[gather].region != step.region
                for gather in closing.get(step.index, ())
            )

    def _finish_steps(self) -> None:
        """What can only be said of a step once all that takes it is known."""
        for number in self.unlimited:
            self.steps[number].limited = False
        for step in self.steps:
            if step.is_gate:
                continue
            feeds, local, compiled = step.feeds, step.local, step.compiled
            if len(feeds) > 1:
                feeds.sort(key=_by_property)
            if len(local) > 1:
                local.reverse()
            step.sources = tuple([feed.slot for feed in feeds if feed.kind == LOCAL])
            step.refcount = len(local)
            if step.outer or step.lazy:
                elsewhere = step.outer or any(region != step.region for region, *_ in step.lazy)
                step.refcount = -1 if elsewhere else len(local) + len(step.lazy)
            elif compiled is not None and not (
                step.gathers or step.is_target or step.streams or step.lazy_rounds or step.watched
            ):
                step.is_local = len(step.sources) == len(feeds)
                step.is_plain = (
                    step.is_local
                    and compiled.is_plain
                    and not (compiled.dynamic and any(feed.is_dynamic for feed in feeds))
                )


_by_property = attrgetter("property")


def _given(step: Step) -> Loops:
    """Return the loops that a step's outputs are in."""
    return (*step.loops, step.index) if step.streams else step.loops


def _path(inner: Loops, outer: Loops) -> tuple[int, ...]:
    """Positions in an index over `outer` that make up the index over `inner`."""
    return tuple(outer.index(loop) for loop in inner)
