"""
Fetching a picture that a client names by URL, without being led astray.

A name is looked up once, every address it has is checked, and the connection goes to a checked address: what the name means a
moment later does not matter. The check sits where connections are made, so that it holds for every redirect as well. Only
public addresses pass, and hosts that the operator allows by name.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpcore2

from nodetool_core.assets.addresses import is_public
from nodetool_core.errors import Problem
from nodetool_core.server.failures import HttpError

MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PORTS: Final = {"http": 80, "https": 443}


class Fetcher:
    """
    Fetches what is behind a URL. Safe to use from many threads.

    Args:
        allowed: `host` or `host:port` of hosts that may have any address.
        max_bytes: More than this is not read.
        seconds: How long all of it may take, redirects included.
    """

    def __init__(self, allowed: Iterable[str] = (), *, max_bytes: int, seconds: float) -> None:
        self._allowed = frozenset(name.lower() for name in allowed)
        self._max_bytes = max_bytes
        self._seconds = seconds

    def get(self, url: str) -> bytes:
        """The bytes behind an `http:` or `https:` URL. Raises HttpError: 422 for an address that is not allowed, 400 for the rest."""
        until = time.monotonic() + self._seconds
        for _ in range(MAX_REDIRECTS + 1):
            found = self._get_once(url, until)
            if isinstance(found, bytes):
                return found
            url = urljoin(url, found)
        raise _refused(url, f"redirects more than {MAX_REDIRECTS} times.", "Give the address of the picture itself.")

    def _get_once(self, url: str, until: float) -> bytes | str:
        """The content, or where it leads."""
        host, port = _checked_target(url)
        is_allowed = bool({host, f"{host}:{port}"} & self._allowed)
        backend = _CheckedBackend(is_allowed, url)
        left = max(0.1, until - time.monotonic())
        timeout = {"connect": left, "read": left, "write": left, "pool": left}
        headers: dict[bytes | str, bytes | str] = {"Accept": "image/*", "User-Agent": "nodetool", "Accept-Encoding": "identity"}
        try:
            with (
                httpcore2.ConnectionPool(network_backend=backend, ssl_context=ssl.create_default_context()) as pool,
                pool.stream("GET", url, headers=headers, extensions={"timeout": timeout}) as response,
            ):
                if response.status in _REDIRECTS:
                    return _header(response, b"location") or _fail(url, "redirects to nowhere.")
                if response.status != 200:
                    _fail(url, f"answers {response.status}.")
                return self._read(response, url, until)
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError) as error:
            raise _refused(url, f"can't be fetched: {str(error) or type(error).__name__}.") from error

    def _read(self, response: Any, url: str, until: float) -> bytes:
        content = bytearray()
        for chunk in response.iter_stream():
            content += chunk
            if len(content) > self._max_bytes:
                message = f"is larger than {self._max_bytes} bytes."
                raise HttpError(413, Problem("image_too_large", shown(url), message, "Give a smaller picture."))
            if time.monotonic() > until:
                raise _refused(
                    url, f"takes longer than {self._seconds:g} s.", "Give an address that answers faster, or upload the picture."
                )
        return bytes(content)


class _CheckedBackend(httpcore2.NetworkBackend):
    """Connects to addresses that were checked, and to no other."""

    def __init__(self, is_allowed: bool, url: str) -> None:
        self._is_allowed = is_allowed
        self._url = url
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None, socket_options: Any = None
    ) -> httpcore2.NetworkStream:
        addresses = addresses_of(host, port, self._url)
        if not self._is_allowed and not all(is_public(address) for address in addresses):
            message = f"leads to {host}, which is no public address."
            hint = "Upload the picture instead; the operator can allow a host with `image_hosts`."
            raise HttpError(422, Problem("forbidden_address", shown(self._url), message, hint))
        return self._backend.connect_tcp(addresses[0], port, timeout, local_address, socket_options)


def addresses_of(host: str, port: int, url: str = "") -> list[str]:
    """Every address of a name, in the system's order. Raises HttpError where there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _refused(url or host, "has a host that can't be found.", "Check the address.") from error
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def _checked_target(url: str) -> tuple[str, int]:
    """Host and port of a URL that may be asked for at all. Raises HttpError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise _refused(url, f"is no address: {error}.") from error
    if parts.scheme not in _PORTS:
        hint = "Give an http: or https: address, or upload the picture."
        raise HttpError(422, Problem("forbidden_scheme", shown(url), f"has the scheme {parts.scheme[:20]!r}, which is not fetched.", hint))
    if not host or parts.username is not None or parts.password is not None:
        raise _refused(url, "has no host." if not host else "holds a user name, which is not sent.", "Give a plain address.")
    return host.lower(), port


def shown(url: str) -> str:
    """A URL as messages show it: without what may be secret in it (user, query), and not endlessly long."""
    head = url.partition("?")[0]
    scheme, separator, rest = head.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"[:200]


def _header(response: Any, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), None)


def _fail(url: str, message: str) -> Any:
    raise _refused(url, message)


def _refused(url: str, message: str, hint: str = "Check the address, or upload the picture.") -> HttpError:
    return HttpError(400, Problem("image_not_fetched", shown(url), message, hint))
