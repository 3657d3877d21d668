"""A request for a prediction: its body, and for how long its client waits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, Self, get_args

from pydantic import BaseModel, Field

from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import wrong
from nodetool_core.server.http.json_body import checked, read_object, without_nulls
from nodetool_core.server.security.json_limits import violation

HookEvent = Literal["start", "output", "logs", "completed"]
"""What a webhook can report."""

LONGEST_WAIT: Final = 60
"""Seconds that an answer may be waited for."""

_WAIT: Final = re.compile(r"wait(?:\s*=\s*\"?(\d{1,6})(?:\.\d*)?\"?)?", re.IGNORECASE)


class PredictionFields(BaseModel):
    """The fields of a request, but for its input."""

    version: str = Field(
        default="",
        max_length=600,
        description="The id of a version, `owner/name:id`, or `owner/name` for the newest.",
    )
    webhook: str = Field(
        default="", max_length=2000, description="Address that is sent the prediction."
    )
    webhook_completed: str = Field(
        default="", max_length=2000, description="The same, for its end alone."
    )
    webhook_events_filter: list[HookEvent] = Field(
        default=list(get_args(HookEvent)), description="What the webhook is sent for."
    )
    stream: bool = Field(default=True, description="Whether it has an address of its stream.")


@dataclass(frozen=True)
class Hook:
    """Where a client wants to be notified, and of what."""

    url: str
    events: tuple[HookEvent, ...]


@dataclass(frozen=True)
class PredictionBody:
    """A request, of which only the form was looked at."""

    fields: PredictionFields
    input: JsonObject

    @classmethod
    def of(cls, body: bytes) -> Self:
        """
        Read a request. Fields that are not known are left out.

        Raises HttpError: 400 for what is no JSON, 422 with every field that does not fit.
        """
        given = without_nulls(read_object(body))
        found = given.pop("input", {})
        fields = checked(PredictionFields, given)
        if not isinstance(found, dict):
            hint = 'Give the values by name: {"input": {"prompt": "a lake"}}.'
            raise wrong(422, "invalid_value", "input", "expects an object.", hint)
        if complaint := violation(found):
            raise wrong(422, "invalid_value", "input", complaint)
        return cls(fields, found)

    @property
    def hook(self) -> Hook | None:
        """The webhook; None where the client wants none."""
        fields = self.fields
        if fields.webhook:
            return Hook(fields.webhook, tuple(dict.fromkeys(fields.webhook_events_filter)))
        completed = fields.webhook_completed
        return Hook(completed, ("completed",)) if completed else None


def wait_seconds(prefer: str) -> float:
    """
    Return how long a client waits, by the header `Prefer`: `wait`, or `wait=N` with N from 1 to 60.

    0 where it does not wait. What else is in the header is not looked at.
    """
    for part in prefer.split(","):
        if found := _WAIT.fullmatch(part.partition(";")[0].strip()):
            return LONGEST_WAIT if found[1] is None else max(1, min(LONGEST_WAIT, int(found[1])))
    return 0.0
