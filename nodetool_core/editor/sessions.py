"""
Sessions of the page: of the owner, and of clients who have a token.

`nodetool edit` makes a key of 32 random bytes and opens the page with it in the fragment of the
address, which no log and no `Referer` shows. The page trades the key, once, for a cookie that
scripts can't read and other sites' pages can't send; a token is traded in the same way. Only
digests are kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from nodetool_core.server.security.middleware import OWNER, client_of_token

COOKIE: Final = "nodetool_session"
_BYTES: Final = 32
_MOST: Final = 1000
"""Sessions that are known; the one that was opened first goes."""

_KEPT: Final = 20
"""Sessions that outlive the server."""

_log = logging.getLogger(__name__)

_OPEN: Final = ("/editor/", "/v1/session")
"""The page itself, which holds nothing of this server, and what opens a session."""


class Sessions:
    """Sessions of one server. Safe to use from many threads."""

    def __init__(
        self,
        tokens: Sequence[str] = (),
        owner_tokens: Sequence[str] = (),
        *,
        is_required: bool = False,
        kept: Path | None = None,
    ) -> None:
        """
        Begin without a session.

        Args:
            tokens: Those of clients, which may be traded for a session of that client.
            owner_tokens: Those that may be traded for a session of the owner.
            is_required: Whether nobody but the owner is answered.
            kept: File in which sessions outlive the server, so that a page that was open goes on.
        """
        self.is_required = is_required
        self._keys: set[bytes] = set()
        self._tokens = [(_digest(token), client_of_token(token)) for token in tokens]
        self._tokens += [(_digest(token), OWNER) for token in owner_tokens]
        self._sessions: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()
        self._kept = kept
        if kept is not None:
            self._sessions.update(_read(kept))

    def new_key(self) -> str:
        """Return a key that opens one session of the owner."""
        key = secrets.token_urlsafe(_BYTES)
        self._keys.add(_digest(key))
        return key

    def open(self, *, key: str | None = None, token: str | None = None) -> str | None:
        """Return the cookie of a new session; None where neither key nor token is right."""
        client = self._client_of(key, token)
        if client is None:
            return None
        cookie = secrets.token_urlsafe(_BYTES)
        with self._lock:
            self._sessions[_digest(cookie)] = client
            if len(self._sessions) > _MOST:
                self._sessions.popitem(last=False)
            self._keep()
        return cookie

    def close(self, headers: Headers) -> None:
        """End the session of a request, if it has one."""
        with self._lock:
            self._sessions.pop(_digest(_cookie(headers)), None)
            self._keep()

    def _keep(self) -> None:
        """Write the digests of the newest sessions, for nobody but the owner of the file."""
        if self._kept is None:
            return
        newest = {digest.hex(): client for digest, client in [*self._sessions.items()][-_KEPT:]}
        try:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            self._kept.touch(mode=0o600)
            self._kept.write_text(json.dumps(newest), "utf-8")
        except OSError as error:  # The session holds as long as the server does.
            _log.warning("%s can't be written: %s", self._kept, error)

    def client(self, headers: Headers) -> str | None:
        """Return whose session a request has the cookie of; None without one."""
        cookie = _cookie(headers)
        return self._sessions.get(_digest(cookie)) if cookie else None

    def is_open(self, path: str, headers: Headers) -> bool:
        """Return whether a path is answered without a session and without a token."""
        if path == "/":
            return "text/html" in headers.get("accept", "")
        return path == "/editor" or path.startswith(_OPEN)

    def _client_of(self, key: str | None, token: str | None) -> str | None:
        if key is not None:
            digest = _digest(key)
            with self._lock:
                if digest in self._keys:
                    self._keys.discard(digest)
                    return OWNER
        if token is None:
            return None
        given = _digest(token)
        matches = [client for known, client in self._tokens if hmac.compare_digest(given, known)]
        return OWNER if OWNER in matches else next(iter(matches), None)


def _read(kept: Path) -> dict[bytes, str]:
    try:
        found = json.loads(kept.read_text("utf-8"))
        return {bytes.fromhex(digest): str(client) for digest, client in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        _log.warning("%s can't be read, and sessions begin anew: %s", kept, error)
        return {}


def _cookie(headers: Headers) -> str:
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
