"""What the OpenAPI document says of the Qolaba routes."""

from __future__ import annotations

from typing import Any, Final

from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.openapi import failures
from nodetool_core.server.qolaba.body import ImageRequest, TaskRequest

_KEYS: Final = (
    "time_required",
    "error",
    "error_data",
    "input",
    "output",
    "app_id",
    "task_id",
    "status",
)
_ENVELOPE: Final[JsonObject] = {
    "type": "object",
    "title": "QolabaAnswer",
    "properties": (
        {key: {} for key in _KEYS}
        | {"status": {"type": "string", "enum": ["SUCCESS", "FAILED", "PENDING"]}}
    ),
    "required": list(_KEYS),
}


def _answers(*statuses: int) -> dict[int | str, JsonObject]:
    content = {"application/json": {"schema": _ENVELOPE}}
    described = {
        status: {"description": found["description"], "content": content}
        for status, found in failures(*statuses).items()
    }
    return described | {200: {"description": "The envelope.", "content": content}}


def _body(schema: JsonObject) -> JsonObject:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


IMAGE: Final[dict[str, Any]] = {
    "summary": "Make images from an image (Qolaba)",
    "operation_id": "qolaba_image_to_image",
    "responses": _answers(400, 401, 413, 415, 422, 429, 500, 503, 504, 507),
    "openapi_extra": _body(ImageRequest.model_json_schema()),
}

TASK: Final[dict[str, Any]] = {
    "summary": "What became of a queued task (Qolaba)",
    "operation_id": "qolaba_task",
    "responses": _answers(400, 401, 404, 413, 415, 422, 429, 503),
    "openapi_extra": _body(TaskRequest.model_json_schema()),
}
