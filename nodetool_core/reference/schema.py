"""
JSON Schema (draft 2020-12) of workflow files, for editors.

Types, properties, bounds and choices of the nodes that are known.

A node of a known type has its `data` checked. A type in the namespace of a known pack has to be one
of its nodes; one of any other namespace passes, because a pack that is not installed may have it.
An absent property is no mistake: it has a default, or an edge feeds it. Where a value of a
reference is expected, its text form (a path, a Hub id) passes as the loader lets it pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from nodetool_core.node_base import Node
from nodetool_core.properties import Property
from nodetool_core.references import Reference
from nodetool_core.types import union_members

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def property_schema(prop: Property) -> dict[str, Any]:
    """
    Return the JSON Schema of a property.

    Empty for a class of a pack's own, which only travels along edges and has no JSON form.
    """
    from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

    try:
        return prop.json_schema()
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
        return {}


def schema_text(nodes: Iterable[type[Node]], renamed: Iterable[str] = ()) -> str:
    """
    Return the schema as a file: one line per node, so that a change of one node changes one line.
    """
    schema = workflow_schema(nodes, renamed)
    rules = schema["$defs"]["node"].pop("allOf")
    text = json.dumps(schema, indent=2, ensure_ascii=False)
    lines = ",\n".join(f"        {json.dumps(rule, ensure_ascii=False)}" for rule in rules)
    head, place, tail = text.partition('"node": {\n')
    return f'{head}{place}      "allOf": [\n{lines}\n      ],\n{tail}\n' if rules else f"{text}\n"


def workflow_schema(nodes: Iterable[type[Node]], renamed: Iterable[str] = ()) -> dict[str, Any]:
    """
    Return the schema of a workflow file whose nodes are among these, or of packs not known here.

    Args:
        renamed: Types that nodes had once, which pass unchecked.
    """
    definitions: dict[str, object] = {}
    rules = [_rule(node, definitions) for node in nodes]
    names = [rule["if"]["properties"]["type"]["const"] for rule in rules]
    node = {
        "type": "object",
        "required": ["id", "type"],
        "properties": {
            "id": {
                "type": "string",
                "minLength": 1,
                "description": "Name of the node, unique in the file.",
            },
            "type": {
                "anyOf": [
                    {"enum": names},
                    {"enum": sorted(set(renamed) - set(names)), "deprecated": True},
                    {"type": "string", "pattern": _of_other_packs(names)},
                ],
                "description": "Type of the node.",
            },
            "data": {
                "type": "object",
                "description": "Values of properties; absent ones have their defaults.",
            },
            "dynamic_properties": {
                "type": "object",
                "description": "Values of properties that the node takes under any name.",
            },
            "ui_properties": {
                "type": "object",
                "description": "Position, size, title: kept, not used.",
            },
        },
        "allOf": rules,
    }
    return {
        "$schema": DIALECT,
        "title": "Workflow",
        "type": "object",
        "required": ["graph"],
        "properties": {
            "schema_version": {
                "type": "integer",
                "minimum": 1,
                "maximum": 1,
                "description": "Version of this file format.",
            },
            "name": {"type": "string"},
            "description": {"type": "string"},
            "graph": {
                "type": "object",
                "properties": {
                    "nodes": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    "edges": {"type": "array", "items": {"$ref": "#/$defs/edge"}},
                },
            },
        },
        "$defs": {"node": node, "edge": _edge()} | dict(sorted(definitions.items())),
    }


def _of_other_packs(names: Iterable[str]) -> str:
    """Return the pattern of types that are in no namespace of these."""
    known = sorted({name.partition(".")[0] for name in names})
    return rf"^(?!({'|'.join(map(re.escape, known))})(\.|$))." if known else "."


def _edge() -> dict[str, Any]:
    texts = {
        "source": "Id of the node that the value comes from.",
        "sourceHandle": "Name of its output.",
        "target": "Id of the node that the value goes to.",
        "targetHandle": "Name of its property.",
    }
    properties = {name: {"type": "string", "description": text} for name, text in texts.items()}
    return {
        "type": "object",
        "required": ["source", "target", "targetHandle"],
        "properties": properties,
    }


def _rule(node: type[Node], definitions: dict[str, object]) -> dict[str, Any]:
    """Return what holds for the data of one node type."""
    spec = node.spec
    data: dict[str, object] = {
        "properties": {prop.name: _in_file(prop, definitions) for prop in spec.properties.values()},
        "description": " ".join(spec.description.split()),
    }
    if not node.dynamic:
        data["additionalProperties"] = False
    return {
        "if": {"properties": {"type": {"const": spec.node_type}}},
        "then": {"properties": {"data": data}},
    }


def _in_file(prop: Property, definitions: dict[str, object]) -> dict[str, Any]:
    """
    Return the schema of a property as files write it.

    References apart under `$defs`, and in their text form as well.
    """
    schema = dict(property_schema(prop))
    definitions |= {
        name: inner for name, inner in schema.pop("$defs", {}).items() if name not in definitions
    }
    described = {name: schema.pop(name) for name in ("description", "default") if name in schema}
    kinds = [
        member
        for member in union_members(prop.annotation)
        if isinstance(member, type) and issubclass(member, Reference)
    ]
    if kinds and len(union_members(prop.annotation)) == 1:
        name = kinds[0].__name__
        definitions.setdefault(
            name, {key: value for key, value in schema.items() if key != "$defs"}
        )
        schema = {"$ref": f"#/$defs/{name}"}
    if any(kind._text_field for kind in kinds):
        schema = {"anyOf": [schema, {"type": "string"}]}
    return described | schema
