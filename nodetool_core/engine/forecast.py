"""
What a run of a graph would compute, found without running it.

A result belongs to a key, and all keys outside of loops can be made from the graph alone. Which
steps a run would look at is then a walk from the targets up that ends wherever the cache has a
result, as in demand.py. The keys are made twice: one that differs is never the same twice (a seed
that is drawn, a node that may not be cached, and whatever takes from these). What follows from a
node's values is made once for a fingerprint. What stands in a loop has no key before its items are
there; it counts as computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from nodetool_core.engine.frame_keys import FrameKeys
from nodetool_core.engine.frames import Frames
from nodetool_core.engine.keys import Key, unique
from nodetool_core.engine.plan import Plan
from nodetool_core.engine.result import RunResult
from nodetool_core.engine.run_environment import RunEnvironment
from nodetool_core.engine.seeds import draw_seeds
from nodetool_core.engine.steps import GatherStep, NodeStep, Step
from nodetool_core.graph import GraphNode


class Outlook(StrEnum):
    """What a run would do with a node."""

    KNOWN = "known"
    """Take its result from the cache."""
    MISSING = "missing"
    """Compute it: no result has its key."""
    VOLATILE = "volatile"
    """Compute it: its result is never the same twice."""
    UNNEEDED = "unneeded"
    """Not look at it."""


class NodeForecast(NamedTuple):
    """The key that a node's result would have, and what a run would do."""

    outlook: Outlook
    key: Key | None
    """None where it isn't known before the run."""
    draws_seed: bool = False
    """Whether the node itself draws a new seed for each run."""
    in_loop: bool = False
    """Whether it runs once for each item of a loop."""


def forecast(
    plan: Plan, environment: RunEnvironment, has: Callable[[Key], bool]
) -> dict[str, NodeForecast]:
    """
    Return what a run of a plan would do with each of its nodes, by id.

    A node behind a branch that may not be taken counts as needed. Blocks while files are read for
    keys.

    Args:
        has: Whether the cache has the result of a key.

    Raises what a node's fingerprint raises.
    """
    bases = _Bases(environment)
    first, seeds = _keys(plan, environment, bases)
    second, _ = _keys(plan, environment, bases)
    known: dict[int, bool] = {}

    def is_known(number: int) -> bool:
        if number not in known:
            key = first.get(number)
            known[number] = (
                key is not None
                and plan.steps[number].shareable
                and key == second.get(number)
                and has(key)
            )
        return known[number]

    needed = _needed(plan, is_known)
    found = {}
    for step in plan.steps:
        if not isinstance(step, NodeStep):
            continue
        number, key = step.index, first.get(step.index)
        stable = key is not None and key == second.get(number)
        if is_known(number):
            outlook = Outlook.KNOWN
        elif number not in needed:
            outlook = Outlook.UNNEEDED
        else:
            outlook = Outlook.MISSING if stable or key is None else Outlook.VOLATILE
        found[step.node.id] = NodeForecast(
            outlook, key if stable else None, number in seeds, step.region != 0
        )
    return found


class _Bases:
    """The parts of keys that come from nodes, each made once for a fingerprint."""

    def __init__(self, environment: RunEnvironment) -> None:
        self._keys, self._sources = environment.keys, environment.sources
        self._known: dict[int, tuple[str, Key]] = {}

    def of(self, node: GraphNode, values: dict[str, object], wiring: str) -> Key:
        if values != node.values:
            return unique()  # A seed of it is drawn.
        own = self._keys.fingerprint(node, values, self._sources)
        known, made = self._known.get(id(node), (None, None))
        if own is None:
            return unique()
        if made is None or own != known:
            made = self._keys.base_of(node, values, wiring, self._sources, own)
            if made is None:
                return unique()
            self._known[id(node)] = own, made
        return made


def _keys(
    plan: Plan, environment: RunEnvironment, bases: _Bases
) -> tuple[dict[int, Key], set[int]]:
    """Return the keys of the steps outside of loops, and the steps whose seeds were drawn."""
    drawn = draw_seeds(plan, RunResult(""))
    frames = Frames(plan)
    FrameKeys(frames, environment, drawn, bases.of).make(frames.root)
    steps = frames.root.steps
    return {step.index: key for step, key in zip(steps, frames.root.keys, strict=True)}, {
        *drawn.steps()
    }


def _needed(plan: Plan, is_known: Callable[[int], bool]) -> set[int]:
    """Return the steps that a run looks at: from the targets up, no further than what is known."""
    pending = [number for region in plan.regions for number in region.targets]
    needed: set[int] = set()
    while pending:
        number = pending.pop()
        if number in needed:
            continue
        needed.add(number)
        if not is_known(number):
            pending.extend(_sources(plan.steps[number]))
    return needed


def _sources(step: Step) -> Iterable[int]:
    yield from (feed.source for feed in step.feeds)
    if step.guard is not None:
        yield step.guard.source
    if isinstance(step, GatherStep):
        yield step.source
    if step.rounds is not None:
        yield from (gather.index for gather in step.rounds.gathers.values())
