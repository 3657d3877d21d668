"""
Workflows of NodeTool, whose nodes without a counterpart have others stand in for them.

What is the same, or renamed, the tool's own reader knows (`nodetool_core.importing.nodetool`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nodes.importers.nodetool.stand_ins import rewrite
from nodetool_core.importing import nodetool
from nodetool_core.importing.draft import Imported
from nodetool_core.importing.rewriting import Rewriting

if TYPE_CHECKING:
    from nodetool_core import Registry


def import_file(path: Path, registry: Registry) -> Imported:
    """
    Read a file of NodeTool, or an image that was made here.

    Raises NotRecognizedError where it is none, WorkflowError where nothing of it is left.
    """
    document = nodetool.load(path)
    rewriting = Rewriting(document)
    rewrite(rewriting)
    return nodetool.import_document(document, path, registry, rewriting.notes)
