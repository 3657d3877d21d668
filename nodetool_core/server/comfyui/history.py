"""
What became of prompts, as `/history` shows it.

An entry of a prompt that has ended does not change any more, so it is made once: there are clients
that ask for the whole history ten times a second.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import Problem
from nodetool_core.jobs.job import JobsError, JobState, StoredEvent, StoredFile
from nodetool_core.json_types import JsonObject
from nodetool_core.server.comfyui.prompts import Prompt
from nodetool_core.server.http.http_errors import public
from nodetool_core.values import leaves

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

MOST_ENTRIES: Final = 100
"""Entries of a history that is requested as a whole."""

_KEPT: Final = 500
"""Entries that are kept ready."""

_NAME: Final = re.compile(r".*_([0-9a-f]{24})_(\d{5})_\.\w{3,4}", re.DOTALL)
"""Name of a result: the job, and the number among its images."""

_WHERE: Final = re.compile(r"node '([^']+)'")


class History:
    """The history of one server. Its methods block."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._known: OrderedDict[str, bytes] = OrderedDict()

    def text(self, prompts: Sequence[Prompt]) -> bytes:
        """Return the history of some prompts that have ended, as JSON."""
        entries = []
        for one in prompts:
            try:
                entries.append(json.dumps(one.id).encode() + b":" + self._entry(one))
            except JobsError as error:
                # Its job was removed a moment ago.
                if error.problem.code != "unknown_job":
                    raise
        return b"{" + b",".join(entries) + b"}"

    def images(self, prompt: Prompt) -> dict[str, list[JsonObject]]:
        """Return what each node gave, as names of files by which `/view` finds them."""
        found: dict[str, list[JsonObject]] = {}
        for number, (output, file) in enumerate(self._files(prompt)):
            node = prompt.outputs[output]
            suffix = file.media_type.rpartition("/")[2][:4]
            name = f"{node.prefix}_{prompt.job.id}_{number + 1:05}_.{suffix}"
            found.setdefault(node.node, []).append(
                {"filename": name, "subfolder": node.subfolder, "type": node.folder}
            )
        return found

    def outputs(self, prompt: Prompt) -> JsonObject:
        """Return what each node gave: images, or texts."""
        found: JsonObject = {node: {"images": some} for node, some in self.images(prompt).items()}
        results = self._state.jobs.results(prompt.job.id)
        for one in prompt.outputs:
            value = results.get(one.output)
            if one.node not in found and isinstance(value, (str, int, float, bool)):
                found[one.node] = {"text": [str(value)]}
        return found

    def file(self, prompt: Prompt, number: int) -> StoredFile | None:
        """Return an image of a prompt by the number in its name."""
        found = [file for _, file in self._files(prompt)]
        return found[number - 1] if 0 < number <= len(found) else None

    def _files(self, prompt: Prompt) -> list[tuple[int, StoredFile]]:
        results = self._state.jobs.results(prompt.job.id)
        return [
            (index, file)
            for index, one in enumerate(prompt.outputs)
            for file in leaves(results.get(one.output), StoredFile)
            if file.kind == "image"
        ]

    def _entry(self, prompt: Prompt) -> bytes:
        with self._lock:
            if (known := self._known.get(prompt.job.id)) is not None:
                self._known.move_to_end(prompt.job.id)
                return known
        events = list(self._state.jobs.events(prompt.job.id))
        return self.note(prompt, self.outputs(prompt), events)

    def note(self, prompt: Prompt, outputs: JsonObject, events: Sequence[StoredEvent]) -> bytes:
        """Keep the entry of a prompt that has ended, of what was read of it, and return it."""
        made = _made(prompt, outputs, events)
        text = json.dumps(made, separators=(",", ":")).encode()
        with self._lock:
            self._known[prompt.job.id] = text
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return text


Message = tuple[str, JsonObject]
"""What a socket is sent: a type, and data."""


def _made(prompt: Prompt, outputs: JsonObject, events: Sequence[StoredEvent]) -> JsonObject:
    is_done = prompt.job.state is JobState.DONE
    meta: JsonObject = {
        node: {"node_id": node, "display_node": node, "parent_node": None, "real_node_id": node}
        for node in outputs
    }
    warnings: JsonObject = dict(prompt.warnings)
    return {
        "prompt": prompt.entry(),
        "outputs": outputs,
        "status": {
            "status_str": "success" if is_done else "error",
            "completed": is_done,
            "messages": [list(message) for message in ending(prompt, events)],
        },
        "meta": meta,
        "warnings": warnings,
    }


def named_result(filename: str) -> tuple[str, int] | None:
    """Return the job and the number of the image that the name of a result stands for."""
    found = _NAME.fullmatch(filename)
    return None if found is None else (found[1], int(found[2]))


def ending(prompt: Prompt, events: Sequence[StoredEvent]) -> list[Message]:
    """Return the messages of a prompt that has ended that its history keeps."""
    begun = int(prompt.job.created * 1000)
    cached: list[str] = []
    ran: list[str] = []
    for event in events:
        if event.name == "job_started":
            begun = int(event.at * 1000)
        elif event.name == "node_finished":
            node = origin_of(prompt, event)
            (cached if event.data.get("cached") else ran).append(node)
    ended = int((prompt.job.ended or prompt.job.created) * 1000)
    about: JsonObject = {"prompt_id": prompt.id, "timestamp": ended}
    nodes = list(dict.fromkeys(cached))
    started: JsonObject = {"prompt_id": prompt.id, "timestamp": begun}
    found: list[Message] = [
        ("execution_start", started),
        ("execution_cached", {"nodes": nodes, **started}),
    ]
    if prompt.job.state is JobState.DONE:
        return [*found, ("execution_success", about)]
    failed = next((one for one in reversed(events) if one.name == "node_failed"), None)
    node = origin_of(prompt, failed) if failed is not None else _named(prompt)
    class_type = prompt.graph.get(node)
    more: JsonObject = {
        "node_id": node,
        "node_type": class_type["class_type"] if isinstance(class_type, dict) else "",
        "executed": list(dict.fromkeys([*cached, *ran])),
    }
    if prompt.job.state is JobState.CANCELLED:
        return [*found, ("execution_interrupted", about | more)]
    return [*found, ("execution_error", about | more | failure_of(prompt))]


def failure_of(prompt: Prompt) -> JsonObject:
    """Return why a prompt failed."""
    problems = [public(problem) for problem in prompt.job.problems] or [
        Problem(str(prompt.job.state), "", "It did not end in time.")
    ]
    return {
        "exception_message": "\n".join(str(problem) for problem in problems),
        "exception_type": problems[0].code,
        "traceback": [],
        "current_inputs": {},
        "current_outputs": [],
    }


def origin_of(prompt: Prompt, event: StoredEvent) -> str:
    """Return the node of the graph that an event is about."""
    node = str(event.data.get("node_id", ""))
    return prompt.origins.get(node, node)


def _named(prompt: Prompt) -> str:
    for problem in prompt.job.problems:
        if found := _WHERE.search(problem.where):
            return prompt.origins.get(found[1], found[1])
    return ""
