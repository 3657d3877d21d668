"""
Images that are seen of a workflow before it is run: its example, and those its inputs have.

Only files below the workflow's folder are shown, whatever its document names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodetool_core.properties import MISSING
from nodetool_core.references import ImageRef

if TYPE_CHECKING:
    from nodetool_core.server.served_workflow import ServedWorkflow

_SUFFIXES: Final = (".webp", ".png", ".jpg", ".jpeg")


def example_of(served: ServedWorkflow) -> str | None:
    """
    Return the path of a workflow's example image, from its folder; None where it has none.

    It is the image beside its file that has the same name, else the first that an input has.
    """
    if served.model or served.confined:
        return None
    stem = served.name.rpartition("/")[2]
    beside = next((stem + end for end in _SUFFIXES if (served.base / (stem + end)).is_file()), None)
    if beside is not None:
        return beside
    given = (given_image(served, name) for name in served.inputs)
    return next((path for path in given if path is not None), None)


def given_image(served: ServedWorkflow, name: str) -> str | None:
    """Return the path of the image that an input has, from the workflow's folder; None for none."""
    given = served.inputs.get(name)
    value = None if given is None or given.default is MISSING else given.default
    if not isinstance(value, ImageRef) or not value.uri or "://" in value.uri or served.model:
        return None
    path = value.uri.removeprefix("file:")
    return path if _is_inside(served.base, path) else None


def _is_inside(folder: Path, path: str) -> bool:
    try:
        place = (folder / path).resolve()
        return place.is_relative_to(folder.resolve()) and place.is_file()
    except (OSError, ValueError):  # A name that no file system takes.
        return False
