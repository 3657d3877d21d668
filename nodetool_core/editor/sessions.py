"""
The owner's session: the person at the machine, told apart from whoever else reaches the port.

`nodetool edit` makes a key of 32 random bytes and opens the page with it in the fragment of the
address, which no log and no `Referer` shows. The page trades the key, once, for a cookie that
scripts can't read and other sites' pages can't send. Only digests are kept.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

COOKIE: Final = "nodetool_session"
_BYTES: Final = 32


class Sessions:
    """Sessions of one server. Safe to use from many threads."""

    open_prefixes: tuple[str, ...] = ("/editor", "/v1/session")

    def __init__(self, owner_tokens: Sequence[str] = (), *, is_required: bool = False) -> None:
        """
        Begin without a session.

        Args:
            owner_tokens: Tokens that may be traded for a session, any number of times.
            is_required: Whether nobody but the owner is answered.
        """
        self.is_required = is_required
        self._keys: set[bytes] = set()
        self._tokens = [_digest(token) for token in owner_tokens]
        self._sessions: set[bytes] = set()

    def new_key(self) -> str:
        """Return a key that opens one session."""
        key = secrets.token_urlsafe(_BYTES)
        self._keys.add(_digest(key))
        return key

    def open(self, *, key: str | None = None, token: str | None = None) -> str | None:
        """Return the cookie of a new session; None where neither key nor token is right."""
        if not self._is_right(key, token):
            return None
        cookie = secrets.token_urlsafe(_BYTES)
        self._sessions.add(_digest(cookie))
        return cookie

    def is_owner(self, headers: Headers) -> bool:
        """Return whether a request has the cookie of a session."""
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return bool(cookie) and _digest(cookie) in self._sessions

    def _is_right(self, key: str | None, token: str | None) -> bool:
        if key is not None:
            digest = _digest(key)
            if digest in self._keys:
                self._keys.discard(digest)
                return True
        if token is None:
            return False
        given = _digest(token)
        matches = [hmac.compare_digest(given, known) for known in self._tokens]
        return any(matches)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
