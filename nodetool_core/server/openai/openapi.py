"""What the OpenAPI document says of the routes of the OpenAI Images API."""

from __future__ import annotations

from typing import Final

from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.forms import FORM
from nodetool_core.server.http.openapi import BYTES, failures, reference
from nodetool_core.server.openai.body import MOST_IMAGES, ImagesBody
from nodetool_core.server.openai.errors import STATUSES

ERROR: Final = "OpenAIError"
_ERROR: Final[JsonObject] = {
    "type": "object",
    "title": "OpenAIError",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
            "required": ["message", "type", "param", "code"],
        }
    },
    "required": ["error"],
}
SCHEMAS: Final = {ERROR: _ERROR}

_RESPONSE: Final[JsonObject] = {
    "type": "object",
    "title": "ImagesResponse",
    "properties": {
        "created": {"type": "integer"},
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"b64_json": {"type": "string"}, "url": {"type": "string"}},
            },
        },
        "background": {"type": "string", "enum": ["transparent", "opaque"]},
        "output_format": {"type": "string", "enum": ["png", "jpeg", "webp"]},
        "quality": {"type": "string"},
        "size": {"type": "string"},
        "warnings": {
            "type": "array",
            "items": {"type": "string"},
            "description": "What was not done as requested.",
        },
    },
    "required": ["created", "data"],
}

_REFERENCE: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "image_url": {"type": "string", "description": "A data: URI, or an http(s) address."},
        "file_id": {"type": "string", "description": "The `asset_id` of an upload or a result."},
    },
}
_EVENT: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "description": "The same as `type` in the data."},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}
_FAILURES: Final = (400, 401, 404, 413, 429, 500, 503, 504, 507)


def failed(*statuses: int) -> dict[int | str, JsonObject]:
    """Return the `responses` of a route for statuses that carry an error of this dialect."""
    content: JsonObject = {"application/json": {"schema": reference(ERROR)}}
    return {
        status: {"description": found["description"], "content": content}
        for status, found in failures(*statuses).items()
        if status not in STATUSES
    }


def images() -> dict[int | str, JsonObject]:
    """Return the `responses` of a route that makes images."""
    content: JsonObject = {
        "application/json": {"schema": _RESPONSE},
        "text/event-stream": {"itemSchema": _EVENT},
    }
    description = "The images; with `stream`, events of them as they are made."
    found = failed(*_FAILURES)
    found[200] = {"description": description, "content": content}
    return found


def model() -> dict[int | str, JsonObject]:
    """Return the `responses` of the route of one model."""
    properties: JsonObject = {
        "id": {"type": "string"},
        "object": {"const": "model"},
        "created": {"type": "integer"},
        "owned_by": {"type": "string"},
    }
    schema: JsonObject = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }
    found = failed(401, 404, 429)
    found[200] = {
        "description": "The model.",
        "content": {"application/json": {"schema": schema}},
    }
    return found


def body(use: str) -> JsonObject:
    """Return the body of a route that makes images."""
    properties: JsonObject = ImagesBody.model_json_schema()["properties"]
    required = [] if use == "variations" else ["prompt"]
    schema: JsonObject = {"type": "object", "properties": properties, "required": required}
    example: JsonObject = {"prompt": "a winter night", "size": "512x512", "seed": 7}
    if use == "generations":
        content: JsonObject = {"application/json": {"schema": schema, "example": example}}
        return {"requestBody": {"required": True, "content": content}}
    references: JsonObject = {"type": "array", "items": _REFERENCE, "maxItems": MOST_IMAGES}
    files: JsonObject = {"type": "array", "items": BYTES["schema"], "maxItems": MOST_IMAGES}
    form: JsonObject = {
        "type": "object",
        "properties": properties | {"image": files, "mask": BYTES["schema"]},
        "required": [*required, "image"],
    }
    sent: JsonObject = {
        "type": "object",
        "properties": properties | {"images": references, "mask": _REFERENCE},
        "required": [*required, "images"],
    }
    both: JsonObject = {FORM: {"schema": form}, "application/json": {"schema": sent}}
    return {"requestBody": {"required": True, "content": both}}
