"""
The Qolaba image-to-image API: `/getImagetoImage`, and `/getImage` for queued tasks.

Every request is a job, whether or not it is waited for, so results are kept and found the same way.
Every answer is the documented envelope with its eight keys; a failure has the status of its kind
and `status: FAILED` in the envelope.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from nodetool_core.errors import Problem, near_miss
from nodetool_core.jobs.job import Job, JobOptions, JobRequest, JobsError, JobState, StoredFile
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.references import ImageRef
from nodetool_core.server.fan_out import fan_out_document, fan_out_inputs, fan_out_outputs
from nodetool_core.server.http.dialect import Dialect
from nodetool_core.server.http.http_errors import HttpError, problems_json, public
from nodetool_core.server.http.images import encode_image_data
from nodetool_core.server.http.json_body import read_object
from nodetool_core.server.http.requests import (
    ClientGone,
    base_url,
    client_of,
    read_body_of,
    until_gone,
)
from nodetool_core.server.http.samples import Samples
from nodetool_core.server.qolaba.apps import App, read_apps
from nodetool_core.server.qolaba.body import (
    ImageRequest,
    fitted,
    read_image_request,
    read_task_request,
    shown_request,
    stretching,
)
from nodetool_core.server.result_files import address
from nodetool_core.server.served_workflow import ServedWorkflow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodetool_core.server.runtime.app_state import AppState

_log = logging.getLogger(__name__)

IMAGE_PATHS: Final = ("/getImagetoImage", "/getImageToImage")
TASK_PATH: Final = "/getImage"

_SAMPLE: Final = """\
curl -H 'Authorization: Bearer the token' -H 'Content-Type: application/json' \\
  {url}/getImagetoImage -d '{"app_id": "{name}", "image": "https://example.com/lake.png"}'
"""
_UNKNOWN_SHOWN: Final = 10
_GIVEN, _WARNINGS = "input", "warnings"
"""Names in the note that is kept with a job: what was asked, and what is not done so."""

_STATES: Final = {JobState.QUEUED: "PENDING", JobState.RUNNING: "PENDING", JobState.DONE: "SUCCESS"}


def dialect(state: AppState) -> Dialect:
    """Return this dialect of a server."""
    served_by = {app.serves: name for name, app in reversed([*apps_of(state).items()])}
    samples = Samples(_SAMPLE, name_of=served_by.get)
    return Dialect(
        "qolaba",
        "Qolaba image-to-image",
        [router(state)],
        (*IMAGE_PATHS, TASK_PATH),
        show_failure,
        samples=samples,
    )


def router(state: AppState) -> APIRouter:
    """Return the routes of this dialect."""
    from nodetool_core.server.qolaba.openapi import IMAGE, TASK

    dialect = QolabaRoutes(state)
    routes = APIRouter(tags=["Qolaba"])
    for path in IMAGE_PATHS:
        routes.add_api_route(
            path,
            dialect.image_to_image,
            methods=["POST"],
            include_in_schema=path == IMAGE_PATHS[0],
            **IMAGE,
        )
    routes.add_api_route(TASK_PATH, dialect.task, methods=["POST"], **TASK)
    return routes


def envelope(
    status: str,
    *,
    app_id: str = "",
    task_id: str = "",
    output: Json = "",
    given: Json = "",
    error: str = "",
    error_data: Json = "",
    time_required: Json = "",
) -> JsonObject:
    """Return an answer: all eight keys, always."""
    return {
        "time_required": time_required,
        "error": error,
        "error_data": error_data,
        "input": given,
        "output": output,
        "app_id": app_id,
        "task_id": task_id,
        "status": status,
    }


def show_failure(error: HttpError) -> Response:
    """Return a failure as this dialect shows it."""
    text = "\n".join(str(problem) for problem in error.problems)
    return JSONResponse(
        envelope("FAILED", error=text, error_data=problems_json(error.problems)),
        error.status,
        error.headers,
    )


def apps_of(state: AppState) -> Mapping[str, App]:
    """Return the apps of a server."""
    models = state.settings.models
    return read_apps(state.settings.qolaba_apps, models[0] if models else "")


class QolabaRoutes:
    """Answers requests of this dialect."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._apps = apps_of(state)

    async def image_to_image(self, request: Request) -> Response:
        """Make images from an image."""
        state = self._state
        parsed = read_image_request(read_object(await read_body_of(request)))
        served = self._served(parsed)
        job = await state.threads.fetch(self._accept, parsed, served, client_of(request))
        if parsed.celery:
            warnings = job.note[_WARNINGS]
            return JSONResponse(
                envelope(
                    "PENDING",
                    app_id=parsed.app_id,
                    task_id=job.id,
                    given=job.note[_GIVEN],
                    error_data=warnings,
                )
            )
        job = await self._wait(job, request)
        answer = await state.threads.work(
            self._envelope, job, base_url(request, state.settings.public_url)
        )
        return JSONResponse(
            answer,
            200 if answer["status"] == "SUCCESS" else 500 if answer["status"] == "FAILED" else 504,
        )

    async def task(self, request: Request) -> Response:
        """Return what became of a queued task."""
        state = self._state
        task = read_task_request(read_object(await read_body_of(request)))
        return JSONResponse(await state.threads.work(self._task, task.id, request))

    def _task(self, task_id: str, request: Request) -> JsonObject:
        state = self._state
        try:
            job = state.jobs.get(task_id)
        except JobsError:
            job = None
        if (
            job is None
            or job.workflow not in self._apps
            or (state.settings.tokens and job.client != client_of(request))
        ):
            raise HttpError(
                404,
                Problem(
                    "unknown_task",
                    "id",
                    "There is no such task.",
                    "Results are kept for a time only.",
                ),
            )
        return self._envelope(job, base_url(request, state.settings.public_url))

    def _served(self, parsed: ImageRequest) -> ServedWorkflow:
        """
        Return what serves the app.

        Raises HttpError 422 for an app, or a size of it, that there isn't.
        """
        app = self._apps.get(parsed.app_id)
        if app is None:
            raise HttpError(
                422,
                Problem(
                    "unknown_app",
                    "app_id",
                    f"There is no app {parsed.app_id[:80]!r}.",
                    near_miss(parsed.app_id, self._apps),
                ),
            )
        if complaint := app.complaint(parsed.width, parsed.height):
            raise HttpError(422, Problem("invalid_value", "height, width", complaint))
        hint = "The operator says so in the file of the setting `qolaba_apps`."
        if not app.serves:
            raise HttpError(
                503,
                Problem(
                    "app_not_served", "app_id", f"No workflow is mapped to {app.name} here.", hint
                ),
            )
        served = self._state.catalog.tasks(app.serves).get("image-to-image")
        if served is None:
            raise HttpError(
                503,
                Problem(
                    "app_not_served",
                    "app_id",
                    f"What is mapped to {app.name} makes no image from an image.",
                    hint,
                ),
            )
        return served

    def _accept(self, parsed: ImageRequest, served: ServedWorkflow, client: str) -> Job:
        """
        Return the job for a request; what was asked, and what is not done so, is kept with it.

        Blocks: images are fetched.
        """
        state = self._state
        given, warnings = self._given(parsed, served)
        inputs = state.sanitizer.stored(served, given, state.keep)
        count, output = parsed.batch, served.image_outputs[0]
        order = JobRequest(
            workflow=fan_out_document(served, count),
            base=served.base,
            name=parsed.app_id,
            inputs=fan_out_inputs(served, inputs, count),
            client=client,
            options=JobOptions(
                outputs=fan_out_outputs(output, count),
                provenance=state.settings.provenance,
                note={_GIVEN: shown_request(parsed), _WARNINGS: warnings},
            ),
        )
        job = state.jobs.submit(order)
        _log.info("job accepted", extra={"job_id": job.id, "workflow": served.name})
        return job

    def _given(self, parsed: ImageRequest, served: ServedWorkflow) -> tuple[JsonObject, list[str]]:
        """Return the values by input name: those that the workflow has an input for."""
        warnings = [
            f"{name[:80]!a} is no field of this API, and is not used."
            for name in islice(parsed.model_extra or (), _UNKNOWN_SHOWN)
        ]
        if parsed.inference_type is not None:
            warnings.append("inference_type is not used: the server's own device makes the image.")
        size = (
            None if parsed.width is None or parsed.height is None else (parsed.width, parsed.height)
        )
        wanted: JsonObject = {
            "prompt": parsed.prompt,
            "negative_prompt": parsed.negative_prompt,
            "guidance_scale": parsed.guidance_scale,
            "strength": parsed.strength,
        }
        if size is not None and {"width", "height"} <= served.inputs.keys():
            wanted |= {"width": size[0], "height": size[1]}
        given = {
            name: value
            for name, value in wanted.items()
            if name in served.inputs and (name in parsed.model_fields_set or value != "")
        }
        warnings += [
            f"{name} is not used by this app."
            for name in wanted
            if name in parsed.model_fields_set and name not in served.inputs
        ]
        if "guidance_scale" in given:
            most = served.inputs["guidance_scale"].most
            if most is not None and parsed.guidance_scale > most:
                given["guidance_scale"] = most
                warnings.append(
                    f"guidance_scale was brought to {most:g}, the most that this app takes."
                )
        assert served.image_input is not None
        given[served.image_input], left = self._kept(parsed.image, "image", size)
        warnings += left
        if parsed.file_urls:
            further = [
                self._kept(url, f"file_urls[{index}]", None)[0]
                for index, url in enumerate(parsed.file_urls)
            ]
            name = next(
                (
                    name
                    for name, one in served.inputs.items()
                    if one.prop.annotation == list[ImageRef]
                ),
                None,
            )
            if name is None:
                warnings.append("file_urls are not used by this app.")
            else:
                given[name] = further
        return given, warnings

    def _kept(
        self, url: str, where: str, size: tuple[int, int] | None
    ) -> tuple[Mapping[str, Json], list[str]]:
        """
        Return the reference to an image that was fetched, resized and stored, and what changed.
        """
        with self._state.sanitizer.image(ImageRef(uri=url), where) as image:
            warnings = [] if size is None else stretching(where, image.image.size, size)
            return self._state.keep(encode_image_data(fitted(image, size), "PNG")), warnings

    async def _wait(self, job: Job, request: Request) -> Job:
        """
        Return the job once it has ended, or when the time is up.

        It is cancelled when the client goes away, or the time is up.
        """
        state = self._state
        waiting = asyncio.ensure_future(state.jobs.wait_async(job.id, state.settings.run_seconds))
        gone = asyncio.ensure_future(until_gone(request))
        try:
            await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
            ended = waiting.result() if waiting.done() else job
            if not ended.state.ended:
                await state.threads.work(state.jobs.cancel, job.id)
            if not waiting.done():
                raise ClientGone
            return ended
        finally:
            waiting.cancel()
            gone.cancel()

    def _envelope(self, job: Job, base: str) -> JsonObject:
        status = _STATES.get(job.state, "FAILED")
        problems = [public(problem) for problem in job.problems]
        error = (
            ""
            if status != "FAILED"
            else "\n".join(map(str, problems)) or f"The task was {job.state.value}."
        )
        output: Json = ""
        if status == "SUCCESS":
            warnings = [*_list(job.note.get(_WARNINGS)), *_messages(job.report.get("warnings"))]
            output = {"result": _urls(self._state.jobs.results(job.id), base)} | (
                {"warnings": warnings} if warnings else {}
            )
        return envelope(
            status,
            app_id=job.workflow,
            task_id=job.id,
            output=output,
            given=job.note.get(_GIVEN, ""),
            error=error,
            error_data=problems_json(problems) if error else "",
            time_required=_times(job),
        )


def _urls(results: Mapping[str, object], base: str) -> list[str]:
    files = [
        value
        for _, value in sorted(results.items(), key=_copy_number)
        if isinstance(value, StoredFile)
    ]
    return [address(file, base) for file in files]


def _copy_number(entry: tuple[str, object]) -> int:
    number = entry[0].rpartition("~")[2]
    return int(number) if "~" in entry[0] and number.isdigit() else 1


def _times(job: Job) -> Json:
    if job.started is None or job.ended is None:
        return ""
    return {
        "startup_time": round(job.started - job.created, 3),
        "runtime": round(job.ended - job.started, 3),
    }


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()


def _messages(warnings: Json) -> list[Json]:
    """Return the messages of the warnings in the report of a job."""
    return [str(one.get("message", "")) for one in _list(warnings) if isinstance(one, dict)]
