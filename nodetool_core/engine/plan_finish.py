"""
The end of compiling: what is only known of a step once all that takes it is known.

Which regions a stream opens, what a frame demands when it begins, who may be demanded late, how
often values are taken, and which steps are plain.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from nodetool_core.engine.gaps import mark_absorbed
from nodetool_core.engine.plan import Plan, Region
from nodetool_core.engine.steps import (
    LOCAL,
    GateStep,
    GatherStep,
    NodeStep,
    Step,
    argument_of,
    given_loops,
)


def finish(plan: Plan, unlimited: set[int], *, is_regular: bool, has_lazy: bool) -> None:
    """
    Fill in what depends on the whole plan.

    Args:
        is_regular: Whether all steps are nodes that take all their inputs at once, outside of
            loops and branches.
        has_lazy: Whether some step is taken lazily.
        unlimited: Steps that stream and whose items can't be bounded; grows.
    """
    _open_regions(plan, unlimited)
    _mark_targets(plan)
    if has_lazy or len(plan.regions) > 1:
        _mark_late_starts(plan)
    for number in unlimited:
        plan.steps[number].limited = False
    if is_regular:
        for step in plan.steps:
            if len(step.local) > 1:
                step.local.reverse()
    else:
        _finish_steps(plan.steps)
    if len(plan.regions) > 1:
        mark_absorbed(plan.steps, plan.regions, plan.opened)
    for region in plan.regions:
        region.members = [plan.steps[number] for number in region.steps]
        _finish_region(region, is_regular=is_regular)


def _open_regions(plan: Plan, unlimited: set[int]) -> None:
    """Set which regions each step that streams opens, and what follows from their nesting."""
    for number, region in enumerate(plan.regions[1:], start=1):
        plan.opened.setdefault(region.opener, []).append(number)
        parent = plan.regions[region.parent]
        parent.children.append(number)
        if region.loops[:-1] != plan.steps[region.opener].loops:
            # A product: its items come again for each item of the other loop.
            unlimited.update(region.loops)
            parent.find_by(region.opener_path)
    for regions in plan.opened.values():
        regions.sort(key=lambda number: len(plan.regions[number].loops))


def _mark_targets(plan: Plan) -> None:
    marked: set[int] = set()
    for target in plan.targets:
        step = plan.steps[target]
        step.is_target = True
        for wanted in (target, *step.loops):
            if wanted not in marked:
                marked.add(wanted)
                plan.regions[plan.steps[wanted].region].targets.append(wanted)
        loops = given_loops(step)
        for length in range(1, len(loops) + 1):
            plan.regions[plan.by_loops[loops[:length]]].groups.append(target)


def _mark_late_starts(plan: Plan) -> None:
    """
    Find the steps that may start late, from the ends up.

    Those of which one that takes them may, or is in another region, or is lazy.
    """
    steps = plan.steps
    closing: dict[int, list[GatherStep]] = {}
    for region in plan.regions[1:]:
        closing.setdefault(region.opener, []).extend(region.gathered)
    for step in reversed(steps):
        own = plan.regions[step.region].steps
        if step.outer or step.lazy or step.watched:
            step.may_start_late = True
            continue
        for slot in step.local:
            if steps[own[slot]].may_start_late:
                step.may_start_late = True
                break
        if step.may_start_late or not (step.gathers or step.streams):
            continue
        step.may_start_late = any(gather.may_start_late for gather in step.gathers) or any(
            gather.may_start_late or gather.region != step.region
            for gather in closing.get(step.index, ())
        )


def _finish_steps(steps: Iterable[Step]) -> None:
    for step in steps:
        if isinstance(step, GateStep):
            continue
        feeds, local = step.feeds, step.local
        feeds.sort(key=attrgetter("property"))
        step.sources = tuple([feed.slot for feed in feeds if feed.kind == LOCAL])
        local.reverse()
        if isinstance(step, NodeStep):
            step.arguments = tuple(map(argument_of, feeds))


def _finish_region(region: Region, *, is_regular: bool) -> None:
    """Fill in the lists by slot. In a regular plan nothing is rare but to be a target."""
    steps = region.members
    region.in_degree = [step.in_degree for step in steps]
    region.refcount = [len(step.local) if is_regular else _refcount(step) for step in steps]
    region.sources = [step.sources for step in steps]
    region.shareable = bytes([step.shareable for step in steps])
    local = bytearray([is_regular or _is_local(step) for step in steps])
    targets = set(region.targets)
    for slot, number in enumerate(region.steps):
        if number in targets:
            local[slot] = 0
    region.local = bytes(local)
    region.plain = bytes([_is_plain(step, is_regular=is_regular) for step in steps])


def _refcount(step: Step) -> int:
    if not (step.outer or step.lazy):
        return len(step.local)
    elsewhere = step.outer or any(region != step.region for region, *_ in step.lazy)
    return -1 if elsewhere else len(step.local) + len(step.lazy)


def _is_local(step: Step) -> bool:
    return (
        isinstance(step, NodeStep)
        and not (step.outer or step.lazy or step.watched or step.gathers)
        and not (step.streams or step.lazy_rounds)
        and len(step.sources) == len(step.feeds)
    )


def _is_plain(step: Step, *, is_regular: bool) -> bool:
    return (
        isinstance(step, NodeStep)
        and step.compiled.is_plain
        and (is_regular or (not step.lazy_rounds and len(step.sources) == len(step.feeds)))
    )
