"""
What every request passes first and last, whichever dialect it speaks.

An id, for which host and from which page it comes, who asks, how often, how large the body is, and
on the way out the headers for safety, the log line and the metrics.

Written against ASGI directly: it costs microseconds, and sees bodies as they arrive.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, Protocol

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nodetool_core.errors import Problem
from nodetool_core.server.http.dialect import Dialects
from nodetool_core.server.http.http_errors import HttpError, as_http, busy, wrong
from nodetool_core.server.logs import current_client, request_id
from nodetool_core.server.metrics import Metrics
from nodetool_core.server.security.access import Access

_log = logging.getLogger(__name__)

OWNER: Final = "owner"
"""What jobs and logs call the owner of a server."""

OPEN_PATHS: Final = ("/livez", "/readyz")
"""Asked by what watches over the process, which has no token."""

GONE: Final = 499
"""What is logged where the client went away before its answer."""

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_LENGTH: Final = re.compile(r"[0-9]{1,20}")
_CLIENTS: Final = 10_000
_HTTP: Final = {"ws": "http", "wss": "https"}
_OPENED: Final = {
    "websocket.accept": 101,
    "websocket.close": 403,
    "websocket.http.response.start": 500,
}
"""What says how a socket was answered, and the status where that does not say one."""
_SAFETY: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class SessionCheck(Protocol):
    """Knows who asks by a session, and which paths open one."""

    is_required: bool
    """Whether nobody but the owner is answered."""

    def client(self, headers: Headers) -> str | None:
        """Return whose session a request has: `OWNER`, or a client of a token; None for none."""
        ...

    def is_open(self, path: str, headers: Headers) -> bool:
        """Return whether a path needs no session and no token."""
        ...


class BodyTooLarge(HTTPException):
    """More was sent than is taken; raised where the body is read."""

    def __init__(self, limit: int) -> None:
        super().__init__(413)
        self.limit = limit


def body_too_large(limit: int) -> HttpError:
    message = f"The body is larger than {limit / 1024 / 1024:g} MiB."
    return wrong(413, "body_too_large", "body", message, "Send a smaller image.")


class RequestGuard:
    """
    Refuses requests, or lets them through to the application.

    Args:
        access: Knows the server's names; holds for every path, with or without a token.
        tokens: One of them must be sent; where there are none, none is needed.
        rate: Requests per second and client; 0 for no limit.
        dialects: Say where a request has its token, and how its failures are written.
        open_prefixes: Paths below these need no token: their addresses are secrets themselves.
        sessions: Decides whose request has a session, and needs no token.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        access: Access,
        tokens: Sequence[str],
        max_body_bytes: int,
        rate: float,
        burst: int,
        metrics: Metrics,
        dialects: Dialects,
        open_prefixes: tuple[str, ...] = (),
        sessions: SessionCheck | None = None,
    ) -> None:
        self.app = app
        self._access = access
        self._digests = [hashlib.sha256(token.encode()).digest() for token in tokens]
        self._max_body_bytes = max_body_bytes
        self._metrics = metrics
        self._dialects = dialects
        self.sockets = dialects.sockets
        """Paths at which WebSockets are opened."""
        self._rate_limiter = RateLimiter(rate, burst)
        self._open_prefixes = open_prefixes
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if scope["path"] in self.sockets:
                await self._socket(scope, receive, send)
            else:
                reason = "There are no WebSockets here."
                await send({"type": "websocket.close", "code": 1008, "reason": reason})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        found = _REQUEST_ID.fullmatch(headers.get("x-request-id", ""))
        name = found[0] if found else secrets.token_hex(8)
        mark = request_id.set(name)
        started, status = time.perf_counter(), GONE

        async def send_safely(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = message.get("headers", ())
                names = {header for header, _ in own}
                message["headers"] = [
                    *own,
                    *(header for header in _SAFETY if header[0] not in names),
                    (b"x-request-id", name.encode()),
                ]
            await send(message)

        try:
            refusal = self._refusal(scope, headers)
            if refusal is not None:
                await self._show(scope, refusal)(scope, receive, send_safely)
            else:
                await self.app(scope, self._limited(receive), send_safely)
        except asyncio.CancelledError:
            # The server ends, and has waited long enough.
            if status != GONE:
                raise
            problem = Problem(
                "shutting_down", "", "The server is ending.", "Ask again in a moment."
            )
            await self._show(scope, HttpError(503, problem, headers={"Retry-After": "5"}))(
                scope, receive, send_safely
            )
        except Exception as error:  # noqa: BLE001 - whatever fails, the client gets an answer and the log the traceback
            # The application has answered already, as a rule, and lets the exception go on.
            _log.exception("A request failed.")
            if status == GONE:
                await self._show(scope, as_http(error))(scope, receive, send_safely)
        finally:
            self._note(scope, status, time.perf_counter() - started)
            request_id.reset(mark)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a socket like any request, or let it through; it counts as it is opened."""
        name, started = secrets.token_hex(8), time.perf_counter()
        mark, is_noted = request_id.set(name), False

        async def send_noted(message: Message) -> None:
            nonlocal is_noted
            if not is_noted and message["type"] in _OPENED:
                is_noted = True
                status = message.get("status", _OPENED[message["type"]])
                self._note(scope, status, time.perf_counter() - started)
            await send(message)

        try:
            refusal = self._refusal(scope, Headers(scope=scope))
            if refusal is not None:
                await self._show(scope, refusal)(scope, receive, send_noted)
            else:
                await self.app(scope, receive, send_noted)
        except Exception:  # noqa: BLE001 - whatever fails, the log gets the traceback and the socket ends
            _log.exception("A socket failed.")
        finally:
            request_id.reset(mark)

    def _refusal(self, scope: Scope, headers: Headers) -> HttpError | None:
        scheme: str = scope["scheme"]
        if (refusal := self._access.refusal(_HTTP.get(scheme, scheme), headers)) is not None:
            return refusal
        path: str = scope["path"]
        if path in OPEN_PATHS:
            return None
        client = self._client(scope, headers)
        wait = self._rate_limiter.wait(client or _address(scope))
        if wait > 0:
            return busy(
                "That was too many requests.",
                "Ask less often.",
                code="rate_limited",
                seconds=int(wait) + 1,
            )
        if client is None and not self._is_open(path, headers):
            hint = "Send the header Authorization: Bearer <token>."
            return HttpError(
                401,
                Problem("unauthorized", "", "A valid token is needed.", hint),
                headers={"WWW-Authenticate": "Bearer"},
            )
        scope.setdefault("state", {})["client"] = client or _address(scope)
        current_client.set(client or _address(scope))
        length = headers.get("content-length") or "0"
        if not _LENGTH.fullmatch(length):
            return wrong(
                400, "invalid_value", "content-length", f"{length[:40]!a} is no number of bytes."
            )
        if int(length) > self._max_body_bytes:
            return body_too_large(self._max_body_bytes)
        coding = headers.get("content-encoding", "").strip().lower()
        if coding not in ("", "identity"):
            message = f"A body in {coding[:40]!r} is not taken."
            hint = "Send the body as it is, without a Content-Encoding."
            return HttpError(415, Problem("invalid_value", "content-encoding", message, hint))
        return None

    def _is_open(self, path: str, headers: Headers) -> bool:
        if path.startswith(self._open_prefixes or "\0"):
            return True
        return self._sessions is not None and self._sessions.is_open(path, headers)

    def _client(self, scope: Scope, headers: Headers) -> str | None:
        """
        Return who asks, by session, token or else by address.

        None where a token is needed and none fits. Compared in constant time.
        """
        if self._sessions is not None and (client := self._sessions.client(headers)) is not None:
            return client
        if not self._digests:
            is_closed = self._sessions is not None and self._sessions.is_required
            return None if is_closed else _address(scope)
        token = self._dialects.of(scope["path"]).token_of(headers)
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return _client_of_digest(digest) if any(matches) else None

    def _limited(self, receive: Receive) -> Receive:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > self._max_body_bytes:
                    raise BodyTooLarge(self._max_body_bytes)
            return message

        return counted

    def _show(self, scope: Scope, error: HttpError) -> Response:
        return self._dialects.of(scope["path"]).show_failure(error)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = str(getattr(scope.get("route"), "path", "unknown"))
        dialect = self._dialects.of(scope["path"]).name
        method = scope.get("method", "GET")
        self._metrics.observe(dialect, route, method, status, seconds)
        if route not in OPEN_PATHS:
            facts = {
                "dialect": dialect,
                "method": method,
                "path": scope["path"][:200],
                "status": status,
                "ms": round(seconds * 1000, 2),
            }
            _log.info("request", extra=facts)


class RateLimiter:
    """A bucket of tokens for each client: `burst` of them at once, and `rate` more a second."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """Take one; 0 where there was one, else the seconds until there is."""
        if not self._rate:
            return 0.0
        now = time.monotonic()
        left, before = self._buckets.get(client, (self._burst, now))
        left = min(self._burst, left + (now - before) * self._rate)
        self._buckets[client] = (left - 1 if left >= 1 else left, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self._rate


def client_of_token(token: str) -> str:
    """Return what logs and jobs call the client of a token."""
    return _client_of_digest(hashlib.sha256(token.encode("utf-8", "replace")).digest())


def _client_of_digest(digest: bytes) -> str:
    return f"token:{digest.hex()[:16]}"


def _address(scope: Scope) -> str:
    client: Any = scope.get("client")
    return f"address:{client[0]}" if client else "address:unknown"
