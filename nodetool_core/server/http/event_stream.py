"""Server-sent events as an answer: failures before the first of them have a status of their own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from threading import Event
from typing import Final, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nodetool_core.json_types import Json

Item = TypeVar("Item")

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""What a stream says of itself, so that nobody on the way holds it up."""

STILL_HERE: Final = b": still here\n\n"
"""A comment, by which nobody on the way takes a quiet stream for dead."""

_HEARTBEAT_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 0.5
"""How often a stream looks whether the server is about to end."""


def sse(name: str, data: Mapping[str, Json]) -> bytes:
    """Return an event in the format of server-sent events; JSON holds no line breaks."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


async def kept_alive(items: AsyncIterator[Item], ending: Event) -> AsyncGenerator[Item | None]:
    """
    Yield items as they come, and None where none has come for a while.

    It ends with them, and once the server is about to end.
    """
    following = asyncio.ensure_future(anext(items, None))
    last = time.monotonic()
    try:
        while not ending.is_set():
            await asyncio.wait({following}, timeout=_LOOK_SECONDS)
            if following.done():
                item = following.result()
                if item is None:
                    return
                yield item
                last = time.monotonic()
                following = asyncio.ensure_future(anext(items, None))
            elif time.monotonic() - last > _HEARTBEAT_SECONDS:
                yield None
                last = time.monotonic()
    finally:
        following.cancel()


class EventStream(Response):
    """
    Sends pieces as they come.

    The status goes out with the first piece: what fails until then is answered like any other
    failure. The generator is closed at the end, whatever ends it.
    """

    def __init__(
        self, pieces: AsyncGenerator[bytes], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(
            media_type=MEDIA_TYPE,
            headers={**HEADERS, **(headers or {})},
        )
        del self.headers["content-length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        async with aclosing(self._pieces) as pieces:
            piece = await anext(pieces, b"")
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
