"""
What a request is answered with when it fails.

Every failure of the server is an `HttpError`: a status, the problems, and headers. Its JSON form is
an object with the string `error`, which is what clients of the Hugging Face API show; the Qolaba
dialect puts the same into its own envelope.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from nodetool_core.engine.result import RunError
from nodetool_core.errors import ImageError, NodetoolError, Problem
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.logs import request_id

_log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 2
"""What `Retry-After` says where nothing better is known."""

_FAULT: Final = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt|Warning|Iteration)\b")
"""How the message begins that the engine makes of an exception that is no NodetoolError."""

_INSIDE: Final = frozenset({"database_failed", "storage_failed", "disk_full", "unwritable_file"})
"""Problems that name addresses and folders of ours."""

_STATUS: Final = {
    "image_too_large": 413,
    "model_offline": 503,
    "hub_unavailable": 503,
    "out_of_memory": 503,
    "unknown_workflow": 404,
    "unknown_job": 404,
    "unknown_file": 404,
    "queue_full": 429,
    "client_queue_full": 429,
    "idempotency_conflict": 409,
    "not_ended": 409,
    "damaged_file": 503,
    "disk_full": 503,
    "unwritable_file": 503,
    "storage_failed": 503,
    "storage_full": 507,
    "too_many_names": 507,
    "database_failed": 503,
}
"""The status of problems whose kind of error does not decide it."""


class HttpError(NodetoolError):
    """A failure with the status it is answered with."""

    def __init__(
        self,
        status: int,
        problems: Problem | Sequence[Problem],
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Json] | None = None,
    ) -> None:
        super().__init__(
            [
                _encodable(problem)
                for problem in ([problems] if isinstance(problems, Problem) else problems)
            ]
        )
        self.status = status
        self.headers = dict(headers or {})
        self.more = dict(more or {})
        """Further members of the JSON answer, such as `estimated_time`."""

    def to_json(self) -> JsonObject:
        """Return the body of the answer."""
        return (
            {"error": "\n".join(str(problem) for problem in self.problems)}
            | self.more
            | problems_json(self.problems)
        )


def _encodable(problem: Problem) -> Problem:
    """
    Return the problem in characters that an answer can carry.

    JSON may bring halves of some, and places may be named by them.
    """
    kept = {
        name: text.encode("utf-8", "replace").decode() for name, text in problem.to_json().items()
    }
    return (
        problem
        if kept == problem.to_json()
        else Problem(kept["code"], kept["where"], kept["message"], kept["hint"], problem.level)
    )


def problems_json(problems: Sequence[Problem]) -> JsonObject:
    return {
        "problems": [
            {"code": p.code, "where": p.where, "message": p.message, "hint": p.hint}
            for p in problems
        ]
    }


def public(problem: Problem) -> Problem:
    """
    Return a problem as clients may see it.

    What a node's fault, or a database, says of our insides stays in the log, and a client has
    neither our command line nor Python.
    """
    if problem.code in _INSIDE:
        message = "The server can't reach what it needs now."
        return replace(
            problem, where="", message=message, hint="Ask again later, or see the server's log."
        )
    if problem.code == "node_failed" and _FAULT.match(problem.message):
        return replace(problem, message="failed on this request.", hint="See the server's log.")
    if problem.code == "missing_input":
        return replace(problem, hint="Give it in `inputs`.")
    return problem


def busy(
    message: str,
    hint: str = "Ask again later.",
    *,
    code: str = "queue_full",
    seconds: int = RETRY_SECONDS,
) -> HttpError:
    """Too much is asked at once: 429 with `Retry-After`."""
    return HttpError(429, Problem(code, "", message, hint), headers={"Retry-After": str(seconds)})


def wrong(status: int, code: str, where: str, message: str, hint: str = "") -> HttpError:
    """Return a failure that is the client's to mend."""
    return HttpError(status, Problem(code, where, message, hint))


def as_http(error: BaseException) -> HttpError:
    """
    Return the answer to a failure of the library.

    413 for what is too large, 400 for an image that is none, 422 for values that do not fit and
    models that can't be used, 503 for what this machine can't do now, 500 for a fault of ours, of
    which only the kind is shown.
    """
    if isinstance(error, HttpError):
        return error
    if isinstance(error, NodetoolError) and any(
        problem.code in _INSIDE for problem in error.problems
    ):
        _log.warning("A request could not be answered: %s", error)
    if isinstance(error, RunError):
        return _of_run(error)
    if isinstance(error, NodetoolError):
        status = _status(error, error.problem)
        return HttpError(
            status, [public(problem) for problem in error.problems], headers=_headers(status)
        )
    return HttpError(
        500,
        Problem("internal_error", "", "The server failed on this request.", _where_it_is_logged()),
    )


def _of_run(error: RunError) -> HttpError:
    faults = [
        failure
        for failure in error.failures
        if failure.exception is not None and not isinstance(failure.exception, NodetoolError)
    ]
    if not error.failures or faults:
        node = faults[0].node_id if faults else "?"
        return HttpError(
            500,
            Problem(
                "node_failed", f"node {node!r}", "failed on this request.", _where_it_is_logged()
            ),
        )
    status = max(_status(error, failure.problem) for failure in error.failures)
    return HttpError(
        status, [public(problem) for problem in error.problems], headers=_headers(status)
    )


def _where_it_is_logged() -> str:
    return f"See the server's log under the request id {request_id.get()}."


def _status(error: NodetoolError, problem: Problem) -> int:
    if problem.code in _STATUS:
        return _STATUS[problem.code]
    if isinstance(error, ImageError):
        return 400
    return 422


def _headers(status: int) -> dict[str, str]:
    return {"Retry-After": str(RETRY_SECONDS)} if status in (429, 503, 507) else {}
