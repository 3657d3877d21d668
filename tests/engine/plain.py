"""
What a graph means, said as plainly as possible: a recursive evaluation, to compare the engine with.

A node is evaluated for one item of each loop that it is in. No scheduler, no cache, no threads.
What stands behind branches is asked first whether it comes (`presence`), one input after the other;
the inputs are evaluated only if all of them do.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from nodetool_core import SKIPPED, Role
from nodetool_core.assets.loader import ImageLoader
from nodetool_core.context import Context, Reporter
from nodetool_core.engine.compiled_node import CompiledNode
from nodetool_core.graph import Edge, Graph, GraphNode

Items = Mapping[int, int]
"""For each loop (by the node that streams): which item it is at."""

COMES, NOT_RUN, FAILED = "comes", "dropped", "failed"


NO_MODELS: Any = None
CONTEXT = Context(
    "node",
    reporter=Reporter(),
    cancelled=threading.Event(),
    images=ImageLoader(),
    models=NO_MODELS,
)


class Plain:
    """One evaluation of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.ran: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._done: dict[tuple[int, tuple[int, ...]], Any] = {}
        self._loops: dict[int, tuple[int, ...]] = {}
        self._may_drop: dict[int, bool] = {}
        self._presence: dict[tuple[int, tuple[int, ...]], str] = {}
        self.order: list[int] = []
        """
        Nodes as they are met from the outputs.

        Says which of two independent loops is the outer one.
        """
        for _, position in sorted(
            (node.name, position)
            for position, node in enumerate(graph.nodes)
            if node.role is Role.OUTPUT
        ):
            self._meet(position)

    def _meet(self, position: int) -> None:
        if position not in self.order:
            for edge in ordered(self.graph.nodes[position]):
                self._meet(edge.source)
            self.order.append(position)

    def outputs(self) -> dict[str, Any]:
        found = {}
        for position, node in enumerate(self.graph.nodes):
            if node.role is Role.OUTPUT:
                for loop in self.loops(position):
                    self._go_through(loop, self.loops(loop), {})
                value = self._listed(position, self.loops(position), {})
                if value is not SKIPPED and value is not NOT_RUN and value is not FAILED:
                    found[node.name] = value
        return found

    def _go_through(self, loop: int, outer: tuple[int, ...], items: Items) -> None:
        """Evaluate a loop's list for every item of the loops around it."""
        values = self.values(outer[0] if outer else loop, items)
        if outer and isinstance(values, list):
            for number in range(len(values)):
                self._go_through(loop, outer[1:], {**items, outer[0]: number})

    def _listed(self, position: int, loops: tuple[int, ...], items: Items) -> Any:
        """Return an output's value: of one in loops, a list for each."""
        if not loops:
            values = self.values(position, items)
            return values[0] if isinstance(values, tuple) else values
        stream = self.values(loops[0], items)
        if not isinstance(stream, list):
            return stream
        listed = [
            self._listed(position, loops[1:], {**items, loops[0]: number})
            for number in range(len(stream))
        ]
        return [
            None if value is FAILED else value
            for value in listed
            if value is not NOT_RUN and value is not SKIPPED
        ]

    def loops(self, position: int) -> tuple[int, ...]:
        """Return the loops that a node is in, outermost first."""
        if position not in self._loops:
            node, loops = self.graph.nodes[position], ()
            for edge in ordered(node):
                given = self._given(edge)[
                    : -1 if edge.property in node.node_class.gathers else None
                ]
                loops = tuple(sorted({*loops, *given}, key=self.order.index))
            self._loops[position] = loops
        return self._loops[position]

    def _given(self, edge: Edge) -> tuple[int, ...]:
        streams = self.graph.nodes[edge.source].spec.streams
        return self.loops(edge.source) + ((edge.source,) if streams else ())

    def values(self, position: int, items: Items) -> Any:
        """
        Return a tuple of values, for a node that streams a list of them.

        NOT_RUN or FAILED where there are none.
        """
        place = position, tuple(items[loop] for loop in self.loops(position))
        if place not in self._done:
            self._done[place] = self._evaluate(position, items)
        return self._done[place]

    def _evaluate(self, position: int, items: Items) -> Any:
        node = self.graph.nodes[position]
        compiled, given = (
            CompiledNode(node.node_class),
            {
                name: prop.default
                for name, prop in node.spec.properties.items()
                if not prop.required
            },
        )
        given |= node.values
        arrived: dict[str, Any] = {}
        presence = COMES if node.node_class.merges else self._all_come(node, items)
        if presence == NOT_RUN:
            return NOT_RUN
        for edges in self._in_turns(node, given):
            arrived |= {edge.property: self._brought(node, edge, items) for edge in edges}
            verdict = _verdict(node, arrived)
            if verdict is not None:
                return verdict if presence == COMES else presence
            given |= {name: value for name, value in arrived.items() if value is not NOT_RUN}
        assert presence == COMES, "a branch that failed feeds what waits for it"
        instance = node.node_class.instantiate(given)
        self.ran[node.id] += 1
        try:
            returned = compiled.call(instance, CONTEXT)
            return (
                [compiled.values(item) for item in returned]
                if node.spec.streams
                else compiled.values(returned)
            )
        except Exception:  # noqa: BLE001 - as the engine: whatever a node raises is its failure
            self.ran[node.id] -= 1
            self.failed[node.id] += 1
            return FAILED

    def presence(self, position: int, items: Items) -> str:
        """
        Return whether what may be left out comes, from the branches alone wherever these decide it.
        """
        place = position, tuple(items[loop] for loop in self.loops(position))
        if place not in self._presence:
            self._presence[place] = self._asked(position, items)
        return self._presence[place]

    def _asked(self, position: int, items: Items) -> str:
        node = self.graph.nodes[position]
        if any(
            edge.property in node.node_class.lazy and self._edge_may_drop(node, edge)
            for edge in node.inputs
        ):
            values = self.values(position, items)
            return values if values in (NOT_RUN, FAILED) else COMES
        if not node.node_class.merges:
            return self._all_come(node, items)
        for edge in ordered(node):
            found = self._edge_presence(node, edge, items)
            if found != NOT_RUN:
                return found
        return NOT_RUN

    def _all_come(self, node: GraphNode, items: Items) -> str:
        """Return whether all inputs of a node come, but those that it has to choose itself."""
        for edge in ordered(node):
            if edge.property not in node.node_class.lazy:
                found = self._edge_presence(node, edge, items)
                if found != COMES:
                    return found
        return COMES

    def _edge_presence(self, node: GraphNode, edge: Edge, items: Items) -> str:
        if not self._edge_may_drop(node, edge):
            return COMES
        given = self._given(edge)
        if edge.property in node.node_class.gathers and given:
            return self.presence(given[-1], items)
        if not self.graph.nodes[edge.source].node_class.branches:
            return self.presence(edge.source, items)
        value = self._value(edge, items)
        return value if value in (NOT_RUN, FAILED) else COMES

    def _in_turns(self, node: GraphNode, given: dict[str, Any]) -> Any:
        """Edges in the order in which they are looked at: what is lazy comes second."""
        lazy = node.node_class.lazy
        yield [edge for edge in node.inputs if edge.property not in lazy]
        if lazy:
            asked = node.node_class.instantiate(given).demand(given)
            yield [edge for edge in node.inputs if edge.property in lazy & asked]

    def _edge_may_drop(self, node: GraphNode, edge: Edge) -> bool:
        given = self._given(edge)
        if edge.property in node.node_class.gathers and given:
            return self.may_drop(given[-1])
        return not self.graph.nodes[edge.source].spec.streams and self.may_drop(edge.source)

    def may_drop(self, position: int) -> bool:
        """Return whether a node may be left out because of a branch."""
        if position not in self._may_drop:
            node = self.graph.nodes[position]
            drops = [self._edge_may_drop(node, edge) for edge in node.inputs]
            self._may_drop[position] = node.node_class.branches or (
                bool(drops) and (all if node.node_class.merges else any)(drops)
            )
        return self._may_drop[position]

    def _brought(self, node: GraphNode, edge: Edge, items: Items) -> Any:
        given = self._given(edge)
        if edge.property not in node.node_class.gathers:
            return self._value(edge, items)
        if not given:
            value = self._value(edge, items)
            return value if value in (NOT_RUN, FAILED) else [value]
        stream = self.values(given[-1], items)
        if not isinstance(stream, list):
            return stream
        values = [self._value(edge, {**items, given[-1]: number}) for number in range(len(stream))]
        return FAILED if FAILED in values else [value for value in values if value is not NOT_RUN]

    def _value(self, edge: Edge, items: Items) -> Any:
        values = self.values(edge.source, items)
        if isinstance(values, list):
            values = values[items[edge.source]]
        if not isinstance(values, tuple):
            return values
        value = values[edge.output]
        return NOT_RUN if value is SKIPPED else value


def ordered(node: GraphNode) -> list[Edge]:
    """Return a node's edges in the order of its properties."""
    names = list(node.spec.properties)
    return sorted(
        node.inputs,
        key=lambda edge: (
            edge.is_dynamic,
            edge.property if edge.is_dynamic else names.index(edge.property),
        ),
    )


def _verdict(node: GraphNode, arrived: dict[str, Any]) -> str | None:
    """Return what becomes of a node that can't run; None where it can."""
    values = list(arrived.values())
    if node.node_class.merges:
        if FAILED in values:
            return FAILED
        return NOT_RUN if values and all(value is NOT_RUN for value in values) else None
    return NOT_RUN if NOT_RUN in values else (FAILED if FAILED in values else None)
