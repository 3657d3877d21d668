"""
Webhooks: predictions that are sent to an address of their client.

The address is the client's choice, so it is held to the rules for every address that clients name.
Each prediction is followed by one task. Its last message is tried several times, and it is marked
in the job that there is no more to send: what a server that ended had left, the next one sends.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import NodetoolError
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import HttpError, wrong
from nodetool_core.server.replicate.answers import Answers
from nodetool_core.server.replicate.body import Hook, HookEvent
from nodetool_core.server.replicate.predictions import HOOK, Prediction, Predictions
from nodetool_core.server.replicate.signatures import Signatures
from nodetool_core.server.security.fetch import Fetcher
from nodetool_core.server.security.urls import shown

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

_log = logging.getLogger(__name__)

_SECONDS: Final = 10.0
"""How long a receiver may take."""
_SENDERS: Final = 8
"""Messages that are sent at once."""
_EVERY: Final = 0.5
"""Seconds between two messages about progress."""
_PAUSES: Final = (1.0, 4.0, 15.0, 60.0)
"""Seconds before the last message is tried again."""


class Webhooks:
    """Notifies the clients of one server."""

    def __init__(
        self, state: AppState, predictions: Predictions, answers: Answers, signatures: Signatures
    ) -> None:
        self._state = state
        self._predictions = predictions
        self._answers = answers
        self._signatures = signatures
        self._tasks: set[asyncio.Task[None]] = set()
        self._senders = ThreadPoolExecutor(_SENDERS, "nodetool-webhook")
        self._fetcher = Fetcher(
            state.settings.webhook_hosts, setting="webhook_hosts", max_bytes=0, seconds=_SECONDS
        )

    def check(self, hook: Hook) -> None:
        """Raise HttpError 422 for an address that may not be notified. Blocks."""
        try:
            self._fetcher.check(hook.url)
        except HttpError as error:
            message = error.problem.message
            hint = "Give a public address; the operator can allow others with `webhook_hosts`."
            raise wrong(422, error.problem.code, "webhook", message, hint) from None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Notify as long as the block lasts, also of what is left from before."""
        try:
            left = await self._state.threads.work(self._predictions.unnotified)
        except NodetoolError as error:
            _log.warning("Webhooks that are left from before are not sent: %s", error)
            left = []
        for one in left:
            self.follow(one)
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            self._senders.shutdown(wait=False, cancel_futures=True)

    def follow(self, prediction: Prediction) -> None:
        """Notify the client of a prediction from now on, where it wants that."""
        if prediction.hook is not None:
            task = asyncio.get_running_loop().create_task(self._follow(prediction))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _follow(self, prediction: Prediction) -> None:
        job_id, hook = prediction.job.id, prediction.hook
        assert hook is not None
        wanted = {str(event) for event in _list(hook["events"])}
        sent = 0.0
        try:
            async for event in self._state.jobs.events_async(job_id):
                if event.name == "job_started" and "start" in wanted:
                    await self._send(prediction, "start")
                is_due = time.monotonic() - sent >= _EVERY
                if event.name == "node_progress" and "logs" in wanted and is_due:
                    await self._send(prediction, "logs")
                    sent = time.monotonic()
            if "output" in wanted:
                await self._send(prediction, "output")
            if "completed" in wanted:
                await self._complete(prediction)
            done: JsonObject = {HOOK: {**hook, "done": True}}
            await self._state.threads.work(self._state.jobs.change, job_id, note=done)
        except NodetoolError as error:
            # The database is away, or the job was removed meanwhile.
            _log.warning("A webhook was given up: %s", error, extra={"job_id": job_id})

    async def _complete(self, prediction: Prediction) -> None:
        for pause in (*_PAUSES, None):
            if await self._send(prediction, "completed"):
                return
            if pause is not None:
                await asyncio.sleep(pause)
        _log.warning("A webhook did not arrive.", extra={"job_id": prediction.job.id})

    async def _send(self, prediction: Prediction, event: HookEvent) -> bool:
        """Send a prediction as it is now; return whether it has arrived."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._senders, self._post, prediction, event)

    def _post(self, prediction: Prediction, event: HookEvent) -> bool:
        hook, job = prediction.hook, prediction.job
        assert hook is not None
        now = self._predictions.get(job.client, job.id)
        answer = self._answers.prediction(now, str(hook["base"]))
        if event == "output" and answer["output"] is None:
            return True
        body = json.dumps(answer).encode()
        headers = self._signatures.headers(job.client, f"{job.id}.{event}", body)
        url, facts = str(hook["url"]), {"job_id": job.id, "event": event}
        try:
            status = self._fetcher.post(url, body, {"Content-Type": "application/json", **headers})
        except HttpError as error:
            _log.info("A webhook could not be sent: %s", error, extra=facts)
            return False
        _log.info("webhook", extra={**facts, "status": status, "to": shown(url)})
        return 200 <= status < 300


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
