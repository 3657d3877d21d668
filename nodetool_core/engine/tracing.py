"""
Runs and nodes as spans of OpenTelemetry (extra `otel`).

    Engine(tracing=True)

A run is a span below the one that is current where it begins, and each node that is computed one
below the run's, with its type, its id and its item. Spans go to the tracer provider that the
program has set up; where it has none, tracing costs next to nothing.

Spans are made of a run's events, whose times are those of the events: a thread of its own takes
them, so that no node waits for an exporter.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeAlias

from nodetool_core.engine.events import (
    Event,
    Listener,
    NodeFailed,
    NodeFinished,
    NodeStarted,
    NodeWarning,
    RunFinished,
    RunStarted,
)
from nodetool_core.errors import Problem, WorkflowError, missing_package

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Span

_PREFIX: Final = "nodetool"
_NANOSECONDS: Final = 1_000_000_000

_Place = tuple[str, tuple[int, ...]]
"""A node, by id, and the item of its loops."""
_Value: TypeAlias = str | int | tuple[int, ...]


class RunSpans:
    """A listener that makes spans of the events of one run."""

    def __init__(self, node_types: Mapping[str, str], listener: Listener | None = None) -> None:
        """
        Listen to a run that begins here and now.

        Args:
            node_types: The types of nodes, by id.
            listener: Who else listens.

        Raises WorkflowError(`missing_package`).
        """
        try:
            from opentelemetry import context, trace
        except ModuleNotFoundError as error:
            raise WorkflowError(missing_package("Engine(tracing=True)", error, "otel")) from None
        self._trace = trace
        self._tracer = trace.get_tracer("nodetool_core")
        self._above = context.get_current()
        self._node_types = node_types
        self._listener = listener
        self._run: Span | None = None
        self._nodes: dict[_Place, Span] = {}

    def __call__(self, event: Event) -> None:
        """Take an event."""
        self._note(event, time.time_ns())
        if self._listener is not None:
            self._listener(event)

    def _note(self, event: Event, now: int) -> None:
        match event:
            case RunStarted(run_id, nodes):
                found: dict[str, _Value] = {"run_id": run_id, "nodes": nodes}
                self._run = self._tracer.start_span(
                    "nodetool run", self._above, attributes=_named(found), start_time=now
                )
            case NodeStarted(node_id, item):
                self._nodes[node_id, item] = self._node(node_id, item, now)
            case NodeFinished(node_id, item, seconds, cached):
                self._finish(node_id, item, seconds, cached, now)
            case NodeFailed(node_id, item, _, problem):
                span = self._nodes.pop((node_id, item), None) or self._node(node_id, item, now)
                self._fail(span, problem, now)
            case NodeWarning(node_id, message) if self._run is not None:
                self._run.add_event("warning", _named({"node_id": node_id, "message": message}))
            case RunFinished(_, status, _, computed, cached) if self._run is not None:
                for span in self._nodes.values():
                    # What was given up or cancelled.
                    span.end(now)
                self._run.set_attributes(
                    _named({"status": status, "computed": computed, "cached": cached})
                )
                if status != "completed":
                    self._run.set_status(self._trace.StatusCode.ERROR, status)
                self._run.end(now)

    def _finish(
        self, node_id: str, item: tuple[int, ...], seconds: float, cached: bool, now: int
    ) -> None:
        """End the span of a node; make it of one that reports its end alone."""
        span = self._nodes.pop((node_id, item), None)
        if cached:
            if self._run is not None:
                self._run.add_event("cached", _named({"node_id": node_id}), now)
            return
        if span is None:
            span = self._node(node_id, item, now - int(seconds * _NANOSECONDS))
        span.end(now)

    def _node(self, node_id: str, item: tuple[int, ...], start: int) -> Span:
        node_type = self._node_types.get(node_id, "")
        found: dict[str, _Value] = {"node_id": node_id, "node_type": node_type, "item": item}
        above = None if self._run is None else self._trace.set_span_in_context(self._run)
        name = node_type.rpartition(".")[2] or node_id
        return self._tracer.start_span(name, above, attributes=_named(found), start_time=start)

    def _fail(self, span: Span, problem: Problem, now: int) -> None:
        span.set_status(self._trace.StatusCode.ERROR, problem.message)
        span.set_attributes(_named({"problem": problem.code}))
        span.end(now)


def _named(values: Mapping[str, _Value]) -> dict[str, _Value]:
    """Return attributes under names of our own."""
    return {f"{_PREFIX}.{name}": value for name, value in values.items()}
