"""What the page changes of jobs: their label and place, those that wait, those that are removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import Request
from starlette.responses import Response

from nodetool_core.editor.routing import Row, json_of
from nodetool_core.editor.schemas import JobChange
from nodetool_core.jobs.job import Job, JobState
from nodetool_core.server.http.requests import client_of
from nodetool_core.server.v1.results import Results
from nodetool_core.server.v1.schemas import JobAnswer

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

_MOST: Final = 1000
"""Jobs that are ended at once."""


class JobRoutes:
    """Answers the page about jobs."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._results = Results(state)

    @property
    def table(self) -> list[Row]:
        """The routes for the owner, below /v1."""
        return [
            Row("GET", "/jobs/{job_id}/document", self.document, answers=json_of()),
            Row("PATCH", "/jobs/{job_id}", self.change),
            Row("DELETE", "/jobs/{job_id}", self.delete, 204),
        ]

    def answer(self, job: Job) -> JobAnswer:
        """Return a job as the page knows it."""
        return self._results.of_job(job, "")

    def change(self, job_id: str, given: JobChange) -> JobAnswer:
        """Change a job's label, its place in the queue, or whether it is kept."""
        note = {
            name: value
            for name, value in (("label", given.label), ("kept", given.kept))
            if value is not None
        }
        return self.answer(self._state.jobs.change(job_id, priority=given.priority, note=note))

    def delete(self, job_id: str) -> Response:
        """Remove a job that has ended; its images go once no other job has them."""
        self._state.jobs.remove(job_id)
        return Response(status_code=204)

    def document(self, job_id: str) -> Response:
        """Return the workflow of a job as it was when it was accepted."""
        spec, _ = self._state.jobs.queue.spec_of(job_id)
        return Response(spec.document, media_type="application/json")

    def cancel_waiting(self, request: Request) -> Response:
        """End all jobs of the client that wait."""
        client = client_of(request)
        for job in self._state.jobs.list(client=client, state=JobState.QUEUED, limit=_MOST):
            self._state.jobs.cancel(job.id)
        return Response(status_code=204)
