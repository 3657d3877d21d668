"""Drawing seeds: a seed of -1 becomes a number before the run, so that what is random is known, recorded and repeatable."""

from __future__ import annotations

import secrets
from typing import Any

from nodetool_core.engine.plan import LOCAL, Plan, Step
from nodetool_core.engine.result import RunResult

RANDOM = -1
"""The seed that asks for a drawn one."""


def draw_seeds(plan: Plan, result: RunResult) -> dict[int, dict[str, Any]]:
    """
    Draw a number for every seed that is -1 and record all seeds in the result.

    A seed may also come from an input or a constant that feeds nothing but seeds: it is drawn there.

    Returns the values, with numbers in place, of the steps that a seed was drawn for.
    """
    seeded: dict[int, dict[str, Any]] = {}

    def settle(step: Step, name: str) -> None:
        assert step.node is not None
        value = step.node.values[name]
        if value == RANDOM:
            value = secrets.randbelow(2**32)
            seeded.setdefault(step.index, dict(step.node.values))[name] = value
        result.seeds.setdefault(step.node.id, {})[name] = value

    for step in plan.steps:
        for name in _seed_names(step):
            if step.node is not None and name in step.node.values:
                settle(step, name)
    for step in _seed_sources(plan):
        settle(step, "value")
    return seeded


def _seed_names(step: Step) -> list[str]:
    return [] if step.node is None else [prop.name for prop in step.node.spec.properties.values() if prop.seed]


def _seed_sources(plan: Plan) -> list[Step]:
    """Steps without inputs whose number, -1, goes to seeds alone."""
    feeds: dict[int, bool] = {}
    for step in plan.steps:
        names = _seed_names(step)
        for feed in step.feeds:
            feeds[feed.source] = feeds.get(feed.source, True) and feed.kind == LOCAL and feed.property in names
    found = [plan.steps[number] for number, only_seeds in feeds.items() if only_seeds]
    return [step for step in found if step.node is not None and not step.feeds and step.node.values.get("value") == RANDOM]
