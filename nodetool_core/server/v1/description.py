"""What a workflow takes and gives, as JSON Schema."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from nodetool_core.errors import NodetoolError
from nodetool_core.json_types import JsonObject
from nodetool_core.properties import MISSING, jsonable
from nodetool_core.references import ImageRef
from nodetool_core.server.parameters import Input
from nodetool_core.server.served_workflow import ServedWorkflow
from nodetool_core.server.v1.examples import example_of, given_image
from nodetool_core.server.v1.schemas import WorkflowAnswer
from nodetool_core.types import union_members

DEFAULT_IMAGE: Final = "x-default-image"
"""JSON Schema key of an input that has an image: where that is, on this server."""

_IMAGE_IN: Final[JsonObject] = {
    "anyOf": [
        {"type": "string", "format": "uri", "description": "A data: URI, or an http(s) address."},
        {
            "type": "object",
            "properties": {
                "type": {"const": "image"},
                "asset_id": {"type": "string", "description": "Of an upload, or of a result."},
            },
            "required": ["type", "asset_id"],
        },
    ]
}

_IMAGE_OUT: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "type": {"const": "image"},
        "asset_id": {"type": "string"},
        "url": {"type": "string", "format": "uri"},
        "data": {
            "type": "string",
            "contentEncoding": "base64",
            "description": "With `inline`, in place of `asset_id` and `url`.",
        },
        "media_type": {"type": "string"},
        "size": {"type": "integer"},
        "width": {"type": "integer"},
        "height": {"type": "integer"},
    },
    "required": ["type", "media_type", "size"],
}


def describe(served: ServedWorkflow) -> WorkflowAnswer:
    """Return a workflow's name, meaning, inputs and outputs."""
    address = f"/v1/workflows/{quote(served.name)}"
    inputs = {name: _input_schema(given) for name, given in served.inputs.items()}
    for name in inputs:
        if given_image(served, name) is not None:
            inputs[name][DEFAULT_IMAGE] = f"{address}/inputs/{quote(name, safe='')}"
    required = [
        name
        for name, given in served.inputs.items()
        if given.default is MISSING or _is_empty_image(given)
    ]
    schema: JsonObject = {"type": "object", "properties": inputs, "additionalProperties": False}
    return WorkflowAnswer(
        name=served.name,
        title=served.document.name or served.name,
        description=served.document.description,
        task=served.task,
        inputs=schema | ({"required": required} if required else {}),
        outputs={
            "type": "object",
            "properties": {
                name: _output_schema(annotation) for name, annotation in served.outputs.items()
            },
        },
        modified=served.modified,
        thumbnail=f"{address}/example" if example_of(served) is not None else None,
    )


def _input_schema(given: Input) -> JsonObject:
    described: JsonObject = {"description": given.description} if given.description else {}
    if given.prop.annotation is ImageRef:
        return _IMAGE_IN | described
    if given.prop.annotation == list[ImageRef]:
        return {"type": "array", "items": _IMAGE_IN, **described}
    declared: dict[str, Any] = given.prop.json_schema()
    schema: JsonObject = {**declared, **given.bounds, **described}
    schema.pop("default", None)
    if given.default is not MISSING:
        schema["default"] = jsonable(given.default)
    return schema


def _is_empty_image(given: Input) -> bool:
    return (
        isinstance(given.default, ImageRef)
        and given.default.is_empty()
        and given.prop.annotation is ImageRef
    )


def _output_schema(annotation: Any) -> JsonObject:
    if annotation is Any:
        return {}
    if ImageRef in union_members(annotation):
        return _IMAGE_OUT
    if annotation == list[ImageRef]:
        return {"type": "array", "items": _IMAGE_OUT}
    from pydantic import PydanticSchemaGenerationError, TypeAdapter

    try:
        return TypeAdapter(annotation).json_schema()
    except (PydanticSchemaGenerationError, NodetoolError, TypeError):
        return {}
