"""
The page of types: what each is, what its JSON looks like, and which nodes give and take it.

A type is what stands in an annotation, without `none` and with the members of a union apart. A node
*gives* a type that one of its outputs has; it *takes* a type where a connection is allowed, which a
property of a wider type allows as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nodetool_core.node_base import Node
from nodetool_core.reference import markdown
from nodetool_core.reference.names import heading
from nodetool_core.references import Reference
from nodetool_core.types import Annotation, choices, is_assignable, type_name, union_members

if TYPE_CHECKING:
    from nodetool_core.reference.site import Site

PATH = "types.md"

_PLAIN = {
    "any": "Any value. Whether it fits is found out when the workflow runs.",
    "bool": "`true` or `false`; no number counts as one.",
    "bytes": "Bytes, base64 in JSON.",
    "date": "A day, `2026-06-21`.",
    "datetime": "A moment, `2026-06-21T12:00:00+00:00`.",
    "enum": "One of a few texts; each property says which.",
    "float": "A number. An `int` is taken as well.",
    "int": "A whole number. A `float` is not taken, nor is a `bool`.",
    "str": "A text.",
}


def anchor(name: str) -> str:
    """Return the anchor of a type's heading, as GitHub and MkDocs both make it."""
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", name).strip().lower())


def parts(annotation: Annotation) -> list[Annotation]:
    """Return the types that an annotation names: members of a union apart, without none."""
    return [member for member in union_members(annotation) if member not in (None, type(None))]


def linked(annotation: Annotation, path: str, site: Site) -> str:
    """Return the name of a type, each of its parts linked to its entry."""
    cells = [
        markdown.link(
            markdown.code(type_name(part)), f"{site.link(path, PATH)}#{anchor(type_name(part))}"
        )
        for part in parts(annotation)
    ]
    unique = list(dict.fromkeys(cells))
    if len(parts(annotation)) < len(union_members(annotation)):
        unique.append(markdown.code("none"))
    return r" \| ".join(unique)


def type_page(nodes: Iterable[type[Node]], site: Site) -> str:
    """Return the whole page."""
    nodes = list(nodes)
    known = _known(nodes)
    page = [
        markdown.front_matter(layout="page", title="Types"),
        "# Types",
        (
            "What may be connected to what: an output feeds a property when every value of its type"
            " is a value of the property's type. An `int` feeds a `float`, a type feeds any union"
            " that names it, a `list[int]` feeds a `list[float]`; a list does not feed an item, nor"
            " an item a list. `any` on either side leaves the question to the run."
        ),
        ", ".join(markdown.link(markdown.code(name), f"#{anchor(name)}") for name in known),
    ]
    for name, annotation in known.items():
        page += [f"## {markdown.code(name)}", *_entry(name, annotation, nodes, site)]
    return "\n\n".join([*page, site.mark]) + "\n"


def _known(nodes: Iterable[type[Node]]) -> dict[str, Annotation]:
    """Return every type of a property or an output, by name."""
    found: dict[str, Annotation] = {}
    for node in nodes:
        taken = [prop.annotation for prop in node.spec.properties.values()]
        for annotation in [*taken, *(output.annotation for output in node.spec.outputs.values())]:
            for part in parts(annotation):
                found.setdefault(type_name(part), part)
    return dict(sorted(found.items()))


def _entry(name: str, annotation: Annotation, nodes: list[type[Node]], site: Site) -> list[str]:
    entry = [meaning(name, annotation)] if meaning(name, annotation) else []
    if isinstance(annotation, type) and issubclass(annotation, Reference):
        form = json.dumps(annotation().model_dump(mode="json"), ensure_ascii=False)
        entry.append(f"In JSON: {markdown.code(form)}")
    given = [
        _node_link(node, [], site)
        for node in nodes
        if any(type_name(part) == name for part in _given(node))
    ]
    taken = [
        _node_link(node, found, site)
        for node in nodes
        if (found := _takes(node, name, annotation, site))
    ]
    entry.append(f"**Given by:** {', '.join(given) or 'no node.'}")
    entry.append(f"**Taken by:** {', '.join(taken) or 'no node.'}")
    return entry


def meaning(name: str, annotation: Annotation) -> str:
    """Return what a type is, in a sentence."""
    if isinstance(annotation, type) and issubclass(annotation, Reference) and annotation.__doc__:
        return markdown.prose(annotation.__doc__.strip().split("\n\n")[0])
    if name in _PLAIN:
        return _PLAIN[name]
    outer, bracket, inner = name.partition("[")
    if not bracket:
        return ""
    item = f"`{inner.removesuffix(']')}`"
    return {
        "list": f"A list of {item}, in order.",
        "dict": f"Named values, {item} as name and value.",
        "tuple": f"A fixed row of {item}.",
    }.get(outer, "")


def _given(node: type[Node]) -> Iterable[Annotation]:
    return [part for output in node.spec.outputs.values() for part in parts(output.annotation)]


def _takes(node: type[Node], name: str, annotation: Annotation, site: Site) -> list[str]:
    """
    Return the properties of a node that a value of the type may be connected to.

    Those that take anything only under `any`.
    """
    if site.relations.is_source(node.spec):
        return []
    found = []
    for prop in node.spec.properties.values():
        if name == "any" or prop.annotation is Any:
            fits = name == "any" and prop.annotation is Any
        elif choices(annotation) is not None:
            fits = any(choices(part) is not None for part in parts(prop.annotation))
        else:
            fits = is_assignable(annotation, prop.annotation)
        if fits:
            found.append(prop.name)
    return found


def _node_link(node: type[Node], properties: list[str], site: Site) -> str:
    names = f" ({', '.join(markdown.text(name) for name in properties)})" if properties else ""
    target = site.link(PATH, site.paths[node.spec.node_type])
    return f"{markdown.link(heading(node.spec.title), target)}{names}"
