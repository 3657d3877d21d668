"""The editor's routes, below /v1 beside those of everybody, and the page below /editor."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.responses import RedirectResponse, Response

from nodetool_core import __version__
from nodetool_core.editor import page
from nodetool_core.editor.answers import (
    CatalogueAnswer,
    CheckAnswer,
    Device,
    Dialect,
    ExplanationAnswer,
    LayoutAnswer,
    Limits,
    ReadAnswer,
    ResultAnswer,
    StatusAnswer,
)
from nodetool_core.editor.catalogue import Catalogue
from nodetool_core.editor.checking import check_document
from nodetool_core.editor.event_schemas import event_stream
from nodetool_core.editor.events import stream
from nodetool_core.editor.job_routes import JobRoutes
from nodetool_core.editor.known_results import KnownResults
from nodetool_core.editor.layout import positions
from nodetool_core.editor.model_routes import ModelRoutes
from nodetool_core.editor.ports import ports_of
from nodetool_core.editor.prompts import prompts_of
from nodetool_core.editor.reading import read_file
from nodetool_core.editor.routing import (
    BrowserRoute,
    OwnerRoute,
    Responses,
    Row,
    add_routes,
    bytes_of,
    json_of,
    not_owner,
    require_owner,
)
from nodetool_core.editor.schemas import (
    CheckRequest,
    EditorRunRequest,
    LayoutRequest,
    SessionRequest,
)
from nodetool_core.editor.sessions import COOKIE, Sessions
from nodetool_core.editor.watching import FolderWatch
from nodetool_core.editor.workflow_routes import WorkflowRoutes
from nodetool_core.errors import Problem, near_miss
from nodetool_core.jobs.job import JobOptions, JobRequest, JobState
from nodetool_core.json_types import Json
from nodetool_core.reference.troubleshooting import explanations
from nodetool_core.server.app import spoken_dialects
from nodetool_core.server.http.files import FileAnswer
from nodetool_core.server.http.http_errors import HttpError, busy
from nodetool_core.server.http.images import looks_like_image
from nodetool_core.server.http.openapi import BYTES
from nodetool_core.server.http.requests import base_url, client_of, read_body_of
from nodetool_core.server.http.thumbnails import Quiet, Side, or_nothing
from nodetool_core.server.qolaba.routes import apps_of
from nodetool_core.server.runtime.devices import device_memory
from nodetool_core.server.security.middleware import OWNER
from nodetool_core.server.v1.schemas import JobAnswer
from nodetool_core.specialized import class_of
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

API: Final = 1
"""Version of what the page and the server say to each other; a page of another one loads anew."""

_STREAMS: Final = 32
"""Streams of events that one client may have open."""

_UNCHANGED: Final[Responses] = {304: {"description": "It is as it was."}}
_STREAM: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_IMMUTABLE: Final = {"Cache-Control": "private, max-age=31536000, immutable"}


def router(state: AppState, sessions: Sessions, *, open_at: str | None = None) -> APIRouter:
    """
    Return the editor's routes.

    Args:
        open_at: Name of the workflow that the page opens first.
    """
    own = EditorRoutes(state, sessions, open_at)
    routes = APIRouter(tags=["Editor"])
    routes.routes.append(BrowserRoute("/", own.to_start, include_in_schema=False))
    routes.add_api_route("/editor", own.to_page, methods=["GET"], include_in_schema=False)
    routes.add_api_route("/editor/{name:path}", page.page, methods=["GET"], include_in_schema=False)
    everybody = APIRouter(prefix="/v1")
    add_routes(
        everybody,
        [
            Row("POST", "/session", own.session, 204),
            Row("DELETE", "/session", own.leave, 204),
            Row("GET", "/status", own.status),
            Row("GET", "/nodes", own.nodes, answers={**json_of(CatalogueAnswer), **_UNCHANGED}),
            Row("GET", "/events", own.events, answers=event_stream()),
            Row("POST", "/jobs/cancel", own.jobs.cancel_waiting, 204),
            Row("GET", "/problems/{code}", own.problem),
        ],
    )
    image = bytes_of({"image/png": BYTES, "image/webp": BYTES})
    owner = APIRouter(prefix="/v1", dependencies=[Depends(require_owner)])
    add_routes(
        owner,
        [
            Row("POST", "/check", own.check),
            Row("GET", "/results/{key}", own.result),
            Row("GET", "/results/{key}/{output}", own.image, answers=image),
            Row("GET", "/results/{key}/{output}/{index}", own.image, answers=image),
            Row("POST", "/read", own.read),
            Row("POST", "/layout", own.layout),
            *own.files.table,
            *own.jobs.table,
            *own.models.table,
        ],
    )
    # The server's own of this address is for workflows of clients.
    runs = APIRouter(prefix="/v1", route_class=OwnerRoute)
    add_routes(runs, [Row("POST", "/runs", own.run, 202)])
    for part in (everybody, owner, runs):
        routes.include_router(part)
    return routes


class EditorRoutes:
    """Answers the page. What reads or writes files is the owner's alone."""

    def __init__(self, state: AppState, sessions: Sessions, open_at: str | None) -> None:
        self._state = state
        self._sessions = sessions
        self._open_at = open_at
        self.files = WorkflowRoutes(state)
        self._results = KnownResults(state.engine)
        self.jobs = JobRoutes(state)
        self.models = ModelRoutes(state)
        self._folder = FolderWatch(state.catalog)
        self._types = Catalogue(state.registry)
        self._catalogue: tuple[bytes, str] | None = None
        self._streams = Counter[str]()
        self._dialects = spoken_dialects(state)
        apps = apps_of(state)
        self._apps = {app.serves: name for name, app in reversed([*apps.items()]) if app.serves}
        """Ids of the Qolaba dialect by what they stand for."""

    async def to_page(self) -> Response:
        """Lead to the page."""
        return RedirectResponse("editor/")

    async def to_start(self) -> Response:
        """Lead a browser to what is served."""
        return RedirectResponse("editor/#/start")

    async def session(self, request: Request, given: SessionRequest) -> Response:
        """Open a session: the answer sets its cookie."""
        cookie = self._sessions.open(key=given.key, token=given.token)
        if cookie is None:
            raise not_owner("This key is used, or was never given out; or the token is wrong.")
        answer = Response(status_code=204)
        is_https = base_url(request, self._state.settings.public_url).startswith("https:")
        answer.set_cookie(
            COOKIE, cookie, httponly=True, samesite="strict", path="/", secure=is_https
        )
        return answer

    async def leave(self, request: Request) -> Response:
        """End the session."""
        self._sessions.close(request.headers)
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    def status(self, request: Request) -> StatusAnswer:
        """Return what the server is, and what this session may do."""
        state, counts = self._state, self._state.jobs.counts()
        is_owner = self._is_owner(request)
        address = base_url(request, state.settings.public_url)
        return StatusAnswer(
            api=API,
            version=__version__,
            owner=is_owner,
            address=address,
            needs_token=bool(state.settings.tokens),
            dialects=[
                Dialect(
                    name=one.name,
                    title=one.title,
                    guide=one.samples.guide(address),
                    image_guide=one.samples.guide(address, takes_image=True),
                )
                for one in self._dialects
            ],
            apps=self._apps,
            can_run=is_owner or state.settings.client_workflows,
            open=self._open_at if is_owner else None,
            devices=[
                Device(name=one.name, used_bytes=one.total - one.free, total_bytes=one.total)
                for one in (device_memory() if is_owner else ())
            ],
            waiting=counts.get(JobState.QUEUED, 0),
            running=counts.get(JobState.RUNNING, 0),
            loaded_models=list(state.engine.loaded_models()) if is_owner else [],
            limits=Limits(
                upload_bytes=state.settings.max_body_bytes,
                results_seconds=state.settings.results_seconds,
            ),
        )

    def nodes(self, if_none_match: Annotated[str | None, Header()] = None) -> Response:
        """Return every node with its form, and what may be connected to what."""
        if self._catalogue is None:
            answer = self._types.answer()
            content = answer.model_dump_json(exclude_unset=True).encode()
            self._catalogue = content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        content, etag = self._catalogue
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if if_none_match == etag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type="application/json", headers=headers)

    def check(self, wanted: CheckRequest) -> CheckAnswer:
        """Return every mistake in a workflow, and what a run would compute."""
        base, inside = self.files.place(wanted.name)
        document = WorkflowDocument.from_json(wanted.document)
        found = check_document(
            self._state.engine, document, base=base, inside=inside, targets=wanted.targets
        )
        for record in document.graph.nodes:
            node_class = class_of(record, self._state.registry)
            key = found.nodes[record.id].key
            if key is not None and node_class is not None:
                self._results.note(key, [*node_class.spec.outputs], base)
        records = document.graph.nodes
        for name, ports in ports_of(
            records, self._state.registry, self._types, base, inside
        ).items():
            found.nodes[name].ports = ports
        return found.answer()

    def run(self, wanted: EditorRunRequest) -> JobAnswer:
        """Run a workflow as a job, with the rights of the owner."""
        base, inside = self.files.place(wanted.name)
        document = WorkflowDocument.from_json(wanted.workflow)
        job = self._state.jobs.submit(
            JobRequest(
                workflow=document,
                base=base,
                name=wanted.name or "",
                inputs=wanted.inputs,
                client=OWNER,
                priority=wanted.priority,
                options=JobOptions(
                    outputs=wanted.targets,
                    on_error="continue",
                    use_cache=wanted.use_cache,
                    previews=wanted.previews,
                    note={
                        "label": wanted.label or "",
                        "needed": self._needed(document, wanted, base, inside),
                        "anew": not wanted.use_cache,
                        "prompts": prompts_of(document, wanted.inputs),
                    },
                ),
            )
        )
        return self.jobs.answer(job)

    def _needed(
        self,
        document: WorkflowDocument,
        wanted: EditorRunRequest,
        base: Path,
        inside: tuple[str, ...],
    ) -> list[Json]:
        """Return the ids of the nodes that a run would compute, as far as is known."""
        found = check_document(
            self._state.engine, document, base=base, inside=inside, targets=wanted.targets
        )
        computed = {"missing", "volatile"} if wanted.use_cache else {"missing", "volatile", "known"}
        return [name for name, node in found.nodes.items() if node.state in computed]

    async def events(
        self,
        request: Request,
        after: Annotated[float, Query(ge=0)] = 0.0,
        last_event_id: Annotated[str | None, Header(max_length=40)] = None,
    ) -> Response:
        """Return what happens to the client's jobs, to the owner all, as server-sent events."""
        try:
            begin = max(after, float(last_event_id or 0))
        except ValueError:
            begin = after
        if self._streams[client_of(request)] >= _STREAMS:
            raise busy(f"{_STREAMS} streams of this client are open already.", "Close a page.")
        client = self._state.jobs_seen_by(client_of(request))
        watches = [self._folder.begin(), self.models.begin()] if self._is_owner(request) else []
        events = stream(self._state, begin, client=client, watches=watches)
        return StreamingResponse(
            self._bounded(events, client_of(request)),
            media_type="text/event-stream",
            headers=_STREAM,
        )

    def result(self, key: str) -> ResultAnswer:
        """Return the result of a key, with addresses for its images."""
        return self._results.answer(_key(key))

    def image(
        self,
        key: str,
        output: str,
        index: int | None = None,
        side: Side = None,
        quiet: Quiet = False,
    ) -> Response:
        """Return an image of a result."""
        media_type = "image/png" if side is None else "image/webp"

        def answer() -> Response:
            content = self._results.image(_key(key), output, index, side)
            return Response(content, media_type=media_type, headers=_IMMUTABLE)

        return or_nothing(answer, quiet)

    async def read(
        self, request: Request, name: Annotated[str, Query(max_length=300)] = ""
    ) -> ReadAnswer:
        """Return what a file is that somebody dropped: a workflow, an image, or neither."""
        content = await read_body_of(request)
        return await self._state.threads.work(self._read, content, name)

    def _read(self, content: bytes, name: str) -> ReadAnswer:
        found = read_file(content, name, self._state.registry)
        # An image that brings a workflow can be used as an image all the same.
        if found.kind == "image" or looks_like_image(content):
            kept = self._state.jobs.put(content)
            found.upload = FileAnswer.of(kept, "")
        return found

    def problem(self, code: str) -> ExplanationAnswer:
        """Return what an error code means, and what to do about it."""
        found = explanations().get(code)
        if found is None:
            hint = near_miss(code, explanations())
            message = f"There is no error code {code[:64]!r}."
            raise HttpError(404, Problem("unknown_code", code[:64], message, hint))
        return ExplanationAnswer(code=found.code, means=found.means, do=found.do)

    def layout(self, wanted: LayoutRequest) -> LayoutAnswer:
        """Return places for nodes, from left to right along the wires."""
        return LayoutAnswer(positions=positions(wanted))

    def _is_owner(self, request: Request) -> bool:
        return client_of(request) == OWNER

    async def _bounded(self, events: AsyncIterator[bytes], client: str) -> AsyncIterator[bytes]:
        self._streams[client] += 1
        try:
            async for line in events:
                yield line
        finally:
            self._streams -= Counter((client,))


def _key(text: str) -> str:
    if len(text) > 128 or not all(letter in "0123456789abcdef" for letter in text) or len(text) % 2:
        raise HttpError(404, Problem("unknown_result", "", f"{text[:64]!r} is no key."))
    return text
