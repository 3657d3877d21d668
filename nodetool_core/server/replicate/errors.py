"""Failures as Replicate's clients read them: problem details (RFC 9457), as JSON."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.responses import JSONResponse, Response

from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import HttpError

MEDIA_TYPE: Final = "application/problem+json"

_TITLES: Final = {401: "Unauthenticated", 422: "Input validation failed"}
"""What their API calls a failure, where that is not what HTTP calls it."""


def problem_object(error: HttpError) -> JsonObject:
    """Return the body of a failure; `code` and `invalid_fields` say what is wrong and where."""
    found: JsonObject = {
        "title": _TITLES.get(error.status) or HTTPStatus(error.status).phrase,
        "detail": "\n".join(str(problem) for problem in error.problems),
        "status": error.status,
        "code": error.problems[0].code,
    }
    if error.status == 422:
        found["invalid_fields"] = [
            {"type": problem.code, "field": problem.where, "description": problem.message}
            for problem in error.problems
        ]
    return found


def show_failure(error: HttpError) -> Response:
    """Return a failure as this dialect shows it."""
    return JSONResponse(problem_object(error), error.status, error.headers, MEDIA_TYPE)
