"""What the OpenAPI document says of the Hugging Face routes."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any, Final

from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.openapi import BYTES, failures, images_content


def example_image() -> str:
    """Return an image as base64: small, and real, so that an example can be sent as it stands."""
    from PIL import Image

    buffer = BytesIO()
    Image.new("RGB", (32, 32), (96, 144, 192)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


_PARAMETERS: Final[JsonObject] = {
    "type": "object",
    "description": (
        "Inputs of the workflow by name. The header `X-HF-Warning` lists those that"
        " it does not have."
    ),
    "properties": {
        "prompt": {"type": "string"},
        "guidance_scale": {"type": "number"},
        "negative_prompt": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
        },
        "num_inference_steps": {"type": "integer"},
        "target_size": {
            "type": "object",
            "properties": {
                "width": {"type": "integer", "minimum": 1, "maximum": 8192},
                "height": {"type": "integer", "minimum": 1, "maximum": 8192},
            },
            "required": ["width", "height"],
        },
    },
}

_BODY: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "inputs": {
            "type": "string",
            "description": "The image as base64 or as a data: URI; for text-to-image, the text.",
        },
        "parameters": _PARAMETERS,
    },
    "required": ["inputs"],
}

_FLAG: Final = {"type": "string", "enum": ["true", "false", "1", "0"]}

_IMAGE: Final = {
    "description": "The image, as raw bytes.",
    "content": dict.fromkeys(("image/png", "image/jpeg", "image/webp"), BYTES),
    "headers": {
        "X-Cache": {
            "description": "`hit` where the answer was known.",
            "schema": {"type": "string", "enum": ["hit", "miss"]},
        },
        "X-HF-Warning": {
            "description": "What was not done as requested.",
            "schema": {"type": "string"},
        },
    },
}

MODELS: Final[dict[str, Any]] = {
    "summary": "Make an image from an image, or from a text",
    "operation_id": "run_model",
    "responses": {200: _IMAGE} | failures(400, 401, 404, 413, 415, 422, 429, 500, 503, 504),
    "openapi_extra": {
        "parameters": [
            {
                "name": "x-use-cache",
                "in": "header",
                "required": False,
                "schema": _FLAG,
                "description": (
                    "`false`: the answer is made anew even where the same was asked before."
                ),
            },
            {
                "name": "x-wait-for-model",
                "in": "header",
                "required": False,
                "schema": _FLAG,
                "description": (
                    "`true`: wait for a model that is not loaded instead of getting 503."
                ),
            },
        ],
        "requestBody": {
            "required": True,
            "content": (
                {
                    "application/json": {
                        "schema": _BODY,
                        "examples": {
                            "image-to-image": {
                                "value": {
                                    "inputs": example_image(),
                                    "parameters": {"prompt": "a winter night"},
                                }
                            },
                            "text-to-image": {
                                "value": {"inputs": "a winter night", "parameters": {"seed": 7}}
                            },
                        },
                    },
                }
                | images_content()
            ),
        },
    },
}

HEALTH: Final[dict[str, Any]] = {
    "summary": "Whether a model is served",
    "operation_id": "model_health",
    "responses": (
        {
            200: {
                "description": "It is.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        }
        | failures(401, 404, 429)
    ),
}

INFO: Final[dict[str, Any]] = {
    "summary": "What is known of a model",
    "operation_id": "model_info",
    "responses": failures(401, 404, 429),
}
