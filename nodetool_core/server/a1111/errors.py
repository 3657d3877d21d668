"""
Failures as clients of the web UI read them.

An object with `error`, `detail`, `body` and `errors`; for fields that do not fit, `detail` is a
list as FastAPI makes it.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import JSONResponse, Response

from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.http.http_errors import HttpError

_AUTHENTICATE: Final = "WWW-Authenticate"
_BASIC: Final = 'Basic realm="nodetool", charset="UTF-8"'
_HOW: Final = "Give any user name, and the token as the password."


def error_object(error: HttpError) -> JsonObject:
    """Return the body of a failure."""
    text = "\n".join(str(problem) for problem in error.problems)
    if error.status == 401:
        text = f"{error.problems[0].message} {_HOW}"
    detail: Json = text
    if error.status == 422:
        detail = [
            {
                "loc": ["body", *problem.where.split(".")] if problem.where else ["body"],
                "msg": str(problem),
                "type": problem.code,
            }
            for problem in error.problems
        ]
    return {"error": error.problems[0].code, "detail": detail, "body": "", "errors": text}


def show_failure(error: HttpError) -> Response:
    """Return a failure as this dialect shows it."""
    headers = dict(error.headers)
    if _AUTHENTICATE in headers:
        headers[_AUTHENTICATE] = _BASIC
    return JSONResponse(error_object(error), error.status, headers)
