"""
ComfyUI's API: `/prompt`, `/history`, `/view`, `/upload`, `/queue`, `/ws` and what they need.

Every path is there with `/api` before it as well. The wire format is that of ComfyUI's server and
of the clients that were read. Graphs are workflows of clients, so the operator allows them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import JSONResponse, Response

from nodetool_core.importing.graphs import GraphReader, reader_of
from nodetool_core.jobs.job import JobState
from nodetool_core.json_types import JsonObject
from nodetool_core.server.comfyui import openapi
from nodetool_core.server.comfyui.classes import FOLDERS, Classes
from nodetool_core.server.comfyui.errors import PromptRefused, show_failure
from nodetool_core.server.comfyui.files import FileName, NamedFiles, missing
from nodetool_core.server.comfyui.history import MOST_ENTRIES, History
from nodetool_core.server.comfyui.orders import ids_of, order_of, prompt_of
from nodetool_core.server.comfyui.prompts import ENDED, Prompts
from nodetool_core.server.comfyui.samples import samples_of
from nodetool_core.server.comfyui.sockets import Sockets, features
from nodetool_core.server.comfyui.submit import Accepted, PromptBody, Submissions
from nodetool_core.server.comfyui.system import system_stats
from nodetool_core.server.comfyui.uploads import Upload
from nodetool_core.server.comfyui.view import shown
from nodetool_core.server.http.dialect import Dialect, password_or_bearer
from nodetool_core.server.http.requests import client_of, read_body_of
from nodetool_core.server.security.client_workflows import require_allowed

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

NAME: Final = "comfyui"
PREFIXES: Final = ("", "/api")

_WHOLE: Final = (
    *("/prompt", "/history", "/view", "/queue", "/interrupt", "/free", "/object_info", "/ws"),
    *("/system_stats", "/embeddings", "/models", "/extensions", "/features"),
)
_BELOW: Final = ("/history/", "/upload/", "/object_info/", "/api/")

Text = Annotated[str, Query(max_length=500)]


@dataclass(frozen=True)
class Route:
    """One route, as it is made for each prefix."""

    method: str
    path: str
    endpoint: Callable[..., object]
    responses: dict[int | str, JsonObject]
    body: JsonObject | None = None


def dialect(state: AppState) -> Dialect:
    """Return this dialect of a server. A pack has to read graphs of ComfyUI."""
    reader = reader_of(NAME, state.registry)
    assert reader is not None
    folders = tuple(f"/models/{folder}" for folder in FOLDERS)
    return Dialect(
        NAME,
        "ComfyUI",
        [router(state, reader)],
        (*_WHOLE, *folders, *_BELOW),
        show_failure,
        password_or_bearer,
        sockets=tuple(f"{prefix}/ws" for prefix in PREFIXES),
        samples=samples_of(state),
        schemas=openapi.SCHEMAS,
    )


def router(state: AppState, reader: GraphReader) -> APIRouter:
    """Return the routes of this dialect."""
    own = ComfyRoutes(state, reader)
    routes = APIRouter(tags=["ComfyUI"])
    for prefix in PREFIXES:
        for route in own.routes():
            name = route.path.strip("/").replace("/", "_").replace("{", "").replace("}", "")
            routes.add_api_route(
                f"{prefix}{route.path}",
                route.endpoint,
                methods=[route.method],
                operation_id=f"comfyui_{route.method.lower()}_{name}",
                response_class=Response,
                response_model=None,
                responses=route.responses,
                openapi_extra=route.body,
                include_in_schema=not prefix,
            )
        routes.add_api_websocket_route(f"{prefix}/ws", own.sockets.serve)
    return routes


class ComfyRoutes:
    """Answers requests of this dialect."""

    def __init__(self, state: AppState, reader: GraphReader) -> None:
        self._state = state
        self._prompts = Prompts(state)
        self._history = History(state)
        self._files = NamedFiles(state, self._prompts, self._history)
        self._classes = Classes(state, reader)
        self._submissions = Submissions(state, reader, self._classes, self._files)
        self.sockets = Sockets(state, self._prompts, self._history)

    def routes(self) -> list[Route]:
        """Return the routes, without sockets."""
        a, known = openapi, (401, 429, 503)
        some = a.answers(a.OBJECT, 400, 404, *known, what="What there is.")
        names = a.answers(a.LIST, 400, 404, *known, what="Names.")
        stored = a.answers(a.OBJECT, 400, 404, 413, 507, *known, what="The name that it has got.")
        taken = a.answers(a.OBJECT, 400, 409, 413, 507, *known, what="Its id.")
        ids: JsonObject = {"type": "array", "items": {"type": "string"}}
        yes: JsonObject = {"type": "boolean"}
        order = a.order_body(clear=yes, delete=ids)
        found = [
            Route("POST", "/prompt", self.prompt, taken, a.prompt_body()),
            Route("GET", "/prompt", self.remaining, some),
            Route("GET", "/queue", self.queue, some),
            Route("POST", "/queue", self.dequeue, a.done(400, *known), order),
            Route("GET", "/history", self.history, some),
            Route("POST", "/history", self.forget, a.done(400, *known), order),
            Route("GET", "/history/{prompt_id}", self.one_history, some),
            Route("GET", "/view", self.view, a.image(400, 404, 413, *known)),
            Route("POST", "/upload/image", self.upload_image, stored, a.upload_body()),
            Route(
                "POST",
                "/upload/mask",
                self.upload_mask,
                stored,
                a.upload_body(original_ref={"type": "string", "description": "A name, as JSON."}),
            ),
            Route(
                "POST",
                "/interrupt",
                self.interrupt,
                a.done(400, *known),
                a.order_body(prompt_id={"type": "string"}),
            ),
            Route(
                "POST",
                "/free",
                self.free,
                a.done(400, *known),
                a.order_body(unload_models=yes, free_memory=yes),
            ),
            Route("GET", "/object_info", self.object_info, some),
            Route("GET", "/object_info/{class_type}", self.one_class, some),
            Route("GET", "/system_stats", self.system_stats, some),
            Route("GET", "/embeddings", self.nothing, names),
            Route("GET", "/extensions", self.nothing, names),
            Route("GET", "/features", self.features, some),
            Route("GET", "/models", self.folders, names),
        ]
        return [
            *found,
            *(Route("GET", f"/models/{one}", self._models_in(one), names) for one in FOLDERS),
        ]

    async def prompt(self, request: Request) -> Response:
        """Run a graph: it waits in the queue of jobs, and its results are in the history."""
        state, client = self._state, client_of(request)
        body = await read_body_of(request)

        def accept() -> Accepted:
            given = PromptBody.of(body)
            require_allowed(state.settings.client_workflows)
            return self._submissions.accept(client, given)

        try:
            accepted = await state.threads.fetch(accept)
        except PromptRefused as refused:
            return refused.response()
        prompt, warnings = accepted.prompt, accepted.prompt.warnings
        self.sockets.note(prompt)
        answer: JsonObject = {
            "prompt_id": prompt.id,
            "number": prompt.number,
            "node_errors": accepted.node_errors,
        }
        return JSONResponse(answer | ({"warnings": warnings} if warnings else {}))

    def remaining(self, request: Request) -> Response:
        """Return how many prompts wait or run."""
        count = len(self._prompts.waiting(client_of(request)))
        return JSONResponse({"exec_info": {"queue_remaining": count}})

    def queue(self, request: Request) -> Response:
        """Return the prompts that wait or run."""
        found = self._prompts.waiting(client_of(request))
        running = [one.entry() for one in found if one.job.state is JobState.RUNNING]
        pending = [one.entry() for one in found if one.job.state is JobState.QUEUED]
        return JSONResponse({"queue_running": running, "queue_pending": pending})

    async def dequeue(self, request: Request) -> Response:
        """Cancel prompts that wait: all that the client sent, or those that are named."""
        ids = ids_of(order_of(await read_body_of(request)))
        return await self._stop(request, (JobState.QUEUED,), ids)

    async def interrupt(self, request: Request) -> Response:
        """Cancel the client's prompts that run, or the one that is named."""
        ids = prompt_of(order_of(await read_body_of(request)))
        return await self._stop(request, (JobState.RUNNING,), ids)

    def history(
        self,
        request: Request,
        max_items: Annotated[int, Query(ge=0, le=1000)] = MOST_ENTRIES,
        offset: Annotated[int, Query(ge=-1, le=1000, description="From the newest.")] = 0,
    ) -> Response:
        """Return what became of the newest prompts, the oldest of them first."""
        begin = max(0, offset)
        ended = self._prompts.newest(client_of(request), ENDED)
        found = [*islice(ended, begin, begin + max_items)]
        return _json(self._history.text(found[::-1]))

    def one_history(
        self, request: Request, prompt_id: Annotated[str, Path(max_length=100)]
    ) -> Response:
        """Return what became of a prompt; nothing while it has not ended."""
        prompt = self._prompts.get(client_of(request), prompt_id)
        has_ended = prompt is not None and prompt.job.state.ended
        return _json(self._history.text([prompt] if prompt is not None and has_ended else []))

    async def forget(self, request: Request) -> Response:
        """Remove prompts from the history: all that the client sent, or those that are named."""
        ids = ids_of(order_of(await read_body_of(request)))
        await self._state.threads.work(self._prompts.forget, client_of(request), ids)
        return Response()

    def view(
        self,
        request: Request,
        filename: Text,
        subfolder: Text = "",
        type: Text = "output",
        preview: Text | None = None,
        channel: Text = "",
    ) -> Response:
        """Return a file: an upload, or a result."""
        name = FileName.of(filename, subfolder, type)
        digest = self._files.digest(client_of(request), name)
        if digest is None:
            raise missing(str(name))
        return shown(self._state, digest, name.name, preview, channel)

    async def upload_image(self, request: Request) -> Response:
        """Keep an image under a name, of which graphs make use."""
        body, content_type = await read_body_of(request), request.headers.get("content-type", "")

        def keep() -> Response:
            upload = Upload.of(body, content_type)
            return self._kept(client_of(request), upload, upload.content)

        return await self._state.threads.work(keep)

    async def upload_mask(self, request: Request) -> Response:
        """Keep an image that was uploaded before, with the alpha channel of this one."""
        body, content_type = await read_body_of(request), request.headers.get("content-type", "")

        def keep() -> Response:
            upload, client = Upload.of(body, content_type), client_of(request)
            if upload.original is None:
                raise missing("original_ref")
            masked = self._files.masked(client, upload.original, upload.content)
            return self._kept(client, upload, masked)

        return await self._state.threads.work(keep)

    async def free(self, request: Request) -> Response:
        """Let go of models that are not in use."""
        order = order_of(await read_body_of(request))
        if order.get("unload_models") or order.get("free_memory"):
            self._state.cache.clear()
            await self._state.threads.work(self._state.models.free)
        return Response()

    def object_info(self, request: Request) -> Response:
        """Return the classes that graphs may have."""
        return JSONResponse(self._classes.described(self._files.uploads(client_of(request))))

    def one_class(
        self, request: Request, class_type: Annotated[str, Path(max_length=200)]
    ) -> Response:
        """Return one class; nothing where it is not known."""
        found = self._classes.described(self._files.uploads(client_of(request)))
        return JSONResponse({class_type: found[class_type]} if class_type in found else {})

    def system_stats(self) -> Response:
        """Return what is known of the machine."""
        return JSONResponse(system_stats())

    def nothing(self) -> Response:
        """Return an empty list: there are none here."""
        return JSONResponse([])

    def features(self) -> Response:
        """Return what this server can do."""
        return JSONResponse(features(self._state))

    def folders(self) -> Response:
        """Return the folders of models."""
        return JSONResponse(FOLDERS)

    def _models_in(self, folder: str) -> Callable[[], Response]:
        def models() -> Response:
            """Return the models of a folder that clients may name."""
            return JSONResponse(self._classes.models()[folder])

        return models

    def _kept(self, client: str, upload: Upload, content: bytes) -> Response:
        name = self._files.keep(client, upload.name, content, replace=upload.replaces)
        answer = {"name": name.name, "subfolder": name.subfolder, "type": name.folder}
        return JSONResponse(answer)

    async def _stop(
        self, request: Request, states: tuple[JobState, ...], ids: list[str] | None
    ) -> Response:
        await self._state.threads.work(self._prompts.stop, client_of(request), states, ids)
        self.sockets.wake()
        return Response()


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")
