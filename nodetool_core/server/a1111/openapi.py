"""What the OpenAPI document says of the routes of the web UI's API."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.http.openapi import failures, reference

ERROR: Final = "WebUIError"
_ERROR: Final[JsonObject] = {
    "type": "object",
    "title": "WebUIError",
    "properties": {
        "error": {"type": "string"},
        "detail": {
            "description": "A text; for fields that do not fit, a list of them.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}],
        },
        "body": {"type": "string"},
        "errors": {"type": "string"},
    },
    "required": ["error", "detail", "body", "errors"],
}
SCHEMAS: Final = {ERROR: _ERROR}
_STRING: Final[JsonObject] = {"type": "string"}
_STRINGS: Final[JsonObject] = {"type": "array", "items": _STRING}
_WARNINGS: Final[JsonObject] = _STRINGS | {"description": "What was not done as requested."}
IMAGES: Final[JsonObject] = {
    "type": "object",
    "title": "GenerationResponse",
    "properties": {
        "images": _STRINGS | {"description": "As base64."},
        "parameters": {"type": "object"},
        "info": {"type": "string", "contentMediaType": "application/json"},
        "warnings": _WARNINGS,
    },
    "required": ["images", "parameters", "info"],
}
EXTRAS_IMAGE: Final[JsonObject] = {
    "type": "object",
    "properties": {"image": {"type": ["string", "null"]}, "html_info": _STRING},
    "required": ["image", "html_info"],
}
EXTRAS_IMAGES: Final[JsonObject] = {
    "type": "object",
    "properties": {"images": _STRINGS, "html_info": _STRING},
    "required": ["images", "html_info"],
}
PNG_INFO: Final[JsonObject] = {
    "type": "object",
    "properties": {"info": _STRING, "items": {"type": "object"}, "parameters": {"type": "object"}},
    "required": ["info", "items", "parameters"],
}
PROGRESS: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "progress": {"type": "number", "minimum": 0, "maximum": 1},
        "eta_relative": {"type": "number"},
        "state": {"type": "object"},
        "current_image": {"type": ["string", "null"]},
        "textinfo": {"type": ["string", "null"]},
    },
    "required": ["progress", "eta_relative", "state"],
}
OBJECT: Final[JsonObject] = {"type": "object"}
LIST: Final[JsonObject] = {"type": "array", "items": {"type": "object"}}
NOTHING: Final[JsonObject] = {"type": ["object", "null"]}

_RUN: Final = (400, 401, 404, 413, 415, 422, 429, 500, 503, 504, 507)


def answers(schema: JsonObject, *statuses: int) -> dict[int | str, JsonObject]:
    """Return the `responses` of a route, with statuses that carry an error of this dialect."""
    content: JsonObject = {"application/json": {"schema": reference(ERROR)}}
    found: dict[int | str, JsonObject] = {
        status: {"description": one["description"], "content": content}
        for status, one in failures(*(statuses or (401, 429))).items()
    }
    found[200] = {"description": "The answer.", "content": {"application/json": {"schema": schema}}}
    return found


def runs(schema: JsonObject) -> dict[int | str, JsonObject]:
    """Return the `responses` of a route that makes images."""
    return answers(schema, *_RUN)


def body(kind: type[BaseModel], example: JsonObject | None = None) -> JsonObject:
    """Return the body of a route."""
    schema: JsonObject = kind.model_json_schema()
    definitions = schema.pop("$defs", {})
    assert isinstance(definitions, dict)
    content: JsonObject = {"schema": _inlined(schema, definitions)}
    if example is not None:
        content["example"] = example
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def _inlined(value: Json, definitions: JsonObject) -> Json:
    """Return a schema with definitions in place of the references to them."""
    if isinstance(value, list):
        return [_inlined(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _inlined(definitions[str(value["$ref"]).rpartition("/")[2]], definitions)
    return {key: _inlined(item, definitions) for key, item in value.items()}


def object_body() -> JsonObject:
    """Return the body of a route that takes any object."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": OBJECT}}}}
