"""A workflow of InvokeAI as one of ours: its nodes are followed as those of ComfyUI are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodes.importers.comfyui.importer import Dialect, import_nodes
from nodes.importers.comfyui.rules import comment
from nodes.importers.invokeai import file, images, models, sampling
from nodetool_core.importing.draft import Imported

if TYPE_CHECKING:
    from nodetool_core import Registry

DIALECT: Final = Dialect(
    {**images.RULES, **models.RULES, **sampling.RULES, "notes": comment}, {file.RESULT}
)


def import_file(path: Path, registry: Registry) -> Imported:
    """
    Read a workflow of InvokeAI, or an image that one made.

    Raises NotRecognizedError for a file that is none, WorkflowError where nothing of it has a
    counterpart.
    """
    nodes = file.load(path)
    return import_nodes(nodes, registry, name=path.stem, where=str(path), dialect=DIALECT)
