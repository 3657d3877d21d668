"""
What a job is, seen from outside: the request, the states, the record, its events, its results.

    queued ──► running ──► done | failed | cancelled | expired
      ▲           │
      └───────────┘ the worker died, or gave the job back
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from nodetool_core.errors import NodetoolError, Problem
from nodetool_core.json_types import Json, JsonObject

if TYPE_CHECKING:
    from pathlib import Path

    from nodetool_core.engine.options import RunOptions
    from nodetool_core.workflow import WorkflowDocument


class JobsError(NodetoolError):
    """
    A job can't be accepted, found, or treated as requested.

    Codes: `queue_full`, `client_queue_full`, `unknown_workflow`, `unknown_job`,
    `idempotency_conflict`, `not_ended`, `unknown_file`, `damaged_file`, `storage_failed`,
    `storage_full`, `too_many_names`, `database_failed`, `newer_schema`, `missing_package`.
    """


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def ended(self) -> bool:
        """Whether it is for good: no state follows."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How a job is to be run. Stored with it as JSON."""

    outputs: list[str] | None = None
    """Names of outputs, or ids of nodes, that are wanted; all outputs where None."""
    on_error: Literal["stop", "continue"] = "stop"
    use_cache: bool = True
    node_timeout: float | None = None
    """Seconds that one attempt of a node may take."""
    node_attempts: int = 1
    """How often a node is tried in all."""
    image_format: str = "PNG"
    """The format of result images, as `nodetool_core.assets.encode` spells it."""
    quality: int | None = None
    """1 to 100, for JPEG and WEBP."""
    provenance: bool = True
    """Whether what made an image is written into its file: workflow, seeds, models."""
    confined: bool = False
    """
    Whether it reads and writes no file of the machine that runs it: for workflows of strangers.
    """
    previews: bool = False
    """Whether images of each step are wanted, for who looks on in the process that runs it."""
    seeds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Numbers to take where seeds are -1, by node and property."""
    owner: str = ""
    """
    The process that waits for the job, as `Workers` knows it: when it is gone, the job is ended.
    """
    note: Mapping[str, Json] | None = None
    """
    JSON that whoever asks keeps with the job and finds in its record; nothing here looks at it.
    """

    def __post_init__(self) -> None:
        """Raise WorkflowError for values that no run can have."""
        self.of_run()

    def of_run(self) -> RunOptions:
        """Return the same as options of a run."""
        from nodetool_core.engine.options import NodePolicy, RunOptions

        policies = {}
        if self.node_timeout is not None or self.node_attempts != 1:
            policies["*"] = NodePolicy(timeout=self.node_timeout, attempts=self.node_attempts)
        return RunOptions(
            outputs=self.outputs,
            on_error=self.on_error,
            use_cache=self.use_cache,
            confined=self.confined,
            previews=self.previews,
            seeds=self.seeds,
            policies=policies,
        )


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a client requests."""

    workflow: str | WorkflowDocument | Mapping[str, object]
    """
    The name of a workflow that is served, or a workflow itself.

    It is kept as it is now, whatever becomes of its file.
    """
    inputs: Mapping[str, object] = field(default_factory=dict)
    """
    JSON values by input name, or by `node.property`.

    Images as references: `{"type": "image", "asset_id": …}` or `data:` URIs.
    """
    client: str = ""
    """Whose job it is; clients take turns."""
    priority: int = 0
    """Higher goes first."""
    deadline: float | None = None
    """Unix time in seconds by which it must have ended; it expires else, waiting or running."""
    idempotency_key: str | None = None
    """A client's second request with the same key returns the first one's job."""
    options: JobOptions = field(default_factory=JobOptions)
    base: Path | None = None
    """
    For a workflow itself: the folder that its relative paths start from.

    Every worker has to reach it.
    """
    name: str = ""
    """For a workflow itself: what it is called in the job's record."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job's record at one moment. Times are Unix times in seconds."""

    id: str
    client: str
    state: JobState
    workflow: str
    """What it is called; empty where the client sent a workflow without a name."""
    workflow_digest: str
    priority: int
    created: float
    started: float | None = None
    """When it was last begun."""
    ended: float | None = None
    deadline: float | None = None
    attempts: int = 0
    """How often it was begun: more than once where a worker died with it or gave it back."""
    cancel_requested: bool = False
    worker: str | None = None
    model: str | None = None
    """The model by which it is routed, if it uses any."""
    retry_of: str | None = None
    idempotency_key: str | None = None
    problems: tuple[Problem, ...] = ()
    """Why it did not end well."""
    report: Mapping[str, Json] = field(default_factory=dict)
    """How the run went: `seeds`, `models`, `warnings`, `seconds`, `computed`, `cached`."""
    note: Mapping[str, Json] = field(default_factory=dict)
    """What was kept with the request by `JobOptions.note`."""

    def to_json(self) -> JsonObject:
        return asdict(self) | {
            "state": self.state.value,
            "problems": [problem.to_json() for problem in self.problems],
        }


class StoredEvent(NamedTuple):
    """
    One thing that happened to a job. Numbers begin at 1 and increase by 1 within the job.

    `data["event"]` is its name: those of `engine/events.py`, and `job_queued`, `job_started`,
    `job_requeued`, `job_cancel_requested` and, last of all, `job_ended`.
    """

    number: int
    at: float
    attempt: int
    data: JsonObject

    @property
    def name(self) -> str:
        return str(self.data["event"])


@dataclass(frozen=True, slots=True)
class StoredFile:
    """
    A file in the jobs' storage: an upload or a result.

    `digest` is its id (64 hexadecimal digits) and that of `asset_id`.
    """

    digest: str
    media_type: str
    size: int
    width: int | None = None
    height: int | None = None

    @property
    def kind(self) -> Literal["image", "asset"]:
        """Which kind of reference it is behind."""
        return "image" if self.media_type.startswith("image/") else "asset"

    def to_json(self) -> JsonObject:
        """Return a reference as inputs take it and results hold it."""
        known = {
            name: value
            for name, value in asdict(self).items()
            if name != "digest" and value is not None
        }
        return {"type": self.kind, "asset_id": self.digest, "metadata": known}

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Self | None:
        """
        Return the file that `to_json` wrote down.

        None for every other value, as a workflow may give what only looks like it.
        """
        known = value.get("metadata")
        if not isinstance(known, Mapping) or not {"media_type", "size"} <= known.keys() <= {
            "media_type",
            "size",
            "width",
            "height",
        }:
            return None
        found = cls(str(value.get("asset_id")), **known)
        return found if isinstance(found.media_type, str) and found.to_json() == value else None


def unknown_job(job_id: str) -> Problem:
    """Return the error of a job that does not exist, or not for this client."""
    return Problem(
        "unknown_job", job_id[:80], "There is no such job.", "Ended jobs are kept for a time only."
    )


def unknown_file(digest: str) -> Problem:
    return Problem(
        "unknown_file",
        digest[:80],
        "is not in the storage.",
        "Upload it first; files are kept for a time only.",
    )


@dataclass(frozen=True, slots=True)
class JobSettings:
    """Properties of one queue. Seconds throughout."""

    workers: int = 1
    """Jobs that this process runs at once; 0 where others do."""
    queue_limit: int = 1000
    """Jobs that may wait; more are refused."""
    client_limit: int | None = None
    """Jobs of one client that may wait."""
    lease: float = 30.0
    """A worker that is not heard of for this long is taken for dead."""
    lost_attempts: int = 10
    """
    How many workers in a row may die with a job, none of which got further than those before, until
    it is taken for the cause.
    """
    keep: float | None = 7 * 24 * 3600.0
    """
    How long an ended job, its results and unused uploads are kept. None where others see to it.
    """
    room: int | None = None
    """
    Most bytes of uploads and results together; beyond, what was used longest ago goes.

    None for any number.
    """
    spare: int = 0
    """Bytes that stay free on the disk of the storage."""
    poll: float = 0.5
    """How often to look for what other processes did; what this process did is known at once."""
    flush: float = 0.2
    """How often the events of a running job are stored."""
