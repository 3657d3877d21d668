"""What lies in the owner's folders: for whoever chooses where to save, or what to open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from nodetool_core.editor.answers import FileEntry, PlacesAnswer
from nodetool_core.errors import Problem
from nodetool_core.server.http.http_errors import HttpError

_MOST: Final = 2000
"""Entries of a folder that are listed, by their names in order."""


def listing(root: Path, path: str) -> PlacesAnswer:
    """
    Return the folders and files in one below `root`; what is hidden is left out. Blocks.

    Args:
        path: The folder, from `root`; empty for that itself.

    Raises HttpError 404 for what is no folder, can't be read, or lies outside.
    """
    root = root.resolve()
    try:
        here = (root / path).resolve()
        is_inside = here.is_relative_to(root)
        entries = sorted(os.scandir(here), key=lambda entry: entry.name) if is_inside else None
    except (OSError, ValueError):  # ValueError: a name that no file system takes.
        entries = None
    if entries is None:
        raise HttpError(
            404,
            Problem(
                "missing_file",
                "path",
                f"{path[:200]!r} is no folder below that of the workflows.",
                "Choose one that is listed.",
            ),
        )
    shown = [entry for entry in entries if not entry.name.startswith(".")]
    folders, files = list[str](), list[FileEntry]()
    for entry in shown[:_MOST]:
        try:
            if entry.is_dir():
                folders.append(entry.name)
            elif entry.is_file():
                status = entry.stat()
                files.append(
                    FileEntry(name=entry.name, size=status.st_size, modified=status.st_mtime)
                )
        except OSError:  # It has gone meanwhile, or nobody may look at it.
            continue
    return PlacesAnswer(
        path=_name(here, root),
        parent=None if here == root else _name(here.parent, root),
        folders=folders,
        files=files,
        left_out=max(0, len(shown) - _MOST),
    )


def _name(folder: Path, root: Path) -> str:
    return "" if folder == root else folder.relative_to(root).as_posix()
