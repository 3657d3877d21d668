"""
A worker process under Celery.

Takes tickets, runs jobs, and reads the queues of the models that it holds.

Jobs run in threads, so that one engine and one set of weights serve them all, and the broker is
listened to meanwhile. The ticket of a job is acknowledged when its job has ended.
"""

from __future__ import annotations

import logging
import threading
import warnings
from typing import TYPE_CHECKING

from nodetool_core.jobs.celery_dispatch import CANCEL, TASK, model_queue
from nodetool_core.jobs.job import JobsError
from nodetool_core.jobs.queue import DEFAULT_QUEUE

if TYPE_CHECKING:
    from celery import Celery  # type: ignore[import-untyped]

    from nodetool_core.engine.engine import Engine
    from nodetool_core.jobs.service import Jobs

_log = logging.getLogger(__name__)


class CeleryWorker:
    """Runs until SIGTERM or SIGINT."""

    def __init__(
        self, app: Celery, jobs: Jobs, engine: Engine, *, concurrency: int, drain: float
    ) -> None:
        """
        Prepare a worker.

        Args:
            concurrency: Jobs at once.
            drain: Seconds that jobs under way get when the worker is to end; what has not ended
                goes back to the queue.
        """
        self._app = app
        self._jobs = jobs
        self._engine = engine
        self._concurrency = concurrency
        self._drain = drain
        self._name = f"nodetool@{jobs.workers.id}"
        self._read: set[str] = set()
        self._reading = threading.Lock()
        app.task(name=TASK, ignore_result=True)(self._take)

    def run(self) -> None:
        """
        Take tickets until SIGTERM or SIGINT.

        Raises JobsError where the broker or the database can't be used.
        """
        from celery.platforms import SecurityWarning  # type: ignore[import-untyped]
        from celery.signals import setup_logging, worker_shutting_down  # type: ignore[import-untyped]
        from celery.worker.control import Panel  # type: ignore[import-untyped]

        Panel.register(self._cancel, name=CANCEL, type="control")
        worker_shutting_down.connect(self._begin_to_end)
        # It warns of running as root, since some messages could be code; only JSON is accepted
        # here.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        # Whoever started the program has said where its logs go.
        setup_logging.connect(_leave_logging_as_it_is)
        for repeated_by_jobs in ("celery.app.trace", "celery.worker.strategy"):
            logging.getLogger(repeated_by_jobs).setLevel(logging.WARNING)
        self._jobs.start()
        worker = self._app.Worker(
            hostname=self._name,
            pool="threads",
            concurrency=self._concurrency,
            queues=[DEFAULT_QUEUE],
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        try:
            worker.start()
        finally:
            self._jobs.drain(0.0)

    def _take(self, job_id: str, queue: str) -> None:
        """Run the job whose turn it is in the queue of a ticket."""
        try:
            self._jobs.runner.run_one([queue])
            self._jobs.workers.announce()
        except JobsError as error:
            # The job still waits, and a ticket for it will be there when the database is.
            _log.warning("The ticket for job %s led to nothing: %s", job_id, error)
        self._follow_models()

    def _follow_models(self) -> None:
        """Read the queues of the models that are loaded, and no others besides the common one."""
        with self._reading:
            held = {model_queue(model) for model in self._engine.loaded_models()}
            for queue in held - self._read:
                self._app.control.add_consumer(queue, destination=[self._name])
            for queue in self._read - held:
                self._app.control.cancel_consumer(queue, destination=[self._name])
            self._read = held

    def _cancel(self, state: object, job_id: str = "", **_: object) -> None:
        """Cancel a job if it runs here."""
        self._jobs.heartbeat.poll_now()

    def _begin_to_end(self, **_: object) -> None:
        # Celery now waits for the tickets under way; this makes sure that they end.
        threading.Thread(
            target=self._jobs.runner.drain,
            args=[self._drain],
            name="nodetool-jobs-drain",
            daemon=True,
        ).start()


def _leave_logging_as_it_is(**_: object) -> None:
    """Keep Celery from setting up logging, which it does unless somebody listens to this signal."""
