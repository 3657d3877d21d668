"""
Replicate's API below `/replicate/v1`: predictions, files, models and their versions.

The wire format is that of Replicate's clients. A prediction is a job: it waits in the queue of
jobs, and is done whatever becomes of its client and of this server.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import JSONResponse, Response

from nodetool_core.errors import Problem
from nodetool_core.jobs.job import JobsError, unknown_job
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.dialect import Dialect, bearer_token
from nodetool_core.server.http.event_stream import EventStream
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.requests import base_url, client_of, read_body_of
from nodetool_core.server.http.samples import Samples
from nodetool_core.server.replicate import openapi as a
from nodetool_core.server.replicate.answers import PREFIX, STREAMS, Answers, iso
from nodetool_core.server.replicate.body import PredictionBody, wait_seconds
from nodetool_core.server.replicate.errors import show_failure
from nodetool_core.server.replicate.files import Files
from nodetool_core.server.replicate.models import (
    Model,
    Models,
    deployment_json,
    model_json,
    version_json,
)
from nodetool_core.server.replicate.predictions import Prediction, Predictions
from nodetool_core.server.replicate.signatures import Signatures
from nodetool_core.server.replicate.streams import Streams
from nodetool_core.server.replicate.webhooks import Webhooks

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

_SAMPLES: Final = Samples(
    of_text="""\
import replicate

client = replicate.Client(base_url="{url}/replicate", api_token="the token")
client.run("{name}", input={"{prompt}": "a winter night"})
""",
    of_image="""\
import replicate

client = replicate.Client(base_url="{url}/replicate", api_token="the token")
with open("lake.png", "rb") as image:
    client.run("{name}", input={"{image}": image})
""",
    name_of=lambda name: Model(name, {}).id,
    any_name="nodetool/NAME",
    needs_task=False,
)

_LOOK_SECONDS: Final = 0.5
"""How often a client that waits is looked after: whether the server is about to end."""

_CANCEL_SECONDS: Final = 2.0
"""How long an answer to a cancel waits for the run to stop."""

Owner = Annotated[str, Path(max_length=300, description="`nodetool` for workflows in no folder.")]
Name = Annotated[str, Path(max_length=500, description="The model's name.")]
Id = Annotated[str, Path(min_length=1, max_length=100, description="The prediction's id.")]
FileId = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="The file's id.")]
Version = Annotated[str, Path(max_length=100, description="The version's id.")]
Cursor = Annotated[
    str | None, Query(max_length=100, description="From the `next` of the page before.")
]
Prefer = Annotated[
    str, Header(max_length=200, description="`wait`, or `wait=N` with seconds from 1 to 60.")
]


def dialect(state: AppState) -> Dialect:
    """Return this dialect of a server."""
    own = ReplicateRoutes(state)
    return Dialect(
        "replicate",
        "Replicate",
        [router(own)],
        ("/replicate/",),
        show_failure,
        bearer_token,
        running=own.webhooks.running,
        open_paths=(STREAMS,),
        samples=_SAMPLES,
        schemas=a.SCHEMAS,
    )


def router(own: ReplicateRoutes) -> APIRouter:
    """Return the routes of this dialect."""
    routes = APIRouter(tags=["Replicate"])

    def add(
        method: str,
        path: str,
        endpoint: object,
        responses: dict[int | str, JsonObject],
        body: JsonObject | None = None,
    ) -> None:
        routes.add_api_route(
            path,
            endpoint,  # type: ignore[arg-type]
            methods=[method],
            operation_id=f"replicate_{endpoint.__name__}",  # type: ignore[attr-defined]
            response_class=Response,
            responses=responses,
            openapi_extra=body,
        )

    made = a.answers(a.PREDICTION, "The prediction.", 201)
    seen = a.answers(a.PREDICTION, "The prediction.")
    predictions, files = f"{PREFIX}/predictions", f"{PREFIX}/files"
    model = f"{PREFIX}/models/{{owner}}/{{name:path}}"
    deployment = f"{PREFIX}/deployments/{{owner}}/{{name:path}}/predictions"
    plain = a.prediction_body(needs_version=False)
    add("POST", predictions, own.create, made, a.prediction_body(needs_version=True))
    add("GET", predictions, own.list, a.answers(a.page_of(a.PREDICTION), "Newest first."))
    add("GET", f"{predictions}/{{prediction_id}}", own.get, seen)
    add("POST", f"{predictions}/{{prediction_id}}/cancel", own.cancel, seen)
    add("POST", f"{model}/predictions", own.create_of_model, made, plain)
    add("POST", deployment, own.create_of_deployment, made, plain)
    add("GET", f"{PREFIX}/models", own.models, a.answers(a.page_of(a.MODEL), "What is served."))
    add("GET", f"{model}/versions", own.versions, a.answers(a.page_of(a.VERSION), "The one."))
    add("GET", f"{model}/versions/{{version}}", own.version, a.answers(a.VERSION, "The version."))
    add("GET", model, own.model, a.answers(a.MODEL, "The model."))
    found = a.answers(a.DEPLOYMENT, "The deployment.")
    add("GET", f"{PREFIX}/deployments", own.deployments, a.answers(a.page_of(a.DEPLOYMENT), "All."))
    add("GET", f"{PREFIX}/deployments/{{owner}}/{{name:path}}", own.deployment, found)
    for kind in ("collections", "trainings"):
        add("GET", f"{PREFIX}/{kind}", _nothing_of(kind), a.answers(a.page_of({}), "None."))
    add("GET", f"{PREFIX}/hardware", own.hardware, a.answers({"type": "array"}, "None."))
    add("POST", files, own.upload, a.answers(a.FILE, "The file.", 201), a.file_body())
    add("GET", files, own.files, a.answers(a.page_of(a.FILE), "The client's files."))
    add("GET", f"{files}/{{file_id}}", own.file, a.answers(a.FILE, "The file."))
    add("DELETE", f"{files}/{{file_id}}", own.delete_file, a.nothing())
    add("GET", f"{PREFIX}/webhooks/default/secret", own.secret, a.answers(a.SECRET, "The key."))
    add("GET", f"{STREAMS}{{prediction_id}}/{{signature}}", own.stream, a.stream())
    return routes


class ReplicateRoutes:
    """Answers requests of this dialect."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._models = Models(state)
        self._signatures = Signatures(state.settings.tokens)
        self._predictions = Predictions(state)
        self._answers = Answers(state, self._signatures)
        self._files = Files(state)
        self._streams = Streams(state, self._predictions, self._answers)
        self.webhooks = Webhooks(state, self._predictions, self._answers, self._signatures)

    async def create(self, request: Request, prefer: Prefer = "") -> Response:
        """Make a prediction with a version, or with the newest of a model."""
        body = PredictionBody.of(await read_body_of(request))
        if not body.fields.version:
            hint = "Give the id of a version, or `owner/name`."
            problem = Problem("missing_input", "version", "is required.", hint)
            raise HttpError(422, problem)
        model = await self._state.threads.work(self._models.named, body.fields.version)
        return await self._create(request, model, body, prefer)

    async def create_of_model(
        self, request: Request, owner: Owner, name: Name, prefer: Prefer = ""
    ) -> Response:
        """Make a prediction with the newest version of a model."""
        body = PredictionBody.of(await read_body_of(request))
        return await self._create(request, self._models.find(owner, name), body, prefer)

    async def create_of_deployment(
        self, request: Request, owner: Owner, name: Name, prefer: Prefer = ""
    ) -> Response:
        """Make a prediction with a deployment: every model is one of itself."""
        body = PredictionBody.of(await read_body_of(request))
        return await self._create(request, self._models.find(owner, name), body, prefer)

    async def list(self, request: Request, cursor: Cursor = None) -> Response:
        """Return the client's predictions, the newest first."""

        def page() -> JsonObject:
            found, following = self._predictions.page(client_of(request), cursor)
            base = self._base(request)
            shown = [self._answers.prediction(one, base, is_short=True) for one in found]
            return _page(shown, f"{base}{PREFIX}/predictions", following)

        return JSONResponse(await self._state.threads.work(page))

    async def get(self, request: Request, prediction_id: Id) -> Response:
        """Return a prediction as it is now."""
        return await self._of_id(request, prediction_id)

    async def cancel(self, request: Request, prediction_id: Id) -> Response:
        """End a prediction that waits, or ask a running one to stop at its next step."""
        client = client_of(request)
        await self._state.threads.work(self._predictions.cancel, client, prediction_id)
        await self._state.jobs.wait_async(prediction_id, _CANCEL_SECONDS)
        return await self._of_id(request, prediction_id)

    async def stream(
        self,
        request: Request,
        prediction_id: Id,
        signature: Annotated[str, Path(max_length=100)],
        last_event_id: Annotated[str, Header(max_length=20)] = "",
    ) -> Response:
        """Stream a prediction as server-sent events, until its end."""

        def find() -> Prediction:
            found = Prediction.of(self._state.jobs.get(prediction_id))
            if found is None or not self._signatures.fits(found.job, signature):
                raise JobsError(unknown_job(prediction_id))
            return found

        found = await self._state.threads.work(find)
        known = last_event_id if last_event_id.isascii() and last_event_id.isdigit() else "0"
        return EventStream(self._streams.of(found, self._base(request), int(known[:9])))

    async def models(self, request: Request) -> Response:
        """Return everything that is served as models."""

        def page() -> JsonObject:
            return _page([self._model(one, request) for one in self._models], "", None)

        return JSONResponse(await self._state.threads.work(page))

    async def model(self, request: Request, owner: Owner, name: Name) -> Response:
        """Return a model with its version."""
        model = self._models.find(owner, name)
        return JSONResponse(await self._state.threads.work(self._model, model, request))

    async def versions(self, owner: Owner, name: Name) -> Response:
        """Return the one version of a model."""
        found = await self._state.threads.work(self._version, self._models.find(owner, name))
        return JSONResponse(_page([found], "", None))

    async def version(self, owner: Owner, name: Name, version: Version) -> Response:
        """Return a version of a model, with the schema of its input."""

        def find() -> JsonObject:
            model = self._models.find(owner, name)
            self._models.check_version(model, version)
            return self._version(model)

        return JSONResponse(await self._state.threads.work(find))

    async def deployments(self, request: Request) -> Response:
        """Return everything that is served as deployments."""

        def page() -> JsonObject:
            return _page([self._deployment(one) for one in self._models], "", None)

        return JSONResponse(await self._state.threads.work(page))

    async def deployment(self, owner: Owner, name: Name) -> Response:
        """Return a deployment: a model with its version."""
        model = self._models.find(owner, name)
        return JSONResponse(await self._state.threads.work(self._deployment, model))

    async def hardware(self) -> Response:
        """Return the kinds of hardware that can be chosen: none."""
        return JSONResponse([])

    async def upload(self, request: Request) -> Response:
        """Keep an image, whose address can be an input."""
        body, content_type = await read_body_of(request), request.headers.get("content-type", "")

        def keep() -> JsonObject:
            about = self._files.create(client_of(request), body, content_type)
            return self._files.shown(about, self._base(request))

        return JSONResponse(await self._state.threads.work(keep), 201)

    async def files(self, request: Request, cursor: Cursor = None) -> Response:
        """Return the client's files."""

        def page() -> JsonObject:
            found, following = self._files.page(client_of(request), cursor or "")
            base = self._base(request)
            shown = [self._files.shown(one, base) for one in found]
            return _page(shown, f"{base}{PREFIX}/files", following)

        return JSONResponse(await self._state.threads.work(page))

    async def file(self, request: Request, file_id: FileId) -> Response:
        """Return what is known of a file."""

        def find() -> JsonObject:
            found = self._files.get(client_of(request), file_id)
            return self._files.shown(found, self._base(request))

        return JSONResponse(await self._state.threads.work(find))

    async def delete_file(self, request: Request, file_id: FileId) -> Response:
        """Forget a file."""
        await self._state.threads.work(self._files.delete, client_of(request), file_id)
        return Response(status_code=204)

    async def secret(self, request: Request) -> Response:
        """Return the key that webhooks to this client are signed with."""
        return JSONResponse({"key": self._signatures.secret(client_of(request))})

    async def _create(
        self, request: Request, model: Model, body: PredictionBody, prefer: str
    ) -> Response:
        client, base, state = client_of(request), self._base(request), self._state

        def accept() -> Prediction:
            if body.hook is not None:
                self.webhooks.check(body.hook)
            version = self._models.version(model)
            return self._predictions.create(client, model, version, body, base)

        found = await state.threads.fetch(accept)
        self.webhooks.follow(found)
        seconds = wait_seconds(prefer)
        if seconds:
            await self._wait(found.job.id, seconds)
        answer = await self._answer(request, found.job.id, is_waited_for=seconds > 0)
        address = f"{base}{PREFIX}/predictions/{found.job.id}"
        return JSONResponse(answer, 201, {"Location": address})

    async def _wait(self, job_id: str, seconds: float) -> None:
        """Wait for a job to end, or for the server to be about to."""
        until, state = time.monotonic() + seconds, self._state
        while (left := until - time.monotonic()) > 0 and not state.draining.is_set():
            if (await state.jobs.wait_async(job_id, min(left, _LOOK_SECONDS))).state.ended:
                return

    async def _of_id(self, request: Request, prediction_id: str) -> Response:
        return JSONResponse(await self._answer(request, prediction_id))

    async def _answer(
        self, request: Request, prediction_id: str, *, is_waited_for: bool = False
    ) -> JsonObject:
        client, base = client_of(request), self._base(request)
        # Replicate's own clients take an address for a file only where it is one of https.
        agent = request.headers.get("user-agent", "")
        inline = agent.startswith("replicate-") and not base.startswith("https:")

        def find() -> JsonObject:
            found = self._predictions.get(client, prediction_id)
            return self._answers.prediction(found, base, inline=inline, is_waited_for=is_waited_for)

        return await self._state.threads.work(find)

    def _model(self, model: Model, request: Request) -> JsonObject:
        address = f"{self._base(request)}{PREFIX}/models/{model.id}"
        return model_json(model, self._version(model), address)

    def _deployment(self, model: Model) -> JsonObject:
        created = iso(model.first.modified or self._state.started)
        return deployment_json(model, self._models.version(model), created)

    def _version(self, model: Model) -> JsonObject:
        created = model.first.modified or self._state.started
        return version_json(model, self._models.version(model), iso(created))

    def _base(self, request: Request) -> str:
        return base_url(request, self._state.settings.public_url)


def _nothing_of(kind: str) -> Callable[[], Awaitable[Response]]:
    """Return an endpoint that lists what there is none of here."""

    async def endpoint() -> Response:
        """Return an empty page."""
        return JSONResponse(_page([], "", None))

    endpoint.__name__ = kind
    return endpoint


def _page(results: list[JsonObject], address: str, following: str | None) -> JsonObject:
    """Return a page, with the address of the next one where there is one."""
    more = None if following is None else f"{address}?{urlencode({'cursor': following})}"
    return {"results": results, "next": more, "previous": None}
