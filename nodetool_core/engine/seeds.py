"""
Drawing seeds: a seed of -1 becomes a number before the run.

So what is random is known, recorded and repeatable. In a loop, one number is drawn for all items,
and the seed of each is made of it and of its place: the first has the number itself.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nodetool_core.engine.plan import Plan
from nodetool_core.engine.result import RunResult
from nodetool_core.engine.steps import GatherStep, NodeStep, Step, given_loops

RANDOM = -1
"""The seed that stands for a drawn one."""

_HIGHEST = 2**32

Given = Mapping[str, Mapping[str, int]]
"""Numbers to take instead of drawing some, by node and property."""


class Drawn(NamedTuple):
    """A number that was drawn for all items of a loop, and what the seeds of all are below."""

    number: int
    below: int

    def at(self, index: tuple[int, ...]) -> int:
        """Return the seed of one item."""
        if not any(index):
            return self.number
        digest = hashlib.blake2b(f"{self.number}:{index}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.below


@dataclass(slots=True)
class Seeds:
    """The seeds that were drawn for a run."""

    fixed: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The values of steps outside of loops, with numbers in place."""
    by_item: dict[int, dict[str, Drawn]] = field(default_factory=dict)
    """For steps in loops: the properties whose seed differs from item to item."""
    varied: set[int] = field(default_factory=set)
    """Steps whose number goes into loops, where each item makes another seed of it."""

    def steps(self) -> Iterator[int]:
        """Yield the steps whose values are this run's own."""
        yield from self.fixed
        yield from self.by_item

    def values(self, step: NodeStep, index: tuple[int, ...]) -> dict[str, Any]:
        """Return the values of a step for one item of its loops, with numbers in place."""
        return self.fixed.get(step.index, step.node.values) | self.of_item(step, index)

    def of_item(self, step: Step, index: tuple[int, ...]) -> dict[str, int]:
        """Return the seeds that a step in loops has for one item."""
        drawn = self.by_item.get(step.index, {})
        return {name: number.at(index) for name, number in drawn.items()}

    def of_all_items(self, step: NodeStep) -> dict[str, Any]:
        """Return the values that the results of all items of a step are made of."""
        return self.fixed.get(step.index, step.node.values) | self.by_item.get(step.index, {})


def draw_seeds(plan: Plan, result: RunResult, given: Given | None = None) -> Seeds:
    """
    Draw a number for every seed that is -1 and record all seeds in the result.

    A seed may also come from an input or a constant that feeds nothing but seeds: it is drawn
    there.

    Args:
        given: Numbers of an earlier run, which are taken instead.
    """
    seeds, given = Seeds(), given or {}

    def settle(step: NodeStep, name: str, below: int = _HIGHEST) -> Drawn | None:
        value, drawn = step.node.values[name], None
        if value == RANDOM:
            value = given.get(step.node.id, {}).get(name, RANDOM)
            drawn = Drawn(secrets.randbelow(below) if value == RANDOM else value, below)
            value = drawn.number
        result.seeds.setdefault(step.node.id, {})[name] = value
        return drawn

    for step in plan.seeds:
        for name in step.compiled.seeds:
            if name in step.node.values and (drawn := settle(step, name)):
                if step.loops:
                    seeds.by_item.setdefault(step.index, {})[name] = drawn
                else:
                    seeds.fixed.setdefault(step.index, dict(step.node.values))[name] = drawn.number
    sources = {}
    for step in plan.seed_sources:
        # An input states how large its number may be.
        highest = step.node.values.get("max")
        below = highest + 1 if isinstance(highest, int) and highest >= 0 else _HIGHEST
        if is_drawn(step) and (drawn := settle(step, "value", min(_HIGHEST, below))):
            sources[step.index] = drawn
            seeds.fixed[step.index] = dict(step.node.values) | {"value": drawn.number}
    if sources:
        _vary(plan, sources, seeds)
    return seeds


def _vary(plan: Plan, sources: dict[int, Drawn], seeds: Seeds) -> None:
    """Have seeds in loops differ from item to item where their number was drawn outside."""
    for step in plan.seeds:
        if not step.loops:
            continue
        for feed in step.feeds:
            if feed.source in sources:
                drawn = sources[feed.source]
                seeds.by_item.setdefault(step.index, {})[feed.property] = drawn
                seeds.varied.add(feed.source)


def is_drawn(step: NodeStep) -> bool:
    """Return whether the value of one of the `seed_sources` is to be drawn."""
    return bool(step.node.values.get("value") == RANDOM)


def seed_sources(steps: list[Step], seeds: list[NodeStep]) -> list[NodeStep]:
    """
    Return the steps without inputs whose value goes to seeds alone.

    `seeds` are the steps that have any.
    """
    if not seeds:
        return []
    feeds: dict[int, bool] = {}
    for step in steps:
        names = step.compiled.seeds if isinstance(step, NodeStep) else ()
        for feed in step.feeds:
            source = steps[feed.source]
            is_seed = feed.property in names and not given_loops(source)
            feeds[feed.source] = feeds.get(feed.source, True) and is_seed
        if isinstance(step, GatherStep):
            feeds[step.source] = False
    sources = [steps[number] for number, only_seeds in feeds.items() if only_seeds]
    return [step for step in sources if isinstance(step, NodeStep) and not step.feeds]
