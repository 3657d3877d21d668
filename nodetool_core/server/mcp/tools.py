"""The tools of a server: one for each workflow that is served, and for each task of a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from mcp_types import Tool, ToolAnnotations

from nodetool_core.json_types import JsonObject
from nodetool_core.server.input_schemas import inputs_schema
from nodetool_core.server.parameters import STANDARD, Input
from nodetool_core.server.served_workflow import ServedWorkflow

if TYPE_CHECKING:
    from nodetool_core.server.catalog import Catalog

_LONGEST: Final = 128
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]")

_IMAGE: Final[JsonObject] = {
    "type": "string",
    "description": "An image: the address of an earlier result, an http(s) address, or a data: URI",
}


def tools_of(catalog: Catalog) -> dict[str, ServedWorkflow]:
    """Return what is served by the names of tools, in the order in which it is listed."""
    found: dict[str, ServedWorkflow] = {}
    named = [(served.name, served) for served in catalog if served.outputs]
    for model, tasks in catalog.models.items():
        named += [
            (f"{model}.{str(task).replace('-', '_')}", served) for task, served in tasks.items()
        ]
    for name, served in named:
        plain = _NOT_IN_NAMES.sub("_", name.replace("/", "."))[:_LONGEST]
        # Two names that become one: the later has a number.
        number = 2
        unique = plain
        while unique in found:
            unique, number = f"{plain[: _LONGEST - 4]}_{number}", number + 1
        found[unique] = served
    return found


def describe(name: str, served: ServedWorkflow, image: JsonObject = _IMAGE) -> Tool:
    """Return a tool as clients see it."""
    document = served.document
    makes = "Makes an image from an image." if served.image_input else "Makes an image."
    return Tool(
        name=name,
        title=document.name or name,
        description=document.description or (makes if served.model else f"Runs {served.shown}."),
        input_schema=inputs_schema(served, image=image, shows=_is_shown),
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, open_world_hint=False
        ),
    )


def given_of(served: ServedWorkflow, arguments: Mapping[str, object] | None) -> JsonObject:
    """
    Return the arguments of a call as values by input name.

    A model sends null for what it leaves out; an image may be the bare id of a stored one.
    """
    found: JsonObject = {}
    for name, value in (arguments or {}).items():
        given = served.inputs.get(name)
        if value is None:
            continue
        is_id = isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None
        if given is not None and given.is_image and is_id:
            found[name] = {"type": "image", "asset_id": str(value)}
        elif isinstance(value, (bool, int, float, str, list, dict)):
            found[name] = value
    return found


def _is_shown(given: Input) -> bool:
    """Return whether a tool has an input: the many of a model's node would only confuse."""
    return not given.is_exposed or given.name in STANDARD or given.is_image
