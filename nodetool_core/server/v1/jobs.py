"""Our own API for jobs: their state, results and events, cancel and retry."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Final, Literal

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import StreamingResponse

from nodetool_core.errors import Problem
from nodetool_core.jobs.job import Job, JobState, StoredEvent
from nodetool_core.server.http.event_stream import HEADERS, MEDIA_TYPE, STILL_HERE, kept_alive
from nodetool_core.server.http.http_errors import public
from nodetool_core.server.http.openapi import failures
from nodetool_core.server.http.requests import base_url, client_of
from nodetool_core.server.v1.event_schemas import event_stream
from nodetool_core.server.v1.results import Results
from nodetool_core.server.v1.schemas import JobAnswer, JobsAnswer
from nodetool_core.server.v1.workflows import PREFIX

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

_MOST_LOOKED_AT: Final = 1000
"""Newest jobs that are looked through for those of a workflow, or those that are kept."""

_MOST_EVENTS: Final = 2**31 - 1

Id = Annotated[str, Path(min_length=1, max_length=100, description="The job's id.")]
State = Literal["queued", "running", "done", "failed", "cancelled", "expired"]


def router(state: AppState) -> APIRouter:
    """Return the routes of jobs."""
    jobs = JobRoutes(state)
    routes = APIRouter(prefix=f"{PREFIX}/jobs", tags=["Jobs"])
    known = failures(401, 404, 422, 429, 503)
    routes.add_api_route("", jobs.list, methods=["GET"], responses=known)
    routes.add_api_route("/{job_id}", jobs.get, methods=["GET"], responses=known)
    routes.add_api_route("/{job_id}/cancel", jobs.cancel, methods=["POST"], responses=known)
    routes.add_api_route(
        "/{job_id}/retry",
        jobs.retry,
        methods=["POST"],
        status_code=202,
        responses=known | failures(409),
    )
    streamed = event_stream() | known
    routes.add_api_route(
        "/{job_id}/events",
        jobs.events,
        methods=["GET"],
        response_class=StreamingResponse,
        response_model=None,
        responses=streamed,
    )
    return routes


class JobRoutes:
    """
    Answers requests about jobs.

    Where tokens are needed, a client sees the jobs of its own token alone.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._results = Results(state)

    def list(
        self,
        request: Request,
        state: Annotated[State | None, Query(description="Only jobs in this state.")] = None,
        workflow: Annotated[
            str | None, Query(max_length=500, description="Only jobs of this workflow.")
        ] = None,
        kept: Annotated[bool, Query(description="Only jobs that are kept.")] = False,
        before: Annotated[
            str | None, Query(max_length=100, description="The `next` of the page before.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> JobsAnswer:
        """Jobs, the newest first."""
        settings, jobs = self._state.settings, self._state.jobs
        base = base_url(request, settings.public_url)
        is_chosen = kept or workflow is not None
        found = jobs.list(
            client=self._state.jobs_seen_by(client_of(request)),
            state=None if state is None else JobState(state),
            before=before,
            limit=_MOST_LOOKED_AT if is_chosen else limit,
        )
        if is_chosen:
            found = [
                job
                for job in found
                if (not kept or job.note.get("kept") is True)
                and (workflow is None or job.workflow == workflow)
            ][:limit]
        following = found[-1].id if len(found) == limit else None
        return JobsAnswer(jobs=[self._results.of_job(job, base) for job in found], next=following)

    async def get(
        self,
        request: Request,
        job_id: Id,
        wait: Annotated[
            float, Query(ge=0, le=300, description="Seconds to wait for the job to end.")
        ] = 0.0,
    ) -> JobAnswer:
        """Return a job as it is now, with its results once it has ended."""
        threads = self._state.threads
        job = await threads.work(self._job, request, job_id)
        if wait and not job.state.ended:
            job = await self._state.jobs.wait_async(job_id, wait)
        return await threads.work(self._answer, request, job)

    def cancel(self, request: Request, job_id: Id) -> JobAnswer:
        """End a waiting job, or ask a running one to stop at its next step."""
        self._job(request, job_id)
        return self._answer(request, self._state.jobs.cancel(job_id))

    def retry(self, request: Request, job_id: Id) -> JobAnswer:
        """
        Return a new job that does what an ended one was to do.

        What that one finished is not computed again.
        """
        self._job(request, job_id)
        return self._answer(request, self._state.jobs.retry(job_id))

    async def events(
        self,
        request: Request,
        job_id: Id,
        after: Annotated[
            int, Query(ge=0, le=_MOST_EVENTS, description="Only events after this number.")
        ] = 0,
        last_event_id: Annotated[
            str | None, Header(description="The same, as browsers send it when they connect again.")
        ] = None,
    ) -> StreamingResponse:
        """
        Stream what happens to a job, live, as server-sent events.

        They begin at the first, or where a stream broke off.
        """
        await self._state.threads.work(self._job, request, job_id)
        begin = (
            int(last_event_id)
            if last_event_id
            and last_event_id.isascii()
            and last_event_id.isdigit()
            and len(last_event_id) < 10
            else after
        )
        return StreamingResponse(
            self._stream(job_id, begin), media_type=MEDIA_TYPE, headers=HEADERS
        )

    async def _stream(self, job_id: str, after: int) -> AsyncIterator[bytes]:
        state = self._state
        events = kept_alive(state.jobs.events_async(job_id, after), state.draining)
        async with aclosing(events):
            async for event in events:
                yield STILL_HERE if event is None else as_sse(event)

    def _job(self, request: Request, job_id: str) -> Job:
        return self._state.job_seen_by(client_of(request), job_id)

    def _answer(self, request: Request, job: Job) -> JobAnswer:
        base = base_url(request, self._state.settings.public_url)
        return self._results.of_job(job, base)


def as_sse(event: StoredEvent) -> bytes:
    """
    Return an event in the format of server-sent events, without our insides.

    JSON holds no line breaks.
    """
    shown = public_data(event.data) | {"at": event.at, "attempt": event.attempt}
    data = json.dumps(shown, separators=(",", ":"))
    return f"id: {event.number}\nevent: {event.name}\ndata: {data}\n\n".encode()


def public_data(data: Mapping[str, object]) -> dict[str, object]:
    """Return what an event says to clients: no traceback, and problems as clients may read them."""
    shown = {name: value for name, value in data.items() if name != "traceback"}
    problem, problems = shown.get("problem"), shown.get("problems")
    if isinstance(problem, dict):
        shown["problem"] = public(Problem(**problem)).to_json()
    if isinstance(problems, list):
        shown["problems"] = [public(Problem(**one)).to_json() for one in problems]
    return shown
