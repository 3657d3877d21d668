"""
Watches what `huggingface_hub` sends and receives for one call.

`InferenceClient` knows the wire forms of the providers, but sends the machine's cached token where
none is given, polls without an end, fetches any address that an answer names, and reads whatever
comes. All that it does goes through one HTTP session, which is shared by the process. So two hooks
are added to that session; they act only on the thread of a guarded call, and end it by raising:

- no request after the deadline, or once nobody waits any more;
- the key that was chosen, or none; to the service and the Hub, and to nobody else;
- what is not the service has to be a public address;
- a failure is raised as what it is, also one that the client would not notice (a queue's FAILED);
- no body beyond its limit, however slowly it comes.
"""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from nodes.services.addresses import origin, public_address
from nodes.services.answers import (
    MOST_TEXT,
    RESULT_LIMITS,
    failure_in,
    message_in,
    parsed,
    refusal,
    state_in,
    unexpected,
)
from nodes.services.waiting import BusyError, Waiting
from nodetool_core import NodeError, RunCancelled
from nodetool_core.assets.decode import decode_bytes
from nodetool_core.errors import ImageError

if TYPE_CHECKING:
    import httpx2
    from PIL import Image

HUB: Final = "the Hugging Face Hub"
_CONNECT_TIMEOUT: Final = 10.0
_BASE64: Final = 4 / 3
"""Bytes of base64 to those it stands for."""


class Guard:
    """Guards the HTTP requests of one call."""

    def __init__(self, waiting: Waiting, *, key: str, secret: str, endpoint: str = "") -> None:
        """
        Make a guard for one call.

        Args:
            waiting: The deadline of the call, and its context.
            key: What authorizes the call; empty for none.
            secret: The name of the key.
            endpoint: The address that the call goes to, where it is no provider.
        """
        from huggingface_hub import constants

        self.waiting = waiting
        self.image: Image.Image | None = None
        """
        The image that came last.

        Decoded here, so that the client's own decoder, which knows more formats, sees nothing else.
        """
        self.begun = False
        """Whether the service has taken the work on."""
        self.warnings: list[str] = []
        self._key = key
        self._secret = secret
        self._endpoint = origin(endpoint) if endpoint else None
        self._service: tuple[str, str, int] | None = None
        self._hub = urlsplit(constants.ENDPOINT).netloc
        self._stopped = threading.Event()
        self._connection: Any = None
        """The network stream that the work was asked for on."""

    def stop(self) -> None:
        """Abort the call: break the request off, so that the service notices, and send no more."""
        self._stopped.set()
        if self._connection is not None:
            with suppress(OSError):
                self._connection.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def run(self, work: Callable[[], Answer]) -> Answer:
        """Run the function that calls the service, on this thread, guarded."""
        from huggingface_hub import get_session

        hooks = get_session().event_hooks
        for kind, hook in (("request", _before), ("response", _after)):
            if hook not in hooks[kind]:
                hooks[kind].append(hook)
        token = _GUARD.set(self)
        try:
            return work()
        finally:
            _GUARD.reset(token)

    def before(self, request: httpx2.Request) -> None:
        """Check a request before it is sent; set its timeouts, headers and key."""
        self._check()
        left = max(self.waiting.remaining, 0.001)
        request.extensions["timeout"] = {
            "connect": min(_CONNECT_TIMEOUT, left),
            "read": left,
            "write": left,
            "pool": left,
        }
        if request.method == "POST":
            # A connection of its own, which nobody else is on when it is broken off.
            request.headers["connection"] = "close"
            request.extensions["trace"] = self._connected
        # A compressed body can unpack to a thousand times its size.
        request.headers["accept-encoding"] = "identity"
        self._authorize(request)

    def after(self, response: httpx2.Response) -> None:
        """Read a response, and raise the failure that it reports."""
        self._check()
        request, service = (
            response.request,
            (HUB if self._is_hub(response.request) else self.waiting.service),
        )
        if response.headers.get("content-encoding", "identity") != "identity":
            raise unexpected(service, "a packed body, which was not asked for")
        response.stream = self._bounded(response.stream, service)
        if response.has_redirect_location:
            return
        body = response.read()
        if response.status_code >= 400:
            raise self._refusal(response, service)
        self.begun = self.begun or request.method == "POST"
        self.warnings += filter(None, [response.headers.get("x-hf-warning")])
        value = parsed(body)
        encoded = body if value is None else _image_in(value)
        if encoded:
            self.image = _decoded(encoded, service)
        elif value is None or len(body) > MOST_TEXT:
            raise unexpected(service, f"{len(body)} bytes in which there is no image")
        failure = failure_in(value)
        if failure is not None:
            raise NodeError(
                f"{service} failed: {failure}.",
                "Change what it names, or try again.",
                code="service_failed",
            )
        if state := state_in(value):
            self.waiting.note(state)

    def _authorize(self, request: httpx2.Request) -> None:
        """
        Set the key of a request, or remove it.

        Raises NodeError for an address that is neither the Hub's, nor the service's, nor public.
        """
        sent = request.headers.pop("authorization", "")
        if self._is_hub(request):
            if self._key.startswith("hf_"):
                request.headers["authorization"] = f"Bearer {self._key}"
            return
        where = origin(str(request.url))
        if self._key and self._key in sent and where == (self._service or where):
            # Where the work is asked for is the service; nobody that its answers name is.
            self._service = where
            request.headers["authorization"] = sent
        elif where != self._endpoint:
            _check_public(str(request.url))

    def _connected(self, event: str, details: dict[str, object]) -> None:
        """Keep the connection's stream; the HTTP client calls this for each event on it."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._connection = details["return_value"]

    def _check(self) -> None:
        if self._stopped.is_set() or not self.waiting.remaining:
            raise RunCancelled

    def _is_hub(self, request: httpx2.Request) -> bool:
        return request.url.netloc.decode() == self._hub

    def _refusal(self, response: httpx2.Response, service: str) -> Exception:
        is_sent = "authorization" in response.request.headers
        error = refusal(
            service,
            response.status_code,
            response.headers,
            response.content,
            secret=self._secret if is_sent else "",
        )
        if isinstance(error, BusyError) and self.begun:
            # The work is under way: to ask for it again would be to pay for it twice.
            message = f"{service} took the work on, and then answered: {error.reason}."
            return NodeError(message, "Try again later.", code="service_failed")
        return error

    def _bounded(self, stream: Any, service: str) -> httpx2.SyncByteStream:
        """Return a body's stream that raises at its size limit, at the deadline, and on a stop."""
        import httpx2

        check, most = self._check, int(RESULT_LIMITS.max_bytes * _BASE64)

        class Bounded(httpx2.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                came = 0
                for chunk in stream:
                    check()
                    came += len(chunk)
                    if came > most:
                        raise unexpected(service, f"more than {most / 1e6:.0f} MB")
                    yield chunk

            def close(self) -> None:
                stream.close()

        return Bounded()


Answer = TypeVar("Answer")

_GUARD: ContextVar[Guard | None] = ContextVar("_GUARD", default=None)


def _before(request: httpx2.Request) -> None:
    if guard := _GUARD.get():
        guard.before(request)


def _after(response: httpx2.Response) -> None:
    if guard := _GUARD.get():
        guard.after(response)


def _check_public(url: str) -> None:
    try:
        public_address(url)
    except NodeError as error:
        # A name that is not found here may be known to a proxy; without one, the request itself
        # fails.
        if error.problem.code != "service_unreachable":
            raise


def _image_in(value: object) -> bytes:
    """Return the bytes of a base64 image in `data[0].b64_json`, as Together sends; else empty."""
    found = value.get("data") if isinstance(value, dict) else None
    first = found[0] if isinstance(found, list) and found else None
    text = first.get("b64_json") if isinstance(first, dict) else None
    try:
        return base64.b64decode(text) if isinstance(text, str) else b""
    except ValueError:
        return b""


def _decoded(body: bytes, service: str) -> Image.Image:
    try:
        return decode_bytes(body, f"the result of {service}", RESULT_LIMITS)
    except ImageError as error:
        if error.problem.code == "not_an_image":
            raise unexpected(service, message_in(body)) from None
        raise
