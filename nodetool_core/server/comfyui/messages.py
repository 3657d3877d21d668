"""
What happens to a job, as the messages of ComfyUI's sockets.

Whatever becomes of a prompt, wholly cached, failed or cancelled, the last message about it is
`executing` without a node: clients wait for that.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Final

from nodetool_core.jobs.job import JobState, StoredEvent
from nodetool_core.json_types import JsonObject
from nodetool_core.server.comfyui.history import Message, ending, origin_of
from nodetool_core.server.comfyui.prompts import Prompt

if TYPE_CHECKING:
    from PIL import Image

PREVIEW: Final = 1
PREVIEW_WITH_METADATA: Final = 4
"""Kinds of binary messages."""

_JPEG: Final = 1
_PREVIEW_SIDE: Final = 512


class Messages:
    """
    The messages about one prompt, of its events in their order.

    Those that arrive together are read together: of the progress of a node, the last counts.
    """

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self.node = ""
        """The node that runs."""

    def of(self, events: Sequence[StoredEvent]) -> Iterator[Message]:
        """Yield the messages of some events, but for the last of all."""
        cached: list[str] = []
        for number, event in enumerate(events):
            node = origin_of(self._prompt, event)
            if event.name == "node_finished" and event.data.get("cached"):
                cached.append(node)
                continue
            if cached:
                yield self._message("execution_cached", nodes=cached, timestamp=_time(event))
                cached = []
            if event.name == "job_started":
                yield self._message("execution_start", timestamp=_time(event))
            elif event.name == "node_started":
                self.node = node
                yield self._message("executing", node=node, display_node=node)
            elif event.name == "node_progress" and not _is_outdone(event, events[number + 1 :]):
                yield from self._progress(event, node)
        if cached:
            yield self._message("execution_cached", nodes=cached, timestamp=_time(events[-1]))

    def end(self, events: Sequence[StoredEvent], outputs: JsonObject) -> Iterator[Message]:
        """
        Yield the last messages about a prompt that has ended.

        Args:
            events: All of its events.
            outputs: What each node gave.
        """
        if self._prompt.job.state is JobState.DONE:
            for node, output in outputs.items():
                yield self._message("executed", node=node, display_node=node, output=output)
        yield ending(self._prompt, events)[-1]
        yield self.last()

    def last(self) -> Message:
        """Return the message by which clients know that a prompt has ended."""
        return self._message("executing", node=None, display_node=None)

    def _progress(self, event: StoredEvent, node: str) -> Iterator[Message]:
        step, total = event.data.get("step", 0), event.data.get("total", 0)
        yield self._message("progress", value=step, max=total, node=node)
        state: JsonObject = {
            "value": step,
            "max": total,
            "state": "running",
            "prompt_id": self._prompt.id,
            **_place(node),
        }
        yield self._message("progress_state", nodes={node: state})

    def _message(self, kind: str, **data: object) -> Message:
        about: JsonObject = {"prompt_id": self._prompt.id}
        return kind, {**data, **about}  # type: ignore[dict-item]


def preview_of(prompt: Prompt, node_id: str, image: Image.Image, *, with_metadata: bool) -> bytes:
    """Return a binary message with an image of a step, in JPEG. Blocks."""
    small = image.convert("RGB")
    small.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=85)
    if not with_metadata:
        return struct.pack(">II", PREVIEW, _JPEG) + buffer.getvalue()
    node = prompt.origins.get(node_id, node_id)
    about = {"prompt_id": prompt.id, "image_type": "image/jpeg", **_place(node)}
    text = json.dumps(about).encode()
    return struct.pack(">II", PREVIEW_WITH_METADATA, len(text)) + text + buffer.getvalue()


def _is_outdone(event: StoredEvent, later: Sequence[StoredEvent]) -> bool:
    """Return whether a later event says how far the same node is by then."""
    node = event.data.get("node_id")
    return any(
        other.name in ("node_progress", "node_finished") and other.data.get("node_id") == node
        for other in later
    )


def _place(node: str) -> JsonObject:
    return {
        "node_id": node,
        "display_node_id": node,
        "parent_node_id": None,
        "real_node_id": node,
    }


def _time(event: StoredEvent) -> int:
    return int(event.at * 1000)
