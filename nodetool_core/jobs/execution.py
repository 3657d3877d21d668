"""One claimed job being worked on: run, keep the results, end the job."""

from __future__ import annotations

import json
import logging
import threading
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core.engine.result import RunError, RunResult
from nodetool_core.errors import NodetoolError, Problem, RunCancelled
from nodetool_core.jobs.event_buffer import EventBuffer
from nodetool_core.jobs.job import JobOptions, JobsError, JobState
from nodetool_core.jobs.leases import Outcome
from nodetool_core.jobs.lost_workers import ran_too_long
from nodetool_core.jobs.results import Collector

if TYPE_CHECKING:
    from nodetool_core.engine.run import Run
    from nodetool_core.jobs.files import Files
    from nodetool_core.jobs.leases import Claim, Leases
    from nodetool_core.jobs.workflow_cache import WorkflowCache

_log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Pause before an outcome that could not be written is written again."""


INTERNAL_ERROR = Outcome(
    JobState.FAILED,
    (
        Problem(
            "internal_error",
            "",
            "The job failed for a reason that lies in the server.",
            "See the server's log.",
        ),
    ),
)


class Stop(Enum):
    """Why a run is to stop before its end."""

    CANCELLED = "cancelled"
    EXPIRED = "expired"
    RELEASED = "released"
    """The worker goes; the job is another's to run."""
    LOST = "lost"
    """The job is no longer this worker's: nothing more may be said about it."""


class Execution:
    """The work on one claim. `run` in one thread; `stop` from any."""

    def __init__(
        self, claim: Claim, workflows: WorkflowCache, files: Files, leases: Leases
    ) -> None:
        self.claim = claim
        self.events = EventBuffer()
        self._workflows = workflows
        self._files = files
        self._leases = leases
        self.writing = threading.Lock()
        """Held while events are taken and stored, so that they are stored in order."""
        self.over = False
        """Whether the outcome is written."""
        self._lost = threading.Event()
        self._lock = threading.Lock()
        self._stop: Stop | None = None
        self._run: Run | None = None

    @cached_property
    def _options(self) -> JobOptions:
        return JobOptions(**json.loads(self.claim.options))

    def stop(self, reason: Stop) -> None:
        """Have the run stop at its next step. The first reason counts, but a lost claim is lost."""
        with self._lock:
            if self._stop is None or reason is Stop.LOST:
                self._stop = reason
            run = self._run
        if reason is Stop.LOST:
            self._lost.set()
        if run is not None:
            run.cancel()

    def run(self) -> bool:
        """
        Work until the job has ended or is given back.

        False where the claim was lost, so that nothing was written.
        """
        _log.info("job begins", extra=self._facts)
        outcome = self._work()
        while self._stop is not Stop.LOST:
            try:
                return self._end(outcome)
            except JobsError as error:
                # The work is done, so the database is waited for: as long as nobody else takes the
                # job, nothing is lost.
                _log.warning(
                    "The end of the job could not be written yet: %s", error, extra=self._facts
                )
                self._lost.wait(RETRY_SECONDS)
            except Exception:  # noqa: BLE001 - the database refuses what is to be written, whatever that is; the job still has to end
                _log.exception("The end of the job can't be written.", extra=self._facts)
                self.events.take()
                if outcome is INTERNAL_ERROR:
                    return False
                outcome = INTERNAL_ERROR
        return False

    def _end(self, outcome: Outcome | None) -> bool:
        with self.writing:
            happened = self.events.take()
            try:
                if outcome is None:
                    written = self._leases.release(self.claim, "released", happened)
                else:
                    written = self._leases.finish(self.claim, outcome, happened)
            except Exception:
                self.events.give_back(happened)
                raise
            self.over = True
        if written:
            state = JobState.QUEUED if outcome is None else outcome.state
            codes = [problem.code for problem in outcome.problems] if outcome is not None else []
            _log.info(
                "job ended" if state.ended else "job given back",
                extra=self._facts | {"state": state.value, "problems": codes},
            )
        return written

    @property
    def _facts(self) -> dict[str, object]:
        """What log lines say about the job."""
        return {"job_id": self.claim.job_id, "attempt": self.claim.fence}

    def _work(self) -> Outcome | None:
        """Return how the job ended; None where it is to be given back, or lost."""
        try:
            result, problems = self._result()
            if result.status == "completed":
                return self._kept(JobState.DONE, result, ())
            if self._stop is None:
                return self._kept(JobState.FAILED, result, problems)
        except RunCancelled:
            result = RunResult("")
        except NodetoolError as error:
            _log.warning("The job failed: %s", error, extra=self._facts)
            return Outcome(JobState.FAILED, error.problems)
        except Exception:  # noqa: BLE001 - a worker outlives whatever one job meets; the log has all of it
            _log.exception(
                "The job failed for a reason that lies in this program.", extra=self._facts
            )
            return INTERNAL_ERROR
        if self._stop is Stop.CANCELLED:
            return Outcome(JobState.CANCELLED, report=_report(result))
        if self._stop is Stop.EXPIRED:
            return Outcome(JobState.EXPIRED, (ran_too_long(),), _report(result))
        return None

    def _result(self) -> tuple[RunResult, tuple[Problem, ...]]:
        """Return the run's result, whatever became of it, and what was wrong."""
        run = self._begin()
        try:
            result = run.result()
            return result, tuple(failure.problem for failure in result.failures)
        except RunError as error:
            for failure in error.failures:
                _log.warning(
                    "A node failed: %s",
                    failure.problem,
                    exc_info=failure.exception,
                    extra=self._facts | {"node": failure.node_id},
                )
            return error.result, error.problems
        except RunCancelled:
            return run.partial, ()

    def _begin(self) -> Run:
        claim = self.claim
        workflow = self._workflows.get(claim.workflow, claim.document, claim.base)
        with self._lock:
            if self._stop is not None:
                raise RunCancelled
            self._run = workflow.start(
                json.loads(claim.inputs), options=self._options.of_run(), on_event=self.events
            )
            return self._run

    def _kept(self, state: JobState, result: RunResult, problems: tuple[Problem, ...]) -> Outcome:
        """
        Return the outcome with its results in the storage.

        All files are there before the job is marked so.
        """
        collector = Collector(self._options, self._files.storage, Path(self.claim.base))
        results = collector.collect(result.outputs)
        self._files.put(list(collector.files.values()))
        return Outcome(state, problems, _report(result), results, collector.files.keys())


def _report(result: RunResult) -> dict[str, object]:
    return {
        "seconds": round(result.seconds, 6),
        "computed": len(result.ran),
        "cached": len(result.hits),
        "seeds": result.seeds,
        "models": result.models,
        "warnings": [warning.to_json() for warning in result.warnings],
    }
