"""A node's declaration as JSON, and as text for a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nodetool_core.reference.bounds import bound_texts, place_text
from nodetool_core.reference.schema import property_schema
from nodetool_core.types import choices, type_name

if TYPE_CHECKING:
    from nodetool_core.declaration import NodeSpec
    from nodetool_core.node_base import Node
    from nodetool_core.properties import Property


def node_json(node: type[Node]) -> dict[str, object]:
    """Return everything that a node declares."""
    spec = node.spec
    return {
        "type": spec.node_type,
        "title": spec.title,
        "namespace": spec.namespace,
        "description": spec.description,
        "tags": list(spec.tags),
        "synonyms": list(spec.synonyms),
        "use_cases": list(spec.use_cases),
        "role": node.role.value,
        "lane": node.lane.value,
        "streams": spec.streams,
        "dynamic": node.dynamic,
        "properties": [_property_json(prop) for prop in spec.properties.values()],
        "outputs": [
            {
                "name": output.name,
                "type": type_name(output.annotation),
                "description": output.description,
            }
            for output in spec.outputs.values()
        ],
    }


def _property_json(prop: Property) -> dict[str, object]:
    described: dict[str, object] = {
        "name": prop.name,
        "type": type_name(prop.annotation),
        "required": prop.required,
        "description": prop.description,
        "schema": property_schema(prop),
    }
    if not prop.required:
        described["default"] = prop.to_json(prop.default)
    allowed = choices(prop.annotation)
    if allowed is not None:
        described["choices"] = list(allowed)
    return described


def node_text(node: type[Node]) -> str:
    """Return a node on a terminal, without styles."""
    spec = node.spec
    parts = [f"{spec.node_type}\n\n{_indented(spec.description)}"]
    if spec.tags:
        parts.append(f"Tags: {', '.join(spec.tags)}")
    if spec.synonyms:
        parts.append(f"Elsewhere called: {', '.join(spec.synonyms)}")
    if spec.use_cases:
        parts.append("Use cases:\n" + "\n".join(f"  - {use}" for use in spec.use_cases))
    parts.append(
        "Properties:\n"
        + ("\n".join(_property_text(prop) for prop in spec.properties.values()) or "  none")
    )
    if node.dynamic:
        parts[-1] += "\n  … and any other name, as a value of its own"
    parts.append("Outputs:\n" + (_outputs_text(spec) or "  none"))
    if spec.streams:
        parts[-1] += "\n  Gives one item after the other."
    return "\n\n".join(parts)


def _property_text(prop: Property) -> str:
    facts = [type_name(prop.annotation), *bound_texts(prop.bounds)]
    if prop.max_length is not None:
        facts.append(f"at most {prop.max_length} long")
    facts += place_text(prop.place)
    facts.append(
        "required"
        if prop.required
        else f"default {json.dumps(prop.to_json(prop.default), ensure_ascii=False)}"
    )
    lines = [f"  {prop.name}: {', '.join(facts)}"]
    allowed = choices(prop.annotation)
    if allowed is not None:
        lines.append(f"      one of {', '.join(map(str, allowed))}")
    if prop.description:
        lines.append(f"      {prop.description}")
    return "\n".join(lines)


def _outputs_text(spec: NodeSpec) -> str:
    return "\n".join(
        f"  {output.name}: {type_name(output.annotation)}"
        + (f"\n      {output.description}" if output.description else "")
        for output in spec.outputs.values()
    )


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
