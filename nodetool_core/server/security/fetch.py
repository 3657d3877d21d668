"""
Asking an address that a client names, for an image or as a webhook, without being led astray.

An address in any script is first brought to the form in which it is requested; all that follows
looks at that form. A name is looked up once, every address it has is checked, and the connection
goes to a checked address: what the name means a moment later does not matter. The check sits where
connections are made, so that it holds for every redirect as well. Only public addresses pass, and
hosts that the operator allows by name.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, Final, NoReturn
from urllib.parse import urljoin

import httpcore2

from nodetool_core.assets.addresses import is_public
from nodetool_core.errors import Problem
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.security.urls import SchemeError, WebUrl, read_authority, read_url, shown

MAX_REDIRECTS: Final = 3
_AGENT: Final = {"User-Agent": "nodetool"}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Fetcher:
    """
    Fetches what is behind a URL, and sends to one. Safe to use from many threads.

    Args:
        allowed: `host` or `host:port` of hosts that may have any address.
        setting: Where the operator names them.
        max_bytes: More than this is not read.
        seconds: How long all of it may take, redirects included.
    """

    def __init__(
        self,
        allowed: Iterable[str] = (),
        *,
        setting: str = "image_hosts",
        max_bytes: int,
        seconds: float,
    ) -> None:
        self._setting = setting
        self._allowed = frozenset(read_authority(name) for name in allowed)
        self._max_bytes = max_bytes
        self._seconds = seconds

    def get(self, text: str) -> bytes:
        """
        Return the bytes behind an `http:` or `https:` URL in any script. Blocks.

        Raises HttpError: 422 for an address that is not allowed, 400 for the rest.
        """
        until = time.monotonic() + self._seconds
        url = _checked(text)
        for _ in range(MAX_REDIRECTS + 1):
            found = self._get_once(url, until)
            if isinstance(found, bytes):
                return found
            url = _checked(found, str(url))
        raise _refused(
            str(url),
            f"redirects more than {MAX_REDIRECTS} times.",
            "Give the address of the image itself.",
        )

    def post(self, text: str, content: bytes, headers: Mapping[str, str]) -> int:
        """
        Send a body to a URL and return the status of the answer. Blocks.

        The answer is not read, and leads nowhere. Raises HttpError as `get` does.
        """
        url = _checked(text)
        until = time.monotonic() + self._seconds
        with self._asking("POST", url, until, {**_AGENT, **headers}, content) as response:
            return response.status

    def check(self, text: str) -> None:
        """Raise HttpError for an address that would not be asked now. Blocks: it is looked up."""
        url = _checked(text)
        self._check_public(url, addresses_of(url.host, url.port, str(url)))

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """The authorities that are believed, read once: that takes longer than many a request."""
        return ssl.create_default_context()

    def _get_once(self, address: WebUrl, until: float) -> bytes | str:
        """Return the content, or where it leads."""
        url = str(address)
        headers = {"Accept": "image/*", "Accept-Encoding": "identity", **_AGENT}
        with self._asking("GET", address, until, headers) as response:
            if response.status in _REDIRECTS:
                return _header(response, b"location") or _fail(url, "redirects to nowhere.")
            if response.status != 200:
                _fail(url, f"answers {response.status}.")
            return self._read(response, url)

    @contextmanager
    def _asking(
        self,
        method: str,
        address: WebUrl,
        until: float,
        headers: Mapping[str, str],
        content: bytes | None = None,
    ) -> Iterator[httpcore2.Response]:
        """Yield the answer, of which only the head was read. Raises HttpError."""
        url = str(address)
        backend = _CheckedBackend(partial(self._check_public, address), url, until)
        sent: dict[bytes | str, bytes | str] = dict(headers.items())
        try:
            with (
                httpcore2.ConnectionPool(network_backend=backend, ssl_context=self._trust) as pool,
                pool.stream(method, url, headers=sent, content=content) as response,
            ):
                yield response
        except httpcore2.TimeoutException as error:
            message = f"takes longer than {self._seconds:g} s."
            raise _refused(
                url, message, "Give an address that answers faster, or upload the image."
            ) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            raise _refused(
                url, f"can't be fetched: {str(error) or type(error).__name__}."
            ) from error

    def _check_public(self, url: WebUrl, addresses: Sequence[str]) -> None:
        """Raise HttpError where a host that is not allowed has an address that is not public."""
        if {(url.host, None), (url.host, url.port)} & self._allowed:
            return
        if not all(is_public(address) for address in addresses):
            message = f"leads to {url.host}, which is no public address."
            hint = (
                f"Upload the image instead; the operator can allow a host with `{self._setting}`."
            )
            raise HttpError(422, Problem("forbidden_address", shown(str(url)), message, hint))

    def _read(self, response: httpcore2.Response, url: str) -> bytes:
        content = bytearray()
        for chunk in response.iter_stream():
            content += chunk
            if len(content) > self._max_bytes:
                message = f"is larger than {self._max_bytes} bytes."
                raise HttpError(
                    413, Problem("image_too_large", shown(url), message, "Give a smaller image.")
                )
        return bytes(content)


class _CheckedBackend(httpcore2.NetworkBackend):
    """
    Connects to addresses that were checked, and to no other, until a time.
    """

    def __init__(self, check: Callable[[Sequence[str]], None], url: str, until: float) -> None:
        self._check = check
        self._url = url
        self._until = until
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.NetworkStream:
        addresses = addresses_of(host, port, self._url)
        self._check(addresses)
        stream = self._backend.connect_tcp(
            addresses[0], port, _left(self._until), local_address, socket_options
        )
        return _TimedStream(stream, self._until)


class _TimedStream(httpcore2.NetworkStream):
    """A connection that ends at a time, however steadily bytes trickle in until then."""

    def __init__(self, stream: httpcore2.NetworkStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        return _TimedStream(
            self._stream.start_tls(ssl_context, server_hostname, _left(self._until)), self._until
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(until: float) -> float:
    """Return the seconds until a time. Raises httpcore2.ReadTimeout where it has passed."""
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout
    return left


def addresses_of(host: str, port: int, url: str = "") -> list[str]:
    """
    Return every address of a name, in the system's order. Raises HttpError where there is none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _refused(
            url or host, "has a host that can't be found.", "Check the address."
        ) from error
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def _checked(text: str, base: str = "") -> WebUrl:
    """
    Return the address in a text, seen from another one.

    Raises HttpError for one that may not be requested at all.
    """
    try:
        return read_url(urljoin(base, text))
    except SchemeError as error:
        hint = "Give an http: or https: address, or upload the image."
        raise HttpError(422, Problem("forbidden_scheme", shown(text), f"{error}.", hint)) from None
    except ValueError as error:
        raise _refused(text, f"is no address: {error}.", "Give a plain address.") from None


def _header(response: httpcore2.Response, name: bytes) -> str | None:
    value = next((value for key, value in response.headers if key.lower() == name), None)
    return None if value is None else _text(value)


def _text(value: bytes) -> str:
    """
    Return a header's value as those mean it who write more than ASCII into one.

    UTF-8, or else each byte a character.
    """
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _fail(url: str, message: str) -> NoReturn:
    raise _refused(url, message)


def _refused(
    url: str, message: str, hint: str = "Check the address, or upload the image."
) -> HttpError:
    return HttpError(400, Problem("image_not_fetched", shown(url), message, hint))
