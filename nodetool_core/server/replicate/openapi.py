"""What the OpenAPI document says of the routes of Replicate's API."""

from __future__ import annotations

from typing import Final

from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.forms import FORM
from nodetool_core.server.http.openapi import BYTES, failures, reference
from nodetool_core.server.replicate.body import PredictionFields
from nodetool_core.server.replicate.errors import MEDIA_TYPE

_TEXT: Final[JsonObject] = {"type": "string"}
_TEXT_OR_NOTHING: Final[JsonObject] = {"type": ["string", "null"]}
_ADDRESSES: Final[JsonObject] = {"type": "object", "additionalProperties": _TEXT}

ERROR: Final = "ReplicateError"
_ERROR: Final[JsonObject] = {
    "type": "object",
    "title": "ReplicateError",
    "properties": {
        "title": _TEXT,
        "detail": _TEXT,
        "status": {"type": "integer"},
        "code": _TEXT,
        "invalid_fields": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"type": _TEXT, "field": _TEXT, "description": _TEXT},
            },
        },
    },
    "required": ["title", "detail", "status", "code"],
}
SCHEMAS: Final = {ERROR: _ERROR}
PREDICTION: Final[JsonObject] = {
    "type": "object",
    "title": "ReplicatePrediction",
    "properties": {
        "id": _TEXT,
        "model": _TEXT,
        "version": _TEXT,
        "status": {
            "type": "string",
            "enum": ["starting", "processing", "succeeded", "failed", "canceled"],
        },
        "input": {"type": "object"},
        "output": {},
        "logs": _TEXT,
        "error": _TEXT_OR_NOTHING,
        "metrics": {"type": "object", "additionalProperties": {"type": "number"}},
        "created_at": _TEXT,
        "started_at": _TEXT_OR_NOTHING,
        "completed_at": _TEXT_OR_NOTHING,
        "data_removed": {"type": "boolean"},
        "urls": _ADDRESSES,
    },
    "required": ["id", "model", "version", "status", "input", "output", "logs", "error", "urls"],
}
VERSION: Final[JsonObject] = {
    "type": "object",
    "title": "ReplicateVersion",
    "properties": {
        "id": _TEXT,
        "created_at": _TEXT,
        "cog_version": _TEXT,
        "openapi_schema": {"type": "object"},
    },
    "required": ["id", "created_at", "cog_version", "openapi_schema"],
}
MODEL: Final[JsonObject] = {
    "type": "object",
    "title": "ReplicateModel",
    "properties": {
        "url": _TEXT,
        "owner": _TEXT,
        "name": _TEXT,
        "description": _TEXT_OR_NOTHING,
        "visibility": {"type": "string", "enum": ["public", "private"]},
        "run_count": {"type": "integer"},
        "latest_version": VERSION,
    },
    "required": ["url", "owner", "name", "visibility", "run_count", "latest_version"],
}
DEPLOYMENT: Final[JsonObject] = {
    "type": "object",
    "title": "ReplicateDeployment",
    "properties": {"owner": _TEXT, "name": _TEXT, "current_release": {"type": "object"}},
    "required": ["owner", "name", "current_release"],
}
FILE: Final[JsonObject] = {
    "type": "object",
    "title": "ReplicateFile",
    "properties": {
        "id": _TEXT,
        "name": _TEXT,
        "content_type": _TEXT,
        "size": {"type": "integer"},
        "etag": _TEXT,
        "checksums": _ADDRESSES,
        "metadata": {"type": "object"},
        "created_at": _TEXT,
        "expires_at": _TEXT_OR_NOTHING,
        "urls": _ADDRESSES,
    },
    "required": ["id", "name", "content_type", "size", "metadata", "created_at", "urls"],
}
SECRET: Final[JsonObject] = {"type": "object", "properties": {"key": _TEXT}, "required": ["key"]}

_USUAL: Final = (401, 404, 422, 429, 503)
_CREATING: Final = (400, 413, 507)


def page_of(schema: JsonObject) -> JsonObject:
    """Return the schema of a page."""
    properties: JsonObject = {
        "results": {"type": "array", "items": schema},
        "next": _TEXT_OR_NOTHING,
        "previous": _TEXT_OR_NOTHING,
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def answers(schema: JsonObject, what: str, status: int = 200) -> dict[int | str, JsonObject]:
    """Return the `responses` of a route that answers JSON; 201 for one that makes something."""
    found = failed(*_USUAL, *(_CREATING if status == 201 else ()))
    found[status] = {"description": what, "content": {"application/json": {"schema": schema}}}
    return found


def nothing() -> dict[int | str, JsonObject]:
    """Return the `responses` of a route that answers nothing."""
    return failed(*_USUAL) | {204: {"description": "Done."}}


def stream() -> dict[int | str, JsonObject]:
    """Return the `responses` of the route of a stream."""
    item: JsonObject = {
        "type": "object",
        "properties": {
            "event": {"type": "string", "enum": ["output", "logs", "error", "done"]},
            "id": _TEXT,
            "data": _TEXT,
        },
        "required": ["event", "id", "data"],
    }
    content: JsonObject = {"text/event-stream": {"schema": _TEXT, "itemSchema": item}}
    return failed(*_USUAL) | {200: {"description": "Events until its end.", "content": content}}


def failed(*statuses: int) -> dict[int | str, JsonObject]:
    """Return the `responses` of a route for statuses that carry an error of this dialect."""
    content: JsonObject = {MEDIA_TYPE: {"schema": reference(ERROR)}}
    return {
        status: {"description": found["description"], "content": content}
        for status, found in failures(*statuses).items()
    }


def prediction_body(*, needs_version: bool) -> JsonObject:
    """Return the body of a prediction."""
    properties: JsonObject = PredictionFields.model_json_schema()["properties"]
    schema: JsonObject = {
        "type": "object",
        "properties": {"input": {"type": "object"}, **properties},
        **({"required": ["version"]} if needs_version else {}),
    }
    example: JsonObject = {"input": {"prompt": "a winter night"}}
    if needs_version:
        example["version"] = "nodetool/restyle_landscape"
    content: JsonObject = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def file_body() -> JsonObject:
    """Return the form of a file."""
    metadata: JsonObject = {"type": "string", "description": "What is kept with it, as JSON."}
    schema: JsonObject = {
        "type": "object",
        "properties": {"content": BYTES["schema"], "metadata": metadata},
        "required": ["content"],
    }
    return {"requestBody": {"required": True, "content": {FORM: {"schema": schema}}}}
