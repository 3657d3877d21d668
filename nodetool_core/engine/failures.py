"""What a node's exception amounts to, and what is let go of with it."""

from __future__ import annotations

import traceback
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from nodetool_core.engine.result import NodeFailure
from nodetool_core.errors import NodetoolError, Problem

if TYPE_CHECKING:
    from nodetool_core.graph import GraphNode


class ElsewhereError(NodetoolError):
    """A node failed in a run elsewhere, which stands for a part of this one (on_workers.py)."""

    def __init__(self, failure: NodeFailure) -> None:
        super().__init__(failure.problem)
        self.failure = failure

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.failure,)


def failure_of(node: GraphNode, item: tuple[int, ...], error: BaseException) -> NodeFailure:
    """
    Return the failure that an exception amounts to.

    The user's own mistake in its own words, all else with its traceback.
    """
    place = f" item {'.'.join(map(str, item))}" if item else ""
    if isinstance(error, ElsewhereError):
        told = error.failure
        return replace(
            told, item=item, problem=replace(told.problem, where=f"{told.problem.where}{place}")
        )
    where = f"node {node.id!r} ({node.spec.node_type}){place}"
    if isinstance(error, NodetoolError):
        found = error.problem
        inner = f"{found.where}: " if found.where else ""
        problem = Problem(found.code, where, f"{inner}{found.message}", found.hint)
        return NodeFailure(
            node.id, node.spec.node_type, item, problem, error if error.__cause__ else None
        )
    return NodeFailure(
        node.id,
        node.spec.node_type,
        item,
        Problem("node_failed", where, f"{type(error).__name__}: {error}"),
        error,
    )


def retry_warning(node: GraphNode, error: BaseException, pause: float) -> Problem:
    """Return the warning that a node is tried again after a pause, in seconds."""
    message = f"{node.spec.title} failed and is tried again in {pause:g} s: {error}"
    return Problem("retry", f"node {node.id!r}", message, level="warning")


def forget_frames(error: BaseException | None) -> None:
    """
    Let go of the values in the frames of an exception, and of those that led to it.

    Where it was raised is still known.
    """
    pending, seen = [error], set[int]()
    while pending:
        found = pending.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        traceback.clear_frames(found.__traceback__)
        _forget_callers(found)
        pending += [found.__cause__, found.__context__, *getattr(found, "exceptions", ())]


def _forget_callers(error: BaseException) -> None:
    """
    Let go of the values in the frames that an exception did not get to.

    Its own frames hold those that called them.
    """
    caller = error.__traceback__.tb_frame.f_back if error.__traceback__ is not None else None
    while caller is not None:
        # One that is still being executed can't be cleared.
        with suppress(RuntimeError):
            caller.clear()
        caller = caller.f_back


def traceback_of(failure: NodeFailure) -> str:
    """Return the original traceback as text; empty where the failure is the user's to mend."""
    error = failure.exception
    return "" if error is None else "".join(traceback.format_exception(error))
