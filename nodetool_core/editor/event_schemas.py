"""What the OpenAPI document says of the page's stream of events."""

from __future__ import annotations

from typing import Final

from nodetool_core.editor.routing import Responses
from nodetool_core.json_types import JsonObject
from nodetool_core.server.v1.event_schemas import event_schemas

_TEXT: Final[JsonObject] = {"type": "string"}
_NUMBER: Final[JsonObject] = {"type": "number"}
_COUNT: Final[JsonObject] = {"type": "integer"}
_NAMES: Final[JsonObject] = {"type": "array", "items": _TEXT}

_OF_A_JOB: Final[JsonObject] = {
    "job": {"type": "string", "description": "The job's id."},
    "n": {
        "type": "integer",
        "description": "The event's number within the job; 0 for one that is not stored.",
    },
}
_QUEUED: Final[JsonObject] = {"workflow": _TEXT, "label": _TEXT, "priority": _COUNT}
_HERE_ALONE: Final[dict[str, tuple[str, JsonObject, list[str]]]] = {
    "node_needed": (
        "Ids of the nodes that a run will compute, as far as is known before it.",
        _OF_A_JOB | {"at": _NUMBER, "ids": _NAMES, "anew": {"type": "boolean"}},
        ["job", "n", "at", "ids", "anew"],
    ),
    "node_preview": (
        "How far the image is that a node makes: at most ten a second.",
        _OF_A_JOB
        | {"at": _NUMBER, "node_id": _TEXT, "step": _COUNT, "total": _COUNT}
        | {"image": {"type": "string", "description": "A WEBP as a data: URI."}},
        ["job", "n", "at", "node_id", "step", "total", "image"],
    ),
    "models_changed": (
        "How far the fetch of a model is, or what became of it; to the owner alone.",
        {
            "id": _TEXT,
            "bytes": _COUNT,
            "total": _COUNT,
            "state": {"type": "string", "enum": ["done", "failed", "cancelled"]},
            "problem": {"type": "object"},
        },
        [],
    ),
    "workflows_changed": (
        "Somebody else has changed files of workflows; to the owner alone.",
        {"names": _NAMES},
        ["names"],
    ),
}


def editor_event_schemas() -> dict[str, JsonObject]:
    """Return the JSON Schema of the `data` of each event of the page's stream, by its name."""
    found = dict[str, JsonObject]()
    for name, schema in event_schemas().items():
        fields, required = schema["properties"], schema["required"]
        assert isinstance(fields, dict) and isinstance(required, list)
        own = _OF_A_JOB | (_QUEUED if name == "job_queued" else {})
        kept = {field: one for field, one in fields.items() if field != "attempt"}
        wanted = [field for field in required if field != "attempt"]
        found[name] = schema | {"properties": kept | own, "required": [*wanted, "job", "n"]}
    for name, (meaning, fields, required) in _HERE_ALONE.items():
        found[name] = {
            "type": "object",
            "title": name,
            "description": meaning,
            "properties": {"event": {"const": name}} | fields,
            "required": ["event", *required],
        }
    return found


def event_stream() -> Responses:
    """Return the `responses` of the page's stream."""
    schemas = editor_event_schemas()
    data: JsonObject = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"oneOf": [*schemas.values()]},
    }
    item: JsonObject = {
        "type": "object",
        "properties": {
            "id": {
                "type": "string",
                "description": "The time to give as `after`, or as `Last-Event-ID`, to go on.",
            },
            "event": {"type": "string", "enum": [*schemas]},
            "data": data,
        },
        "required": ["event", "data"],
    }
    content: JsonObject = {"schema": {"type": "string"}, "itemSchema": item}
    description = "Events as they happen, until the server ends; comments keep it alive."
    return {200: {"description": description, "content": {"text/event-stream": content}}}
