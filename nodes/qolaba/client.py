"""
The Qolaba API: one request that starts a task or returns its result, and one that polls a task.

`POST /getImagetoImage` and `POST /getImage {"id": task_id}` answer with one envelope: `status`
SUCCESS, FAILED or PENDING, `output` with `result`, a list of addresses, `error` and `error_data`,
`task_id`. Source: the vendor's API documentation ("Image to Image API" and the task status page).
Where its host is, the documentation does not say, so that it is configured.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from nodes.services.addresses import is_open_to_readers
from nodes.services.answers import MOST_TEXT, failure_in, message_in, parsed, refusal, unexpected
from nodes.services.fetching import fetch_image, read_bounded
from nodes.services.waiting import Waiting
from nodetool_core import Context, NodeError

if TYPE_CHECKING:
    import httpx2
    from PIL import Image

    from nodetool_core.secrets import Secret

API_KEY: Final = "QOLABA_API_KEY"
BASE_URL: Final = "QOLABA_BASE_URL"
SERVICE: Final = "Qolaba"
_FIRST_POLL: Final = 1.0
_LONGEST_POLL: Final = 10.0
_POLL_GROWTH: Final = 1.5
_CONNECT_TIMEOUT: Final = 10.0


def base_url(context: Context) -> str:
    """
    Return the address of the API from this machine's settings.

    It is never taken from a workflow, which could send the key elsewhere. Raises NodeError where it
    is not set.
    """
    found = context.setting(BASE_URL).rstrip("/")
    if not found:
        hint = f"Set the environment variable, or run: nodetool secrets set {BASE_URL}"
        raise NodeError(
            "is not set: the address of the API is the one that your Qolaba account names.",
            hint,
            code="missing_setting",
            where=BASE_URL,
        )
    if is_open_to_readers(found):
        context.warn(f"{API_KEY} is sent over plain http, which others on the network can read.")
    return found


async def images(
    waiting: Waiting, request: dict[str, Any], *, base: str, key: Secret
) -> list[Image.Image]:
    """
    Return the images that a request makes, in the service's order. Raises NodeError, ImageError.
    """
    import httpx2

    timeout = httpx2.Timeout(waiting.timeout, connect=min(_CONNECT_TIMEOUT, waiting.timeout))
    async with httpx2.AsyncClient(timeout=timeout) as client:
        call = _Call(waiting, client, base, key)
        return await waiting.call(lambda: call.run(request))


class _Call:
    """
    One request until its images are here.

    Called again where the service was busy; a task that was begun goes on.
    """

    def __init__(
        self, waiting: Waiting, client: httpx2.AsyncClient, base: str, key: Secret
    ) -> None:
        self._waiting = waiting
        self._client = client
        self._base = base
        self._key = key
        self._answer: dict[str, Any] | None = None
        self._pause = _FIRST_POLL

    async def run(self, request: dict[str, Any]) -> list[Image.Image]:
        if self._answer is None:
            self._answer = await self._ask("getImagetoImage", request)
        while self._answer["status"] == "PENDING":
            task = self._answer["task_id"]
            self._waiting.note(f"task {task} is pending")
            await self._waiting.pause(self._pause)
            self._pause = min(self._pause * _POLL_GROWTH, _LONGEST_POLL)
            self._answer = await self._ask("getImage", {"id": task}) | {"task_id": task}
        urls = _result(self._answer)
        for warning in _warnings(self._answer):
            self._waiting.context.warn(f"{SERVICE}: {warning}")
        self._waiting.note(f"fetching {len(urls)} image{'s' if len(urls) > 1 else ''}")
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(
                        fetch_image(self._client, url, service=SERVICE, trusted=self._base)
                    )
                    for url in urls
                ]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _ask(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        """Return the envelope of an answer; never one that reports a failure."""
        request = self._client.build_request("POST", f"{self._base}/{path}", json=content)
        request.headers["authorization"] = f"Bearer {self._key.reveal()}"
        body, status, headers = await read_bounded(self._client, request, MOST_TEXT, SERVICE)
        if status >= 400:
            raise refusal(SERVICE, status, headers, body, secret=API_KEY)
        envelope = parsed(body)
        if status >= 300 or not isinstance(envelope, dict):
            raise unexpected(SERVICE, f"{status}, {message_in(body) or 'nothing'}")
        failure = failure_in(envelope)
        if failure is not None:
            raise NodeError(
                f"{SERVICE} failed: {failure}.",
                "Change what it names, or try again.",
                code="service_failed",
            )
        state = envelope.get("status")
        if state not in ("SUCCESS", "PENDING"):
            raise unexpected(SERVICE, f"the status {str(state)[:40]!r}")
        if (
            state == "PENDING"
            and path == "getImagetoImage"
            and not (isinstance(envelope.get("task_id"), str) and envelope["task_id"])
        ):
            raise unexpected(SERVICE, "a task that has no id")
        return envelope


def _warnings(envelope: dict[str, Any]) -> list[str]:
    """
    Return the service's warnings of what it did not do as asked, from `output.warnings`.

    Not documented, and told by `nodetool serve`.
    """
    found = envelope["output"].get("warnings")
    return (
        [text[:300] for text in found[:20] if isinstance(text, str)]
        if isinstance(found, list)
        else []
    )


def _result(envelope: dict[str, Any]) -> list[str]:
    """Return the addresses of the images in an envelope."""
    output = envelope.get("output")
    urls = output.get("result") if isinstance(output, dict) else None
    if not isinstance(urls, list) or not urls or not all(isinstance(url, str) for url in urls):
        raise unexpected(SERVICE, "SUCCESS, and no list of images in output.result")
    return urls
