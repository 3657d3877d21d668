"""
ComfyUI's files, read into plain nodes.

Three forms are read: the API format (`{"3": {"class_type": …, "inputs": {…}}}`), the format that
its editor saves (`{"nodes": […], "links": […]}`, see `editor`), and images that ComfyUI wrote,
which hold them. Clients put the first two into requests of their own (`{"prompt": …}`, RunPod's
`{"input": {"workflow": …}}`, the editor's `{"output": …, "workflow": …}`), as objects or as texts.

The forms are described at docs.comfy.org, under Workflow JSON and API format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from nodes.importers.comfyui import editor
from nodes.importers.comfyui.canvas import DamagedError
from nodes.importers.comfyui.graph import GROUP, ComfyNode, Form, Link, in_order
from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.importing import NotRecognizedError

MAX_BYTES: Final = 64 * 1024 * 1024
_WANTED: Final = (
    "Save it in ComfyUI with `Save` or `Export (API)`, or give a PNG that ComfyUI wrote."
)
_IMAGES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
"""How PNG, JPEG and WEBP begin."""

_TEXTS: Final = ("prompt", "workflow")
"""Texts of an image; what ran counts more than what the editor showed."""

_WRAPPED_AS: Final = ("prompt", "output", "workflow", "workflow_api", "input", "extra_data")
"""Fields of requests and answers that hold a workflow, the plainest form first."""
_WRAPPERS: Final = 4
"""As many are opened."""

NOTES: Final = editor.NOTES


def load(path: Path) -> list[ComfyNode]:
    """
    Return the nodes of a file, each after those that it depends on.

    Raises WorkflowError for a file that is none of ComfyUI's.
    """
    where = str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _refused(where, "is larger than 64 MiB, which no workflow is.")
        data = path.read_bytes()
        texts = (
            _in_image(path) if data.startswith(_IMAGES) else {"prompt": data.decode("utf-8-sig")}
        )
        content = json.loads(next(texts[name] for name in _TEXTS if name in texts))
    except FileNotFoundError:
        raise WorkflowError(
            Problem("missing_file", where, "There is no such file.", "Check the path.")
        ) from None
    except OSError as error:
        raise WorkflowError(
            Problem("unreadable_file", where, f"can't be read: {error.strerror or error}.", _WANTED)
        ) from None
    except UnicodeDecodeError:
        raise _refused(
            where, "is neither a text in UTF-8 nor a PNG, JPEG or WEBP, so it holds no workflow."
        ) from None
    except (ValueError, RecursionError) as error:
        raise _refused(where, f"is no JSON: {error}.") from None
    nodes = read(content, where)
    return _dressed(nodes, texts["workflow"]) if len(texts) > 1 else nodes


def read(content: object, where: str = "workflow") -> list[ComfyNode]:
    """Return the nodes of a parsed JSON value, in the order of `load`. Raises WorkflowError."""
    found = _unwrapped(content)
    if not isinstance(found, Mapping):
        raise _refused(where, f"holds {type(content).__name__}, not a workflow.")
    if "graph" in found:
        raise _refused(
            where,
            "is a workflow of the form that `nodetool run` reads; there is nothing to import.",
            f"Run it: nodetool run {where}",
        )
    if _is_from_editor(found):
        nodes = _from_editor(found, where)
    elif _is_from_api(found):
        nodes = [_from_api(str(node_id), node, where) for node_id, node in found.items()]
    else:
        raise _refused(where, "is no workflow of ComfyUI.")
    return in_order(nodes, partial(_refused, where))


def _is_from_editor(content: Form) -> bool:
    nodes = content.get("nodes")
    return isinstance(nodes, list) and not any(map(_is_of_invokeai, nodes))


def _is_of_invokeai(node: object) -> bool:
    """Return whether a node is one of InvokeAI, whose files have a list of nodes as well."""
    return isinstance(node, Mapping) and node.get("type") == "invocation"


def _is_from_api(content: Form) -> bool:
    return any(isinstance(node, Mapping) and "class_type" in node for node in content.values())


def _unwrapped(content: object, depth: int = 0) -> object:
    """
    Return the workflow inside of what clients send, servers answer, or others store around it.

    What holds none comes back as it is.
    """
    if isinstance(content, str) and content.lstrip().startswith("{"):
        try:
            content = json.loads(content)
        except (ValueError, RecursionError):
            return content
    if isinstance(content, list) and len(content) >= 3 and depth:
        # The history of ComfyUI's server: a number, the id of the run, the workflow, …
        content = content[2]
    if (
        not isinstance(content, Mapping)
        or "graph" in content
        or _is_from_editor(content)
        or _is_from_api(content)
        or depth == _WRAPPERS
    ):
        return content
    named = [content[name] for name in _WRAPPED_AS if name in content]
    alone = list(content.values()) if len(content) == 1 else []
    for inner in (*named, *alone):
        found = _unwrapped(inner, depth + 1)
        if isinstance(found, Mapping) and (_is_from_editor(found) or _is_from_api(found)):
            return found
    return content


def _from_api(node_id: str, node: object, where: str) -> ComfyNode:
    if not isinstance(node, Mapping) or "class_type" not in node:
        # Fields that clients put beside the nodes.
        return ComfyNode(node_id, "", {"value": node}, mode="field")
    inputs, meta = node.get("inputs", {}), node.get("_meta", {})
    if not isinstance(node["class_type"], str) or not isinstance(inputs, Mapping):
        raise _refused(
            f"{where}: node {node_id}",
            "needs a `class_type` that is a text and `inputs` that are an object.",
        )
    title = str(meta.get("title", "")) if isinstance(meta, Mapping) else ""
    return ComfyNode(
        node_id,
        node["class_type"],
        {str(name): _value(value) for name, value in inputs.items()},
        title,
    )


def _value(value: object) -> object:
    """Return a value, or the link that a pair of node and output number stands for."""
    if (
        isinstance(value, list)
        and len(value) == 2
        and type(value[0]) in (str, int)
        and type(value[1]) is int
    ):
        return Link(str(value[0]), value[1])
    return value


def _from_editor(content: Form, where: str) -> list[ComfyNode]:
    try:
        return editor.read(content)
    except DamagedError as error:
        raise _refused(where, f"can't be imported: {error}.") from None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise _refused(where, f"is damaged: {type(error).__name__}: {error}.") from None


def _in_image(path: Path) -> dict[str, str]:
    """
    Return the texts `prompt` (API format) and `workflow` (editor format) of an image.

    ComfyUI writes both into its PNG files, and into the EXIF of others.
    """
    from nodetool_core.assets.decode import identify

    with path.open("rb") as file:
        image = identify(file, str(path))
        found = {name: text for name in _TEXTS if isinstance(text := image.info.get(name), str)}
        for value in () if found else image.getexif().values():
            name, colon, text = value.partition(":") if isinstance(value, str) else ("", "", "")
            if colon and name.lower() in _TEXTS:
                found[name.lower()] = text
    if not found:
        raise _refused(str(path), "is an image that holds no workflow of ComfyUI.")
    return found


def _dressed(nodes: list[ComfyNode], drawn: str) -> list[ComfyNode]:
    """Return the nodes with the titles, places, colours and groups that the editor's file has."""
    try:
        shown = {node.id: node for node in read(json.loads(drawn))}
    except (ValueError, RecursionError, WorkflowError):
        return nodes
    dressed = [
        replace(
            node,
            title=like.title or node.title,
            position=like.position,
            look=like.look,
            group=like.group,
        )
        if (like := shown.get(node.id)) and like.class_type == node.class_type
        else node
        for node in nodes
    ]
    return [*dressed, *(node for node in shown.values() if node.class_type == GROUP)]


def _refused(where: str, message: str, hint: str = _WANTED) -> NotRecognizedError:
    return NotRecognizedError(Problem("invalid_document", where, message, hint))
