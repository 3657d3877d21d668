"""
InvokeAI's workflow files, read into plain nodes.

A file of the versions 4 to 6 has nodes with a type and named fields, and edges from a field to a
field. Each node becomes one of the same form as ComfyUI's, so that the same importer follows the
graph; what a node gives is numbered by `GIVES`. Images of InvokeAI hold the workflow that made them
as the text `invokeai_workflow`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from nodes.importers.comfyui.graph import ComfyNode, Form, Link, form, forms, in_order
from nodes.importers.invokeai.gives import GIVES
from nodetool_core.assets.infotext import read_texts
from nodetool_core.errors import ImageError, Problem, WorkflowError
from nodetool_core.importing import NotRecognizedError

MAX_BYTES: Final = 64 * 1024 * 1024
RESULT: Final = "result"
"""The class of what is written behind an image that is a result, as if it were a node."""

IMAGE: Final = "image"
"""The type of a node that loads an image, and the name of fields for one."""
_WITHOUT_IMAGE: Final = frozenset({"create_denoise_mask", "create_gradient_mask"})
"""Nodes that may do without one."""

_IMAGES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
_LONGEST_TEXT: Final = 16_000_000
_WANTED: Final = "Give a workflow that InvokeAI saved, or an image that such a workflow made."
_SAYS_NOTHING: Final = frozenset({"board", "metadata", "use_cache"})
"""Fields that make no difference to what is made."""
_NUMBERED: Final = "#"
"""Stands between the name of a field that takes several edges, and their numbers."""


def load(path: Path) -> list[ComfyNode]:
    """
    Return the nodes of a file, each after those that it depends on.

    Raises NotRecognizedError for a file that is none of InvokeAI's, WorkflowError for a broken one.
    """
    where = str(path)
    content = _content(path)
    if not isinstance(content, dict) or not _is_workflow(content):
        raise _refused(where, "is no workflow of InvokeAI.")
    try:
        return in_order(_nodes(content), partial(_broken, where))
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(where, f"is damaged: {type(error).__name__}: {error}.") from None


def _content(path: Path) -> object:
    where = str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _refused(where, "is larger than 64 MiB, which no workflow is.")
        data = path.read_bytes()
        if data.startswith(_IMAGES):
            _, others = read_texts(data, where, longest=_LONGEST_TEXT)
            return json.loads(others.get("invokeai_workflow", "null"))
        return json.loads(data.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError, ImageError) as error:
        raise _refused(where, f"can't be read: {error}.") from None


def _is_workflow(content: Form) -> bool:
    nodes = content.get("nodes")
    return isinstance(nodes, list) and any(
        isinstance(node, Mapping) and node.get("type") == "invocation" for node in nodes
    )


def _nodes(content: Form) -> list[ComfyNode]:
    found = {str(node["id"]): node for node in forms(content, "nodes")}
    kinds = {node_id: str(form(node, "data").get("type", "")) for node_id, node in found.items()}
    arriving: dict[str, dict[str, list[Link]]] = defaultdict(lambda: defaultdict(list))
    leaving: set[str] = set()
    for edge in forms(content, "edges"):
        source, target = str(edge["source"]), str(edge["target"])
        if edge.get("type") == "collapsed":
            continue
        outputs = GIVES.get(kinds.get(source, ""), ())
        given = edge.get("sourceHandle")
        number = outputs.index(given) if given in outputs else len(outputs)
        arriving[target][str(edge.get("targetHandle"))].append(Link(source, number))
        leaving.add(source)
    nodes = []
    for node_id, node in found.items():
        if node.get("type") not in ("invocation", "notes"):
            continue
        made = _node(node_id, node, arriving[node_id])
        nodes += [*_images(made, form(form(node, "data"), "inputs")), made]
        is_last = node_id not in leaving or form(node, "data").get("isIntermediate") is False
        if "image" in GIVES.get(made.class_type, ()) and is_last and made.class_type != IMAGE:
            shown: dict[str, object] = {
                "image": Link(node_id, GIVES[made.class_type].index("image"))
            }
            at = made.position and (made.position[0] + 320, made.position[1])
            nodes.append(ComfyNode(f"{node_id}_result", RESULT, shown, made.title, at))
    return nodes


def _images(node: ComfyNode, fields: Form) -> list[ComfyNode]:
    """
    Return the nodes that load what is chosen in a node's fields for images.

    One that is empty is filled in where the workflow is run.
    """
    if node.class_type == IMAGE:
        return []
    chosen: dict[str, object] = {
        name: value
        for name, value in node.inputs.items()
        if isinstance(value, Mapping) and "image_name" in value
    }
    if IMAGE in fields and IMAGE not in node.inputs and node.class_type not in _WITHOUT_IMAGE:
        chosen[IMAGE] = {}
    found = []
    for name, value in chosen.items():
        at = node.position and (node.position[0] - 320, node.position[1])
        found.append(ComfyNode(f"{node.id}_{name}", IMAGE, {IMAGE: value}, position=at))
        node.inputs[name] = Link(found[-1].id, 0)
    return found


def _node(node_id: str, node: Form, arriving: Mapping[str, list[Link]]) -> ComfyNode:
    data = form(node, "data")
    inputs: dict[str, object] = {}
    for name, field in form(data, "inputs").items():
        value = field.get("value") if isinstance(field, Mapping) else None
        if value is not None and name not in _SAYS_NOTHING:
            inputs[name] = value
    for name, links in arriving.items():
        if name in _SAYS_NOTHING:
            continue
        inputs.pop(name, None)
        for number, link in enumerate(links):
            inputs[f"{name}{_NUMBERED}{number}" if len(links) > 1 else name] = link
    if node.get("type") == "notes":
        inputs = {"text": str(data.get("notes") or "")}
    at = form(node, "position")
    x, y = at.get("x"), at.get("y")
    is_placed = isinstance(x, (int, float)) and isinstance(y, (int, float))
    return ComfyNode(
        node_id,
        str(data.get("type") or node.get("type")),
        inputs,
        str(data.get("label") or ""),
        (float(str(x)), float(str(y))) if is_placed else None,
    )


def _refused(where: str, message: str) -> NotRecognizedError:
    return NotRecognizedError(Problem("invalid_document", where, message, _WANTED))


def _broken(where: str, message: str) -> WorkflowError:
    return WorkflowError(Problem("invalid_document", where, message, _WANTED))
