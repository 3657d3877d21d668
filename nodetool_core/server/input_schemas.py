"""What clients can set of a workflow, and what it gives them, as JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from nodetool_core.errors import NodetoolError
from nodetool_core.json_types import JsonObject
from nodetool_core.properties import MISSING, jsonable
from nodetool_core.references import ImageRef
from nodetool_core.server.parameters import Input
from nodetool_core.server.served_workflow import ServedWorkflow
from nodetool_core.types import union_members

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


def inputs_schema(
    served: ServedWorkflow,
    *,
    image: JsonObject = _IMAGE_IN,
    shows: Callable[[Input], bool] = lambda given: True,
    more: Mapping[str, JsonObject] = {},
) -> JsonObject:
    """
    Return the schema of an object with the inputs of a workflow.

    Args:
        image: The schema of an image.
        shows: Returns whether an input is in it.
        more: What the schemas of inputs have besides, by the input's name.
    """
    shown = {name: given for name, given in served.inputs.items() if shows(given)}
    inputs = {
        name: _input_schema(given, image) | more.get(name, {}) for name, given in shown.items()
    }
    required = [
        name for name, given in shown.items() if given.default is MISSING or _is_empty_image(given)
    ]
    schema: JsonObject = {"type": "object", "properties": inputs, "additionalProperties": False}
    return schema | ({"required": required} if required else {})


def output_schema(annotation: Any, image: JsonObject) -> JsonObject:
    """
    Return the schema of an output's values; empty where nothing is known of them.

    Args:
        annotation: The type of the values.
        image: The schema of an image.
    """
    if annotation is Any:
        return {}
    if ImageRef in union_members(annotation):
        return image
    if annotation == list[ImageRef]:
        return {"type": "array", "items": image}
    from pydantic import PydanticSchemaGenerationError, TypeAdapter

    try:
        return TypeAdapter(annotation).json_schema()
    except (PydanticSchemaGenerationError, NodetoolError, TypeError):
        return {}


def _input_schema(given: Input, image: JsonObject) -> JsonObject:
    described: JsonObject = {"description": given.description} if given.description else {}
    if given.prop.annotation is ImageRef:
        return image | described
    if given.prop.annotation == list[ImageRef]:
        return {"type": "array", "items": image, **described}
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
