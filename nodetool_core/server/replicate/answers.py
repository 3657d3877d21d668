"""Predictions as their API shows them: output, logs, addresses."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import Problem
from nodetool_core.jobs.job import StoredEvent, StoredFile
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.properties import jsonable
from nodetool_core.server import result_files
from nodetool_core.server.http.http_errors import public
from nodetool_core.server.replicate.predictions import STATES, Prediction
from nodetool_core.server.replicate.signatures import Signatures
from nodetool_core.values import json_form, leaves

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

PREFIX: Final = "/replicate/v1"
STREAMS: Final = "/replicate/streams/"
"""Paths below it need no token: clients in JavaScript send none."""

_INLINE_BYTES: Final = 16 * 2**20
"""Bytes of files that are in an answer at most."""
_BAR: Final = 10


class Answers:
    """Makes answers. Its methods block: files, the database."""

    def __init__(self, state: AppState, signatures: Signatures) -> None:
        self._state = state
        self._signatures = signatures

    def prediction(
        self,
        found: Prediction,
        base: str,
        *,
        inline: bool = False,
        is_short: bool = False,
        is_waited_for: bool = False,
    ) -> JsonObject:
        """
        Return a prediction.

        Args:
            base: Where the client sees the server.
            inline: Whether images are in the answer where they are small enough.
            is_short: Whether logs are left out, as in lists.
            is_waited_for: Whether the client takes everything but `starting` for the end.
        """
        job, address = found.job, f"{base}{PREFIX}/predictions/{found.job.id}"
        status = STATES[job.state]
        urls: JsonObject = {"get": address, "cancel": f"{address}/cancel"}
        if found.has_stream:
            urls["stream"] = f"{base}{STREAMS}{job.id}/{self._signatures.of_stream(job)}"
        metrics: JsonObject = {}
        if job.started is not None and job.ended is not None:
            metrics = {
                "predict_time": round(job.ended - job.started, 6),
                "total_time": round(job.ended - job.created, 6),
            }
        return {
            "id": job.id,
            "model": found.model,
            "version": found.version,
            "status": "starting" if is_waited_for and not job.state.ended else status,
            "input": _with_addresses(found.input, base),
            "output": self.output(found, base, inline=inline),
            "logs": "" if is_short else self.logs(found),
            "error": failure_of(found) if status == "failed" else None,
            "metrics": metrics,
            "created_at": iso(job.created),
            "started_at": None if job.started is None else iso(job.started),
            "completed_at": None if job.ended is None else iso(job.ended),
            "data_removed": False,
            "urls": urls,
        }

    def output(self, found: Prediction, base: str, *, inline: bool = False) -> Json:
        """Return what a prediction gave: its one output, several of a kind, or several by name."""
        if not found.job.state.ended:
            return None
        results = self._state.jobs.results(found.job.id)
        if not results:
            return None
        sizes = sum(file.size for file in leaves(results, StoredFile))
        inline = inline and sizes <= _INLINE_BYTES
        write = self._inlined if inline else lambda file: result_files.address(file, base)
        shown = {name: json_form(value, _writer(write)) for name, value in results.items()}
        if found.outputs:
            return [shown[name] for name in found.outputs if name in shown]
        return next(iter(shown.values())) if len(shown) == 1 else shown

    def logs(self, found: Prediction) -> str:
        """Return what was not done as asked, how far it is, and what came up."""
        job = found.job
        events, _ = self._state.jobs.queue.events(job.id)
        warnings = job.report.get("warnings")
        more = [str(one) for one in warnings] if isinstance(warnings, list) else []
        lines = [*found.notes, *progress_lines(events), *more]
        return "".join(f"{line}\n" for line in lines)

    def _inlined(self, file: StoredFile) -> str:
        content = base64.b64encode(self._state.jobs.read(file.digest)).decode()
        return f"data:{file.media_type};base64,{content}"


def failure_of(found: Prediction) -> str:
    """Return why a prediction did not succeed."""
    problems = [public(problem) for problem in found.job.problems] or [
        Problem(str(found.job.state), "", "It did not end well.")
    ]
    return "\n".join(str(problem) for problem in problems)


def progress_lines(events: Sequence[StoredEvent]) -> Iterator[str]:
    """Yield the last line of each node's progress."""
    last: dict[object, str] = {}
    for event in events:
        if event.name == "node_progress":
            node = event.data.get("node_id")
            last.pop(node, None)
            last[node] = progress_line(event)
    yield from last.values()


def progress_line(event: StoredEvent) -> str:
    """Return how far a node is, as clients read it."""
    step, total = _number(event.data.get("step")), _number(event.data.get("total"))
    part = min(1.0, step / total) if total else 0.0
    bar = "█" * round(part * _BAR)
    return f"{round(part * 100):3d}%|{bar:<{_BAR}}| {step}/{total}"


def iso(seconds: float) -> str:
    """Return a Unix time as their API writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _writer(write: Callable[[StoredFile], str]) -> Callable[[object], Json]:
    def written(value: object) -> Json:
        if isinstance(value, StoredFile):
            return write(value)
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        form: Json = jsonable(value)
        return form

    return written


def _with_addresses(given: Mapping[str, Json], base: str) -> JsonObject:
    """Return an input with addresses in place of the images that were sent in it."""
    return {name: _with_address(value, base) for name, value in given.items()}


def _with_address(value: Json, base: str) -> Json:
    if isinstance(value, list):
        return [_with_address(one, base) for one in value]
    file = StoredFile.from_json(value) if isinstance(value, dict) else None
    return value if file is None else result_files.address(file, base)


def _number(value: Json) -> int:
    return value if isinstance(value, int) else 0
