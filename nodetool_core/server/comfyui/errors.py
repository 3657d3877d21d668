"""Failures as ComfyUI's clients read them: an object `error`, and `node_errors` by node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import JSONResponse, Response

from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import HttpError

STATUSES: Final = {415: 400, 422: 400}
"""Statuses that their clients don't know, and what is answered in their place."""

NodeErrors = dict[str, JsonObject]
"""What is wrong, by the id of a node."""


class PromptRefused(Exception):
    """A graph that is not run."""

    def __init__(self, error: JsonObject, node_errors: Mapping[str, JsonObject]) -> None:
        super().__init__(str(error["message"]))
        self.error = error
        self.node_errors = dict(node_errors)

    def response(self) -> Response:
        """Return the answer."""
        return JSONResponse({"error": self.error, "node_errors": self.node_errors}, 400)


def error_object(
    kind: str, message: str, details: str = "", extra: JsonObject | None = None
) -> JsonObject:
    """Return what is wrong with a graph, a node, or an input."""
    return {"type": kind, "message": message, "details": details, "extra_info": extra or {}}


def show_failure(error: HttpError) -> Response:
    """Return a failure as this dialect shows it."""
    first, *more = error.problems
    text = f"{first.where}: {first.message}" if first.where else first.message
    details = [first.hint, *(str(problem) for problem in more)]
    found = error_object(first.code, text, "\n".join(line for line in details if line))
    body: JsonObject = {"error": found, "node_errors": {}}
    return JSONResponse(body, STATUSES.get(error.status, error.status), error.headers)
