"""
Requests that are under way, by client: how far each is, what it looks like, and its end by request.

The web UI makes one image after another for everybody, and shows and interrupts whatever that is.
Here a client sees and interrupts its own.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from nodetool_core.engine.events import Event, NodePreview, NodeProgress
from nodetool_core.json_types import JsonObject

if TYPE_CHECKING:
    from PIL import Image

Result = TypeVar("Result")

_CLIENTS: Final = 10_000
_WATCHED_SECONDS: Final = 3600.0
"""How long a client that asked for its progress is held to look at previews."""
_BEGUN: Final = 0.01
"""The progress of what has only begun: 0 means that nothing is under way."""


@dataclass(eq=False)
class Generation:
    """A request for images."""

    job: str
    """What it is called: `txt2img`, …"""
    count: int
    """Images that are requested."""
    done: int = 0
    step: int = 0
    steps: int = 0
    preview: Image.Image | None = None
    skipped: bool = False
    interrupted: asyncio.Event = field(default_factory=asyncio.Event)
    started: float = field(default_factory=time.time)
    """Unix time in seconds."""
    _cancel: Callable[[], object] | None = None
    """Ends the run of the image that it is at."""

    async def image(self, making: Coroutine[object, object, Result]) -> Result | None:
        """Return what a coroutine makes of the next image; None where the client skips it."""
        self.step, self.steps, self.preview, self.skipped = 0, 0, None, False
        task = asyncio.ensure_future(making)
        self._cancel = task.cancel
        try:
            return await task
        except asyncio.CancelledError:
            if not self.skipped:
                raise
            return None
        finally:
            self._cancel = None
            self.done += 1

    def note(self, event: Event) -> None:
        """Take note of what happens in the run of an image."""
        if isinstance(event, NodePreview):
            self.preview = event.image
        if isinstance(event, (NodePreview, NodeProgress)):
            self.step, self.steps = event.step, event.total

    def skip(self) -> None:
        """End the run of an image, and go on with the next."""
        if self._cancel is not None:
            self.skipped = True
            self._cancel()

    @property
    def progress(self) -> float:
        """Images that are done, and the part of the next."""
        return self.done + (min(1.0, self.step / self.steps) if self.steps else 0.0)


class Generations:
    """All that are under way. Its methods are called on the event loop's thread."""

    def __init__(self) -> None:
        self._of: dict[str, list[Generation]] = {}
        self._watched: OrderedDict[str, float] = OrderedDict()

    @contextmanager
    def begin(self, client: str, job: str, count: int) -> Iterator[Generation]:
        """Yield a request of a client, which is under way as long as the block lasts."""
        made = Generation(job, count)
        self._of.setdefault(client, []).append(made)
        try:
            yield made
        finally:
            self._of[client].remove(made)
            if not self._of[client]:
                del self._of[client]

    def watch(self, client: str) -> list[Generation]:
        """Return those of a client, which looks at them and so gets previews from now on."""
        self._watched[client] = time.monotonic()
        self._watched.move_to_end(client)
        if len(self._watched) > _CLIENTS:
            self._watched.popitem(last=False)
        return self.of(client)

    def is_watched(self, client: str) -> bool:
        """Return whether a client has looked at its requests lately: previews take their time."""
        return time.monotonic() - self._watched.get(client, -_WATCHED_SECONDS) < _WATCHED_SECONDS

    def of(self, client: str) -> list[Generation]:
        """Return those of a client, the oldest first."""
        return list(self._of.get(client, ()))


def progress_of(found: list[Generation]) -> JsonObject:
    """Return how far the requests of a client are, all together, in the web UI's form."""
    if not found:
        return {"progress": 0.0, "eta_relative": 0.0, "state": _state(None, 0, 0)}
    first = found[0]
    count, done = sum(one.count for one in found), sum(one.done for one in found)
    progress = min(1.0, max(_BEGUN, sum(one.progress for one in found) / count))
    passed = time.time() - first.started
    return {
        "progress": progress,
        "eta_relative": max(0.0, passed / progress - passed),
        "state": _state(first, count, done),
    }


def _state(first: Generation | None, count: int, done: int) -> JsonObject:
    began = time.localtime(first.started) if first else time.localtime(0)
    return {
        "skipped": bool(first and first.skipped),
        "interrupted": bool(first and first.interrupted.is_set()),
        "stopping_generation": bool(first and first.interrupted.is_set()),
        "job": first.job if first else "",
        "job_count": count,
        "job_timestamp": time.strftime("%Y%m%d%H%M%S", began) if first else "0",
        "job_no": done,
        "sampling_step": first.step if first else 0,
        "sampling_steps": first.steps if first else 0,
    }
