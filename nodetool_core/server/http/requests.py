"""
What every dialect asks of a request.

Its body, its client, whether that one is still there, where links should lead.
"""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect, HTTPConnection


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


async def read_body_of(request: Request) -> bytes:
    """Return the whole body. Raises ClientGone; the limit is the request guard's."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise ClientGone from None


async def until_gone(request: Request) -> None:
    """
    Wait until the client has gone away.

    Only after the body was read: what comes then is the end of the connection.
    """
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            return
        await asyncio.sleep(0)


def client_of(request: HTTPConnection) -> str:
    """Return who asks, as the request guard found out: by token, else by address."""
    return str(request.scope.get("state", {}).get("client", "unknown"))


def base_url(request: Request, public_url: str) -> str:
    """
    Return what links in answers begin with: as the operator says, else as the client wrote it.
    """
    return public_url.rstrip("/") or str(request.base_url).rstrip("/")
