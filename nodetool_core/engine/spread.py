"""
Loops whose items run elsewhere: as jobs on workers, many at once.

A node that opens a loop may be marked (`Node.spreads`). Of what runs for each of its items, the
*part* is what can run on another machine: steps in no loop inside of it, that need nothing but the
item, one another, and what is the same for all items. In the graph that is run, one step stands for
the part (on_workers.py): it sends a job for its item and waits. All else stays as it is, so that
order, gaps, failures, the cache and back-pressure are those of any loop:

    as it is drawn      ForEach -> Blur -> Caption -> Collect
    as it is run        ForEach -> [Blur -> Caption] -> Caption -> Collect

The step gives all values of the part that are wanted; for each, a node with the name of the one
that makes it takes it from there. Seeds are drawn for the graph as it is drawn, and go along.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from nodetool_core.engine.keys import combine
from nodetool_core.engine.on_workers import OfBranchingPart, OfPart, OnWorkers, Part, Place
from nodetool_core.engine.steps import NodeStep, given_loops
from nodetool_core.graph import Edge, Graph, GraphNode, Port, in_order, in_topological_order
from nodetool_core.node_base import Role

if TYPE_CHECKING:
    from nodetool_core.context import Sources
    from nodetool_core.engine.keys import KeyMaker
    from nodetool_core.engine.plan import Plan
    from nodetool_core.engine.seeds import Drawn, Seeds

Output = tuple[int, int]
"""The position of a node, and the number of one of its outputs."""


def is_marked(node: GraphNode) -> bool:
    """Return whether the items of a node are to run elsewhere."""
    return bool(node.node_class.spreads) and node.values.get(node.node_class.spreads) is True


class Spread:
    """A graph as it is run, where loops of it are marked."""

    def __init__(
        self, graph: Graph, plan: Plan, seeds: Seeds, place: Place, keys: KeyMaker, sources: Sources
    ) -> None:
        self._before = graph.nodes
        self._plan = plan
        self._seeds = seeds
        self._place = place
        self._keys = keys
        self._sources = sources
        self._nodes = [
            GraphNode(node.id, node.node_class, node.values, node.dynamic, node.inputs, node.index)
            for node in graph.nodes
        ]
        self._takers: dict[Output, int] = {}
        """What takes the values of parts, by what makes them."""
        self._drawn: dict[str, dict[str, Drawn]] = {}
        """Seeds of parts by item, by the id of what stands for the part."""
        gone: set[int] = set()
        for position, node in enumerate(graph.nodes):
            opener = self._step(position)
            if is_marked(node) and opener is not None and opener.streams:
                part = self._part(opener)
                gone.update(part)
                if part:
                    self._put_in(opener, part)
        self.graph = Graph(self._connected(gone), graph.notes)

    def set_seeds(self, plan: Plan, seeds: Seeds) -> None:
        """Have the steps that stand for parts take the numbers that were drawn for these."""
        for position, node in enumerate(self.graph.nodes):
            if drawn := self._drawn.get(node.id):
                seeds.by_item[plan.of_node[position]] = drawn

    def _step(self, position: int) -> NodeStep | None:
        number = self._plan.of_node[position]
        step = self._plan.steps[number] if number >= 0 else None
        return step if isinstance(step, NodeStep) else None

    def _part(self, opener: NodeStep) -> list[int]:
        """Return the positions of what may run elsewhere for the items of a loop."""
        found: list[int] = []
        for position, node in enumerate(self._before):
            step = self._step(position)
            if (
                step is not None
                and step.loops == given_loops(opener)
                and node.role is Role.STEP
                and not (step.streams or step.is_target)
                and not (node.node_class.gathers or node.node_class.services or node.dynamic)
                and all(self._may_be_given(edge, opener, found) for edge in node.inputs)
            ):
                found.append(position)
        return found

    def _may_be_given(self, edge: Edge, opener: NodeStep, part: list[int]) -> bool:
        source = self._step(edge.source)
        if source is None or edge.is_dynamic:
            return False
        is_outer = set(given_loops(source)) <= set(opener.loops) and not source.may_drop
        return edge.source in part or source is opener or is_outer

    def _put_in(self, opener: NodeStep, part: list[int]) -> None:
        """Add what stands for a part, and what takes its values."""
        place = {position: number for number, position in enumerate(part)}
        wanted = _distinct(
            (edge.source, edge.output)
            for position, node in enumerate(self._before)
            if position not in place
            for edge in node.inputs
            if edge.source in place
        )
        given = [
            Edge(edge.source, Port(edge.output, f"{node.id}.{edge.property}", True, False))
            for node in map(self._before.__getitem__, part)
            for edge in node.inputs
            if edge.source not in place
        ]
        inner = [self._within(place, self._before[position]) for position in part]
        outputs = [(place[position], output) for position, output in wanted]
        drawn = self._numbers(part)
        made = Part(
            inner,
            outputs,
            frozenset(edge.property for edge in given if self._step(edge.source) is not opener),
            self._place,
            secrets.token_hex() if drawn else self._key(inner, outputs),
        )
        node = opener.node
        stand_in = GraphNode(f"{node.id} on workers", OnWorkers, {"part": made}, index=node.index)
        stand_in.inputs = in_order(given)
        self._drawn[stand_in.id] = drawn
        position = len(self._nodes)
        self._nodes.append(stand_in)
        for number, output in enumerate(wanted):
            self._takers[output] = len(self._nodes)
            self._nodes.append(self._taker(position, number, output))

    def _within(self, place: dict[int, int], node: GraphNode) -> GraphNode:
        edges = [
            Edge(place[edge.source], edge.port) for edge in node.inputs if edge.source in place
        ]
        return GraphNode(node.id, node.node_class, node.values, inputs=edges)

    def _taker(self, stand_in: int, number: int, output: Output) -> GraphNode:
        position, place = output
        node, step = self._before[position], self._step(position)
        names = list(node.spec.outputs)
        return GraphNode(
            node.id if len(names) == 1 else f"{node.id}.{names[place]}",
            OfBranchingPart if step is not None and step.may_drop else OfPart,
            {"number": number},
            inputs=[Edge(stand_in, Port(0, "values", False, False))],
            index=node.index,
        )

    def _numbers(self, part: list[int]) -> dict[str, Drawn]:
        """Return the seeds that were drawn for nodes of a part, by node and property."""
        return {
            f"{step.node.id}.{name}": drawn
            for step in map(self._step, part)
            if step is not None
            for name, drawn in self._seeds.by_item.get(step.index, {}).items()
        }

    def _key(self, nodes: Sequence[GraphNode], outputs: Sequence[Output]) -> str:
        """Return what the results of a part are made of, besides what it is given."""
        parts = [repr(outputs).encode()]
        for node in nodes:
            wiring = repr([(edge.source, edge.port.wiring) for edge in node.inputs])
            own = self._keys.base(node, node.values, wiring, self._sources)
            if own is None or not node.node_class.cacheable:
                return secrets.token_hex()
            parts += [node.id.encode(), own]
        return combine(*parts).hex()

    def _connected(self, gone: set[int]) -> list[GraphNode]:
        """Return the nodes that are left in topological order, with edges led to the takers."""
        kept = [position for position in range(len(self._nodes)) if position not in gone]
        place = {position: number for number, position in enumerate(kept)}
        for position in kept:
            node = self._nodes[position]
            node.inputs = [self._led(edge, place) for edge in node.inputs]
        ordered = in_topological_order([self._nodes[position] for position in kept])
        assert ordered is not None, "what stands for a part comes after all that it takes"
        return ordered

    def _led(self, edge: Edge, place: dict[int, int]) -> Edge:
        taker = self._takers.get((edge.source, edge.output))
        if taker is None:
            return Edge(place[edge.source], edge.port)
        port = edge.port
        return Edge(place[taker], Port(0, port.property, port.is_dynamic, port.checked))


def _distinct(outputs: Iterable[Output]) -> list[Output]:
    return list(dict.fromkeys(outputs))
