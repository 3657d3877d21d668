"""The application: every dialect, with failures in its own form, behind the request guard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nodetool_core import __version__
from nodetool_core.errors import NodetoolError, Problem
from nodetool_core.importing.graphs import reader_of
from nodetool_core.server import operations, result_files
from nodetool_core.server.a1111 import routes as a1111
from nodetool_core.server.comfyui import routes as comfyui
from nodetool_core.server.http.dialect import Dialect, Dialects
from nodetool_core.server.http.http_errors import HttpError, as_http
from nodetool_core.server.http.openapi import describe_shared
from nodetool_core.server.http.requests import ClientGone
from nodetool_core.server.huggingface import routes as huggingface
from nodetool_core.server.mcp import routes as mcp
from nodetool_core.server.openai import routes as openai
from nodetool_core.server.qolaba import routes as qolaba
from nodetool_core.server.replicate import routes as replicate
from nodetool_core.server.runtime.collector import AppStateCollector
from nodetool_core.server.security.middleware import (
    GONE,
    BodyTooLarge,
    RequestGuard,
    SessionCheck,
    body_too_large,
)
from nodetool_core.server.settings import DialectName
from nodetool_core.server.v1 import dialect as v1

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState


_log = logging.getLogger(__name__)

DIALECTS: Final[Mapping[DialectName, Callable[[AppState], Dialect]]] = {
    "openai": openai.dialect,
    "a1111": a1111.dialect,
    "mcp": mcp.dialect,
    "comfyui": comfyui.dialect,
    "replicate": replicate.dialect,
    "huggingface": huggingface.dialect,
    "qolaba": qolaba.dialect,
    "nodetool": v1.dialect,
}
"""The dialects there are; the setting `dialects` names those that a server speaks."""

_HINTS: Final = {
    400: "Send a JSON object, in UTF-8, without numbers or nesting beyond all measure.",
    404: "GET /v1/openapi.json lists the addresses there are.",
    405: "See the header Allow.",
}
"""What to do about failures that the framework finds, by status."""


def create_app(
    state: AppState, routers: Sequence[APIRouter] = (), sessions: SessionCheck | None = None
) -> RequestGuard:
    """
    Return the ASGI application of a server.

    Its lifespan starts and drains the jobs and lets go of everything at the end.

    Args:
        routers: Routes that come before those of the server's own.
        sessions: Decides whose requests are the owner's.
    """

    settings = state.settings
    for why in filter(None, (_why_not_spoken(name, state) for name in settings.dialects)):
        _log.warning(why)
    dialects = Dialects(
        spoken_dialects(state),
        rest=Dialect("server", "The server itself", [], ()),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Routes that only block run there: as many at once as other blocking work.
        to_thread.current_default_thread_limiter().total_tokens = state.threads.count
        AppStateCollector(state).register()
        state.start()
        async with AsyncExitStack() as running:
            for one in dialects.all:
                await running.enter_async_context(one.running())
            yield
        state.draining.set()
        await asyncio.to_thread(state.jobs.drain, state.settings.drain_seconds)
        state.close()

    app = FastAPI(
        title="nodetool",
        version=__version__,
        summary="Workflows of image AI behind HTTP",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    for more in routers:
        app.include_router(more)
    for dialect in dialects.all:
        for routes in dialect.routers:
            app.include_router(routes)
    app.include_router(result_files.router(state))
    app.include_router(operations.router(state, dialects.all))
    _show_failures(app, dialects)
    schemas = {name: one for dialect in dialects.all for name, one in dialect.schemas.items()}
    describe_shared(app, routers, schemas)
    return RequestGuard(
        app,
        access=state.access,
        tokens=settings.tokens,
        max_body_bytes=settings.max_body_bytes,
        rate=settings.rate,
        burst=settings.burst,
        metrics=state.metrics,
        dialects=dialects,
        open_prefixes=(
            result_files.PREFIX,
            *(path for one in dialects.all for path in one.open_paths),
        ),
        sessions=sessions,
    )


def spoken_dialects(state: AppState) -> list[Dialect]:
    """Return the dialects that are switched on, of those whose requirements are installed."""
    wanted = state.settings.dialects
    return [
        make(state)
        for name, make in DIALECTS.items()
        if name in wanted and not _why_not_spoken(name, state)
    ]


def _why_not_spoken(name: DialectName, state: AppState) -> str:
    """Return what a dialect lacks, or an empty string."""
    if name == "comfyui" and reader_of(comfyui.NAME, state.registry) is None:
        return "ComfyUI's API is not spoken: no installed pack reads its graphs."
    if name == "mcp" and find_spec("mcp") is None:
        return "MCP is not spoken: install the extra `mcp`, or leave it out of `dialects`."
    return ""


def _show_failures(app: FastAPI, dialects: Dialects) -> None:
    async def show(request: Request, error: Exception) -> Response:
        return dialects.of(request.scope["path"]).show_failure(_as_http(error))

    async def gone(request: Request, error: Exception) -> Response:
        return Response(status_code=GONE)

    # Exception as well: for what nobody foresaw, Starlette would answer a plain text before the
    # request guard sees it.
    for kind in (NodetoolError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, show)
    app.add_exception_handler(ClientGone, gone)


def _as_http(error: Exception) -> HttpError:
    if isinstance(error, BodyTooLarge):
        return body_too_large(error.limit)
    if isinstance(error, RequestValidationError):
        return HttpError(422, [_problem(detail) for detail in error.errors()])
    if isinstance(error, HTTPException):
        problem = Problem(
            f"http_{error.status_code}",
            "",
            f"{error.detail.rstrip('.')}.",
            _HINTS.get(error.status_code, ""),
        )
        return HttpError(error.status_code, problem, headers=error.headers)
    return as_http(error)


def _problem(detail: dict[str, Any]) -> Problem:
    place = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "json_invalid":
        return Problem(
            "invalid_json",
            place,
            f"The body is no JSON: {detail['ctx']['error']}.",
            "Send a JSON object.",
        )
    if detail["type"] == "extra_forbidden":
        return Problem(
            "invalid_value", place, "is not known here.", "GET /v1/openapi.json says what is taken."
        )
    if detail["loc"] == ("body",) and detail["type"] in ("model_attributes_type", "missing"):
        return Problem(
            "invalid_value",
            place,
            "expects a JSON object.",
            "Send one, with Content-Type: application/json.",
        )
    return Problem("invalid_value", place, f"{detail['msg']}.")
