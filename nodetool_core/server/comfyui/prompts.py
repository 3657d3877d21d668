"""
Prompts: graphs of clients, each a job with the graph in its note.

Who may see a prompt is decided as for every job. Where no token distinguishes clients, everybody
sees all; yet a client interrupts only what it sent itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

from nodetool_core.jobs.job import Job, JobsError, JobState
from nodetool_core.json_types import Json, JsonObject

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

NOTE: Final = "comfyui"
"""Under which the note of a job has what is known of the prompt."""

PNG_INFO: Final = "extra_pnginfo"
"""What ComfyUI's own page keeps with an image: its drawing of the graph."""

WAITING: Final = (JobState.QUEUED, JobState.RUNNING)
ENDED: Final = tuple(state for state in JobState if state.ended)

_PAGE: Final = 100
_PAGES: Final = 10
"""Pages of a client's jobs that are looked through for prompts."""


@dataclass(frozen=True)
class OutputNode:
    """A node whose images a client gets."""

    node: str
    output: str
    """The output of the workflow that it became."""
    prefix: str
    """How the names of its files begin."""
    subfolder: str
    folder: str
    """`output`, or `temp` for what is only shown."""


@dataclass(frozen=True)
class Prompt:
    """A prompt as it is now."""

    job: Job
    text: str
    """The graph as JSON."""
    beside: JsonObject
    """What the client sent beside it and is kept; what may be large of it as JSON."""
    outputs: Sequence[OutputNode]
    origins: Mapping[str, str]
    """For each node of the workflow, the one of the graph that it is made of."""
    warnings: Mapping[str, Sequence[str]]
    """What is done otherwise than the graph says, by node."""

    @classmethod
    def of(cls, job: Job) -> Self | None:
        """Return the prompt that a job is; None for every other job."""
        note = job.note.get(NOTE)
        if not isinstance(note, dict):
            return None
        return cls(
            job,
            note["graph"],
            note["extra"],
            [OutputNode(**one) for one in note["outputs"]],
            note["origins"],
            note["warnings"],
        )

    @property
    def id(self) -> str:
        """The client's own id for it, or the one that it was answered."""
        return self.job.idempotency_key or self.job.id

    @property
    def number(self) -> int:
        """Its place in the order in which prompts came."""
        return int(self.job.created * 1000)

    @property
    def client_id(self) -> str:
        """By which the client's sockets know it; empty where it gave none."""
        return str(self.beside.get("client_id", ""))

    @cached_property
    def graph(self) -> JsonObject:
        """The graph as the client sent it: read where it is looked at."""
        return dict(json.loads(self.text))

    @property
    def extra(self) -> JsonObject:
        """What the client sent beside it, of what is kept."""
        drawing = self.beside.get(PNG_INFO)
        read = {PNG_INFO: json.loads(drawing)} if isinstance(drawing, str) else {}
        return self.beside | read

    def entry(self) -> list[Json]:
        """Return it as it stands in the queue and in the history."""
        nodes = [one.node for one in self.outputs]
        return [self.number, self.id, self.graph, self.extra, nodes]


def note_of(
    graph: JsonObject,
    extra: JsonObject,
    outputs: Sequence[OutputNode],
    origins: Mapping[str, str],
    warnings: Mapping[str, Sequence[str]],
) -> JsonObject:
    """Return the note of a job that is a prompt."""
    found: JsonObject = {
        # As a text, nothing in it can be taken for a mark of the server's own.
        "graph": json.dumps(graph, separators=(",", ":")),
        "extra": {
            name: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
            for name, value in extra.items()
        },
        "outputs": [asdict(one) for one in outputs],
        "origins": origins,
        "warnings": warnings,
    }
    return {NOTE: found}


class Prompts:
    """The prompts of one server. Its methods block."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    def get(self, client: str, prompt_id: str) -> Prompt | None:
        """Return a prompt by its id; None where there is none that the client may see."""
        job = self._state.jobs.of_key(client, prompt_id)
        if job is None:
            try:
                job = self._state.job_seen_by(client, prompt_id)
            except JobsError as error:
                if error.problem.code != "unknown_job":
                    raise
                return None
        return Prompt.of(job)

    def newest(self, client: str, states: Sequence[JobState] | None = None) -> Iterator[Prompt]:
        """Yield the prompts that a client may see, the newest first."""
        seen, before = self._state.jobs_seen_by(client), None
        for _ in range(_PAGES):
            page = self._state.jobs.list(client=seen, state=states, before=before, limit=_PAGE)
            for job in page:
                if (prompt := Prompt.of(job)) is not None:
                    yield prompt
            if len(page) < _PAGE:
                return
            before = page[-1].id

    def waiting(self, client: str) -> list[Prompt]:
        """Return the prompts that have not ended, in the order in which they came."""
        return [*self.newest(client, WAITING)][::-1]

    def stop(self, client: str, states: Sequence[JobState], ids: Sequence[str] | None) -> None:
        """
        Cancel prompts that a client sent.

        Args:
            states: Only those in one of these states.
            ids: Only these; all where None.
        """
        for prompt in self.waiting(client):
            is_meant = ids is None or prompt.id in ids
            if prompt.job.client == client and prompt.job.state in states and is_meant:
                self._state.jobs.cancel(prompt.job.id)

    def forget(self, client: str, ids: Sequence[str] | None) -> None:
        """
        Remove prompts that a client sent from the history, but for those that are kept.

        Args:
            ids: Only these; all where None.
        """
        if ids is None:
            found = [*self.newest(client, ENDED)]
        else:
            named = [self.get(client, prompt_id) for prompt_id in ids]
            found = [prompt for prompt in named if prompt is not None and prompt.job.state.ended]
        for prompt in found:
            if prompt.job.client == client and prompt.job.note.get("kept") is not True:
                self._state.jobs.remove(prompt.job.id)
