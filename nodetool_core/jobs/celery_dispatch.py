"""
Jobs by Celery over Redis: the broker announces that there is work, the database which.

A message is a *ticket*: it names a queue, and the job whose acceptance it announced. A worker that
takes a ticket claims the job whose turn it is in that queue, which need not be the one named; so
priorities and fair turns are those of the database. There is a ticket for each waiting job, and it
doesn't matter when one is lost or comes twice: a ticket that finds nothing is thrown away, and
`sweep` puts as many into each queue as are missing. So a broker that forgets everything costs
seconds.

There is a queue per model besides the common one. A job goes to its model's queue while some worker
reports that it holds the model, and to the common one otherwise, or when it has waited there for
longer than loading would take (`PATIENCE`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from nodetool_core.errors import Problem, missing_package
from nodetool_core.jobs.addresses import shown
from nodetool_core.jobs.job import JobsError
from nodetool_core.jobs.queue import DEFAULT_QUEUE

if TYPE_CHECKING:
    from celery import Celery  # type: ignore[import-untyped]

    from nodetool_core.jobs.queue import Queue
    from nodetool_core.jobs.workers import Workers

Answer = TypeVar("Answer")

_log = logging.getLogger(__name__)

TASK: Final = "nodetool.job"
CANCEL: Final = "nodetool_cancel"
KEY_PREFIX: Final = "nodetool:"
"""What keys in Redis start with, so that others can use the same server."""

VISIBILITY_SECONDS: Final = 3600
"""
When Redis gives a ticket out again that was not acknowledged.

Long jobs may exceed it: the second ticket finds nothing to do.
"""

PATIENCE: Final = 10.0
"""Seconds that a job waits for a worker that holds its model."""

SILENT_SECONDS: Final = 5.0
"""After a broker could not be reached: how long no request goes to it."""

ANSWER_SECONDS: Final = 3.0
"""How long the broker may take to answer."""

_MODEL_PREFIX: Final = "model."


def model_queue(model: str) -> str:
    """Return the queue of the jobs that need a model."""
    return f"{_MODEL_PREFIX}{model}"


def make_app(broker: str, *, listens: bool = False) -> Celery:
    """
    Return the Celery application for a broker such as `redis://localhost:6379/0`. Raises JobsError.

    Args:
        listens: Whether it is for a worker, which waits for messages as long as it takes; who only
            sends waits `ANSWER_SECONDS`.
    """
    if not broker.startswith(("redis://", "rediss://")):
        message = f"has the scheme {broker.partition('://')[0]!r}; jobs go by Redis."
        raise JobsError(
            Problem(
                "unknown_broker",
                "broker",
                message,
                "It looks like redis://localhost:6379/0, or rediss://… with TLS.",
            )
        )
    try:
        from celery import Celery
    except ModuleNotFoundError as error:
        raise JobsError(missing_package(shown(broker), error, "worker")) from None
    app = Celery("nodetool", broker=broker, set_as_current=False)
    app.conf.update(
        task_acks_late=True,
        task_ignore_result=True,
        task_default_queue=DEFAULT_QUEUE,
        task_create_missing_queues=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_SECONDS,
            "global_keyprefix": KEY_PREFIX,
            "socket_connect_timeout": ANSWER_SECONDS,
            "socket_timeout": None if listens else ANSWER_SECONDS,
        },
    )
    return app


class CeleryDispatch:
    """A `Dispatch`. Safe to use from several threads."""

    def __init__(self, app: Celery, *, patience: float = PATIENCE) -> None:
        self.app = app
        self._patience = patience
        self._silent_until = 0.0
        self._missing: dict[str, int] = {}
        """
        Tickets that were missing at the last sweep, by queue.

        What is missing twice is lost, not on its way.
        """
        self._sweeping = threading.Lock()

    def route(self, model: str | None, workers: Workers) -> str:
        return (
            model_queue(model)
            if model is not None and model in workers.holders()
            else DEFAULT_QUEUE
        )

    def announce(self, job_id: str, queue: str) -> None:
        self._tell(
            lambda: self.app.send_task(
                TASK, args=[job_id, queue], queue=queue, retry=False, ignore_result=True
            )
        )

    def cancel(self, job_id: str) -> None:
        self._tell(lambda: self.app.control.broadcast(CANCEL, arguments={"job_id": job_id}))

    def sweep(self, queue: Queue, workers: Workers) -> None:
        with self._sweeping:
            held = [model_queue(model) for model in workers.holders()]
            queue.reroute(held, self._patience)
            missing = {}
            for name, waiting in queue.waiting_by_queue().items():
                there = self._tickets(name)
                if there is not None and there < len(waiting):
                    missing[name] = len(waiting) - there
                    for job_id in waiting[: min(missing[name], self._missing.get(name, 0))]:
                        self.announce(job_id, name)
            self._missing = missing

    def _tickets(self, queue: str) -> int | None:
        """Return how many tickets lie in a queue; None where the broker can't be reached."""

        def count() -> int:
            with self.app.connection_or_acquire() as connection:
                try:
                    return int(
                        connection.default_channel.queue_declare(queue, passive=True).message_count
                    )
                except connection.channel_errors:
                    # A queue without a ticket is none.
                    return 0

        return self._tell(count)

    def _tell(self, work: Callable[[], Answer]) -> Answer | None:
        """
        Return what `work` gets from the broker.

        None where it can't be reached, which is not tried again for a while.
        """
        from kombu.exceptions import OperationalError
        from redis.exceptions import RedisError

        if time.monotonic() < self._silent_until:
            return None
        try:
            return work()
        except (OperationalError, RedisError, OSError) as error:
            self._silent_until = time.monotonic() + SILENT_SECONDS
            _log.warning("The broker can't be reached; jobs wait until it can: %s", error)
            return None
