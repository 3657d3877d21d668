"""
Runs of a workflow: waited for, awaited, as events, or called like a function.

What `Workflow` has of them, apart from runs over many items.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from nodetool_core import inputs as given_inputs
from nodetool_core.engine.result import RunResult
from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.mapped import MappedWorkflow
from nodetool_core.types import value_type_name

if TYPE_CHECKING:
    from nodetool_core.engine.events import AsyncListener, Event, Listener
    from nodetool_core.engine.options import RunOptions
    from nodetool_core.engine.run import Run

_log = logging.getLogger(__name__)


class RunnableWorkflow(MappedWorkflow):
    """A workflow that runs."""

    def start(
        self,
        inputs: Mapping[str, object] | None = None,
        *,
        options: RunOptions | None = None,
        on_event: Listener | None = None,
        texts: bool = False,
    ) -> Run:
        """
        Begin a run and return its handle: `result()`, `cancel()`, `done()`.

        Raises WorkflowError where a value is invalid, or `options` or `on_event` is meant for an
        input of that name.
        """
        _check_hows(options, on_event)
        graph = given_inputs.apply(self.graph, inputs or {}, texts=texts)
        return self.engine.start(graph, options=options, on_event=on_event, base=self.base)

    def run(
        self,
        inputs: Mapping[str, object] | None = None,
        /,
        *,
        options: RunOptions | None = None,
        on_event: Listener | None = None,
        **named: object,
    ) -> RunResult:
        """
        Run and wait.

        Values for input nodes are given by name, for properties as `{"node.property": value}`.

        Raises WorkflowError where the workflow or a value is invalid, RunError where a node failed,
        RunCancelled.
        """
        run = self.start({**(inputs or {}), **named}, options=options, on_event=on_event)
        try:
            return run.result()
        except KeyboardInterrupt:
            run.cancel()
            if not run.wait(0.1):
                _log.warning(
                    "Interrupted: the running step is being finished. Ctrl-C again leaves at once."
                )
            run.wait()
            raise

    async def arun(
        self,
        inputs: Mapping[str, object] | None = None,
        /,
        *,
        options: RunOptions | None = None,
        on_event: Listener | AsyncListener | None = None,
        **named: object,
    ) -> RunResult:
        """
        Do as `run` inside an event loop, which stays free meanwhile.

        A listener that is a coroutine function is awaited in the loop. Cancelling the awaiting task
        cancels the run.
        """
        import asyncio

        from nodetool_core.engine.event_iterator import is_awaited, run_with_listener

        given = {**(inputs or {}), **named}
        if is_awaited(on_event):
            return await run_with_listener(
                lambda listener: self.start(given, options=options, on_event=listener), on_event
            )
        run = self.start(given, options=options, on_event=on_event)
        try:
            return await asyncio.wrap_future(run.future)
        except asyncio.CancelledError:
            run.cancel()
            raise

    def __call__(self, inputs: Mapping[str, object] | None = None, /, **named: object) -> Any:
        """
        Run, wait, and return the value of the one output; of several, the values by name.

        Raises what `run` raises.
        """
        outputs = self.run({**(inputs or {}), **named}).outputs
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def events(
        self,
        inputs: Mapping[str, object] | None = None,
        /,
        *,
        options: RunOptions | None = None,
        **named: object,
    ) -> AsyncGenerator[Event, None]:
        """
        Run and yield what the run reports, in order: `async for event in workflow.events(…)`.

        Results of outputs come as `OutputReady`. Leaving the loop early cancels the run. A reader
        that has fallen far behind does without progress and previews.

        Raises what `run` raises, after the last event.
        """
        from nodetool_core.engine.event_iterator import iterate_events

        given = {**(inputs or {}), **named}
        return iterate_events(
            lambda listener: self.start(given, options=options, on_event=listener)
        )


def _check_hows(options: object, on_event: object) -> None:
    """
    Raise WorkflowError for what can't say how a workflow runs.

    It may be meant for an input of that name.
    """
    from nodetool_core.engine.options import RunOptions

    hows = (
        ("options", options, isinstance(options, RunOptions | None)),
        ("on_event", on_event, on_event is None or callable(on_event)),
    )
    for name, value, fits in hows:
        if not fits:
            hint = f"An input of this name is given in a mapping: run({{{name!r}: …}})."
            raise WorkflowError(
                Problem(
                    "invalid_value",
                    name,
                    f"is an option of the run, and can't be {value_type_name(value)}.",
                    hint,
                )
            )
    if inspect.iscoroutinefunction(on_event):
        hint = "Await the run: await workflow.arun(…, on_event=…)."
        message = "is a coroutine function, which nothing would await here."
        raise WorkflowError(Problem("invalid_value", "on_event", message, hint))
