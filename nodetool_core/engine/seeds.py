"""
Drawing seeds: a seed of -1 becomes a number before the run.

So what is random is known, recorded and repeatable.
"""

from __future__ import annotations

import secrets
from typing import Any

from nodetool_core.engine.plan import Plan
from nodetool_core.engine.result import RunResult
from nodetool_core.engine.steps import LOCAL, NodeStep, Step

RANDOM = -1
"""The seed that stands for a drawn one."""


def draw_seeds(plan: Plan, result: RunResult) -> dict[int, dict[str, Any]]:
    """
    Draw a number for every seed that is -1 and record all seeds in the result.

    A seed may also come from an input or a constant that feeds nothing but seeds: it is drawn
        there.

    Returns the values, with numbers in place, of the steps that a seed was drawn for.
    """
    seeded: dict[int, dict[str, Any]] = {}

    def settle(step: NodeStep, name: str, below: int = 2**32) -> None:
        value = step.node.values[name]
        if value == RANDOM:
            value = secrets.randbelow(below)
            seeded.setdefault(step.index, dict(step.node.values))[name] = value
        result.seeds.setdefault(step.node.id, {})[name] = value

    for step in plan.seeds:
        for name in step.compiled.seeds:
            if name in step.node.values:
                settle(step, name)
    for step in plan.seed_sources:
        if is_drawn(step):
            # An input states how large its number may be.
            highest = step.node.values.get("max")
            settle(
                step,
                "value",
                min(2**32, highest + 1) if isinstance(highest, int) and highest >= 0 else 2**32,
            )
    return seeded


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
            feeds[feed.source] = (
                feeds.get(feed.source, True) and feed.kind == LOCAL and feed.property in names
            )
    sources = [steps[number] for number, only_seeds in feeds.items() if only_seeds]
    return [step for step in sources if isinstance(step, NodeStep) and not step.feeds]
