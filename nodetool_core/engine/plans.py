"""
The plans of an engine's graphs, kept for the next run of each.

A graph that is another one but for values of nodes (`Graph.origin`), as where inputs are given, has
the other one's plan with these nodes in place: nothing is compiled anew. What of the cache keys
does not change from run to run is made with the plan: a step is *constant* where its own part of
the key is, and all its inputs are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from nodetool_core.engine.compiled_node import CompiledNode
from nodetool_core.engine.compiler import compile_plan, mutable_of
from nodetool_core.engine.keys import KeyMaker, of_node
from nodetool_core.engine.plan import FixedKeys, Plan
from nodetool_core.engine.seeds import is_drawn
from nodetool_core.engine.steps import LOCAL, NodeStep, Step
from nodetool_core.garbage_collection import collection_paused
from nodetool_core.graph import Graph
from nodetool_core.node_base import Node
from nodetool_core.references import AssetRef, ModelRef
from nodetool_core.values import leaves

PLANS = 16
"""
Plans that are kept of one graph, and keys of one plan with other values.

There are as many as ways to name outputs, or to give inputs, which clients may do as they like.
"""


class Plans:
    """Makes plans, and keeps them as long as their graphs are there."""

    def __init__(self, keys: KeyMaker) -> None:
        self._keys = keys
        self._compiled_nodes: dict[type[Node], CompiledNode] = {}
        self._plans: WeakKeyDictionary[Graph, dict[tuple[str, ...] | None, Plan]] = (
            WeakKeyDictionary()
        )

    def count(self, graph: Graph) -> int:
        """Return how many plans of a graph are kept."""
        return len(self._plans.get(graph, ()))

    def of(self, graph: Graph, outputs: Sequence[str] | None) -> Plan:
        """
        Return the plan of a graph for some outputs, or for all of them.

        Raises WorkflowError for an unknown output.
        """
        wanted = None if outputs is None else tuple(outputs)
        plans = self._plans.setdefault(graph, {})
        plan = plans.get(wanted)
        if plan is None or not self._is_current(plan):
            if len(plans) >= PLANS:
                plans.clear()
            if graph.origin is not None:
                plan = self._with_values(self.of(graph.origin, outputs), graph)
            if plan is None or not self._is_current(plan):
                with collection_paused():
                    plan = self._make(graph, wanted)
            plans[wanted] = plan
        return plan

    def _is_current(self, plan: Plan) -> bool:
        """Return whether the code of all nodes is as it was when the keys were made."""
        code_of = self._keys.code_of
        return all(code_of(node_class) == version for node_class, version in plan.code.items())

    def _make(self, graph: Graph, wanted: tuple[str, ...] | None) -> Plan:
        for node_class in [
            compiled.node_class
            for compiled in self._compiled_nodes.values()
            if not compiled.is_current()
        ]:
            del self._compiled_nodes[node_class]
        plan = compile_plan(graph, wanted, self._compiled_nodes)
        for node_class in plan.code:
            plan.code[node_class] = self._keys.code_of(node_class)
        self._find_bases(plan, plan.node_steps())
        plan.keys = [None] * len(plan.steps)
        _fill_keys(plan, plan.steps)
        return plan

    def _find_bases(self, plan: Plan, steps: Iterable[NodeStep]) -> None:
        """Make the own parts of the keys of steps, as far as they can't change between runs."""
        base_of = self._keys.base_of
        drawn = {step.index for step in plan.seed_sources if is_drawn(step)}
        for step in steps:
            if not step.compiled.varies and not _has_source(step) and step.index not in drawn:
                # What has a fingerprint varies, so theirs is empty.
                step.base = base_of(step.node, step.node.values, step.wiring, NO_SOURCES, "")

    def _with_values(self, plan: Plan, graph: Graph) -> Plan | None:
        """Return the plan of another graph with values of this one; None where it is another."""
        changed = [
            (plan.of_node[position], graph.nodes[position])
            for position in sorted(graph.changed)
            if plan.of_node[position] >= 0
        ]
        if any(node.node_class.gap_policy for _, node in changed):
            return None
        steps, regions = plan.steps.copy(), plan.regions.copy()
        new: list[NodeStep] = []
        for number, node in changed:
            step = copy.copy(steps[number])
            if not isinstance(step, NodeStep):
                return None
            step.node, step.mutable, step.base = node, mutable_of(node), None
            steps[number] = step
            new.append(step)
            region = regions[step.region] = replace(
                regions[step.region], members=regions[step.region].members.copy()
            )
            region.members[step.slot] = step
        inputs = {node.index: node for _, node in changed}
        derived = replace(
            plan,
            steps=steps,
            regions=regions,
            inputs=[inputs.get(node.index, node) for node in plan.inputs],
            seeds=_replaced(plan.seeds, steps),
            seed_sources=_replaced(plan.seed_sources, steps),
        )
        self._find_bases(derived, new)
        self._find_keys(plan, derived, new)
        return derived

    def _find_keys(self, plan: Plan, derived: Plan, new: list[NodeStep]) -> None:
        """Fill in the keys of a plan with other values; the same values have the same ones."""
        name = tuple((step.index, step.base) for step in new)
        known = plan.variants.get(name)
        if known is None:
            derived.keys = plan.keys.copy()
            first = min((step.index for step in new), default=len(derived.steps))
            _fill_keys(derived, derived.steps[first:])
            if len(plan.variants) >= PLANS:
                plan.variants.clear()
            known = plan.variants[name] = derived.keys, derived.fixed
        derived.keys, derived.fixed = known


def _replaced(before: Iterable[NodeStep], steps: list[Step]) -> list[NodeStep]:
    """Return the same steps as they are now."""
    now = [steps[step.index] for step in before]
    return [step for step in now if isinstance(step, NodeStep)]


def _fill_keys(plan: Plan, steps: Iterable[Step]) -> None:
    """Make the keys of constant steps, in topological order."""
    keys, is_flat = plan.keys, len(plan.regions) == 1
    for step in steps:
        if not isinstance(step, NodeStep) or step.base is None:
            keys[step.index] = None
            continue
        if is_flat:
            inputs = [keys[source] for source in step.sources]
        else:
            inputs = [keys[feed.source] if feed.kind == LOCAL else None for feed in step.feeds]
        keys[step.index] = None if None in inputs else of_node(step.base, inputs)  # type: ignore[arg-type]
    plan.fixed = FixedKeys.of(plan) if is_flat else None


class _NoSources:
    """For keys that must not depend on anything outside the graph."""

    def digest(self, ref: Any) -> str:
        raise TypeError("A node that reads files has no constant key.")

    def revision(self, ref: Any) -> str | None:
        raise TypeError("A node with a model has no constant key.")


NO_SOURCES = _NoSources()


def _has_source(step: NodeStep) -> bool:
    """Return whether a file or a model is among a node's own values."""
    node = step.node
    if not (step.mutable or node.dynamic):
        # Nearly all: what can't be changed is a number, a text or nothing.
        return False
    return any(
        isinstance(leaf, (AssetRef, ModelRef))
        for leaf in leaves([[node.values[name] for name in step.mutable], node.dynamic], object)
    )
