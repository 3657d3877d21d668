"""
Relative paths in workflows that go into another folder: they keep leading to the same files.

What counts as a path: the `uri` of a reference to an image, a folder and the like, and the text of
a property that names a file or a folder. One that leads to nothing stays as it is: it may name a
file of a repository, or one that a run is going to write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

from nodetool_core.assets.loader import ImageLoader
from nodetool_core.errors import ImageError, WorkflowError
from nodetool_core.node_base import Role
from nodetool_core.references import AssetRef
from nodetool_core.types import union_members
from nodetool_core.values import CONTAINERS, Place
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.properties import Property
    from nodetool_core.registry import Registry

_PARTS: Final = ("data", "dynamic_properties")


class Relocation(NamedTuple):
    """A path that is to be another one."""

    node: int
    """Which of the nodes it is in, from 0 on."""
    place: Place
    """Where in the node's record: names and positions, from the outside in."""
    value: str


def relocations(
    nodes: Sequence[object], registry: Registry, before: Path, after: Path
) -> list[Relocation]:
    """
    Return what has to change in nodes whose workflow goes into another folder. Blocks.

    Args:
        nodes: Records of nodes, as a file has them.
        before: The folder that their relative paths start from.
        after: The folder that they are to start from.
    """
    old, new = ImageLoader(before), ImageLoader(after)
    found = []
    for number, record in enumerate(nodes):
        for place, text in _paths(record, registry):
            value = _led_from(old, new, text)
            if value != text:
                found.append(Relocation(number, place, value))
    return found


def relocated(
    document: WorkflowDocument, registry: Registry, before: Path, after: Path
) -> WorkflowDocument:
    """Return a workflow for another folder: the same one where nothing has to change. Blocks."""
    content = document.to_json()
    changes = relocations(content["graph"]["nodes"], registry, before, after)
    for number, place, value in changes:
        _put(content["graph"]["nodes"][number], place, value)
    return WorkflowDocument.from_json(content) if changes else document


def relocated_file(text: bytes, registry: Registry, before: Path, after: Path) -> bytes:
    """Return a workflow's file for another folder; what is no workflow stays as it is. Blocks."""
    try:
        document = WorkflowDocument.from_text(text.decode("utf-8-sig"))
    except (UnicodeDecodeError, WorkflowError):
        return text
    moved = relocated(document, registry, before, after)
    return text if moved is document else moved.to_bytes()


def _paths(record: object, registry: Registry) -> Iterator[tuple[Place, str]]:
    """Yield all that may be a path in a node's record, with its place there."""
    if not isinstance(record, dict):
        return
    node_class = registry.get(str(record.get("type")))
    role = None if node_class is None else node_class.role
    properties = {} if node_class is None else node_class.spec.properties
    for part in _PARTS:
        values = record.get(part)
        for name, value in values.items() if isinstance(values, dict) else ():
            if role is Role.WORKFLOW and name == "workflow_json":
                for place, text in _inner_paths(value, registry):
                    yield (part, name, *place), text
                continue
            prop = properties.get(name)
            for place, text in _texts(value, prop is not None and _is_path(prop, role)):
                yield (part, name, *place), text


def _inner_paths(content: object, registry: Registry) -> Iterator[tuple[Place, str]]:
    """Yield the same of a workflow that stands in a node: it starts from the same folder."""
    graph = content.get("graph", content) if isinstance(content, dict) else None
    nodes = graph.get("nodes") if isinstance(graph, dict) else None
    around: Place = () if graph is content else ("graph",)
    for number, record in enumerate(nodes if isinstance(nodes, list) else ()):
        for place, text in _paths(record, registry):
            yield (*around, "nodes", number, *place), text


def _texts(value: object, named: bool) -> Iterator[tuple[Place, str]]:
    """Yield texts below a value: of references their `uri`, all where the value is `named`."""
    if isinstance(value, str) and named:
        yield (), value
    elif isinstance(value, dict):
        for name, item in value.items():
            is_uri = name == "uri" and isinstance(item, str)
            for place, text in _texts(item, is_uri):
                yield (name, *place), text
    elif isinstance(value, CONTAINERS):
        for number, item in enumerate(value):
            for place, text in _texts(item, named):
                yield (number, *place), text


def _is_path(prop: Property, role: Role | None) -> bool:
    members = list(union_members(prop.annotation))
    members += [item for member in members for item in get_args(member)]
    if any(isinstance(member, type) and issubclass(member, AssetRef) for member in members):
        return True
    # What is written has a name, which leads to nothing.
    return prop.place in ("file", "folder") and role is not Role.SINK


def _led_from(old: ImageLoader, new: ImageLoader, text: str) -> str:
    """Return a path that leads from another folder to the same file."""
    if not text or text[:5].lower() == "data:":
        return text
    try:
        target = old.path(text)
        # One that does not start from the folder leads to the same place from everywhere.
        is_relative = target != new.path(text)
    except (ImageError, RuntimeError):  # RuntimeError: nobody knows where `~` is.
        return text
    if not is_relative or new.base is None or not os.path.exists(target):  # noqa: PTH110 - never raises
        return text
    try:
        # Through links as the system goes: `..` leads out of the folder that a link leads to.
        folder = os.path.relpath(target.parent.resolve(), new.base.resolve())
        return Path(folder, target.name).as_posix()
    except ValueError:  # Another drive of Windows.
        return str(target)


def _put(record: object, place: Place, value: str) -> None:
    *way, last = place
    for step in way:
        record = record[step]  # type: ignore[index]
    record[last] = value  # type: ignore[index]
