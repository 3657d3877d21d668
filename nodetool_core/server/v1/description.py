"""What a workflow takes and gives, as our own API says it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from pydantic import ValidationError

from nodetool_core.json_types import JsonObject
from nodetool_core.server.input_schemas import inputs_schema, output_schema
from nodetool_core.server.served_workflow import ServedWorkflow
from nodetool_core.server.v1.examples import example_of, given_image
from nodetool_core.server.v1.schemas import FormRow, WorkflowAnswer
from nodetool_core.workflow import WorkflowDocument

DEFAULT_IMAGE: Final = "x-default-image"
"""JSON Schema key of an input that has an image: where that is, on this server."""

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


def form_of(document: WorkflowDocument) -> list[FormRow]:
    """Return how a document arranges its form, in `editor.form`; what is not right is left out."""
    editor = (document.model_extra or {}).get("editor")
    rows = editor.get("form") if isinstance(editor, dict) else None
    found = []
    for row in rows if isinstance(rows, list) else ():
        try:
            found.append(FormRow.model_validate(row))
        except ValidationError:
            continue
    return found


def describe(served: ServedWorkflow) -> WorkflowAnswer:
    """Return a workflow's name, meaning, inputs and outputs."""
    address = f"/v1/workflows/{quote(served.name)}"
    images: dict[str, JsonObject] = {
        name: {DEFAULT_IMAGE: f"{address}/inputs/{quote(name, safe='')}"}
        for name in served.inputs
        if given_image(served, name) is not None
    }
    return WorkflowAnswer(
        name=served.name,
        title=served.document.name or served.name,
        description=served.document.description,
        task=served.task,
        inputs=inputs_schema(served, more=images),
        outputs={
            "type": "object",
            "properties": {
                name: output_schema(annotation, _IMAGE_OUT)
                for name, annotation in served.outputs.items()
            },
        },
        form=form_of(served.document),
        modified=served.modified,
        thumbnail=f"{address}/example" if example_of(served) is not None else None,
    )
