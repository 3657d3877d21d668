"""
One stream of events for the page: of all jobs that have not ended, and of those that end meanwhile.

Every event has its number within its job, so a page that sees one twice passes over it; that makes
resuming simple: a new stream begins with all events of the jobs that were under way at the last
one's time.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from nodetool_core.assets.encode import encode_image
from nodetool_core.jobs.job import Job, JobsError
from nodetool_core.server.v1.jobs import public_data

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

_LOOK_SECONDS: Final = 0.1
"""How often the jobs are looked at: a node has at most so many previews a second."""

PREVIEW_SIDE: Final = 256
"""Pixels of the square that previews are made to fit."""

_COMMENT_SECONDS: Final = 15.0
_JOBS: Final = 50
"""Newest jobs that are looked at; a queue that is longer shows the rest as they come up."""

_OVERLAP_SECONDS: Final = 5.0
"""How far back a resumed stream begins, as clocks and writes are not quite in order."""


Watch = Callable[[], list[Mapping[str, object]]]
"""Returns what is new of something since it was called last, as events. Blocks."""


async def stream(
    state: AppState,
    after: float,
    *,
    client: str | None = None,
    watches: Sequence[Watch] = (),
) -> AsyncIterator[bytes]:
    """
    Yield server-sent events until the server ends.

    Args:
        after: Unix time in seconds of the last event that was seen; 0 for a new stream.
        client: Whose jobs are seen; all where None.
        watches: What is looked at besides.
    """
    since = after - _OVERLAP_SECONDS if after else time.time()
    seen: dict[str, int] = {}
    ended: set[str] = set()
    previewed: dict[str, int] = {}
    spoken = time.monotonic()
    yield b": welcome\n\n"
    while not state.draining.is_set():
        found = await asyncio.to_thread(_news, state, seen, ended, since, client)
        found += await asyncio.to_thread(_previews, state, previewed, seen)
        for watch in watches:
            found += [_message(event) for event in await asyncio.to_thread(watch)]
        for line in found:
            yield line
        if found:
            spoken = time.monotonic()
        elif time.monotonic() - spoken > _COMMENT_SECONDS:
            yield b": still here\n\n"
            spoken = time.monotonic()
        await asyncio.sleep(_LOOK_SECONDS)


def _news(
    state: AppState, seen: dict[str, int], ended: set[str], since: float, client: str | None
) -> list[bytes]:
    lines = []
    for job in reversed(state.jobs.list(client=client, limit=_JOBS)):
        if job.id in ended or (job.id not in seen and _is_old(job, since)):
            continue
        try:
            events, more = state.jobs.queue.events(job.id, seen.get(job.id, 0))
        except JobsError:
            ended.add(job.id)
            continue
        seen.setdefault(job.id, 0)
        for event in events:
            seen[job.id] = event.number
            lines.append(_line(job, event.number, event.name, event.at, event.data))
            if event.name == "job_queued" and "needed" in job.note:
                needed = {"ids": job.note["needed"], "anew": job.note.get("anew", False)}
                lines.append(_line(job, 0, "node_needed", event.at, needed))
        if not more:
            ended.add(job.id)
    return lines


def _previews(state: AppState, previewed: dict[str, int], seen: Mapping[str, int]) -> list[bytes]:
    lines = []
    for job_id, preview in state.jobs.previews(previewed):
        if job_id not in seen:  # Another client's.
            continue
        image = preview.image.copy()
        image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
        encoded = base64.b64encode(encode_image(image, "WEBP", is_quick=True)).decode()
        shown = {
            "event": "node_preview",
            "job": job_id,
            "n": 0,
            "at": time.time(),
            "node_id": preview.node_id,
            "step": preview.step,
            "total": preview.total,
            "image": f"data:image/webp;base64,{encoded}",
        }
        lines.append(_message(shown))
    return lines


def _is_old(job: Job, since: float) -> bool:
    return job.state.ended and (job.ended or 0.0) < since


def _message(event: Mapping[str, object]) -> bytes:
    text = json.dumps(event, separators=(",", ":"))
    return f"event: {event['event']}\ndata: {text}\n\n".encode()


def _line(job: Job, number: int, name: str, at: float, data: Mapping[str, object]) -> bytes:
    shown = public_data(data) | {"event": name, "job": job.id, "n": number, "at": at}
    if name == "job_queued":
        label = job.note.get("label", "")
        shown |= {"workflow": job.workflow, "priority": job.priority, "label": label}
    text = json.dumps(shown, separators=(",", ":"))
    return f"id: {at}\nevent: {name}\ndata: {text}\n\n".encode()
