"""
From graph to plan: the rules of plan.py, in one pass over the nodes in topological order.

A step is made for every node that the targets need, after those of its sources, so that all that is
set of a step here comes from steps that are finished. What depends on the whole (who may be
demanded late, what a region's frames demand) is filled in at the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from nodetool_core.engine.branch_guards import Guards, Source
from nodetool_core.engine.compiled_node import CompiledNode
from nodetool_core.engine.gaps import FAIL, policy_of
from nodetool_core.engine.loop_order import loop_order
from nodetool_core.engine.plan import Plan, Region
from nodetool_core.engine.plan_finish import finish
from nodetool_core.engine.rounds import check_carried, end_rounds, order_keys, without_end
from nodetool_core.engine.seeds import seed_sources
from nodetool_core.engine.steps import (
    ITEM,
    LOCAL,
    OUTER,
    Argument,
    Feed,
    GateStep,
    GatherStep,
    Loops,
    NodeStep,
    Reader,
    Step,
    given_loops,
    path_between,
)
from nodetool_core.engine.targets import find_targets, needed_nodes
from nodetool_core.errors import WorkflowError
from nodetool_core.graph import Graph, GraphNode, in_order
from nodetool_core.node_base import Node


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


def mutable_of(node: GraphNode) -> tuple[str, ...]:
    """Return the properties of a node whose values may be changed."""
    if _SIMPLE.issuperset(map(type, node.values.values())):
        return ()
    return tuple(name for name, value in node.values.items() if type(value) not in _SIMPLE)


_SIMPLE = frozenset({str, int, float, bool, type(None)})
_NO_NAMES: frozenset[str] = frozenset()
_NO_STEPS: frozenset[int] = frozenset()


class _Compiler:
    def __init__(
        self,
        graph: Graph,
        targets: list[int],
        compiled_nodes: dict[type[Node], CompiledNode],
        *,
        with_ends: bool = False,
    ) -> None:
        self.graph = graph
        self.compiled_nodes = compiled_nodes
        self.targets = targets
        self.with_ends = with_ends
        """Whether nodes that end rounds are planned though the targets do not need them."""
        self.steps: list[Step] = []
        self.of_node = [-1] * len(graph.nodes)
        self.regions: list[Region] = [Region((), -1)]
        self.by_loops: dict[Loops, int] = {(): 0}
        self.gather_of: dict[tuple[int, int, str, str], int] = {}
        self.closed: dict[int, frozenset[int]] = {}
        """For steps that depend on whole loops: the steps that open these."""
        self.outer: defaultdict[int, list[Reader]] = defaultdict(list)
        self.lazy: defaultdict[int, list[Reader]] = defaultdict(list)
        self.watched: defaultdict[int, list[Reader]] = defaultdict(list)
        self.gathers: defaultdict[int, list[GatherStep]] = defaultdict(list)
        """
        What is rare among the takers of a step, by its number.

        What becomes `Step.outer`, `lazy`, `watched` and `gathers`.
        """
        self.guards = Guards(self._new_gate, self._watch)
        self.unlimited: set[int] = set()
        self.has_rounds = False
        self.is_flat = True
        """Whether no step so far streams or may be left out."""
        self.is_regular = True
        """Whether all steps so far, besides, take all their inputs at once."""
        self.order = loop_order(graph)
        self.rank: dict[int, int] = {}
        """For each step that streams: how far out its loop is."""
        self.inputs: list[GraphNode] = []
        self.seeds: list[NodeStep] = []
        self.known: dict[type[Node], CompiledNode] = {}
        """The classes of this graph."""

    def compile(self) -> Plan:
        known = self.known
        needed = needed_nodes(self.graph, self.targets, with_ends=self.with_ends)
        for position, node in enumerate(self.graph.nodes):
            if not needed[position]:
                continue
            compiled = known.get(node.node_class) or self._compiled(node.node_class)
            if self.is_flat and compiled.is_regular:
                self._add_flat(position, node, compiled)
            else:
                self._add_node(position, node, compiled)
            if compiled.is_input:
                self.inputs.append(node)
        for number, outer in self.outer.items():
            self.steps[number].outer = outer
        for number, lazy in self.lazy.items():
            self.steps[number].lazy = lazy
        for number, watched in self.watched.items():
            self.steps[number].watched = watched
        for number, gathers in self.gathers.items():
            self.steps[number].gathers = gathers
        if self.has_rounds and (problems := without_end(self.steps)):
            if self.with_ends:
                raise WorkflowError(problems)
            # Of a part of the graph: what is wanted of it does not need the ends of its loops.
            return _Compiler(
                self.graph, self.targets, self.compiled_nodes, with_ends=True
            ).compile()
        # Guards know the compiler in turn: a ring, which would hold the graph and its values.
        del self.guards
        targets = [self.of_node[target] for target in self.targets]
        plan = Plan(
            self.steps,
            self.regions,
            targets,
            self.by_loops,
            node_ids=[step.node.id for step in self.steps if isinstance(step, NodeStep)],
            inputs=self.inputs,
            seeds=self.seeds,
            seed_sources=seed_sources(self.steps, self.seeds),
            of_node=self.of_node,
            code=dict.fromkeys(known, b""),
        )
        if self.has_rounds:
            order_keys(plan)
        finish(plan, self.unlimited, is_regular=self.is_regular, has_lazy=bool(self.lazy))
        return plan

    # -- one node ----------------------------------------------------------------------------------

    def _compiled(self, node_class: type[Node]) -> CompiledNode:
        """Return what is known of a class, also from earlier plans."""
        compiled = self.compiled_nodes.get(node_class)
        if compiled is None:
            compiled = self.compiled_nodes[node_class] = CompiledNode(node_class)
        self.known[node_class] = compiled
        return compiled

    def _add_node(self, position: int, node: GraphNode, compiled: CompiledNode) -> None:
        node_class, edges, steps = node.node_class, node.inputs, self.steps
        self.is_regular = False
        sources: list[Source] = []
        carried: dict[str, GatherStep] = {}
        loops: Loops = ()
        closed = _NO_STEPS
        may_drop = False
        for edge in edges:
            origin, output = steps[self.of_node[edge.source]], edge.output
            if edge.property in node_class.gathers:
                name = edge.property if node_class.carries else ""
                if name:
                    check_carried(node, name, origin, steps, self.closed)
                policy = FAIL if name else policy_of(node)
                origin, output = self._gathered(origin, output, policy, name)
                if name and isinstance(origin, GatherStep):
                    carried[name] = origin
            sources.append((origin, output))
            if origin.loops or origin.streams:
                loops = self._joined(loops, given_loops(origin))
            if origin.may_drop and not origin.streams:
                may_drop = True
            if origin.index in self.closed:
                closed |= self.closed[origin.index]
        region, slot = self._place(loops)
        step = NodeStep(len(steps), slot, node, compiled).placed(loops, region)
        if compiled.spec.streams:
            step.streams = True
            self.has_rounds = self.has_rounds or compiled.spec.carries
        if carried:
            end_rounds(step, carried, steps)
        self._add_step(step, closed)
        if node_class.branches:
            step.may_drop = True
        if step.streams or step.may_drop:
            self.is_flat = False
        self.of_node[position] = step.index
        if compiled.seeds:
            self.seeds.append(step)
        if step.streams:
            self.rank[step.index] = self.order[position]
        if mutable := mutable_of(node):
            step.mutable = mutable
        step.wiring = "".join([edge.port.wiring for edge in in_order(edges)])
        is_guarded = may_drop or node_class.lazy
        lazy = self.guards.lazy(step, edges, sources) if is_guarded else _NO_NAMES
        for edge, (origin, output) in zip(edges, sources, strict=True):
            if origin.streams or origin.region != step.region or edge.property in lazy:
                feed = self._rarer_feed(step, edge.property, origin, output, edge.property in lazy)
            else:
                feed = Feed(edge.property, origin.index, origin.slot, output)
                if loops:
                    feed.region, feed.path = origin.region, path_between(loops, loops)
                origin.local.append(step.slot)
                step.in_degree += 1
            if edge.is_dynamic:
                feed.is_dynamic = True
            elif not edge.port.checked:
                feed.accept = node_class.spec.properties[edge.property]
            if isinstance(origin, NodeStep) and origin.compiled.exact is not None:
                feed.copied = False
            if edge.property in node_class.gathers:
                feed.in_loop = isinstance(origin, GatherStep)
                feed.gathered = not node_class.carries
            step.feeds.append(feed)

    def _add_flat(self, position: int, node: GraphNode, compiled: CompiledNode) -> None:
        """
        `_add_node` for nearly all nodes, in short.

        All steps so far are in the outermost region, so that a step's slot is its number, and none
        may be left out.
        """
        steps, of_node, region = self.steps, self.of_node, self.regions[0]
        index = of_node[position] = len(steps)
        step = NodeStep(index, index, node, compiled)
        if not _SIMPLE.issuperset(map(type, node.values.values())):
            step.mutable = mutable_of(node)
        edges = node.inputs
        sources: list[int] = []
        arguments: list[Argument] = []
        for edge in in_order(edges):
            number, port = of_node[edge.source], edge.port
            origin: NodeStep = steps[number]  # type: ignore[assignment]
            feed = None
            if port.is_dynamic or not port.checked or origin.compiled.exact is None:
                feed = Feed(port.property, number, number, port.output)
                feed.is_dynamic, feed.copied = port.is_dynamic, origin.compiled.exact is None
                if not port.checked:
                    feed.accept = compiled.spec.properties[port.property]
            arguments.append((port.property, number, port.output, feed))
            sources.append(number)
            step.wiring += port.wiring
            origin.local.append(index)
        if edges:
            step.sources, step.arguments = tuple(sources), tuple(arguments)
            step.in_degree = len(edges)
        if compiled.seeds:
            self.seeds.append(step)
        steps.append(step)
        region.steps.append(index)
        region.subtree.append(index)

    def _joined(self, loops: Loops, others: Loops) -> Loops:
        """Return the loops of both, outer ones first."""
        if loops == others or not loops:
            return others
        return tuple(sorted({*loops, *others}, key=self.rank.__getitem__))

    def _watch(self, step: Step, source: Source, name: str) -> Feed:
        """Let a step know whether an output comes; a feed with a name is read once demanded."""
        origin, output = source
        path = path_between(origin.loops, step.loops)
        kind = LOCAL if origin.region == step.region else OUTER
        if kind is OUTER:
            self.regions[step.region].find_by(path)
        self.watched[origin.index].append((step.region, step.slot, output, path, name))
        return Feed.from_afar(name, kind, origin, output, path, lazy=bool(name))

    def _new_gate(self, first: Source, second: Source, *, either: bool) -> GateStep:
        """Return a gate in the loops of both of what it watches."""
        (one, _), (other, _) = first, second
        loops = self._joined(one.loops, other.loops)
        region, slot = self._place(loops)
        gate = GateStep(len(self.steps), slot, either=either).placed(loops, region)
        closed = self.closed.get(one.index, _NO_STEPS) | self.closed.get(other.index, _NO_STEPS)
        self._add_step(gate, closed)
        return gate

    def _gathered(self, origin: Step, output: int, gaps: str, carried: str) -> Source:
        """
        Return the step that collects an output over its innermost loop.

        The output itself where it is in no loop.
        """
        given = given_loops(origin)
        if not given:
            return origin, output
        source = origin.index
        name = source, output, gaps, carried
        if name not in self.gather_of:
            loops, opener = given[:-1], self.steps[given[-1]]
            region, slot = self._place(loops)
            gather = GatherStep(
                len(self.steps),
                slot,
                source=source,
                output=output,
                opener=opener.index,
                gap_policy=gaps,
                carried=carried,
            ).placed(loops, region)
            self._add_step(gather, self.closed.get(source, _NO_STEPS) | {opener.index})
            gather.may_drop = opener.may_drop
            self.guards.copy(opener, gather)
            self.regions[self.by_loops[given]].gathered.append(gather)
            # One arrival says that the loop has ended; each item that is begun adds one more.
            gather.in_degree = 1
            self.gathers[source].append(gather)
            self.gather_of[name] = gather.index
        return self.steps[self.gather_of[name]], 0

    def _place(self, loops: Loops) -> tuple[int, int]:
        """Return the region of a new step, and its slot there."""
        region = self._region(loops) if loops else 0
        return region, len(self.regions[region].steps)

    def _add_step(self, step: Step, closed: frozenset[int]) -> None:
        index, loops, region = step.index, step.loops, self.regions[step.region]
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
        if step.streams:
            self._region((*loops, index))

    def _region(self, loops: Loops) -> int:
        for length in range(1, len(loops) + 1):
            part = loops[:length]
            if part not in self.by_loops:
                opener = part[-1]
                path = path_between(self.steps[opener].loops, part)
                self.by_loops[part] = len(self.regions)
                self.regions.append(
                    Region(part, self.by_loops[part[:-1]], opener=opener, opener_path=path)
                )
        return self.by_loops[loops]

    def _rarer_feed(self, step: Step, name: str, origin: Step, output: int, lazy: bool) -> Feed:
        """Return a feed that is the item of a loop, comes from another region, or is lazy."""
        path = path_between(origin.loops, step.loops)
        if origin.streams:
            feed = Feed.from_afar(name, ITEM, origin, output, path)
            feed.item = step.loops.index(origin.index)
            return feed
        kind = LOCAL if origin.region == step.region else OUTER
        if kind is OUTER:
            self.regions[step.region].find_by(path)
        if lazy:
            self.lazy[origin.index].append((step.region, step.slot, output, path, name))
        else:
            self.outer[origin.index].append((step.region, step.slot, output, path, ""))
            step.in_degree += 1
        return Feed.from_afar(name, kind, origin, output, path, lazy=lazy)
