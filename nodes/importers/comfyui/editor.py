"""
The format that ComfyUI's editor saves, as plain nodes.

The canvases of a file (`canvas`) become one list: a node's id has the ids of the instances in
front of it (`57:3`), as in ComfyUI's own API format, and messages name the subgraphs. Nodes that
only lead links are gone, groups are nodes of a class of their own, and no canvas lies on another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nodes.importers.comfyui.canvas import (
    ABSENT,
    LEADS,
    MODES,
    Canvas,
    slots_of,
    tree_of,
)
from nodes.importers.comfyui.exposed import exposed
from nodes.importers.comfyui.graph import GROUP, ComfyNode, Form, form, forms
from nodes.importers.comfyui.group_nodes import with_subgraphs
from nodes.importers.comfyui.widgets import named

NOTES: Final = frozenset({"Note", "MarkdownNote"})
"""Texts for the reader."""

_GAP: Final = 120.0
"""Pixels between the nodes of one canvas and those of the next."""
_FARTHEST: Final = 1e9
"""Places beyond are none."""


def read(content: Form) -> list[ComfyNode]:
    """
    Return the nodes of a parsed file.

    Raises DamagedError, or KeyError, TypeError and their like where its form is another.
    """
    content = with_subgraphs(content)
    canvas = tree_of(content)
    called = {
        str(one["id"]): str(one.get("name") or "subgraph")
        for one in forms(form(content, "definitions"), "subgraphs")
    }
    nodes = _nodes(canvas)
    for node in nodes:
        # Of the instances of subgraphs, those that do not run are left.
        node.class_type = called.get(node.class_type, node.class_type)
    groups = forms(content, "groups")
    _put_into_groups(nodes, [_box(group) for group in groups])
    return [*nodes, *(_group(number, group) for number, group in enumerate(groups))]


def _nodes(top: Canvas) -> list[ComfyNode]:
    """Return the nodes that are not only there to lead links."""
    places = _places(top)
    return [
        _node(canvas, node, places[canvas.prefix])
        for canvas, node in top.all_nodes()
        if str(node["id"]) not in canvas.inside and str(node["type"]) not in LEADS
    ]


def _node(canvas: Canvas, node: Form, moved: tuple[float, float]) -> ComfyNode:
    class_type, node_id = str(node["type"]), str(node["id"])
    mode = MODES.get(node.get("mode", 0), "")
    inputs, unnamed = named(class_type, node.get("widgets_values"), slots_of(node))
    inputs |= {
        widget: value for (inner, widget), value in canvas.replaced.items() if inner == node_id
    }
    shown = {widget: widget for inner, widget in canvas.app if inner == node_id}
    for slot in () if mode else slots_of(node):
        name = str(slot["name"])
        found = canvas.source(slot.get("link"))
        if found.value is not ABSENT:
            inputs[name] = found.value
        if found.shown:
            shown[name] = found.shown
    inputs |= {name: exposed(inputs[name], app) for name, app in shown.items() if name in inputs}
    at = _pair(node.get("pos"))
    return ComfyNode(
        f"{canvas.prefix}{node_id}",
        class_type,
        inputs,
        str(node.get("title") or ""),
        (at[0] + moved[0], at[1] + moved[1]) if at else None,
        mode,
        canvas.names,
        _look(node),
        _models(node),
        unnamed,
    )


def _models(node: Form) -> dict[str, str]:
    """Return the addresses of the files that a node names, as templates have them."""
    listed = form(node, "properties").get("models")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return {str(one["name"]): str(one["url"]) for one in found if "name" in one and "url" in one}


def _look(node: Form) -> dict[str, object]:
    """Return size and colours as `ui_properties` have them."""
    look = {name: node[name] for name in ("color", "bgcolor") if isinstance(node.get(name), str)}
    size = _pair(node.get("size"))
    return look | ({"width": size[0], "height": size[1]} if size else {})


def _box(group: Form) -> tuple[float, float, float, float] | None:
    """Return the corners of a group: left, upper, right, lower."""
    found = group.get("bounding")
    sides = [*found.values()] if isinstance(found, Mapping) else found
    if not isinstance(sides, list) or len(sides) != 4:
        return None
    at, size = _pair(sides), _pair(sides[2:])
    return None if at is None or size is None else (*at, at[0] + size[0], at[1] + size[1])


def _put_into_groups(
    nodes: list[ComfyNode], boxes: list[tuple[float, float, float, float] | None]
) -> None:
    """Note of each node the smallest group that its middle lies in."""
    found = [(box, number) for number, box in enumerate(boxes) if box is not None]
    found.sort(key=lambda one: (one[0][2] - one[0][0]) * (one[0][3] - one[0][1]))
    for node in nodes:
        if node.position is None or node.subgraph:
            continue
        size = _pair([node.look.get("width"), node.look.get("height")]) or (0.0, 0.0)
        x, y = (at + side / 2 for at, side in zip(node.position, size, strict=True))
        for (left, upper, right, lower), number in found:
            if left <= x <= right and upper <= y <= lower:
                node.group = f"group_{number}"
                break


def _group(number: int, group: Form) -> ComfyNode:
    """Return a group of nodes, with its title and colour."""
    at = _pair(group.get("bounding"))
    look = {"color": group["color"]} if isinstance(group.get("color"), str) else {}
    title = str(group.get("title") or "")
    return ComfyNode(f"group_{number}", GROUP, {}, title, at, look=look)


def _places(top: Canvas) -> dict[str, tuple[float, float]]:
    """Return by how much the nodes of each canvas move, so that none lies on another."""
    bottom = _bottom(top)
    moved, waiting = {top.prefix: (0.0, 0.0)}, list(top.inside.values())
    while waiting:
        canvas = waiting.pop(0)
        corners = [at for node in canvas.nodes.values() if (at := _pair(node.get("pos")))]
        left, upper = (min(side) for side in zip(*corners, strict=True)) if corners else (0.0, 0.0)
        moved[canvas.prefix] = (-left, bottom + _GAP - upper)
        bottom += _GAP + max(0.0, _bottom(canvas) - upper)
        waiting += canvas.inside.values()
    return moved


def _bottom(canvas: Canvas) -> float:
    ends = []
    for node in canvas.nodes.values():
        at, size = _pair(node.get("pos")), _pair(node.get("size"))
        if at:
            ends.append(at[1] + (size[1] if size else 0.0))
    return max(ends, default=0.0)


def _pair(value: object) -> tuple[float, float] | None:
    """Return a place or a size; None where it is none."""
    if isinstance(value, Mapping):
        value = [value.get("0"), value.get("1")]
    if not isinstance(value, list) or len(value) < 2:
        return None
    x, y = value[:2]
    if not all(type(side) in (int, float) and abs(side) < _FARTHEST for side in (x, y)):
        return None
    return float(x), float(y)
