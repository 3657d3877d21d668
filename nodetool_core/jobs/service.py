"""
The jobs of one process: what servers and programs use.

    with Engine(registry=registry, cache=default_cache(), …) as engine:
        jobs = Jobs.open("jobs.sqlite", "files", engine=engine, find=catalog.get)
        jobs.start()
        job = jobs.submit(JobRequest("night", {"prompt": "snow"}, client="ann"))   # stored
        job = jobs.wait(job.id)
        jobs.results(job.id)["image"]                                            # StoredFile
        jobs.drain(30)

Everything here may be called from any thread, and blocks for a few milliseconds at most but where
it says that it waits. In an event loop, call it by `asyncio.to_thread`, and use `events_async` and
`wait_async`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nodetool_core.errors import Problem
from nodetool_core.jobs.addresses import shown
from nodetool_core.jobs.database import Database
from nodetool_core.jobs.execution import Stop
from nodetool_core.jobs.files import Files, describe
from nodetool_core.jobs.heartbeat import Heartbeat
from nodetool_core.jobs.job import (
    Job,
    JobOptions,
    JobRequest,
    JobsError,
    JobSettings,
    JobState,
    StoredEvent,
    StoredFile,
)
from nodetool_core.jobs.leases import Leases
from nodetool_core.jobs.names import FileNames
from nodetool_core.jobs.notifications import QUEUE, Notifier
from nodetool_core.jobs.queue import DEFAULT_QUEUE, JobSpec, Queue
from nodetool_core.jobs.reader import JobReader
from nodetool_core.jobs.request_validator import Find, RequestValidator
from nodetool_core.jobs.runner import Runner
from nodetool_core.jobs.storage import Storage, open_storage
from nodetool_core.jobs.workers import Workers
from nodetool_core.jobs.workflow_cache import WorkflowCache
from nodetool_core.json_types import Json
from nodetool_core.registry import Registry

if TYPE_CHECKING:
    from nodetool_core.engine.engine import Engine
    from nodetool_core.engine.events import NodePreview
    from nodetool_core.jobs.dispatch import Dispatch


_log = logging.getLogger(__name__)


class Jobs(JobReader):
    """A queue of jobs, and the threads that run them here."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        *,
        engine: Engine | None = None,
        registry: Registry | None = None,
        find: Find = lambda name: None,
        settings: JobSettings | None = None,
        dispatch: Dispatch | None = None,
    ) -> None:
        """
        Put the parts together; `start` begins to run jobs.

        Args:
            engine: What runs the jobs of this process; needed where `settings.workers` is not 0.
                Its `assets` becomes the storage unless it has one, and its cache should reach the
                disk, so that what is finished is not computed twice.
            registry: The nodes there are; the engine's, or every installed pack, unless given.
            find: What the name of a workflow stands for.
            dispatch: How workers in other processes are notified of jobs, if there are any.
        """
        self.settings = settings = settings or JobSettings()
        self.storage = storage
        super().__init__(
            Queue(database, limit=settings.queue_limit, client_limit=settings.client_limit),
            Notifier(),
            settings.poll,
        )
        self.leases = Leases(database, length=settings.lease, lost_attempts=settings.lost_attempts)
        self.files = Files(database, storage, limit=settings.room, spare=settings.spare)
        self.names = FileNames(database)
        self.workers = Workers(
            database,
            lease=settings.lease,
            models=engine.loaded_models if engine is not None else list,
        )
        registry = registry or (engine.registry if engine is not None else Registry.installed())
        workflows = WorkflowCache(registry, engine)
        self._validator = RequestValidator(find, workflows, self.files)
        self._database = database
        self._engine = engine
        self._dispatch = dispatch
        cache = engine.cache if engine is not None else None
        flush, refresh = getattr(cache, "flush", None), getattr(cache, "refresh", lambda: None)
        self.heartbeat = Heartbeat(
            self.leases,
            self.files,
            self.workers,
            self.notifier,
            settings,
            flush_cache=(lambda: flush(settings.lease / 4)) if flush else lambda: None,
            on_sweep=(
                (lambda: dispatch.sweep(self.queue, self.workers)) if dispatch else lambda: None
            ),
        )
        self.runner = Runner(
            self.workers.id,
            self.leases,
            workflows,
            self.files,
            self.heartbeat,
            self.notifier,
            settings.poll,
            refresh,
        )
        if engine is not None and engine.assets is None:
            engine.assets = storage

    @classmethod
    def open(
        cls,
        database: str | Path,
        storage: str | Path,
        *,
        engine: Engine | None = None,
        registry: Registry | None = None,
        find: Find = lambda name: None,
        settings: JobSettings | None = None,
        dispatch: Dispatch | None = None,
        storage_options: Mapping[str, object] | None = None,
    ) -> Self:
        """
        Return the jobs behind a database and a storage, which are made where they don't exist.

        Args:
            database: A SQLite file, or a URL: `sqlite:////var/lib/nodetool/jobs.sqlite`,
                `postgresql://user@host/name`.
            storage: A directory, or a URL that fsspec knows: `s3://bucket/prefix`.
            dispatch: How workers in other processes are notified of jobs: `CeleryDispatch`.
                Without one they poll.
            storage_options: For the storage's file system, as fsspec takes them: credentials, an
                endpoint.
        """
        files = open_storage(storage, storage_options)
        return cls(
            Database(str(database)),
            files,
            engine=engine,
            registry=registry,
            find=find,
            settings=settings,
            dispatch=dispatch,
        )

    def start(self) -> None:
        """Begin to run jobs, also those that are left from before."""
        if self.settings.workers and self._engine is None:
            message = f"are to be run by {self.settings.workers} workers without an engine."
            raise JobsError(Problem("no_engine", "jobs", message))
        self.workers.announce()
        _log.info(
            "jobs are run",
            extra={
                "worker": self.workers.id,
                "at_once": self.settings.workers,
                "database": shown(self._database.url),
            },
        )
        self.heartbeat.start()
        self.runner.start(self.settings.workers)

    def drain(self, timeout: float) -> bool:
        """
        Take no further job, and put back into the queue what has not ended in `timeout` seconds.

        True where all ended by themselves. Jobs can still be submitted and looked at, but nothing
        here runs them.
        """
        ended = self.runner.drain(timeout)
        self.heartbeat.close()
        self.workers.leave()
        return ended

    def check(self) -> None:
        """Raise JobsError(`database_failed`) where the database does not answer."""
        self._database.check()

    def close(self) -> None:
        """Let go of the database. Drain first."""
        self._database.close()

    # Jobs

    def submit(self, request: JobRequest) -> Job:
        """
        Accept a job.

        It is on disk when this returns; a second request of a client with the same idempotency key
        returns the same job.

        Raises JobsError (`queue_full`, `client_queue_full`, `idempotency_conflict`,
        `unknown_workflow`, `unknown_file`, …), and WorkflowError with all problems of a workflow or
        inputs that can't be run.
        """
        return self._accept(self._validator.validate(request))

    def cancel(self, job_id: str) -> Job:
        """
        End a waiting job, or request that a running one stops at its next step.

        `wait` returns when it has.

        One that has ended stays as it is.

        Raises JobsError(`unknown_job`).
        """
        job = self.queue.cancel(job_id)
        if job.cancel_requested and not job.state.ended:
            self.heartbeat.stop(job_id, Stop.CANCELLED)
            if self._dispatch is not None:
                self._dispatch.cancel(job_id)
        self.notifier.notify(job_id)
        return job

    def change(
        self, job_id: str, *, priority: int | None = None, note: Mapping[str, Json] | None = None
    ) -> Job:
        """
        Give a job another priority, and put values into its note.

        `{"kept": True}` keeps an ended one however old it is. Raises JobsError(`unknown_job`).
        """
        job = self.queue.change(job_id, priority=priority, note=note)
        self.notifier.notify(QUEUE)
        return job

    def remove(self, job_id: str) -> None:
        """
        Remove a job that has ended.

        Raises JobsError: `unknown_job`, `not_ended`.
        """
        job = self.get(job_id)
        if not job.state.ended:
            raise _not_ended(job, "removed")
        self.files.remove_job(job_id)

    def retry(self, job_id: str) -> Job:
        """
        Accept a new job that does what an ended one was to do, without its deadline.

        What that one finished is not computed again.

        Raises JobsError: `unknown_job`, `not_ended`, `queue_full`, ….
        """
        spec, job = self.queue.spec_of(job_id)
        if not job.state.ended:
            raise _not_ended(job, "retried")
        return self._accept(spec, retry_of=job_id)

    def previews(self, seen: dict[str, int]) -> Sequence[tuple[str, NodePreview]]:
        """
        Return the newest previews of the jobs that run in this process, with the jobs' ids.

        Args:
            seen: The number of the last one that was looked at, by job; brought up to date.
        """
        found = []
        for execution in self.heartbeat.executions():
            job_id = execution.claim.job_id
            for number, preview in execution.events.previews(seen.get(job_id, 0)):
                seen[job_id] = number
                found.append((job_id, preview))
        return found

    # Files

    def put(self, data: bytes, media_type: str | None = None) -> StoredFile:
        """
        Keep a file, such as an upload; its `to_json()` is what inputs take.

        Kept as long as a job names it, and `settings.keep` else.

        Args:
            media_type: What it is; found out from its first bytes unless given.
        """
        file = describe(data)
        file = file if media_type is None else replace(file, media_type=media_type)
        self.files.put([(file, data)])
        return file

    def file(self, digest: str) -> StoredFile:
        """Return what is known of a stored file. Raises JobsError(`unknown_file`)."""
        return self.files.get(digest)

    def read(self, digest: str) -> bytes:
        """
        Return the bytes of a stored file.

        Raises JobsError: `unknown_file`, `damaged_file`, `storage_failed`.
        """
        return self.storage.read(digest)

    def _accept(self, spec: JobSpec, retry_of: str | None = None) -> Job:
        queue = DEFAULT_QUEUE
        if self._dispatch is not None:
            queue = self._dispatch.route(spec.model, self.workers)
        job = self.queue.submit(spec, queue=queue, retry_of=retry_of)
        if self._dispatch is not None:
            self._dispatch.announce(job.id, queue)
        self.notifier.notify(QUEUE)
        return job


def _not_ended(job: Job, wanted: str) -> JobsError:
    message = f"is {job.state}; only a job that has ended can be {wanted}."
    return JobsError(Problem("not_ended", job.id, message, "Cancel it first."))


__all__ = [
    "Job",
    "JobOptions",
    "JobRequest",
    "JobSettings",
    "JobState",
    "Jobs",
    "JobsError",
    "StoredEvent",
    "StoredFile",
]
