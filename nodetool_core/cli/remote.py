"""
A server of ours as a program sees it: the parts of `/v1` that a call needs.

Failures carry the problems that the server names. What the caller can mend is wrong use; what may
be over in a moment, or lies at the server, is not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote, urlsplit

from nodetool_core.cli.messages import WrongUseError
from nodetool_core.errors import NodetoolError, Problem
from nodetool_core.json_types import Json, JsonObject

if TYPE_CHECKING:
    import httpx2

TOKEN_VARIABLE: Final = "NODETOOL_TOKEN"

_SECONDS: Final = 60.0
"""How long nothing may come: a stream of events says every 15 s that it is still there."""
_TRIES: Final = 5
"""How often a stream that broke off is asked for again, with nothing new between."""
_PATIENCE: Final = 120.0
"""How long a server that is busy is asked again, in seconds."""
_BUSY: Final = frozenset({429, 503})
"""Statuses that may be over in a moment: `Retry-After` says when."""
_OURS: Final = "Is it the address of `nodetool serve`?"


class RemoteError(NodetoolError):
    """A server could not be reached, or failed at what it was asked for."""


class RemoteServer:
    """
    A server, and a token for it. A context: its connections end with the block.

    One that is busy is asked again when it says, for two minutes at most. Nothing is done twice by
    that: files are known by their content, and runs by their key.

    Args:
        url: Its address, as people write it.
        token: Empty where it needs none.
        on_wait: Called with a line for people before each pause.

    Raises WrongUseError for what is no address, and its methods RemoteError, or WrongUseError for
    what the server refuses.
    """

    def __init__(self, url: str, token: str, on_wait: Callable[[str], None]) -> None:
        import httpx2

        self._on_wait = on_wait

        self.url = _checked(url)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = httpx2.Timeout(_SECONDS, connect=10.0)
        self._client = httpx2.Client(base_url=self.url, headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    def workflow(self, name: str) -> JsonObject:
        """Return what the server says of a workflow: its inputs and outputs as JSON Schema."""
        return self._object("GET", f"/v1/workflows/{quote(name)}")

    def upload(self, content: bytes) -> JsonObject:
        """Keep an image on the server, and return the reference to it."""
        kept = self._object("POST", "/v1/uploads", content=content)
        return {"type": "image", "asset_id": kept["asset_id"]}

    def submit(self, name: str, body: Mapping[str, Json]) -> str:
        """Hand a run in as a job, and return the job's id."""
        path = f"/v1/workflows/{quote(name)}/runs"
        return str(self._object("POST", path, body=body)["id"])

    def job(self, job_id: str) -> JsonObject:
        """Return a job as it is now."""
        return self._object("GET", f"/v1/jobs/{job_id}")

    def cancel(self, job_id: str) -> JsonObject:
        """End a job, or ask it to end."""
        return self._object("POST", f"/v1/jobs/{job_id}/cancel")

    def file(self, asset_id: str) -> bytes:
        """Return the content of a stored file."""
        return self._send("GET", f"/v1/files/{asset_id}").content

    def events(self, job_id: str) -> Iterator[JsonObject]:
        """
        Yield what happens to a job until it has ended, from its first event on.

        A stream that breaks off is asked for again from where it was.
        """
        import httpx2

        last, failed = "0", 0
        while failed < _TRIES:
            if failed:
                time.sleep(0.2 * 2**failed)
            failed += 1
            try:
                for number, event in self._stream(job_id, last):
                    last, failed = number, 0
                    yield event
                    if event.get("event") == "job_ended":
                        return
            except httpx2.TransportError:
                continue
        hint = f"The job continues: {self.url}/v1/jobs/{job_id}"
        raise RemoteError(
            Problem("server_unreachable", self.url, "breaks off its stream of events.", hint)
        )

    def _stream(self, job_id: str, after: str) -> Iterator[tuple[str, JsonObject]]:
        """Yield the events of one connection, each with its number. Raises TransportError."""
        headers, path = {"Last-Event-ID": after}, f"/v1/jobs/{job_id}/events"
        until = time.monotonic() + _PATIENCE
        while True:
            with self._client.stream("GET", path, headers=headers) as response:
                if response.status_code == 200:
                    yield from self._events_in(response, after)
                    return
                response.read()
            if not self._waits(response, until):
                raise _refusal(response, self.url)

    def _events_in(self, response: httpx2.Response, after: str) -> Iterator[tuple[str, JsonObject]]:
        number = after
        for line in response.iter_lines():
            field, _, value = line.partition(": ")
            if field == "id":
                number = value
            elif field == "data":
                yield number, _object_in(value, self.url)

    def _object(
        self,
        method: str,
        path: str,
        body: Mapping[str, Json] | None = None,
        content: bytes | None = None,
    ) -> JsonObject:
        return _object_in(self._send(method, path, body, content).text, self.url)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Json] | None = None,
        content: bytes | None = None,
    ) -> httpx2.Response:
        import httpx2

        until = time.monotonic() + _PATIENCE
        while True:
            try:
                response = self._client.request(method, path, json=body, content=content)
            except httpx2.TransportError as error:
                message = f"can't be reached: {str(error) or type(error).__name__}."
                hint = "Start it with `nodetool serve`, or correct the address."
                raise RemoteError(Problem("server_unreachable", self.url, message, hint)) from error
            if response.status_code < 400:
                return response
            if not self._waits(response, until):
                raise _refusal(response, self.url)

    def _waits(self, response: httpx2.Response, until: float) -> bool:
        """Wait as long as a busy server says, and return whether it is to be asked again."""
        seconds = response.headers.get("retry-after", "")
        if response.status_code not in _BUSY or not (seconds.isascii() and seconds.isdigit()):
            return False
        pause = max(1, int(seconds[:9]))
        if time.monotonic() + pause > until:
            return False
        self._on_wait(f"The server is busy; it is asked again in {pause} s.")
        time.sleep(pause)
        return True


def _checked(url: str) -> str:
    text = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(text)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_web = False
    if not is_web:
        message = "is no address of a server."
        hint = "Write one such as http://127.0.0.1:8188."
        raise WrongUseError(Problem("wrong_use", url, message, hint))
    return text.rstrip("/")


def _object_in(text: str, url: str) -> JsonObject:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        message = "answers in another way than a server of ours."
        raise RemoteError(Problem("foreign_server", url, message, _OURS))
    return found


def _refusal(response: httpx2.Response, url: str) -> NodetoolError:
    """Return the failure in an answer: with the server's problems, where it names them."""
    status = response.status_code
    problems = [problem for problem in _problems(response) if problem.message]
    if status == 401:
        hint = f"Give the token in {TOKEN_VARIABLE}, or with --token."
        problems = [Problem("unauthorized", url, "A valid token is needed.", hint)]
    if not problems:
        message = f"answers {status} {response.reason_phrase}."
        problems = [Problem("foreign_server", url, message, _OURS)]
    is_callers = 400 <= status < 500 and status not in (408, 429)
    return WrongUseError(problems) if is_callers else RemoteError(problems)


def _problems(response: httpx2.Response) -> list[Problem]:
    try:
        body = response.json()
    except ValueError:
        return []
    found = body.get("problems") if isinstance(body, dict) else None
    return problems_of(found)


def problems_of(found: object) -> list[Problem]:
    """Return the problems in an answer of a server."""
    named = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return [
        Problem(
            str(one.get("code", "")),
            str(one.get("where", "")),
            str(one.get("message", "")),
            str(one.get("hint", "")),
        )
        for one in named
    ]
