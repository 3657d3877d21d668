"""
Rounds: loops in which each item is made of what came of the one before.

A node that streams may be sent a value with each item that it is asked for
(`Generator[Item, Sent, Result]`, as of `While`), by the node that ends its loop (`Node.carries`, as
`Next`). What that one gathers is then the last value instead of a list, and the generator's own
result where the loop has ended.

The key of an item holds the keys of all that was sent before, so that a round is found in the cache
where it was computed before. What is gathered from such a loop depends on what is carried, too: its
key can only be made after those of what is carried (`order_keys`).
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nodetool_core.engine.frames import DONE, FAILED, Stream
from nodetool_core.engine.keys import Key, combine
from nodetool_core.engine.plan import Plan, Region
from nodetool_core.engine.steps import GatherStep, NodeStep, Rounds, Step, given_loops
from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.graph import GraphNode
from nodetool_core.node_base import SKIPPED

# -- the plan --------------------------------------------------------------------------------------


def check_carried(
    node: GraphNode,
    name: str,
    origin: Step,
    steps: Sequence[Step],
    closed: Mapping[int, frozenset[int]],
) -> None:
    """
    Raise WorkflowError where what a node is to carry is not of a round.

    Args:
        name: The property.
        origin: The step that it is connected to.
        closed: For steps that depend on whole loops: the steps that open these.
    """
    loops, title = given_loops(origin), node.spec.title
    opener = next((step for loop in reversed(loops) if _is_sent(step := steps[loop])), None)
    if opener is None:
        message = f"{title} carries a value from one round to the next, and this is of no round."
        hint = "Connect what is made of the outputs of a While or a Reduce."
    elif loops != given_loops(opener):
        others = [steps[loop] for loop in loops if loop not in given_loops(opener)]
        other = ", ".join(map(_name, others))
        message = f"The rounds of {_name(opener)} meet the items of {other}, each with each."
        hint = f"Gather those items before, or begin {_name(opener)} with one of them."
    elif opener.index in closed.get(origin.index, ()):
        message = f"A round of {_name(opener)} waits for the end of all its rounds."
        hint = "Take the value from the nodes in between, not from behind the end."
    else:
        return
    raise WorkflowError(Problem("invalid_loop", f"{node.place}.data.{name}", message, hint))


def end_rounds(step: NodeStep, gathers: dict[str, GatherStep], steps: Sequence[Step]) -> None:
    """Let a step end the rounds of which it gathers values. Raises WorkflowError."""
    openers = {gather.opener for gather in gathers.values()}
    others = [steps[number] for number in openers if steps[number].rounds is not None]
    place = step.node.place
    if len(openers) > 1:
        names = " and ".join(sorted(_name(steps[number]) for number in openers))
        message = f"{step.node.spec.title} can't end both {names}."
        raise WorkflowError(Problem("invalid_loop", place, message, "Give each loop an end."))
    if others:
        message = f"The rounds of {_name(others[0])} have another end already."
        hint = "Carry several values as a list, or as named values (MakeDictionary)."
        raise WorkflowError(Problem("invalid_loop", place, message, hint))
    for number in openers:
        steps[number].rounds = Rounds(step.index, gathers)


def without_end(steps: Iterable[Step]) -> list[Problem]:
    """Return a problem for each loop that nothing carries on."""
    return [
        Problem(
            "invalid_loop",
            step.node.place,
            f"{step.node.spec.title} has no end: nothing says what the next round begins with.",
            "Connect what is made of its outputs to a Next.",
        )
        for step in steps
        if isinstance(step, NodeStep) and _is_sent(step) and step.rounds is None
    ]


def order_keys(plan: Plan) -> None:
    """
    Put the steps of all regions into an order in which their keys can be made.

    By Kahn's algorithm, and apart from that as they stand: O((V + E) log V). Raises WorkflowError
    where loops wait for one another.
    """
    for region in plan.regions:
        region.subtree = _ordered(plan, region)


def _ordered(plan: Plan, region: Region) -> list[int]:
    inside = set(region.subtree)
    takers: defaultdict[int, list[int]] = defaultdict(list)
    missing: dict[int, int] = {}
    for number in region.subtree:
        sources = inside.intersection(_key_sources(plan, plan.steps[number]))
        missing[number] = len(sources)
        for source in sources:
            takers[source].append(number)
    ready = [number for number, count in missing.items() if not count]
    heapq.heapify(ready)
    ordered = []
    while ready:
        number = heapq.heappop(ready)
        ordered.append(number)
        for taker in takers[number]:
            missing[taker] -= 1
            if not missing[taker]:
                heapq.heappush(ready, taker)
    if len(ordered) < len(region.subtree):
        stuck = sorted(inside.difference(ordered))
        names = ", ".join(_name(step) for step in map(plan.steps.__getitem__, stuck) if step.rounds)
        message = f"The rounds of {names} wait for one another."
        hint = "Gather what one of them takes from the other outside of both."
        raise WorkflowError(Problem("invalid_loop", "", message, hint))
    return ordered


def _key_sources(plan: Plan, step: Step) -> set[int]:
    """Return the steps whose keys that of a step is made of."""
    sources = {feed.source for feed in step.feeds}
    if isinstance(step, GatherStep):
        sources.add(step.source)
        if rounds := plan.steps[step.opener].rounds:
            sources.update(gather.source for gather in rounds.gathers.values())
    return sources


def _is_sent(step: Step) -> bool:
    """Return whether a step makes its items of what came of those before."""
    return isinstance(step, NodeStep) and step.compiled.spec.carries


def _name(step: Step) -> str:
    return f"node {step.node.id!r}" if isinstance(step, NodeStep) else "a node"


# -- a run -----------------------------------------------------------------------------------------


def carry(plan: Plan, gather: GatherStep, stream: Stream, came: Came) -> bool | None:
    """
    Note what came of a round for one of the carried properties.

    Returns None while others are to come, else whether there is a next round: not after a failure.
    """
    rounds = plan.steps[gather.opener].rounds
    assert rounds is not None
    stream.carried[gather.carried] = came
    if len(stream.carried) < len(rounds.gathers):
        return None
    arrived, stream.carried = stream.carried, {}
    if any(state == FAILED for state, _, _ in arrived.values()):
        return False
    closer = plan.steps[rounds.closer]
    assert isinstance(closer, NodeStep)
    given = {name: closer.node.values.get(name) for name in closer.node.node_class.gathers}
    stream.sent = given | {
        name: value if state == DONE else SKIPPED for name, (state, value, _) in arrived.items()
    }
    stream.chain = combine(stream.chain, *(key for _, (_, _, key) in sorted(arrived.items())))
    return True


Came = tuple[int, Any, Key]
"""What came of a round: the state of the step, its value where it is done, and its key."""
