"""
Our own API, under /v1: workflows and models that are served, runs, uploads, files.

Jobs have a file of their own, `jobs.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Request
from fastapi.responses import JSONResponse, Response

from nodetool_core.errors import Problem
from nodetool_core.jobs.job import JobOptions, JobRequest
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.files import FileAnswer
from nodetool_core.server.http.forms import FORM, file_in_form, is_form
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.images import EncodedValues
from nodetool_core.server.http.openapi import BYTES, failures, images_content
from nodetool_core.server.http.requests import base_url, client_of, read_body_of, until_gone
from nodetool_core.server.http.thumbnails import (
    NOTHING,
    Quiet,
    Side,
    image_beside,
    or_nothing,
    stored_image,
)
from nodetool_core.server.security.client_workflows import (
    read_client_workflow,
    require_allowed,
)
from nodetool_core.server.security.middleware import OWNER
from nodetool_core.server.served_workflow import ServedWorkflow
from nodetool_core.server.v1.description import describe
from nodetool_core.server.v1.examples import example_of, given_image
from nodetool_core.server.v1.results import Results
from nodetool_core.server.v1.schemas import (
    FreeAnswer,
    JobAnswer,
    ModelAnswer,
    ModelObject,
    ModelsAnswer,
    ProblemAnswer,
    RunAnswer,
    RunRequest,
    WorkflowAnswer,
    WorkflowRunRequest,
    WorkflowsAnswer,
)

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

_log = logging.getLogger(__name__)

PREFIX: Final = "/v1"

_ACCEPTED: Final[dict[int | str, dict[str, Any]]] = {
    202: {"description": "Accepted as a job.", "model": JobAnswer}
}
_ONE_FILE: Final = {
    "schema": {"type": "object", "properties": {"file": BYTES["schema"]}, "required": ["file"]}
}
_UPLOAD_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": images_content() | {"application/octet-stream": BYTES, FORM: _ONE_FILE},
    }
}
_FILE: Final[dict[int | str, JsonObject]] = {
    200: {
        "description": "The file.",
        "content": images_content() | {"application/octet-stream": BYTES},
    }
}

_IMAGE: Final[dict[int | str, JsonObject]] = {
    200: {"description": "The image.", "content": {"image/webp": BYTES}}
}

_PLAIN: Final = frozenset({str, int, float, bool})
"""Outputs of these types are in the answer itself; whatever may hold an image has to be kept."""

Name = Annotated[str, Path(description="The workflow's name, or the id of a model.")]
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="An `asset_id`.")]


def router(state: AppState) -> APIRouter:
    """Return the routes of this dialect, except those of jobs."""
    own = WorkflowRoutes(state)
    routes = APIRouter(prefix=PREFIX, tags=["Workflows"])
    routes.add_api_route("/workflows", own.workflows, methods=["GET"], responses=failures(401, 429))
    routes.add_api_route(
        "/workflows/{name:path}/runs",
        own.run,
        methods=["POST"],
        response_model=RunAnswer,
        responses=_ACCEPTED | failures(400, 401, 404, 409, 413, 415, 422, 429, 500, 503, 504, 507),
    )
    for path, work in (("example", own.example), ("inputs/{given}", own.given)):
        routes.add_api_route(
            f"/workflows/{{name:path}}/{path}",
            work,
            methods=["GET"],
            response_class=Response,
            responses=_IMAGE | NOTHING | failures(401, 404, 422, 429),
        )
    routes.add_api_route(
        "/workflows/{name:path}",
        own.workflow,
        methods=["GET"],
        responses=failures(401, 404, 422, 429),
    )
    routes.add_api_route(
        "/runs",
        own.run_own,
        methods=["POST"],
        response_model=RunAnswer,
        responses=_ACCEPTED
        | failures(400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503, 504, 507),
    )
    routes.add_api_route("/models", own.models, methods=["GET"], responses=failures(401, 429))
    routes.add_api_route("/free", own.free, methods=["POST"], responses=failures(401, 429))
    routes.add_api_route(
        "/uploads",
        own.upload,
        methods=["POST"],
        status_code=201,
        responses=failures(400, 401, 413, 415, 422, 429, 503, 507),
        openapi_extra=_UPLOAD_BODY,
    )
    routes.add_api_route(
        "/files/{digest}",
        own.file,
        methods=["GET"],
        response_class=Response,
        responses=_FILE | NOTHING | failures(401, 404, 422, 429, 503),
    )
    return routes


class WorkflowRoutes:
    """Answers requests of this dialect."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._results = Results(state)

    def workflows(self, request: Request) -> WorkflowsAnswer:
        """Return every workflow that is served, with JSON Schema of its inputs and outputs."""
        catalog = self._state.catalog
        if client_of(request) == OWNER:
            catalog.refresh()
        problems = {
            name: [ProblemAnswer.of(problem) for problem in found]
            for name, found in catalog.problems.items()
        }
        return WorkflowsAnswer(
            workflows=[describe(served) for served in catalog], problems=problems
        )

    async def workflow(self, name: Name) -> WorkflowAnswer:
        """Return one workflow, or one model as a workflow."""
        return describe(self._state.catalog.workflow(name))

    def example(self, name: Name, side: Side = None, quiet: Quiet = False) -> Response:
        """Return a workflow's example: the image beside its file, else one that an input has."""
        return or_nothing(lambda: self._image(name, example_of, side), quiet)

    def given(self, name: Name, given: str, side: Side = None, quiet: Quiet = False) -> Response:
        """Return the image that an input has unless another is given."""
        return or_nothing(lambda: self._image(name, partial(given_image, name=given), side), quiet)

    def _image(
        self, name: str, find: Callable[[ServedWorkflow], str | None], side: int | None
    ) -> Response:
        served = self._state.catalog.workflow(name)
        return _image_of(served, find(served), side)

    def models(self) -> ModelsAnswer:
        """Return the models that clients may name."""
        state = self._state
        models = [
            ModelAnswer(
                id=name,
                tasks=[str(task) for task in tasks],
                loaded=bool(tasks) and not state.warmup.missing(next(iter(tasks.values()))),
            )
            for name, tasks in state.catalog.models.items()
        ]
        names = [name for name in state.settings.openai_models if name != "*"]
        names += [served.name for served in state.catalog if served.image_outputs]
        names += state.catalog.models
        created = int(state.started)
        data = [ModelObject(id=name, created=created) for name in dict.fromkeys(names)]
        return ModelsAnswer(models=models, data=data)

    async def free(self) -> FreeAnswer:
        """Let go of models that are not in use, and of answers kept for repeated requests."""
        self._state.cache.clear()
        return FreeAnswer(freed_bytes=await self._state.threads.work(self._state.models.free))

    async def upload(self, request: Request) -> FileAnswer:
        """
        Keep an image, whose `asset_id` inputs can name.

        The body is the file itself, or a form with the file.
        """
        state = self._state
        body = await read_body_of(request)
        content_type = request.headers.get("content-type", "")
        if is_form(content_type):
            body = file_in_form(body, content_type)

        def keep() -> FileAnswer:
            state.sanitizer.check_image(body, "body")
            return FileAnswer.of(state.jobs.put(body), base_url(request, state.settings.public_url))

        return await state.threads.work(keep)

    def file(self, digest: Digest, side: Side = None, quiet: Quiet = False) -> Response:
        """Return an upload or a result."""
        return or_nothing(lambda: stored_image(digest, self._state.stored(digest), side), quiet)

    async def run(
        self,
        name: Name,
        wanted: RunRequest,
        request: Request,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
    ) -> RunAnswer | Response:
        """
        Run a workflow.

        With `wait` (the default) the answer is the result, else it is 202 with a job. That is on
        disk when it is answered, and ends whatever becomes of this server.
        """
        served = self._state.catalog.workflow(name)
        _check_outputs(served, wanted.outputs)
        return await (
            self._wait(served, wanted, request)
            if wanted.wait
            else self._accept(served, wanted, request, idempotency_key)
        )

    async def run_own(
        self,
        wanted: WorkflowRunRequest,
        request: Request,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
    ) -> RunAnswer | Response:
        """
        Run a workflow of the client's own, where the operator allows it.

        One that reads no files and uses listed models.
        """
        state = self._state
        require_allowed(state.settings.client_workflows)
        base = state.settings.data.absolute()
        served = await state.threads.fetch(
            read_client_workflow, wanted.workflow, state.registry, state.sanitizer, state.keep, base
        )
        _check_outputs(served, wanted.outputs)
        return await (
            self._wait(served, wanted, request)
            if wanted.wait
            else self._accept(served, wanted, request, idempotency_key)
        )

    async def _wait(
        self, served: ServedWorkflow, wanted: RunRequest, request: Request
    ) -> RunAnswer:
        state = self._state
        if not wanted.inline and not all(
            served.outputs[name] in _PLAIN for name in wanted.outputs or served.outputs
        ):
            await state.health.require()
        result = await state.runs.run(
            served,
            lambda: EncodedValues(state.sanitizer.values(served, wanted.inputs)),
            outputs=wanted.outputs,
            use_cache=wanted.use_cache,
            load_seconds=state.settings.load_seconds,
            gone=lambda: until_gone(request),
        )
        base = base_url(request, state.settings.public_url)
        outputs = await state.threads.work(
            self._results.of_run, result.outputs, wanted.image_format, base, wanted.inline
        )
        return RunAnswer(
            outputs=outputs,
            seconds=round(result.seconds, 6),
            seeds=result.seeds,
            warnings=[problem.message for problem in result.warnings],
            computed=len(result.ran),
            cached=len(result.hits),
        )

    async def _accept(
        self, served: ServedWorkflow, wanted: RunRequest, request: Request, key: str | None
    ) -> Response:
        state = self._state
        base = base_url(request, state.settings.public_url)

        def submit() -> JobAnswer:
            inputs = state.sanitizer.stored(served, wanted.inputs, state.keep)
            options = JobOptions(
                outputs=wanted.outputs,
                use_cache=wanted.use_cache,
                image_format=wanted.image_format,
                provenance=state.settings.provenance,
                confined=served.confined,
                previews=wanted.previews,
            )
            job = state.jobs.submit(
                JobRequest(
                    workflow=served.document,
                    base=served.base,
                    name=served.name,
                    inputs=inputs,
                    client=client_of(request),
                    priority=wanted.priority,
                    deadline=(
                        None
                        if wanted.deadline_seconds is None
                        else time.time() + wanted.deadline_seconds
                    ),
                    idempotency_key=wanted.idempotency_key or key,
                    options=options,
                )
            )
            _log.info("job accepted", extra={"job_id": job.id, "workflow": served.name})
            return self._results.of_job(job, base)

        answer = await state.threads.fetch(submit)
        return JSONResponse(
            answer.model_dump(mode="json"), 202, {"Location": f"{base}{PREFIX}/jobs/{answer.id}"}
        )


def _image_of(served: ServedWorkflow, path: str | None, side: int | None) -> Response:
    if path is None:
        raise HttpError(
            404,
            Problem(
                "missing_file",
                "",
                f"{served.shown} has no such image.",
                "GET /v1/workflows lists which there are.",
            ),
        )
    return image_beside(served.base, path, side)


def _check_outputs(served: ServedWorkflow, outputs: list[str] | None) -> None:
    """
    Raise HttpError 422 for an output that the workflow does not have.

    Ids of nodes are no business of clients.
    """
    unknown = [name for name in outputs or () if name not in served.outputs]
    if unknown:
        hint = f"It has {', '.join(served.outputs) or 'none'}."
        raise HttpError(
            422,
            Problem(
                "unknown_output",
                "outputs",
                f"{served.shown} has no output {unknown[0][:80]!r}.",
                hint,
            ),
        )
