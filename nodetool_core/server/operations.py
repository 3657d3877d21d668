"""For whoever comes upon a server, and for what watches over it: where things are, alive, ready, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from nodetool_core import __version__
from nodetool_core.server.documents import failures

if TYPE_CHECKING:
    from nodetool_core.server.services import Services


_NOT_READY: Final[dict[int | str, dict[str, Any]]] = {
    503: {
        "description": "It loads its first model, or is about to end.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
_FIGURES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Figures in the format of Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


def router(services: Services) -> APIRouter:
    """`/`, `/livez`, `/readyz` and `/metrics`."""
    routes = APIRouter(tags=["Operations"])

    @routes.get("/", operation_id="index", responses=failures(401, 429))
    async def index() -> dict[str, str]:
        """What this is, and where to go on."""
        return {"name": "nodetool", "version": __version__, "workflows": "/v1/workflows", "openapi": "/v1/openapi.json"}

    @routes.get("/livez", operation_id="livez", responses=failures())
    async def livez() -> dict[str, str]:
        """The process answers."""
        return {"status": "alive"}

    @routes.get("/readyz", operation_id="readyz", responses=failures() | _NOT_READY)
    async def readyz() -> Response:
        """The server takes requests: 503 until its first model is loaded, and once it is about to end."""
        if services.draining.is_set():
            return JSONResponse({"status": "draining"}, 503, {"Retry-After": "5"})
        if not services.loading.has_begun:
            return JSONResponse({"status": "loading"}, 503, {"Retry-After": "1"})
        return JSONResponse({"status": "ready"})

    @routes.get("/metrics", operation_id="metrics", response_class=Response, responses=_FIGURES | failures(401, 429))
    async def metrics() -> Response:
        """Figures for Prometheus."""
        content = await services.runs.blocking(services.metrics.text)
        return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes
