"""
Workflow files of other tools as ours.

Which tools there are, the installed packs state (`Pack.importers`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nodetool_core.errors import Problem, WorkflowError

if TYPE_CHECKING:
    from nodetool_core.importing.draft import Imported
    from nodetool_core.registry import Registry


class NotRecognizedError(WorkflowError):
    """A file is none of the tool that an importer is for."""


class Importer(Protocol):
    """Reads the workflow files of one tool."""

    def __call__(self, path: Path, registry: Registry) -> Imported:
        """
        Return the workflow of a file.

        Raises NotRecognizedError where the file is none of the tool's, WorkflowError where it can't
        be read or nothing of it has a counterpart.
        """
        ...


def import_file(path: Path, registry: Registry) -> Imported:
    """
    Read a workflow file of another tool by the first importer that recognizes it.

    Raises WorkflowError where none does, or as that importer does.
    """
    refusals = []
    for importer in registry.importers().values():
        try:
            imported: Imported = importer(path, registry)
        except NotRecognizedError as error:
            refusals.append(error)
        else:
            return imported
    if refusals:
        raise refusals[0]
    message = "can't be imported: no installed pack has an importer."
    raise WorkflowError(Problem("no_importer", str(path), message, "Install the built-in pack."))
