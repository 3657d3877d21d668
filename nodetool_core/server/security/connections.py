"""
Connections that hold nothing for long.

Uvicorn's HTTP, with bounds on what comes before and besides a request.

From its opening, or from the first byte of a further request, a connection has `head_seconds` until
the request's head is whole. Then its body has to come in at no less than `SLOWEST` bytes a second,
looked at every `body_seconds`; and so long an answer may wait for its reader to take any of it.
What was read of a request besides its body (lines, headers, sizes of chunks, trailers) is
`HEAD_BYTES` at most, and a share of the body. What still comes of a body once its request is
answered is discarded, up to `DISCARDED_BYTES`: a proxy that is cut off in the middle of a body
shows that, and not the answer. While a request waits for its answer no time runs: `run_seconds` is
for that.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import uvicorn
from starlette.responses import JSONResponse
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nodetool_core.errors import Problem
from nodetool_core.server.http.http_errors import HttpError

_log = logging.getLogger(__name__)

HEAD_BYTES: Final = 32 * 1024
"""Most bytes of a request's line and headers."""

SLOWEST: Final = 4 * 1024
"""Bytes a second of a body that is waited for."""

DISCARDED_BYTES: Final = 128 * 2**20
"""Most bytes of a body that come after the answer; then the connection ends."""

_CHUNK_SHARE: Final = 16
"""A body in chunks of one byte is sent with so many bytes for each, at most."""


@dataclass(frozen=True)
class Limits:
    """What all connections, and each of them, may take."""

    connections: int
    head_seconds: float
    body_seconds: float


class Config(uvicorn.Config):
    """uvicorn's configuration with limits of connections."""

    limits: Limits
    sockets: frozenset[str] = frozenset()
    """Paths at which WebSockets are opened; an upgrade is not heard of at any other."""


class Connection(HttpToolsProtocol):
    """One connection."""

    config: Config

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless there are too many connections."""
        super().connection_made(transport)
        self._limits = self.config.limits
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._read = self._body = self._body_before = self._unread = self._discarded = 0
        if len(self.connections) > self._limits.connections:
            message = f"{self._limits.connections} connections are open already."
            self._refuse(
                HttpError(
                    503, Problem("too_many_connections", "", message, "Ask again in a moment.")
                )
            )
        else:
            self._wait_for(self._limits.head_seconds, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._wait_for(0, None)
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, a slice at a time, so that a head is refused before all of it is kept."""
        if self._timer is None:
            self._wait_for(self._limits.head_seconds, self._head_is_late)
        view = memoryview(data)
        while view and not self.transport.is_closing():
            self._read += min(len(view), HEAD_BYTES)
            super().data_received(view[:HEAD_BYTES])  # type: ignore[arg-type]
            view = view[HEAD_BYTES:]
            if self._read - self._body > HEAD_BYTES + _CHUNK_SHARE * self._body:
                self._refuse_head()

    # Called by the parser

    def on_headers_complete(self) -> None:
        self._wait_for(self._limits.body_seconds, self._look_at_body)
        if (
            len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            > HEAD_BYTES
        ):
            self._refuse_head()
            raise ValueError("The parser reads no further.")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        if self.cycle is not None and self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > DISCARDED_BYTES:
                self._abort()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._wait_for(0, None)
        self._read = self._body = self._body_before = self._discarded = 0
        super().on_message_complete()

    def _should_upgrade(self) -> bool:
        path = self.url.partition(b"?")[0].decode("ascii", "replace")
        return path in self.config.sockets and super()._should_upgrade()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over; what a socket may take is bounded by its own means."""
        self._wait_for(0, None)
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().handle_websocket_upgrade()

    # Called by the transport

    def pause_writing(self) -> None:
        """
        More is to be written than the reader takes: look from time to time whether it takes any.
        """
        super().pause_writing()
        if self._write_timer is None:
            self._look_at_reader()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(
            HttpError(
                400,
                Problem(
                    "invalid_request",
                    "",
                    "The request is no HTTP that can be read.",
                    "Send HTTP/1.1.",
                ),
            )
        )

    def _wait_for(self, seconds: float, late: Callable[[], None] | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if late is None else self.loop.call_later(seconds, late)

    def _head_is_late(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            # A further request on a connection whose first one is being answered.
            self._wait_for(self._limits.head_seconds, self._head_is_late)
        elif self._read:
            self._refuse(_late("head", self._limits.head_seconds))
        else:
            self.transport.close()

    def _look_at_body(self) -> None:
        has_come = self._body - self._body_before >= SLOWEST * self._limits.body_seconds
        if has_come or self.flow.read_paused:
            self._body_before = self._body
            self._wait_for(self._limits.body_seconds, self._look_at_body)
        else:
            self._refuse(_late("body", self._limits.body_seconds))

    def _look_at_reader(self) -> None:
        unread, before = self.transport.get_write_buffer_size(), self._unread
        self._unread = unread
        if not unread:
            self._write_timer = None
        elif self._write_timer is not None and unread >= before:
            self._abort()
        else:
            self._write_timer = self.loop.call_later(
                self._limits.body_seconds, self._look_at_reader
            )

    def _refuse_head(self) -> None:
        message = f"The request's headers are larger than {HEAD_BYTES // 1024} KiB."
        self._refuse(
            HttpError(
                431, Problem("headers_too_large", "", message, "Send what is long in the body.")
            )
        )

    def _refuse(self, error: HttpError) -> None:
        """Answer before, or instead of, the application, and end the connection."""
        self._wait_for(0, None)
        if self.transport.is_closing():
            return
        name = secrets.token_hex(8)
        facts = {
            "request_id": name,
            "status": error.status,
            "reason": error.problem.code,
            "client": (self.client or ("",))[0],
        }
        _log.info("connection refused", extra=facts)
        if self.cycle is not None and self.cycle.response_started:
            self._abort()
            return
        answer = JSONResponse(error.to_json(), error.status, error.headers)
        headers = [*answer.raw_headers, (b"connection", b"close"), (b"x-request-id", name.encode())]
        line = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode()
        self.transport.write(
            b"\r\n".join(
                [line, *(name + b": " + value for name, value in headers), b"", bytes(answer.body)]
            )
        )
        self.transport.close()

    def _abort(self) -> None:
        """
        End the connection at once, what was not read yet dropped.

        The system would go on trying for minutes.
        """
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.transport.abort()


def _late(part: str, seconds: float) -> HttpError:
    message = f"The request's {part} did not come in time."
    hint = f"Send it at once; the operator sets `{part}_seconds`, {seconds:g} s here."
    return HttpError(408, Problem("request_too_slow", "", message, hint))
