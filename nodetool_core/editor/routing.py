"""Which of the editor's routes are there for whom."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from nodetool_core.errors import Problem
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.openapi import failures
from nodetool_core.server.http.requests import client_of
from nodetool_core.server.http.thumbnails import NOTHING
from nodetool_core.server.security.middleware import OWNER

Responses: TypeAlias = Mapping[int | str, dict[str, object]]
"""What a route may answer, by status, as FastAPI takes it for the OpenAPI document."""


class Row(NamedTuple):
    """A route."""

    method: str
    path: str
    work: Callable[..., object]
    """Its annotation says what it answers, where that is a class of `answers.py`."""
    status: int = 200
    """Where all is well."""
    answers: Responses = {}
    """What it answers where it makes the response itself, as OpenAPI has it."""


_FAILURES: Final = failures(400, 401, 404, 409, 412, 413, 422, 429, 503, 507)


def add_routes(routes: APIRouter, table: Sequence[Row]) -> None:
    """Add the routes of a table, with the failures that each may answer."""
    for row in table:
        routes.add_api_route(
            row.path,
            row.work,
            methods=[row.method],
            status_code=row.status,
            response_model_exclude_unset=True,
            responses={**_FAILURES, **row.answers},
        )


def json_of(model: type[BaseModel] | None = None, status: int = 200) -> Responses:
    """Return the `responses` of a route that writes JSON itself: of a class, or any object."""
    if model is None:
        content = {"application/json": {"schema": {"type": "object"}}}
        return {status: {"description": "The document.", "content": content}}
    return {status: {"description": inspect.getdoc(model) or "", "model": model}}


def bytes_of(content: JsonObject) -> Responses:
    """Return the `responses` of a route that answers an image of one of some media types."""
    return {200: {"description": "The content.", "content": content}, 204: {**NOTHING[204]}}


def require_owner(request: Request) -> None:
    """Raise HttpError 401 for everybody but the owner."""
    if client_of(request) != OWNER:
        raise not_owner("Only the owner of this server may do that.")


def not_owner(message: str) -> HttpError:
    """Return the refusal of who is not the owner."""
    hint = (
        "Open the address that `nodetool edit` or `nodetool serve --editor` prints, which holds a"
        " key for one session, or give a token."
    )
    return HttpError(401, Problem("unauthorized", "", message, hint))


class OwnerRoute(APIRoute):
    """A route for the owner alone: for others the server's own of the same address is there."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as any route does, where the owner asks."""
        if scope.get("state", {}).get("client") != OWNER:
            return Match.NONE, {}
        return super().matches(scope)


class BrowserRoute(APIRoute):
    """A route for browsers alone: for programs the server's own of the same address is there."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as any route does, where a page is wanted."""
        if "text/html" not in Headers(scope=scope).get("accept", ""):
            return Match.NONE, {}
        return super().matches(scope)
