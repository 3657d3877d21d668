"""
Gaps: lists gathered from a loop though some of its items failed.

A node that gathers may declare that an item that fails leaves a gap (`Node.gap_policy`): it is left
out, or None stands in its place. A failure that reaches nothing but such lists is *absorbed*: the
run goes on, and the failure is a warning of its result. What is made of a list with a gap is right
for this run alone, for the item may succeed in the next: it is not kept in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nodetool_core.engine.events import NodeFailed, NodeWarning
from nodetool_core.engine.failures import traceback_of
from nodetool_core.engine.steps import GateStep, GatherStep
from nodetool_core.errors import Problem, WorkflowError

if TYPE_CHECKING:
    from nodetool_core.engine.frames import Frame, Frames
    from nodetool_core.engine.plan import Region
    from nodetool_core.engine.result import NodeFailure, RunResult
    from nodetool_core.engine.run_environment import RunEnvironment
    from nodetool_core.engine.steps import Step
    from nodetool_core.graph import GraphNode

FAIL: Final = "fail"
SKIP: Final = "skip"
NONE: Final = "none"
"""What an item that failed leaves in a list: no list at all, nothing, or None."""


def policy_of(node: GraphNode) -> str:
    """
    Return what a node wants of items that failed.

    Raises WorkflowError where that is to come along an edge.
    """
    name = node.node_class.gap_policy
    if not name:
        return FAIL
    if name not in node.values:
        message = f"{name} sets how the loop is run, so it takes no connection."
        raise WorkflowError(
            Problem("type_mismatch", f"{node.place}.data.{name}", message, "Give a value.")
        )
    return str(node.values[name])


def mark_absorbed(
    steps: Sequence[Step], regions: Sequence[Region], opened: dict[int, list[int]]
) -> None:
    """Find the steps whose failure reaches nothing but lists with gaps, from the ends up."""
    if not any(isinstance(step, GatherStep) and step.gap_policy != FAIL for step in steps):
        return
    for step in reversed(steps):
        if step.is_target or isinstance(step, GateStep):
            continue
        if step.streams:
            inner = [regions[number] for number in opened.get(step.index, ())]
            reached = [gather for region in inner for gather in region.gathered]
            ends = any(region.groups for region in inner) or any(
                gather.region != step.region for gather in reached
            )
            absorbed = [gather.absorbed for gather in reached]
        else:
            own = regions[step.region].steps
            takers = [own[slot] for slot in step.local]
            takers += [regions[region].steps[slot] for region, slot, *_ in step.outer]
            takers += [regions[region].steps[slot] for region, slot, *_ in step.lazy]
            ends = False
            absorbed = [steps[taker].absorbed for taker in takers]
            absorbed += [gather.gap_policy != FAIL or gather.absorbed for gather in step.gathers]
        step.absorbed = bool(absorbed) and all(absorbed) and not ends


class Gaps:
    """The gaps of one run."""

    def __init__(self, frames: Frames, environment: RunEnvironment, result: RunResult) -> None:
        self._frames = frames
        self._environment = environment
        self._result = result
        self.any = False
        """Whether there is one."""

    def absorb(self, frame: Frame, step: Step, failure: NodeFailure) -> bool:
        """
        Report a failure; True where it is only a warning.

        It is where it, and that of equal steps, reaches nothing but lists with gaps.
        """
        if not (
            step.absorbed
            and all(
                frame.steps[duplicate].absorbed for duplicate in frame.duplicates.get(step.slot, ())
            )
        ):
            self._result.failures.append(failure)
            trace = traceback_of(failure)
            self._environment.emit(
                NodeFailed(failure.node_id, failure.item, failure.node_type, failure.problem, trace)
            )
            return False
        self._result.warnings.append(replace(failure.problem, level="warning"))
        self._environment.emit(
            NodeWarning(failure.node_id, str(failure.problem), {"item": list(failure.item)})
        )
        return True

    def note(self, frame: Frame, slot: int) -> None:
        """Note that the value of a step has a gap, or is made of one that has."""
        frame.gaps.add(slot)
        self.any = True

    def reach(self, frame: Frame, step: Step) -> bool:
        """
        Return whether something that a step took has a gap.

        Then its own result is right for this run alone.
        """
        if not self.any:
            return False
        found = any(feed.slot in self._frames.source(frame, feed).gaps for feed in step.feeds)
        if found:
            self.note(frame, step.slot)
        return found
