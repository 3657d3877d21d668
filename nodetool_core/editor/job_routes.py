"""The owner's jobs: what the page's queue and gallery show, and what they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from nodetool_core.editor.schemas import JobChange
from nodetool_core.jobs.job import Job, JobState
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.openapi import failures
from nodetool_core.server.security.middleware import OWNER
from nodetool_core.server.v1.results import Results

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodetool_core.server.runtime.app_state import AppState

_MOST: Final = 1000
"""Jobs that are looked through for those that are kept."""

State = Literal["queued", "running", "done", "failed", "cancelled", "expired"]


class JobRoutes:
    """Answers the page about jobs."""

    def __init__(self, state: AppState, require_owner: Callable[[Request], None]) -> None:
        """
        Take what jobs are looked up in.

        Args:
            require_owner: Raises for everybody but the owner.
        """
        self._state = state
        self._require_owner = require_owner
        self._results = Results(state)

    def add_to(self, routes: APIRouter) -> None:
        """Add the routes."""
        known = failures(401, 404, 409, 422, 429)
        for method, path, work, status in (
            ("GET", "/jobs", self.list, 200),
            ("POST", "/jobs/cancel", self.cancel_waiting, 204),
            ("GET", "/jobs/{job_id}/document", self.document, 200),
            ("PATCH", "/jobs/{job_id}", self.change, 200),
            ("DELETE", "/jobs/{job_id}", self.delete, 204),
        ):
            routes.add_api_route(
                path, work, methods=[method], status_code=status, response_model=None,
                responses=known,
            )  # fmt: skip

    def answer(self, job: Job) -> JsonObject:
        """Return a job as the page knows it."""
        shown: JsonObject = self._results.of_job(job, "").model_dump(mode="json")
        note = job.note
        return shown | {
            "label": str(note.get("label", "")),
            "kept": note.get("kept") is True,
        }

    def list(
        self,
        request: Request,
        state: State | None = None,
        workflow: Annotated[str | None, Query(max_length=500)] = None,
        kept: bool = False,
        before: Annotated[str | None, Query(max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> JsonObject:
        """Return jobs, the newest first: all, those of a workflow, or those that are kept."""
        self._require_owner(request)
        found = self._state.jobs.list(
            state=None if state is None else JobState(state),
            before=before,
            limit=_MOST if kept or workflow is not None else limit,
        )
        if kept or workflow is not None:
            found = [
                job
                for job in found
                if (not kept or job.note.get("kept") is True)
                and (workflow is None or job.workflow == workflow)
            ][:limit]
        following = found[-1].id if len(found) == limit else None
        return {"jobs": [self.answer(job) for job in found], "next": following}

    def change(self, request: Request, job_id: str, given: JobChange) -> JsonObject:
        """Change a job's label, its place in the queue, or whether it is kept."""
        self._require_owner(request)
        note = {
            name: value
            for name, value in (("label", given.label), ("kept", given.kept))
            if value is not None
        }
        return self.answer(self._state.jobs.change(job_id, priority=given.priority, note=note))

    def delete(self, request: Request, job_id: str) -> Response:
        """Remove a job that has ended; its images go once no other job has them."""
        self._require_owner(request)
        self._state.jobs.remove(job_id)
        return Response(status_code=204)

    def document(self, request: Request, job_id: str) -> Response:
        """Return the workflow of a job as it was when it was accepted."""
        self._require_owner(request)
        spec, _ = self._state.jobs.queue.spec_of(job_id)
        return Response(spec.document, media_type="application/json")

    def cancel_waiting(self, request: Request) -> Response:
        """End all jobs of the owner that wait."""
        self._require_owner(request)
        for job in self._state.jobs.list(client=OWNER, state=JobState.QUEUED, limit=_MOST):
            self._state.jobs.cancel(job.id)
        return Response(status_code=204)
