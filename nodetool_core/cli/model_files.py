"""The files in folders of models, as `nodetool models list` shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict


class FileRow(TypedDict):
    """A file in a folder of models."""

    name: str
    source: str
    category: str
    path: str
    bytes: int
    what: str
    """What it is, or why it is not used."""


def folder_rows(folders: Sequence[Path]) -> Iterator[FileRow]:
    """
    Yield the files of weights in folders, with what each is by its header.

    Raises ModelError for a folder that is not there.
    """
    if not folders:
        return
    from nodetool_core.errors import ModelError
    from nodetool_core.models.sources.inspection import inspect_file
    from nodetool_core.models.sources.model_folders import ModelFolders

    for file in ModelFolders(folders).files():
        try:
            what = inspect_file(file.path, file.name).name
        except ModelError as error:
            what = error.problem.message
        size = file.path.stat().st_size if file.path.exists() else 0
        yield FileRow(
            name=file.name,
            source="folder",
            category=file.category,
            path=str(file.path),
            bytes=size,
            what=what,
        )
