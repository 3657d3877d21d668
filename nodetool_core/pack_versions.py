"""
Which versions of packs a workflow file was made with.

A file names the distributions of its nodes' packs as `{"packs": {"studio-filters": "1.2.0"}}`. It
is read with any version; where something in it is unknown, a hint says what to install.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from nodetool_core.errors import WorkflowError
from nodetool_core.packs import ENTRY_POINT_GROUP, installed_places
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.registry import Registry

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,99}")
"""What names and versions of distributions are made of."""
_INNER = "workflow_json"
"""The property that holds the workflow inside of a node."""


class Distribution(NamedTuple):
    """What a pack was installed as."""

    name: str
    version: str


def with_versions(document: WorkflowDocument, registry: Registry) -> WorkflowDocument:
    """Return a document that names the installed distributions of its nodes."""
    classes = filter(None, map(registry.get, set(_node_types(document))))
    packages = {node_class.__module__.partition(".")[0] for node_class in classes}
    installed = installed_distributions()
    found = dict(sorted(installed[package] for package in packages if package in installed))
    return document.model_copy(update={"packs": found}) if found else document


def installed_distributions() -> Mapping[str, Distribution]:
    """Return the distributions of all installed packs, by the import name of the top package."""
    return _distributions_in(installed_places())


@cache
def _distributions_in(places: tuple[tuple[str, int], ...]) -> Mapping[str, Distribution]:
    from importlib.metadata import entry_points

    return {
        entry.module.partition(".")[0]: Distribution(entry.dist.name, entry.dist.version)
        for entry in entry_points(group=ENTRY_POINT_GROUP)
        if entry.dist is not None
    }


def version_hint(packs: Mapping[str, str]) -> str:
    """
    Return what a file needs where something in it is unknown; empty where versions don't say why.

    Args:
        packs: What the file was made with, by distribution. A stranger may have written it.
    """
    installed = dict(installed_distributions().values())
    needed = []
    for name, version in packs.items():
        if not _NAME.fullmatch(name) or not _NAME.fullmatch(version):
            continue
        if name not in installed:
            needed.append(f"{name} {version}, which is not installed")
        elif _is_older(installed[name], version):
            needed.append(f"{name} {version}, and {installed[name]} is installed")
    return f"The file was made with {'; with '.join(needed)}." if needed else ""


def _is_older(installed: str, needed: str) -> bool:
    """Return whether a version comes before another one; False where one of them is no version."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(installed) < Version(needed)
    except InvalidVersion:
        return False


def _node_types(document: WorkflowDocument) -> Iterator[str]:
    """Yield the types of a document's nodes, and of those in workflows inside of them."""
    for record in document.graph.nodes:
        yield record.type
        inner = record.data.get(_INNER)
        if isinstance(inner, Mapping) and inner:
            try:
                yield from _node_types(WorkflowDocument.from_json(inner))
            except WorkflowError:
                continue  # Whoever checks the document says so.
