"""
Predictions: each is a job, with what its client said of it in the job's note.

Who may see a prediction is decided as for every job.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from nodetool_core.jobs.job import Job, JobOptions, JobRequest, JobsError, JobState, unknown_job
from nodetool_core.json_types import JsonObject
from nodetool_core.server.fan_out import fan_out_document, fan_out_inputs, fan_out_outputs
from nodetool_core.server.http.http_errors import wrong
from nodetool_core.server.replicate.body import Hook, PredictionBody
from nodetool_core.server.replicate.call import Call, call_of
from nodetool_core.server.replicate.models import Model

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

NOTE: Final = "replicate"
"""Under which the note of a job has what is known of the prediction."""

HOOK: Final = "webhook"
"""Under which it has where its client is notified."""

LARGEST: Final = 2**20
"""Bytes of an input that is kept to be shown, without the images in it."""

PAGE: Final = 50
"""Predictions of a page."""

_JOBS: Final = 100
_PAGES: Final = 20
"""Pages of a client's jobs that are looked through for a page of predictions."""


@dataclass(frozen=True)
class Prediction:
    """A prediction as it is now."""

    job: Job
    model: str
    version: str
    input: JsonObject
    notes: tuple[str, ...]
    """What is not done as asked."""
    outputs: tuple[str, ...] = ()
    """The names of several outputs of one kind, in their order; none where it has but one."""
    has_stream: bool = True
    """Whether its client is given the address of its stream."""

    @classmethod
    def of(cls, job: Job) -> Self | None:
        """Return the prediction that a job is; None for every other job."""
        note = job.note.get(NOTE)
        if not isinstance(note, dict):
            return None
        notes = tuple(note["notes"])
        given, outputs = json.loads(note["input"]), tuple(note.get("outputs", ()))
        has_stream = note.get("stream") is not False
        return cls(job, note["model"], note["version"], given, notes, outputs, has_stream)

    @property
    def hook(self) -> JsonObject | None:
        """Where its client is notified: `url`, `events`, `base`, and whether it is `done`."""
        found = self.job.note.get(HOOK)
        return found if isinstance(found, dict) else None


class Predictions:
    """The predictions of one server. Its methods block."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    def create(
        self, client: str, model: Model, version: str, body: PredictionBody, base: str
    ) -> Prediction:
        """
        Accept a prediction: it is on disk when this returns.

        Args:
            base: Where the client sees the server.

        Raises WorkflowError, ImageError, HttpError and JobsError.
        """
        state, served = self._state, model.for_input(body.input)
        call = call_of(served, body.input, state.sanitizer, state.keep)
        output = served.image_outputs[0] if call.count > 1 else ""
        outputs = fan_out_outputs(output, call.count) if output else []
        job = state.jobs.submit(
            JobRequest(
                workflow=fan_out_document(served, call.count),
                base=served.base,
                name=served.name,
                inputs=fan_out_inputs(served, call.inputs, call.count),
                client=client,
                options=JobOptions(
                    outputs=outputs or None,
                    image_format=call.image_format,
                    quality=call.quality,
                    provenance=state.settings.provenance,
                    confined=served.confined,
                    note=_note(model.id, version, call, outputs, has_stream=body.fields.stream)
                    | _hook_note(body.hook, base),
                ),
            )
        )
        found = Prediction.of(job)
        assert found is not None
        return found

    def get(self, client: str, prediction_id: str) -> Prediction:
        """Return a prediction. Raises JobsError where there is none that the client may see."""
        found = Prediction.of(self._state.job_seen_by(client, prediction_id))
        if found is None:
            raise JobsError(unknown_job(prediction_id))
        return found

    def cancel(self, client: str, prediction_id: str) -> Prediction:
        """End a prediction that waits, or ask a running one to stop. Raises JobsError."""
        self.get(client, prediction_id)
        self._state.jobs.cancel(prediction_id)
        return self.get(client, prediction_id)

    def page(self, client: str, before: str | None) -> tuple[list[Prediction], str | None]:
        """
        Return predictions, the newest first, and what the next page is asked for by.

        Raises JobsError where `before` is no job.
        """
        found: list[Prediction] = []
        for one in self._newest(self._state.jobs_seen_by(client), before):
            if len(found) == PAGE:
                return found, found[-1].job.id
            found.append(one)
        return found, None

    def unnotified(self) -> list[Prediction]:
        """Return the predictions whose clients wait for the last message about them."""
        return [
            one
            for one in self._newest(None, None)
            if one.hook is not None and not one.hook.get("done")
        ]

    def _newest(self, seen: str | None, before: str | None) -> Iterator[Prediction]:
        for _ in range(_PAGES):
            page = self._state.jobs.list(client=seen, before=before, limit=_JOBS)
            for job in page:
                if (found := Prediction.of(job)) is not None:
                    yield found
            if len(page) < _JOBS:
                return
            before = page[-1].id


def _note(
    model: str, version: str, call: Call, outputs: Sequence[str], *, has_stream: bool
) -> JsonObject:
    # As a text, nothing in it can be taken for a mark of the server's own.
    text = json.dumps(call.shown, separators=(",", ":"))
    if len(text) > LARGEST:
        message = f"is larger than {LARGEST // 2**20} MiB without its images."
        raise wrong(413, "body_too_large", "input", message, "Send less.")
    said: JsonObject = {"input": text, "notes": list(call.notes), "outputs": list(outputs)}
    stream: JsonObject = {} if has_stream else {"stream": False}
    return {NOTE: {"model": model, "version": version} | said | stream}


def _hook_note(hook: Hook | None, base: str) -> JsonObject:
    if hook is None:
        return {}
    return {HOOK: {"url": hook.url, "events": list(hook.events), "base": base}}


STATES: Final = {
    JobState.QUEUED: "starting",
    JobState.RUNNING: "processing",
    JobState.DONE: "succeeded",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "canceled",
    JobState.EXPIRED: "failed",
}
"""What their API calls the states of a job."""
