"""What the OpenAPI document says of the routes of ComfyUI's API."""

from __future__ import annotations

from typing import Final

from nodetool_core.json_types import JsonObject
from nodetool_core.server.comfyui.errors import STATUSES
from nodetool_core.server.http.forms import FORM
from nodetool_core.server.http.openapi import BYTES, failures, images_content, reference

ERROR: Final = "ComfyUIError"
_ERROR: Final[JsonObject] = {
    "type": "object",
    "title": "ComfyError",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "details": {"type": "string"},
                "extra_info": {"type": "object"},
            },
            "required": ["type", "message", "details", "extra_info"],
        },
        "node_errors": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "errors": {"type": "array", "items": {"type": "object"}},
                    "dependent_outputs": {"type": "array", "items": {"type": "string"}},
                    "class_type": {"type": "string"},
                },
            },
        },
    },
    "required": ["error", "node_errors"],
}
SCHEMAS: Final = {ERROR: _ERROR}
_PROMPT: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "prompt": {
            "type": "object",
            "description": "A graph in the API format: nodes by id.",
            "additionalProperties": {
                "type": "object",
                "properties": {"class_type": {"type": "string"}, "inputs": {"type": "object"}},
                "required": ["class_type", "inputs"],
            },
        },
        "client_id": {"type": "string", "description": "The `clientId` of the client's socket."},
        "prompt_id": {"type": "string", "description": "An id of the client's choice."},
        "extra_data": {
            "type": "object",
            "description": "`preview_method` other than `none` asks for images of the steps."
            " `extra_pnginfo` is kept, and shown beside the graph.",
        },
        "front": {"type": "boolean", "description": "Whether it goes before the others."},
        "number": {"type": "number", "description": "Below 0, it goes before the others."},
        "partial_execution_targets": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["prompt"],
}
_EXAMPLE: Final[JsonObject] = {
    "client_id": "5f0c6ffd-b58c-45a9-8a24-1dd61a4e1b8e",
    "prompt": {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "color": 255}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    },
}
OBJECT: Final[JsonObject] = {"type": "object"}
LIST: Final[JsonObject] = {"type": "array"}


def answers(schema: JsonObject, *statuses: int, what: str) -> dict[int | str, JsonObject]:
    """Return the `responses` of a route that answers JSON."""
    found = failed(*statuses)
    found[200] = {"description": what, "content": {"application/json": {"schema": schema}}}
    return found


def done(*statuses: int) -> dict[int | str, JsonObject]:
    """Return the `responses` of a route that answers nothing."""
    return failed(*statuses) | {200: {"description": "Done."}}


def image(*statuses: int) -> dict[int | str, JsonObject]:
    """Return the `responses` of a route that answers a file."""
    content: JsonObject = {**images_content(), "application/octet-stream": BYTES}
    return failed(*statuses) | {200: {"description": "The file.", "content": content}}


def failed(*statuses: int) -> dict[int | str, JsonObject]:
    """Return the `responses` of a route for statuses that carry an error of this dialect."""
    content: JsonObject = {"application/json": {"schema": reference(ERROR)}}
    return {
        status: {"description": found["description"], "content": content}
        for status, found in failures(*statuses).items()
        if status not in STATUSES
    }


def prompt_body() -> JsonObject:
    """Return the body of a prompt."""
    return _json_body(_PROMPT, _EXAMPLE)


def order_body(**properties: JsonObject) -> JsonObject:
    """Return a body that says what is to be done; without one, nothing in particular."""
    schema: JsonObject = {"type": "object", "properties": properties}
    body = _json_body(schema, {})
    assert isinstance(body["requestBody"], dict)
    return {"requestBody": {**body["requestBody"], "required": False}}


def upload_body(**more: JsonObject) -> JsonObject:
    """Return the form of an upload."""
    schema: JsonObject = {
        "type": "object",
        "properties": {
            "image": BYTES["schema"],
            "type": {"type": "string", "enum": ["input", "output", "temp"]},
            "subfolder": {"type": "string"},
            "overwrite": {"type": "string"},
            **more,
        },
        "required": ["image", *more],
    }
    return {"requestBody": {"required": True, "content": {FORM: {"schema": schema}}}}


def _json_body(schema: JsonObject, example: JsonObject) -> JsonObject:
    content: JsonObject = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}
