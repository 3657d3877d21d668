"""What the tests of importers read of a result."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from nodes.importers.comfyui import file
from nodes.importers.comfyui.importer import import_nodes
from nodetool_core import Registry
from nodetool_core.importing.draft import Imported

FILES = Path(__file__).parent / "files"
REGISTRY = Registry.installed()


def content_of(name: str) -> Any:
    """Return what a file holds."""
    return json.loads((FILES / f"{name}.json").read_text())


def from_content(content: Any) -> Imported:
    return import_nodes(file.read(copy.deepcopy(content)), REGISTRY)


def values(result: Imported, node_id: str) -> dict[str, Any]:
    return next(node.data for node in result.document.graph.nodes if node.id == node_id)


def edges(result: Imported) -> set[str]:
    return {
        f"{e.source}.{e.sourceHandle} > {e.target}.{e.targetHandle}"
        for e in result.document.graph.edges
    }


def said(result: Imported) -> list[str]:
    """Return the warnings and errors."""
    return [str(note) for note in result.notes if note.level != "note"]
