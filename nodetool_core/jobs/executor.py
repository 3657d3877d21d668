"""
Runs of a mapping as jobs, on the workers that exist.

    with JobExecutor.open("jobs.sqlite", "files", broker="redis://queue:6379/0") as workers:
        results = workflow.map(items, executor=workers)

Each item is a job like any other: it waits its turn, survives a worker that dies, and is seen by
whoever looks at the queue. What an item's files and those that the workflow names contain goes into
the storage, so that workers need none of this machine's folders. One thread looks at all jobs that
are under way, by one query each `poll` seconds; results are fetched by a few others, and the jobs
then removed. Meanwhile this process reports that it is there: should it die, workers end what it
has left in the queue.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from pydantic import TypeAdapter

from nodetool_core import inputs as given_inputs
from nodetool_core.assets.decode import identify
from nodetool_core.assets.image_data import ImageData
from nodetool_core.assets.loader import ImageLoader
from nodetool_core.engine.result import NodeFailure, RunError, RunResult
from nodetool_core.errors import NodetoolError, Problem, RunCancelled
from nodetool_core.jobs.job import (
    Job,
    JobOptions,
    JobRequest,
    JobsError,
    JobSettings,
    JobState,
    StoredFile,
)
from nodetool_core.jobs.results import image_of
from nodetool_core.jobs.service import Jobs
from nodetool_core.jobs.workers import Workers
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.properties import jsonable
from nodetool_core.references import AssetRef, FolderRef, ImageRef
from nodetool_core.values import json_form, leaves, map_leaves

if TYPE_CHECKING:
    from nodetool_core.engine.mapping import Portable
    from nodetool_core.graph import Graph
    from nodetool_core.registry import Registry

_log = logging.getLogger(__name__)

_FETCHING: Final = 4
"""Results that are fetched at once."""
_FULL: Final = frozenset({"queue_full", "client_queue_full"})


@dataclass(frozen=True)
class _Report:
    """What is used of a job's report."""

    seconds: float = 0.0
    seeds: dict[str, dict[str, int]] = field(default_factory=dict)
    models: dict[str, str | None] = field(default_factory=dict)
    warnings: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class _NodeEvent:
    """What is used of the stored events of nodes."""

    node_id: str
    item: tuple[int, ...] = ()
    cached: bool = False
    node_type: str = ""
    problem: Problem | None = None


_REPORT: Final = TypeAdapter(_Report)
_NODE_EVENT: Final = TypeAdapter(_NodeEvent)

OpenImage = Callable[[StoredFile, bytes], object]


class JobRun:
    """A job of an item, as the mapping sees it."""

    def __init__(self, job_id: str, jobs: Jobs) -> None:
        self.job_id = job_id
        self.future: Future[RunResult] = Future()
        # Running, not pending: whoever waits for it in an event loop can't cancel it instead of the
        # job.
        self.future.set_running_or_notify_cancel()
        self._jobs = jobs

    def cancel(self) -> None:
        """Have the job stop; a waiting one ends at once, and one that has ended stays as it is."""
        try:
            self._jobs.cancel(self.job_id)
        except JobsError as error:
            # It may have ended, and been removed since its result is here.
            if error.problem.code != "unknown_job":
                raise

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the job to end, for `timeout` seconds at most; return whether it has."""
        with suppress(TimeoutError):
            self.future.exception(timeout)
        return self.future.done()


class JobExecutor:
    """An `Executor` over a queue of jobs. Safe to use from several threads."""

    def __init__(
        self,
        jobs: Jobs,
        *,
        options: JobOptions | None = None,
        client: str = "",
        concurrency: int = 200,
        open_image: OpenImage = image_of,
    ) -> None:
        """
        Run items as jobs.

        Args:
            jobs: The queue, which workers share. It need not be started.
            options: How each item is run: which outputs, how often a node is tried.
            client: Whose jobs these are; clients take turns.
            concurrency: How many items are in the queue or under way, unless the mapping says so;
                enough that no worker waits.
            open_image: Makes a result of the bytes of an image; `ImageData` unless given.
        """
        self.concurrency = concurrency
        self._jobs = jobs
        self._owner = Workers(jobs.leases.database, lease=jobs.settings.lease, only_waits=True)
        self._options = replace(options or JobOptions(), owner=self._owner.id)
        self._client = client
        self._open_image = open_image
        self._under_way: dict[str, JobRun] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._owns_jobs = False
        self._fetchers = ThreadPoolExecutor(_FETCHING, "nodetool-results")
        self._owner.announce()
        self._watcher = threading.Thread(target=self._watch, name="nodetool-jobs", daemon=True)
        self._watcher.start()

    @classmethod
    def open(
        cls,
        database: str | Path,
        storage: str | Path,
        *,
        broker: str = "",
        registry: Registry | None = None,
        options: JobOptions | None = None,
        client: str = "",
        open_image: OpenImage = image_of,
    ) -> Self:
        """
        Return the executor over the workers of a database, a storage and a broker.

        Args:
            database: As `nodetool worker --database` has it.
            storage: As `nodetool worker --storage` has it.
            broker: Their Redis, such as `redis://queue:6379/0`; without one they poll.
            registry: The nodes that workers have; every installed pack unless given.

        Raises JobsError where they can't be reached.
        """
        dispatch = None
        if broker:
            from nodetool_core.jobs.celery_dispatch import CeleryDispatch, make_app

            dispatch = CeleryDispatch(make_app(broker))
        settings = JobSettings(workers=0, poll=0.1, keep=None)
        jobs = Jobs.open(database, storage, registry=registry, settings=settings, dispatch=dispatch)
        executor = cls(jobs, options=options, client=client, open_image=open_image)
        executor._owns_jobs = True
        return executor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Look at no job any more. Those under way are cancelled."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._watcher.join()
        self._fetchers.shutdown()
        for run in self._under_way.values():
            with suppress(JobsError):
                run.cancel()
            run.future.set_exception(RunCancelled())
        try:
            self._owner.leave()
        except JobsError as error:
            _log.warning("The jobs can't be told that nobody waits any more: %s", error)
        if self._owns_jobs:
            self._jobs.close()

    def workers(self) -> list[str]:
        """Return the workers that there are now. Raises JobsError."""
        return self._jobs.workers.living()

    def starter(
        self, workflow: Portable, *, texts: bool = False
    ) -> Callable[[Mapping[str, object]], JobRun]:
        """
        Return what makes a job of the values of an item.

        Args:
            texts: The values are texts from a command line.

        Raises WorkflowError where the workflow can't be written as a file.
        """
        document, graph = workflow.portable_document(), workflow.graph
        upload = _Upload(self._jobs, workflow.base)
        own = upload.files_of(graph)

        def begin(values: Mapping[str, object]) -> JobRun:
            inputs = own | upload.inputs(graph, values, texts)
            return self._submit(
                JobRequest(
                    document,
                    inputs,
                    client=self._client,
                    options=self._options,
                    base=workflow.base,
                    name=document.name,
                )
            )

        return begin

    def _submit(self, request: JobRequest) -> JobRun:
        """Have a job accepted, as soon as there is room in the queue."""
        while True:
            self._owner.announce()
            try:
                run = JobRun(self._jobs.submit(request).id, self._jobs)
            except JobsError as error:
                if error.problem.code not in _FULL:
                    raise
                with self._changed:
                    self._changed.wait(self._jobs.settings.poll)
            else:
                with self._changed:
                    self._under_way[run.job_id] = run
                    self._changed.notify_all()
                return run

    def _watch(self) -> None:
        """Settle what has ended, until closed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._under_way or self._closed)
                if self._closed:
                    return
                wanted = list(self._under_way)
            try:
                self._owner.announce()
                ended = self._jobs.queue.ended(wanted)
            except JobsError as error:
                _log.warning("The jobs can't be looked at; they are again in a moment: %s", error)
                ended = []
            with self._changed:
                runs = [(job, self._under_way.pop(job.id)) for job in ended]
                self._changed.notify_all()
            for job, run in runs:
                self._fetchers.submit(self._settle, job, run)
            with self._changed:
                self._changed.wait_for(lambda: self._closed, self._jobs.settings.poll)

    def _settle(self, job: Job, run: JobRun) -> None:
        """Say what became of a job."""
        try:
            run.future.set_result(self._result(job))
        except BaseException as error:  # noqa: BLE001 - crosses a thread: it is raised where the result is taken
            run.future.set_exception(error)
        try:
            self._jobs.files.remove_job(job.id)
        except JobsError as error:
            _log.warning("Job %s is done and could not be removed: %s", job.id, error)

    def _result(self, job: Job) -> RunResult:
        """Return the result of an ended job. Raises what a run of it would."""
        if job.state is JobState.CANCELLED:
            raise RunCancelled
        result = self._finished(job)
        if job.state is JobState.DONE or (result.failures and self._options.on_error != "stop"):
            return result
        if result.failures:
            raise RunError(result)
        raise JobsError(job.problems)

    def _finished(self, job: Job) -> RunResult:
        """Return what a job gave, and how it went as its events tell."""
        stored, report = self._jobs.results(job.id), _REPORT.validate_python(job.report)
        result = RunResult(
            job.id,
            outputs={name: map_leaves(value, self._opened) for name, value in stored.items()},
            status="completed" if job.state is JobState.DONE else "failed",
            seconds=report.seconds,
            seeds=report.seeds,
            warnings=report.warnings,
            models=report.models,
        )
        for event in self._jobs.events(job.id):
            if event.attempt == job.attempts and event.name in ("node_finished", "node_failed"):
                told = _NODE_EVENT.validate_python(event.data)
                if told.problem is not None:
                    result.failures.append(
                        NodeFailure(told.node_id, told.node_type, told.item, told.problem)
                    )
                else:
                    (result.hits if told.cached else result.ran).append(told.node_id)
        return result

    def _opened(self, value: object) -> object:
        """Return an image in place of the file that holds it; every other value as it is."""
        if not isinstance(value, StoredFile):
            return value
        if value.kind == "image":
            return self._open_image(value, self._jobs.read(value.digest))
        return AssetRef(asset_id=value.digest)


class _Upload:
    """Values as workers can read them: with files and images in the storage."""

    def __init__(self, jobs: Jobs, base: Path) -> None:
        self._jobs = jobs
        self._loader = ImageLoader(base, store=jobs.storage)

    def files_of(self, graph: Graph) -> JsonObject:
        """Return the values with files in them that a workflow has itself, as inputs."""
        found: JsonObject = {}
        for node in graph.nodes:
            for name, value in node.values.items():
                if any(not ref.is_empty() for ref in leaves(value, AssetRef)):
                    # What can't be read may be given by the items; what isn't, the run reports.
                    with suppress(NodetoolError):
                        found[f"{node.id}.{name}"] = json_form(value, self._form)
        return found

    def inputs(self, graph: Graph, values: Mapping[str, object], texts: bool) -> JsonObject:
        """
        Return the values of an item, by node and property.

        Raises WorkflowError where they don't fit, ImageError where a file can't be read.
        """
        given = given_inputs.apply(graph, values, texts=texts)
        found: JsonObject = {}
        for name in values:
            place = given_inputs.find(name, given)
            assert not isinstance(place, Problem), "a name that was taken just now"
            node, prop = given.nodes[place[0]], place[1]
            found[f"{node.id}.{prop.name}"] = json_form(node.values[prop.name], self._form)
        return found

    def _form(self, value: object) -> Json:
        """Return the JSON form of a value; of a file or an image, where the storage has it."""
        if isinstance(value, ImageData):
            value = self._stored(ImageRef(), value.encoded())
        elif (
            isinstance(value, AssetRef)
            and not isinstance(value, FolderRef)
            and not value.is_empty()
        ):
            data = self._loader.read(value)
            if isinstance(value, ImageRef):
                # What is no image is found here, where its file has a name.
                identify(BytesIO(data), value.uri or "image")
            value = self._stored(value, data)
        form: Json = jsonable(value)
        return form

    def _stored(self, ref: AssetRef, data: bytes) -> AssetRef:
        """Return a reference of the same kind to bytes in the storage."""
        there = {"uri": "", "data": None, "asset_id": self._jobs.put(data).digest}
        return ref.model_copy(update=there)
