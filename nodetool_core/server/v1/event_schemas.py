"""
What the OpenAPI document says of the events of a job.

A schema for each, made from the classes of the engine's events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin, get_type_hints

from nodetool_core.engine.events import Event, NodePreview, event_type_name
from nodetool_core.jobs.job import JobState
from nodetool_core.json_types import Json, JsonObject

_TEXT: Final = {"type": "string"}
_ENDED: Final = {"type": "string", "enum": [state.value for state in JobState if state.ended]}
_JSON_TYPES: Final = {
    str: "string",
    bytes: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    tuple: "array",
    list: "array",
}
_LEFT_OUT: Final = frozenset({"traceback"})
"""Fields that stay in the server's log."""

_OF_JOBS: Final[Mapping[str, tuple[str, JsonObject]]] = {
    "job_queued": ("The job was accepted and waits.", {}),
    "job_started": ("A worker has begun it.", {"worker": _TEXT}),
    "job_requeued": ("It waits again: its worker was lost, or gave it back.", {"reason": _TEXT}),
    "job_cancel_requested": ("It was asked to stop at its next step.", {}),
    "job_ended": ("The last event: nothing follows.", {"state": _ENDED}),
}


def event_schemas() -> dict[str, JsonObject]:
    """
    Return the JSON Schema of the `data` of each event, by the event's name.

    Fields that say nothing are left out of events.
    """
    found = {name: _schema(name, meaning, fields) for name, (meaning, fields) in _OF_JOBS.items()}
    for kind in get_args(Event):
        if kind is not NodePreview:
            fields = {
                name: _json_type(hint)
                for name, hint in get_type_hints(kind).items()
                if name not in _LEFT_OUT
            }
            found[event_type_name(kind)] = _schema(
                event_type_name(kind), (kind.__doc__ or "").strip(), fields
            )
    return found


def event_stream() -> dict[int | str, JsonObject]:
    """Return the `responses` of a route that answers with the events of a job."""
    schemas = event_schemas()
    data: JsonObject = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"oneOf": list(schemas.values())},
    }
    item: JsonObject = {
        "type": "object",
        "properties": {
            "id": {
                "type": "string",
                "description": "The event's number within the job, from 1 on.",
            },
            "event": {"type": "string", "enum": list(schemas)},
            "data": data,
        },
        "required": ["id", "event", "data"],
    }
    shown = (
        'id: 1\nevent: job_queued\ndata: {"event":"job_queued","at":1764430000.0,"attempt":0}\n\n'
    )
    content: JsonObject = {"schema": {"type": "string"}, "itemSchema": item, "example": shown}
    description = (
        "Events as they happen, until the job has ended, each with its number as `id`; comments"
        " keep the connection alive."
    )
    return {200: {"description": description, "content": {"text/event-stream": content}}}


def _schema(name: str, meaning: str, fields: Mapping[str, Json]) -> JsonObject:
    common: JsonObject = {
        "event": {"const": name},
        "at": {"type": "number", "description": "Unix time in seconds."},
        "attempt": {
            "type": "integer",
            "description": "Which attempt at the job it belongs to; 0 before the first.",
        },
    }
    return {
        "type": "object",
        "title": name,
        "description": meaning,
        "properties": common | dict(fields),
        "required": list(common),
    }


def _json_type(hint: Any) -> JsonObject:
    known = _JSON_TYPES.get(get_origin(hint) or hint)
    if known is not None:
        return {"type": known}
    return {} if hint is Any else {"type": "object"}
