"""Parts of the OpenAPI document that every dialect uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from nodetool_core.json_types import JsonObject

_MEANING: Final = {
    400: "The body is no JSON, or an image in it can't be read.",
    401: "A bearer token is needed, and was missing or wrong.",
    403: "Not allowed; or the request comes from a page of another site.",
    404: "There is nothing of that name.",
    405: "The method is not for this address.",
    409: "That can't be done in the state the thing is in.",
    412: "What is there is another thing than the request names.",
    413: "The body or the image is too large.",
    415: "The content type, or the content encoding, is not taken.",
    421: "The request names another host than this server.",
    422: "A value does not fit.",
    429: "Too much is asked at once; `Retry-After` says when to ask again.",
    500: "The server failed; the request id finds it in the log.",
    503: "The model is being loaded, or can't be had now; `Retry-After` says when to ask again.",
    504: "The run took too long and was cancelled.",
    507: "There is no room for the image or the result; `Retry-After` says when to ask again.",
}

_ALWAYS: Final = (403, 405, 421, 500)
"""What every route may answer, since the request guard or the router does."""

BYTES: Final[JsonObject] = {"schema": {"type": "string", "format": "binary"}}

IMAGE_TYPES: Final = (
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/gif",
    "image/tiff",
    "image/bmp",
    "image/x-portable-anymap",
    "image/avif",
    "image/heif",
)
"""Media types of the formats that are read, in the order of `assets.decode.FORMATS`."""

ERROR_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "title": "Error",
    "properties": {
        "error": {"type": "string", "description": "Every problem, a line each."},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    key: {"type": "string"} for key in ("code", "where", "message", "hint")
                },
                "required": ["code", "where", "message", "hint"],
            },
        },
        "estimated_time": {"type": "number", "description": "Seconds until the model is loaded."},
    },
    "required": ["error", "problems"],
}
ERROR: Final = "Error"
"""What the document calls it."""


def failures(*statuses: int) -> dict[int | str, JsonObject]:
    """Return the `responses` of a route for statuses that carry an error."""
    content = {"application/json": {"schema": reference(ERROR)}}
    return {
        status: {"description": _MEANING[status], "content": content}
        for status in (*statuses, *_ALWAYS)
    }


def reference(name: str) -> JsonObject:
    """Return the reference to a schema that the document has once."""
    return {"$ref": f"#/components/schemas/{name}"}


def images_content() -> JsonObject:
    """Return the `content` of a body that is an image in any format that is read."""
    return dict.fromkeys(IMAGE_TYPES, BYTES)


def describe_shared(
    app: FastAPI, firsts: Sequence[APIRouter], schemas: Mapping[str, JsonObject]
) -> None:
    """
    Let the OpenAPI document have what routes share.

    It has schemas once that routes only refer to: written out at each of their answers, those of
    errors made three quarters of it. And of an address that two routes share, FastAPI describes the
    last alone: the first one's text, body and answers are added.

    Args:
        app: The application, with all of its routes.
        firsts: Routers that were included first, of whose addresses later routes may share some.
        schemas: By their names in references.
    """
    last_alone = app.openapi

    def both() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = last_alone()
            known = document.setdefault("components", {}).setdefault("schemas", {})
            known |= {ERROR: ERROR_SCHEMA, **schemas}
            routes = [route for router in firsts for route in router.routes]
            for path, operations in get_openapi(title="", version="", routes=routes)[
                "paths"
            ].items():
                for method, first in operations.items():
                    operation = document["paths"][path][method]
                    if first["operationId"] == operation["operationId"]:
                        continue
                    operation["description"] += f"\n\n{first['description']}"
                    operation["responses"] = first["responses"] | operation["responses"]
                    for media_type, content in first["requestBody"]["content"].items():
                        own = operation["requestBody"]["content"][media_type]
                        own["schema"] = {"anyOf": [own["schema"], content["schema"]]}
        return last_alone()

    app.openapi = both  # type: ignore[method-assign]
