"""A prediction as server-sent events: `output`, `logs`, `error`, and `done` at the end."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from nodetool_core.json_types import Json
from nodetool_core.server.http.event_stream import STILL_HERE, kept_alive
from nodetool_core.server.replicate.answers import Answers, failure_of, progress_line
from nodetool_core.server.replicate.predictions import STATES, Prediction, Predictions

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState


class Streams:
    """Streams of the predictions of one server."""

    def __init__(self, state: AppState, predictions: Predictions, answers: Answers) -> None:
        self._state = state
        self._predictions = predictions
        self._answers = answers

    async def of(self, prediction: Prediction, base: str, after: int) -> AsyncGenerator[bytes]:
        """
        Yield the events of a prediction until it has ended.

        Args:
            base: Where the client sees the server.
            after: The number of the last event that the client has; 0 for none.
        """
        job, state = prediction.job, self._state
        number = after
        # The status goes out with it: the client knows at once that its address is right.
        yield STILL_HERE
        if not after:
            for note in prediction.notes:
                yield _event("logs", f"{note}\n", 0)
        events = kept_alive(state.jobs.events_async(job.id, after), state.draining)
        has_ended = False
        async with aclosing(events):
            async for event in events:
                if event is None:
                    yield STILL_HERE
                    continue
                number, has_ended = event.number, event.name == "job_ended"
                if event.name == "node_progress":
                    yield _event("logs", f"{progress_line(event)}\n", number)
        if has_ended:
            for piece in await state.threads.work(self._end, prediction, base, number):
                yield piece

    def _end(self, prediction: Prediction, base: str, number: int) -> list[bytes]:
        job = prediction.job
        now = self._predictions.get(job.client, job.id)
        status = STATES[now.job.state]
        pieces = [
            _event("output", text, number) for text in _texts(self._answers.output(now, base))
        ]
        if status == "failed":
            pieces.append(_event("error", failure_of(now), number))
        reason = {"failed": {"reason": "error"}, "canceled": {"reason": "canceled"}}
        return [*pieces, _event("done", json.dumps(reason.get(status, {})), number)]


def _texts(output: Json) -> Iterator[str]:
    """Yield an output as one event for each of its items."""
    for one in output if isinstance(output, list) else [output]:
        if one is not None:
            yield one if isinstance(one, str) else json.dumps(one)


def _event(name: str, text: str, number: int) -> bytes:
    """Return an event; a line break in a text begins another line of it."""
    lines = "".join(f"data: {line}\n" for line in text.split("\n"))
    return f"event: {name}\nid: {number}\n{lines}\n".encode()
