"""
`/ws`: what happens to a client's prompts, as it happens.

A socket follows the prompts that were sent with its `clientId`, those under way when it connects
included, and reports each until its end. Where a prompt ended while nobody was connected, its end
is reported to the socket that connects next. A client that does not read is cut off.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect

from nodetool_core.errors import NodetoolError
from nodetool_core.jobs.job import StoredEvent
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.comfyui.errors import show_failure
from nodetool_core.server.comfyui.history import History, Message
from nodetool_core.server.comfyui.messages import Messages, preview_of
from nodetool_core.server.comfyui.prompts import Prompt, Prompts
from nodetool_core.server.http.http_errors import busy
from nodetool_core.server.http.requests import client_of

if TYPE_CHECKING:
    from nodetool_core.jobs.notifications import AsyncSubscription
    from nodetool_core.server.runtime.app_state import AppState

_log = logging.getLogger(__name__)

MOST_SOCKETS: Final = 200
"""Sockets of a server, of which each follows prompts."""

MOST_OF_A_CLIENT: Final = 50

MOST_MESSAGES: Final = 100
"""Messages that a client may send in ten seconds; none but the first is of use."""

LOOK_SECONDS: Final = 5.0
"""How often a socket looks for prompts that another process took."""

RETRY_SECONDS: Final = 1.0
"""Pause before a database that did not answer is asked again."""

_RECENT_SECONDS: Final = 600.0
"""How long after its end a prompt is reported to a client that connects again."""

_REPORTED: Final = 10_000
"""Prompts whose end is known to be reported."""

_MOST_LOOKED_AT: Final = 50
"""Newest prompts that are looked at for those of a socket."""

_PREVIEW_SECONDS: Final = 0.1

_LONGEST_ID: Final = 200


class Sockets:
    """The sockets of one server."""

    def __init__(self, state: AppState, prompts: Prompts, history: History) -> None:
        self.state = state
        self.prompts = prompts
        self.history = history
        self._open: set[Socket] = set()
        self._newest: dict[str, _Newest] = {}
        self._of_client = Counter[str]()
        self._reported: OrderedDict[str, None] = OrderedDict()

    async def serve(self, websocket: WebSocket) -> None:
        """Serve a socket until it or the server ends."""
        client = client_of(websocket)
        if self._of_client[client] >= MOST_OF_A_CLIENT or self._of_client.total() >= MOST_SOCKETS:
            refusal = busy("Too many sockets are open.", "Close one.", code="too_many_sockets")
            await websocket.send_denial_response(show_failure(refusal))
            return
        sid = websocket.query_params.get("clientId", "")[:_LONGEST_ID] or secrets.token_hex(16)
        socket = Socket(self, websocket, client, sid)
        with self._registered(socket):
            await websocket.accept()
            await socket.run()

    def wake(self) -> None:
        """Have all sockets look for prompts."""
        for newest in self._newest.values():
            newest.is_stale = True
        self._wake_all()

    def note(self, prompt: Prompt) -> None:
        """
        Have the sockets know a prompt as it is now, which this process took or saw ending.

        They need not read it, and fifty more, from the database.
        """
        for client, newest in self._newest.items():
            if self.state.jobs_seen_by(client) in (None, prompt.job.client):
                newest.note(prompt)
        self._wake_all()

    def _wake_all(self) -> None:
        for socket in self._open:
            socket.changed.set()

    async def newest(self, client: str) -> tuple[list[Prompt], int]:
        """
        Return the newest prompts that a client may see, the oldest of them first.

        With them, how many of all wait or run.

        They are read once for all sockets of a client. Raises NodetoolError where they can't be.
        """
        newest = self._newest[client]
        async with newest.lock:
            if newest.is_stale or time.monotonic() - newest.read_at > LOOK_SECONDS / 2:
                newest.is_stale = False
                try:
                    newest.prompts, newest.waiting = await asyncio.to_thread(self._read, client)
                except BaseException:
                    newest.is_stale = True
                    raise
                newest.read_at = time.monotonic()
            return list(newest.prompts.values()), len(newest.waiting)

    def _read(self, client: str) -> tuple[dict[str, Prompt], set[str]]:
        newest = islice(self.prompts.newest(client), _MOST_LOOKED_AT)
        waiting = {prompt.job.id for prompt in self.prompts.waiting(client)}
        return {prompt.job.id: prompt for prompt in [*newest][::-1]}, waiting

    def is_reported(self, prompt: Prompt) -> bool:
        """Return whether a prompt's end was reported to anybody."""
        return prompt.job.id in self._reported

    def note_reported(self, prompt: Prompt) -> None:
        """Take note that a prompt's end was reported."""
        self._reported[prompt.job.id] = None
        if len(self._reported) > _REPORTED:
            self._reported.popitem(last=False)

    @contextmanager
    def _registered(self, socket: Socket) -> Iterator[None]:
        self._open.add(socket)
        self._of_client[socket.client] += 1
        self._newest.setdefault(socket.client, _Newest())
        try:
            yield
        finally:
            self._open.discard(socket)
            self._of_client -= Counter((socket.client,))
            if not self._of_client[socket.client]:
                del self._newest[socket.client]


@dataclass
class _Newest:
    """The newest prompts of a client, as they were read."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_stale: bool = True
    read_at: float = 0.0
    prompts: dict[str, Prompt] = field(default_factory=dict)
    """By their jobs, the newest last."""
    waiting: set[str] = field(default_factory=set)
    """The jobs of all that wait or run."""

    def note(self, prompt: Prompt) -> None:
        """Take note of a prompt as it is now."""
        job = prompt.job
        self.prompts[job.id] = prompt
        if len(self.prompts) > _MOST_LOOKED_AT:
            del self.prompts[next(iter(self.prompts))]
        (self.waiting.discard if job.state.ended else self.waiting.add)(job.id)
        # What is being read may be older than this.
        self.is_stale = self.is_stale or self.lock.locked()


class Socket:
    """One socket."""

    def __init__(self, sockets: Sockets, websocket: WebSocket, client: str, sid: str) -> None:
        self.client = client
        self.sid = sid
        self.changed = asyncio.Event()
        """Set where there may be more prompts, or fewer that wait."""
        self._sockets = sockets
        self._websocket = websocket
        self._sending = asyncio.Lock()
        self._followed: set[str] = set()
        self._has_metadata = False
        self._began = time.time()

    async def run(self) -> None:
        """Report prompts until the client goes, or does not read."""
        try:
            async with asyncio.TaskGroup() as tasks:
                looking = tasks.create_task(self._look(tasks))
                tasks.create_task(self._listen(looking))
        except* (WebSocketDisconnect, ConnectionError, _Gone):
            pass
        # The code is for a client that is still there; one that left reads nothing.
        with suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.close(1001)

    async def _listen(self, looking: asyncio.Task[None]) -> None:
        """Read what the client sends, of which only the first message means anything."""
        count, since = 0, time.monotonic()
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise _Gone
            if time.monotonic() - since > 10:
                count, since = 0, time.monotonic()
            count += 1
            if count > MOST_MESSAGES:
                await self._websocket.close(1008, "That were too many messages.")
                raise _Gone
            if not self._has_metadata:
                await self._take_features(message.get("text"))

    async def _take_features(self, text: str | None) -> None:
        try:
            given = json.loads(text or "null")
        except ValueError:
            return
        if isinstance(given, dict) and given.get("type") == "feature_flags":
            wanted = given.get("data")
            self._has_metadata = (
                isinstance(wanted, dict) and wanted.get("supports_preview_metadata") is True
            )
            await self._send(("feature_flags", features(self._sockets.state)))

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        """Follow every prompt of this client id, now and as more come; report how many wait."""
        waiting = -1
        while not self._sockets.state.draining.is_set():
            self.changed.clear()
            try:
                prompts, now = await self._sockets.newest(self.client)
            except NodetoolError as error:
                _log.warning("A socket can't look for prompts: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if now != waiting:
                waiting = now
                await self._send_status(now)
            for prompt in self._to_follow(prompts):
                self._followed.add(prompt.job.id)
                tasks.create_task(self._follow(prompt))
            try:
                await asyncio.wait_for(self.changed.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue
        raise _Gone

    def _to_follow(self, prompts: list[Prompt]) -> list[Prompt]:
        """Return the prompts to be followed from now on, the oldest first."""
        found = []
        for prompt in prompts:
            job = prompt.job
            if prompt.client_id != self.sid or job.id in self._followed:
                continue
            is_recent = (job.ended or 0.0) > time.time() - _RECENT_SECONDS
            is_missed = job.created > self._began or not self._sockets.is_reported(prompt)
            if not job.state.ended or (is_recent and is_missed):
                found.append(prompt)
        return found

    async def _follow(self, prompt: Prompt) -> None:
        """Report a prompt until its end."""
        messages, more = Messages(prompt), True
        events: list[StoredEvent] = []
        jobs, job_id = self._sockets.state.jobs, prompt.job.id
        seen: dict[str, int] = {}
        with jobs.notifier.subscribe_async(job_id) as subscription:
            while more:
                try:
                    after = events[-1].number if events else 0
                    new, more = await asyncio.to_thread(jobs.queue.events, job_id, after)
                except NodetoolError as error:
                    if error.problem.code == "unknown_job":
                        break
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                events += new
                await self._send(*messages.of(new))
                await self._send_previews(prompt, seen)
                if more and not new:
                    await self._wait(subscription, prompt, seen)
        await self._end(prompt, messages, events)

    async def _wait(
        self, subscription: AsyncSubscription, prompt: Prompt, seen: dict[str, int]
    ) -> None:
        """Wait for what happens next, and send the previews that there are before that."""
        until = time.monotonic() + self._sockets.state.jobs.settings.poll
        while not await subscription.wait(_PREVIEW_SECONDS) and time.monotonic() < until:
            await self._send_previews(prompt, seen)

    async def _end(self, prompt: Prompt, messages: Messages, events: list[StoredEvent]) -> None:
        def ended() -> tuple[Prompt, list[Message]]:
            now = Prompt.of(self._sockets.state.jobs.get(prompt.job.id)) or prompt
            outputs = self._sockets.history.outputs(now)
            # Clients ask for the entry as soon as they know of the end.
            self._sockets.history.note(now, outputs, events)
            return now, [*Messages(now).end(events, outputs)]

        try:
            now, last = await asyncio.to_thread(ended)
        except NodetoolError as error:
            _log.warning("What a prompt gave can't be read: %s", error)
            now, last = None, [messages.last()]
        await self._send(*last)
        self._sockets.note_reported(prompt)
        if now is None:
            self._sockets.wake()
        else:
            self._sockets.note(now)

    async def _send_previews(self, prompt: Prompt, seen: dict[str, int]) -> None:
        for job_id, preview in self._sockets.state.jobs.previews(seen):
            if job_id == prompt.job.id:
                content = await self._sockets.state.threads.work(
                    preview_of,
                    prompt,
                    preview.node_id,
                    preview.image,
                    with_metadata=self._has_metadata,
                )
                await self._send(content)

    async def _send_status(self, waiting: int) -> None:
        data: JsonObject = {"status": {"exec_info": {"queue_remaining": waiting}}, "sid": self.sid}
        await self._send(("status", data))

    async def _send(self, *messages: Message | bytes) -> None:
        """Send messages, one after another. Raises _Gone where the client reads none."""
        async with self._sending:
            for message in messages:
                try:
                    async with asyncio.timeout(self._sockets.state.settings.body_seconds):
                        if isinstance(message, bytes):
                            await self._websocket.send_bytes(message)
                        else:
                            kind, data = message
                            await self._websocket.send_text(
                                json.dumps({"type": kind, "data": data})
                            )
                except (TimeoutError, RuntimeError):
                    raise _Gone from None


def features(state: AppState) -> JsonObject:
    """Return what this server can do, as clients ask it."""
    largest: Json = state.settings.max_body_bytes
    return {"supports_preview_metadata": True, "max_upload_size": largest, "extension": {}}


class _Gone(Exception):
    """The client is not there any more."""
