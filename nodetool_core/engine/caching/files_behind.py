"""
Files that a kept result speaks of.

A result may be a reference to a file (`ImageRef(uri="/tmp/a.png")`): the entry holds the path, not
the content. So it is kept with a mark of the file, and counts only while the mark is the same.
Where a relative path leads is not known, so a result that holds one is not kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from nodetool_core.references import AssetRef, FolderRef
from nodetool_core.values import levels

Mark = list[int] | str | None

UNSURE = "unsure"
"""What a relative path leads to depends on the run."""


def mark_of(ref: AssetRef) -> Mark:
    """
    Return size and time of change of the file behind a reference.

    "missing" or "unsure" where these are not known; None where there is no file behind it.
    """
    path = _local_path(ref)
    if path is None:
        return None
    if not path.is_absolute():
        return UNSURE
    if isinstance(ref, FolderRef):
        return None
    try:
        status = path.stat()
    except (OSError, ValueError):
        return "missing"
    return [status.st_size, status.st_mtime_ns]


def marks_of(values: Iterable[Any]) -> list[tuple[AssetRef, Mark]]:
    """
    Return every reference to a file in some values, with its mark.

    Raises RecursionError for values that are nested too deeply, such as a list that holds itself.
    """
    references = (
        value for level in levels(list(values)) for value in level if isinstance(value, AssetRef)
    )
    return [(ref, mark) for ref in references if (mark := mark_of(ref)) is not None]


def _local_path(ref: AssetRef) -> Path | None:
    if ref.data or not ref.uri:
        return None
    parts = urlsplit(ref.uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    # A drive letter is no scheme.
    return None if len(parts.scheme) > 1 else Path(ref.uri)
