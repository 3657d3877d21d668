"""
Routes for whoever comes upon a server, and for what watches over it.

They show where things are, whether it is alive and ready, and its metrics.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from nodetool_core import __version__
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.openapi import failures
from nodetool_core.server.http.requests import base_url

if TYPE_CHECKING:
    from nodetool_core.server.catalog import Catalog
    from nodetool_core.server.http.dialect import Dialect
    from nodetool_core.server.runtime.app_state import AppState
    from nodetool_core.server.served_workflow import ServedWorkflow


_NOT_READY: Final[dict[int | str, JsonObject]] = {
    503: {
        "description": "It loads its first model, or is about to end.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
_FIGURES: Final[dict[int | str, JsonObject]] = {
    200: {
        "description": "Figures in the format of Prometheus.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}
_INDEX: Final[dict[int | str, JsonObject]] = {
    200: {
        "description": "Name, version, and addresses.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/html": {"schema": {"type": "string"}},
        },
    }
}
_PLACES: Final = {
    "workflows": "/v1/workflows",
    "models": "/v1/models",
    "jobs": "/v1/jobs",
    "openapi": "/v1/openapi.json",
}


_ELSEWHERE: Final = {"/docs": "./", "/redoc": "./", "/openapi.json": "v1/openapi.json"}
"""
Where people and programs look first that know other servers, and where that is here, seen from
there.
"""


def router(state: AppState, dialects: Sequence[Dialect] = ()) -> APIRouter:
    """`/`, `/livez`, `/readyz` and `/metrics`."""
    routes = APIRouter(tags=["Operations"])

    @routes.get("/", operation_id="index", responses=_INDEX | failures(401, 429))
    async def index(request: Request) -> Response:
        """
        Return what this is, and where to go on: as a page for browsers, as JSON for everybody else.
        """
        if "text/html" in request.headers.get("accept", ""):
            url = base_url(request, state.settings.public_url)
            return HTMLResponse(_page(state.catalog, dialects, url))
        return JSONResponse({"name": "nodetool", "version": __version__} | _PLACES)

    for path, place in _ELSEWHERE.items():
        routes.add_api_route(path, _leading_to(place), methods=["GET"], include_in_schema=False)

    @routes.get("/livez", operation_id="livez", responses=failures())
    async def livez() -> dict[str, str]:
        """Report that the process answers."""
        return {"status": "alive"}

    @routes.get("/readyz", operation_id="readyz", responses=failures() | _NOT_READY)
    async def readyz() -> Response:
        """
        Report whether the server takes requests.

        503 until its first model is loaded, without its database, and once it is about to end.
        """
        if state.draining.is_set():
            return JSONResponse({"status": "draining"}, 503, {"Retry-After": "5"})
        if not state.warmup.has_begun:
            return JSONResponse({"status": "loading"}, 503, {"Retry-After": "1"})
        if not await state.health.is_well():
            return JSONResponse({"status": "no database"}, 503, {"Retry-After": "5"})
        return JSONResponse({"status": "ready"})

    @routes.get(
        "/metrics",
        operation_id="metrics",
        response_class=Response,
        responses=_FIGURES | failures(401, 429),
    )
    def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(state.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes


def _leading_to(place: str) -> Callable[[], Awaitable[Response]]:
    async def elsewhere() -> Response:
        return RedirectResponse(place)

    return elsewhere


def _page(catalog: Catalog, dialects: Sequence[Dialect], url: str) -> str:
    """
    Return the page for browsers: what is served, and how it is called in each dialect.

    It has no style and no script: the server lets no page of its own load any.
    """
    served = [(one.document.name or one.name, one) for one in catalog]
    for model, tasks in catalog.models.items():
        served += [(f"{model}, {task}", one) for task, one in tasks.items()]
    rows = [_entry(title, one, dialects, url) for title, one in served]
    guides = [
        f"<h3>{escape(one.title)}</h3><pre>{escape(one.samples.guide(url))}</pre>"
        for one in dialects
    ]
    places = [f'<li><a href="{place}">{place}</a></li>' for place in _PLACES.values()]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>nodetool</title>'
        f"<h1>nodetool {__version__}</h1><p>Workflows of image AI behind HTTP.</p>"
        f"<h2>Served</h2>{''.join(rows) or '<p>nothing</p>'}"
        f"<h2>How programs call this server</h2>{''.join(guides)}"
        f"<h2>Addresses</h2><ul>{''.join(places)}</ul></html>"
    )


def _entry(title: str, served: ServedWorkflow, dialects: Sequence[Dialect], url: str) -> str:
    """Return what the page says of a workflow: a line, which opens to how it is called."""
    samples = [
        f"<h3>{escape(one.title)}</h3><pre>{escape(text)}</pre>"
        for one in dialects
        if (text := one.samples.sample(url, served))
    ]
    return (
        f"<details><summary>{escape(title)}</summary>"
        f'<p><a href="/v1/workflows/{quote(served.name)}">What it takes and returns</a></p>'
        f"{''.join(samples)}</details>"
    )
