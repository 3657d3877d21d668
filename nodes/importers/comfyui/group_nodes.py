"""
Group nodes, which ComfyUI's editor had before it had subgraphs, written as subgraphs.

A file keeps their definitions in `extra.groupNodes`; an instance is a node of the class
`workflow/NAME`. Its inputs are those of the nodes inside that nothing inside feeds, its outputs
those that nothing inside takes, and its form has the fields of all forms inside that are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from nodes.importers.comfyui.graph import Form, form, forms
from nodes.importers.comfyui.widgets import CONTROL, WIDGETS

_PREFIXES: Final = ("workflow/", "workflow>")
_INPUTS, _OUTPUTS = -10, -20
"""The nodes that stand for the borders of a subgraph."""


@dataclass(frozen=True)
class _Inner:
    """A link between two nodes of a group: from an output to an input."""

    origin: int
    output: int
    target: int
    slot: int


def with_subgraphs(content: Form) -> Form:
    """
    Return a file whose group nodes are instances of subgraphs.

    Those that can't be read stay as they are, so that the importer names them.
    """
    groups = form(form(content, "extra"), "groupNodes")
    if not groups:
        return content
    nodes, made = [], []
    for node in forms(content, "nodes"):
        kind = str(node.get("type"))
        name = next((kind.removeprefix(p) for p in _PREFIXES if kind.startswith(p)), "")
        group = groups.get(name)
        definition = _definition(node, name, group) if isinstance(group, dict) else None
        if definition is None or not isinstance(group, dict):
            nodes.append(node)
            continue
        made.append(definition)
        fields = [[str(number), widget] for number, widget in _fields(group)]
        properties = {**form(node, "properties"), "proxyWidgets": fields}
        nodes.append({**node, "type": definition["id"], "properties": properties})
    found = form(content, "definitions")
    subgraphs = [*forms(found, "subgraphs"), *made]
    return {**content, "nodes": nodes, "definitions": {**found, "subgraphs": subgraphs}}


def _definition(node: Form, name: str, group: Form) -> Form | None:
    """Return a group as the subgraph that an instance is of; None where they do not fit."""
    values = node.get("widgets_values")
    if isinstance(values, list) and values and len(values) != len([*_fields(group)]):
        return None
    links = _links(group)
    inner = forms(group, "nodes")
    fed = {(link.target, link.slot) for link in links}
    free = [
        (number, slot)
        for number, one in enumerate(inner)
        for slot in range(len(forms(one, "inputs")))
        if (number, slot) not in fed
    ]
    names = [str(slot.get("name")) for slot in forms(node, "inputs") if not slot.get("widget")]
    if len(names) > len(free):
        return None
    all_links = [*links]
    all_links += [_Inner(_INPUTS, at, *place) for at, place in enumerate(free[: len(names)])]
    taken = {(link.origin, link.output) for link in links} - _external(group)
    given = [
        (number, output)
        for number, one in enumerate(inner)
        for output in range(len(forms(one, "outputs")))
        if (number, output) not in taken
    ]
    all_links += [_Inner(*place, _OUTPUTS, at) for at, place in enumerate(given)]
    return {
        "id": f"group node {node.get('id')}",
        "name": name,
        "inputs": [{"name": one} for one in names],
        "nodes": [_inside(number, one, all_links) for number, one in enumerate(inner)],
        "links": [
            [number, link.origin, link.output, link.target, link.slot]
            for number, link in enumerate(all_links)
        ],
    }


def _inside(number: int, node: Form, links: list[_Inner]) -> Form:
    """Return a node of a group as one of a subgraph, with its links by their numbers."""
    led = {link.slot: at for at, link in enumerate(links) if link.target == number}
    slots = [{**slot, "link": led.get(at)} for at, slot in enumerate(forms(node, "inputs"))]
    return {**node, "id": number, "inputs": slots}


def _fields(group: Form) -> Iterator[tuple[int, str]]:
    """Yield the nodes of a group and the fields of their forms, as far as they are shown."""
    for number, node in enumerate(forms(group, "nodes")):
        settings = form(form(form(group, "config"), str(number)), "input")
        is_shown = True
        for name in WIDGETS.get(str(node.get("type")), ()):
            if name != CONTROL:
                is_shown = form(settings, name).get("visible") is not False
            if is_shown:
                yield number, name


def _links(group: Form) -> list[_Inner]:
    found = group.get("links")
    parts = (
        [link[:4] for link in found if isinstance(link, list)] if isinstance(found, list) else []
    )
    return [_Inner(*part) for part in parts if len(part) == 4 and all(map(_is_whole, part))]


def _external(group: Form) -> set[tuple[int, int]]:
    """Return the outputs that are given outside although something inside takes them."""
    found = group.get("external")
    listed = found if isinstance(found, list) else []
    pairs = [(one[0], one[1]) for one in listed if isinstance(one, list) and len(one) > 1]
    return {pair for pair in pairs if all(map(_is_whole, pair))}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
