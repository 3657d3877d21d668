"""What a node is called with: its own values, and what has arrived, checked and copied."""

from __future__ import annotations

from typing import Any

from nodetool_core.engine.compiled_node import MisfitError
from nodetool_core.engine.frames import Frame, Frames
from nodetool_core.engine.seeds import Seeds
from nodetool_core.engine.steps import Feed, GatherStep, NodeStep
from nodetool_core.errors import Problem
from nodetool_core.graph import GraphNode
from nodetool_core.node_base import SKIPPED, Node
from nodetool_core.ownership import own_copy
from nodetool_core.properties import shown
from nodetool_core.types import type_name, value_type_name


class NodeInputs:
    """Makes the instances of nodes of one run."""

    def __init__(self, frames: Frames, seeds: Seeds) -> None:
        """
        Make instances from the frames of a run.

        Args:
            seeds: Those that were drawn for this run.
        """
        self._frames = frames
        self.seeds = seeds

    def instance(self, frame: Frame, step: NodeStep) -> Node:
        """
        Return the node with everything that has arrived.

        Raises MisfitError where a value does not fit.
        """
        node = step.node
        values = dict(self.seeds.fixed.get(step.index, node.values))
        dynamic = own_copy(node.dynamic)
        for feed in step.feeds:
            value = self.came(frame, step, feed)
            if value is SKIPPED:
                _set_default(values, node, feed)
                continue
            if feed.accept is not None:
                self.check(step, feed, value)
            (dynamic if feed.is_dynamic else values)[feed.property] = (
                own_copy(value) if feed.copied else value
            )
        for name in step.mutable:
            values[name] = own_copy(values[name])
        if step.loops:
            values |= self.seeds.of_item(step, frame.index)
        if step.compiled.dynamic:
            values["dynamic_values"] = dynamic
        return step.compiled.node_class.instantiate(values)

    def came(self, frame: Frame, step: NodeStep, feed: Feed) -> object:
        """Return what an input brought; SKIPPED for a branch not taken, or not demanded."""
        if feed.lazy and feed.property not in frame.lazy_demanded[step.slot]:
            return SKIPPED
        value = self._frames.value(frame, feed)
        return [value] if feed.gathered and not feed.in_loop and value is not SKIPPED else value

    def check(self, step: NodeStep, feed: Feed, value: Any) -> None:
        """Raise MisfitError where a value does not fit the property that its edge leads to."""
        prop = feed.accept
        if prop is None:
            return
        for item in value if feed.gathered and isinstance(value, list) else (value,):
            fits = prop.accepts(item)
            complaint = (
                prop.misfit(item)
                if fits
                else f"expects {type_name(prop.annotation)}, got {value_type_name(item)}."
            )
            if complaint:
                hint = "" if fits else f"The value is {shown(item)}."
                raise MisfitError(Problem("wrong_value", self._edge(step, feed), complaint, hint))

    def _edge(self, step: NodeStep, feed: Feed) -> str:
        steps, output = self._frames.plan.steps, feed.output
        source = steps[feed.source]
        if isinstance(source, GatherStep):
            output = source.output
            source = steps[source.source]
        target = f"{step.node.id}.{feed.property}"
        if not isinstance(source, NodeStep):
            return target
        return f"{source.node.id}.{list(source.node.spec.outputs)[output]} → {target}"


def _set_default(values: dict[str, Any], node: GraphNode, feed: Feed) -> None:
    """Give a connected property whose value does not come, as its node allows, its default."""
    prop = node.spec.properties.get(feed.property)
    if prop is not None and not prop.required:
        values[feed.property] = own_copy(prop.default)
