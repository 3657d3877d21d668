"""
`POST /mcp`: the Model Context Protocol over streamable HTTP, in both of its eras.

Who asks with a version from 2026-07-28 on has no session; a request is whole by itself, and is
cancelled by closing its answer. Who shakes hands has a session, by which a later message cancels.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.dialect import Dialect
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.openapi import failures
from nodetool_core.server.http.requests import client_of
from nodetool_core.server.http.samples import Samples
from nodetool_core.server.mcp.sessions import (
    IDLE_SECONDS,
    MOST_OF_A_CLIENT,
    MOST_SESSIONS,
    ClientSessions,
)

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from nodetool_core.server.runtime.app_state import AppState

PATH: Final = "/mcp"
_SESSION: Final = "mcp-session-id"
_INVALID_REQUEST: Final = -32600
_INTERNAL_ERROR: Final = -32603
"""Codes of JSON-RPC. The SDK has them as well; it is an extra."""

_CONFIGURATION: Final = """\
{"mcpServers": {"nodetool": {"type": "http", "url": "{url}/mcp",
  "headers": {"Authorization": "Bearer the token"}}}}

The tool is {name}.
"""

_MESSAGE: Final[JsonObject] = {
    "type": "object",
    "properties": {"jsonrpc": {"const": "2.0"}, "method": {"type": "string"}, "id": {}},
    "required": ["jsonrpc"],
}


_FAILURE: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "jsonrpc": {"const": "2.0"},
        "id": {},
        "error": {
            "type": "object",
            "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
            "required": ["code", "message"],
        },
    },
    "required": ["jsonrpc", "error"],
}


def dialect(state: AppState) -> Dialect:
    """Return this dialect of a server. Needs the extra `mcp`."""
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from nodetool_core.server.mcp.calls import over_http, server_of
    from nodetool_core.server.mcp.tools import tools_of

    def tool_of(served: str) -> str | None:
        tools = tools_of(state.catalog)
        return next((name for name, one in tools.items() if one.name == served), None)

    manager = StreamableHTTPSessionManager(
        server_of(state, over_http(state)),
        max_request_body_size=state.settings.max_body_bytes,
        max_sessions=MOST_SESSIONS,
        session_idle_timeout=IDLE_SECONDS,
    )
    return Dialect(
        "mcp",
        "Model Context Protocol",
        [router(manager)],
        (PATH,),
        show_failure,
        running=manager.run,
        samples=Samples(_CONFIGURATION, name_of=tool_of, needs_task=False),
    )


def show_failure(error: HttpError) -> Response:
    """Return a failure as this dialect shows it: an error of JSON-RPC, of no request by its id."""
    shown = error.to_json()
    code = _INTERNAL_ERROR if error.status >= 500 else _INVALID_REQUEST
    answer = {"code": code, "message": shown.pop("error"), "data": shown}
    body = {"jsonrpc": "2.0", "id": None, "error": answer}
    return JSONResponse(body, error.status, error.headers)


class McpAnswer(Response):
    """An answer that the SDK writes."""

    def __init__(self, manager: StreamableHTTPSessionManager, sessions: ClientSessions) -> None:
        super().__init__()
        self._manager = manager
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the SDK read the request and send the answer."""
        named = Headers(scope=scope).get(_SESSION)
        client, opened = client_of(HTTPConnection(scope)), list[str]()

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                given, status = Headers(raw=message["headers"]).get(_SESSION), message["status"]
                if named is None and given is not None and status == 200:
                    opened.append(given)
                    self._sessions.note(given, client)
                elif named is not None and (scope["method"] == "DELETE" or status == 404):
                    self._sessions.forget(named)
            await send(message)

        with self._sessions.in_use(named) if named else nullcontext():
            await self._manager.handle_request(scope, receive, watch)
        if opened and (surplus := self._sessions.to_end(client)) is not None:
            await self._end(surplus, scope)

    async def _end(self, session: str, scope: Scope) -> None:
        """End a session, as its client would."""

        async def nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def unheard(message: Message) -> None:
            return None

        self._sessions.forget(session)
        headers = [(_SESSION.encode(), session.encode())]
        ending = {**scope, "method": "DELETE", "headers": headers}
        await self._manager.handle_request(ending, nothing, unheard)


def router(manager: StreamableHTTPSessionManager) -> APIRouter:
    """Return the routes of this dialect."""
    sessions = ClientSessions(MOST_OF_A_CLIENT)
    routes = APIRouter(tags=["Model Context Protocol"])
    content: JsonObject = {"application/json": {"schema": _MESSAGE}}
    streamed: JsonObject = content | {"text/event-stream": {}}
    answers: dict[int | str, JsonObject] = {
        200: {"description": "The answer, or a stream that ends with it.", "content": streamed},
        202: {"description": "A notification was taken."},
        406: {
            "description": "`Accept` names neither JSON nor events.",
            "content": {"application/json": {"schema": _FAILURE}},
        },
    }

    async def message() -> Response:
        """Take a message of the Model Context Protocol."""
        return McpAnswer(manager, sessions)

    # No GET: nothing is sent but answers. A stream that waits for nothing would only hold up the
    # end of the server.
    routes.add_api_route(
        PATH,
        message,
        methods=["POST"],
        operation_id="mcp",
        response_class=Response,
        responses=answers | _failures(400, 401, 404, 413, 415, 421, 429, 503),
        openapi_extra={"requestBody": {"required": True, "content": content}},
    )
    routes.add_api_route(PATH, message, methods=["DELETE"], include_in_schema=False)
    return routes


def _failures(*statuses: int) -> dict[int | str, JsonObject]:
    """Return the `responses` for failures; the SDK shows some of them as texts."""
    either: JsonObject = {
        "application/json": {"schema": _FAILURE},
        "text/plain": {"schema": {"type": "string"}},
    }
    return {
        status: {"description": found["description"], "content": either}
        for status, found in failures(*statuses).items()
    }
