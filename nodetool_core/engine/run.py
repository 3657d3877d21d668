"""
A run under way, as whoever started it sees it.

The parts of a scheduler know one another in rings. When the run ends they are taken apart, and what
a failed node had in its hands is let go of, so that large values go with the last reference to the
result and never wait for the garbage collector. For the same reason an error is raised anew for
each caller: its traceback holds the frames of the caller, which hold the run.
"""

from __future__ import annotations

import contextvars
import copy
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Final

from nodetool_core.engine.events import RunFinished, RunStarted
from nodetool_core.engine.failures import forget_frames
from nodetool_core.engine.messages import RunTimedOut, Wake
from nodetool_core.engine.permits import released
from nodetool_core.engine.result import RunError, RunResult
from nodetool_core.engine.scheduler import Scheduler
from nodetool_core.errors import NodetoolError, RunCancelled

LISTENER_TIMEOUT = 2.0
"""Seconds that a finished run leaves a listener to take the events that are left."""


class Run:
    """A run under way."""

    def __init__(self, scheduler: Scheduler, over: Callable[[Run], None]) -> None:
        """
        Make a run of what a scheduler has to do.

        Args:
            over: Called with the run when nothing of it is under way any more.
        """
        self.run_id = scheduler.result.run_id
        self.partial = scheduler.result
        """What there is so far."""
        self.future: Future[RunResult] = Future()
        # Running, not pending: whoever waits for it in an event loop and gives up can't cancel the
        # future instead of the run.
        self.future.set_running_or_notify_cancel()
        self._cancelled = scheduler.invoker.cancelled
        self._inbox = scheduler.invoker.inbox
        self._inner: set[Run] = set()
        """Runs that its nodes have begun and that are under way."""
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        if (seconds := scheduler.environment.options.timeout) is not None:
            self._timer = threading.Timer(
                min(seconds, threading.TIMEOUT_MAX), self._time_out, [seconds]
            )
            self._timer.daemon = True
        outer = _OUTER.get()
        self._outer = None if outer is None else outer()
        # The nodes see the context variables of whoever begins the run.
        variables = contextvars.copy_context()
        variables.run(_OUTER.set, weakref.ref(self))
        name, arguments = f"nodetool-run-{self.run_id}", (_execute, scheduler, self, over)
        self._thread = threading.Thread(
            target=variables.run, args=arguments, name=name, daemon=True
        )

    def begin(self) -> None:
        """Start. Raises RuntimeError where the system has no further thread."""
        if self._outer is not None:
            self._outer._begins(self)
        timer = self._timer
        self._thread.start()
        if timer is not None:
            # One that was cancelled meanwhile, for the run is over, does nothing.
            timer.start()

    def result(self, timeout: float | None = None) -> RunResult:
        """
        Wait for the run.

        Raises RunError where a node failed, RunCancelled, or TimeoutError after `timeout` seconds.
        """
        with released():
            error = self.future.exception(timeout)
        if error is None:
            return self.future.result()
        try:
            raise _anew(error)
        finally:
            del self, error

    def wait(self, timeout: float | None = None) -> bool:
        """
        Wait until nothing of the run is under way any more.

        False where that takes longer than `timeout` seconds.
        """
        with released():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def done(self) -> bool:
        return self.future.done()

    def cancel(self) -> None:
        """
        Ask the run, and those that its nodes have begun, to stop: nodes notice at their next step.

        Nothing further begins.
        """
        self._cancelled.set()
        self._inbox.put(Wake())
        self._cancel_inner()

    def _time_out(self, seconds: float) -> None:
        self._inbox.put(RunTimedOut(seconds))
        self._cancel_inner()

    def _cancel_inner(self) -> None:
        with self._lock:
            inner = list(self._inner)
        for run in inner:
            run.cancel()

    def after_fork(self) -> None:
        """End the run in a forked process, where nothing of it goes on."""
        self._lock = threading.Lock()
        self.future = Future()
        self.future.set_exception(
            RuntimeError("The run belongs to the process that this one was forked from.")
        )

    def is_over(self) -> None:
        """Nothing of it is under way any more."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        outer, self._outer = self._outer, None
        if outer is not None:
            with outer._lock:
                outer._inner.discard(self)

    def _begins(self, inner: Run) -> None:
        with self._lock:
            self._inner.add(inner)
        if self._cancelled.is_set():
            inner.cancel()


_OUTER: Final[ContextVar[weakref.ref[Run] | None]] = ContextVar("nodetool_run", default=None)
"""The run whose node begins runs here."""


def _execute(scheduler: Scheduler, run: Run, over: Callable[[Run], None]) -> None:
    result, error = scheduler.result, _outcome(scheduler)
    scheduler.close()
    for exception in (error, *(failure.exception for failure in result.failures)):
        forget_frames(exception)
    run.is_over()
    over(run)
    if error is None:
        run.future.set_result(result)
    else:
        run.future.set_exception(error)
    # The frames of an exception hold those that called them, and so this one as it is when it
    # returns.
    del run, result, error, exception


def _outcome(scheduler: Scheduler) -> BaseException | None:
    """Run, and notify the listener; return the error that the run ends with."""
    result, environment, cancelled = (
        scheduler.result,
        scheduler.environment,
        scheduler.invoker.cancelled,
    )
    started = time.perf_counter()
    environment.emit(RunStarted(result.run_id, len(scheduler.plan.node_ids), result.seeds))
    error = _failure(scheduler)
    result.seconds = time.perf_counter() - started
    result.planned = scheduler.plan.node_ids
    if cancelled.is_set() and not scheduler.timed_out:
        result.status, error = "cancelled", error or RunCancelled()
    elif result.failures or error is not None:
        result.status = "failed"
        if error is None and environment.options.on_error == "stop":
            error = RunError(result)
    environment.emit(
        RunFinished(result.run_id, result.status, result.seconds, len(result.ran), len(result.hits))
    )
    if environment.event_queue is not None:
        environment.event_queue.close(LISTENER_TIMEOUT)
    return error


def _failure(scheduler: Scheduler) -> BaseException | None:
    """Run; return the error of the run itself, where it has one."""
    try:
        try:
            scheduler.execute()
        finally:
            scheduler.ready.close(cancelled=scheduler.invoker.cancelled.is_set())
    except BaseException as error:  # noqa: BLE001 - crosses a thread: it is raised where the result is taken
        return error
    return None


def _anew(error: BaseException) -> BaseException:
    """
    Return the error as a new one, where it is one of ours.

    As the error of a node it has no traceback that helps.
    """
    if not isinstance(error, (NodetoolError, RunCancelled)):
        return error
    again = copy.copy(error)
    again.__cause__ = error.__cause__
    return again
