"""
A dialect: a protocol that clients speak, as data.

A dialect translates and no more: which paths are its own, how it writes failures, where its clients
put a token. Limits, tokens, fairness, the queue, cancelling, events, metrics and logs are the same
for all.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final

from fastapi import APIRouter
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.samples import NO_SAMPLES, Samples

_BEARER: Final = re.compile(r"bearer:?\s+(.+)", re.IGNORECASE)
_BASIC: Final = re.compile(r"basic\s+(\S+)", re.IGNORECASE)


def bearer_token(headers: Headers) -> str:
    """Return the token in `Authorization: Bearer`; empty where there is none."""
    found = _BEARER.fullmatch(headers.get("authorization", "").strip())
    return found[1].strip() if found else ""


def password_or_bearer(headers: Headers) -> str:
    """Return the password of Basic authentication, else its user, else the bearer token."""
    found = _BASIC.fullmatch(headers.get("authorization", "").strip())
    if found is None:
        return bearer_token(headers)
    try:
        user, _, password = base64.b64decode(found[1], validate=True).decode().partition(":")
    except ValueError:
        return ""
    return password or user


def plain_failure(error: HttpError) -> Response:
    """Return a failure in our own form, which clients of the Hugging Face API show as well."""
    return JSONResponse(error.to_json(), error.status, error.headers)


@dataclass(frozen=True)
class Dialect:
    """One protocol."""

    name: str
    """What settings and metrics call it."""
    title: str
    routers: Sequence[APIRouter]
    """Its routes; what the OpenAPI document says of it stands in them."""
    paths: tuple[str, ...]
    """Where it is spoken: whole paths, and what paths begin with, ending in a slash."""
    show_failure: Callable[[HttpError], Response] = plain_failure
    token_of: Callable[[Headers], str] = bearer_token
    """Returns the token that a request carries; empty where it carries none."""
    running: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
    """What lasts as long as the server runs."""
    sockets: tuple[str, ...] = ()
    """Paths at which WebSockets are opened."""
    open_paths: tuple[str, ...] = ()
    """What paths begin with that need no token: their addresses are secrets themselves."""
    samples: Samples = NO_SAMPLES
    """How a client is pointed at it."""
    schemas: Mapping[str, JsonObject] = field(default_factory=dict)
    """What its routes refer to in the OpenAPI document."""


class Dialects:
    """
    The dialects that a server speaks.

    Args:
        dialects: Those there are.
        rest: What holds for paths of none of them.
    """

    def __init__(self, dialects: Sequence[Dialect], rest: Dialect) -> None:
        self.all = tuple(dialects)
        self.sockets = frozenset(path for one in dialects for path in one.sockets)
        """Paths at which WebSockets are opened."""
        self._rest = rest
        self._whole = {
            path: one for one in dialects for path in one.paths if not path.endswith("/")
        }
        prefixes = [(path, one) for one in dialects for path in one.paths if path.endswith("/")]
        self._prefixes = sorted(prefixes, key=lambda entry: -len(entry[0]))

    def of(self, path: str) -> Dialect:
        """Return the dialect that a path belongs to: by the whole path, else the longest prefix."""
        found = self._whole.get(path)
        if found is not None:
            return found
        return next((one for prefix, one in self._prefixes if path.startswith(prefix)), self._rest)
