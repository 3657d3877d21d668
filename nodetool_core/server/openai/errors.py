"""Failures as OpenAI's clients read them: an object `error` with message, type, param and code."""

from __future__ import annotations

from typing import Final

from starlette.responses import JSONResponse, Response

from nodetool_core.errors import Problem
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.openai.body import ImagesBody

CODES: Final = {
    "unauthorized": "invalid_api_key",
    "unknown_workflow": "model_not_found",
    "rate_limited": "rate_limit_exceeded",
    "queue_full": "rate_limit_exceeded",
    "client_queue_full": "rate_limit_exceeded",
    "body_too_large": "request_too_large",
    "database_failed": "service_unavailable",
    "storage_failed": "service_unavailable",
    "disk_full": "service_unavailable",
}
"""Their codes for our problems; the others keep their own."""

STATUSES: Final = {415: 400, 422: 400}
"""Statuses that their clients don't know, and what is answered in their place."""

TYPES: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
"""Their types by status; else it is the request's fault below 500, and the server's from there."""

_FIELDS: Final = ImagesBody.model_fields.keys() | {"image", "mask"}


def error_object(error: HttpError) -> JsonObject:
    """Return the object `error` for a failure."""
    first = error.problems[0]
    own = "invalid_request_error" if error.status < 500 else "server_error"
    return {
        "message": "\n".join(str(problem) for problem in error.problems),
        "type": TYPES.get(error.status, own),
        "param": _param(first),
        "code": CODES.get(first.code, first.code),
    }


def show_failure(error: HttpError) -> Response:
    """Return a failure as this dialect shows it."""
    status = STATUSES.get(error.status, error.status)
    return JSONResponse({"error": error_object(error)}, status, error.headers)


def _param(problem: Problem) -> str | None:
    name = problem.where.partition("[")[0].partition(".")[0]
    return "model" if problem.code == "unknown_workflow" else name if name in _FIELDS else None
