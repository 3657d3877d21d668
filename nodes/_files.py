"""Folders and names of files, shared by the nodes that read and write them."""

from __future__ import annotations

import datetime as dt
import os
import re
import unicodedata
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from nodetool_core import Context, FolderRef, NodeError

_DATE: Final = re.compile("%[YmdHMS%]")
"""What a name may say of date and time: numbers alone, which read the same in every language."""


def folder_path(folder: str | FolderRef, context: Context) -> Path:
    """
    Return where a folder is; a relative path starts from the workflow's folder.

    Raises NodeError for one that is no path.
    """
    if isinstance(folder, FolderRef):
        if folder.asset_id and not folder.uri:
            raise NodeError(
                f"The folder is named by the asset id {folder.asset_id!r}, which is no path.",
                "Give the path of a folder.",
            )
        folder = folder.uri
    return context.images.path(folder or ".")


def existing_files(
    folder: str | FolderRef,
    context: Context,
    include_subdirectories: bool,
    extensions: list[str],
    pattern: str,
) -> tuple[Path, list[Path]]:
    """
    Return the folder, and its files that match an ending and the pattern, ordered by path.

    Hidden files are left out. Warn where no file matches. Raises NodeError where there is no such
    folder.
    """
    path = folder_path(folder, context)
    if not path.is_dir():
        found = "is a file" if path.exists() else "does not exist"
        raise NodeError(f"The folder {str(path)!r} {found}.", "Check the path.")
    endings = tuple(
        extension.lower() if extension.startswith(".") else f".{extension.lower()}"
        for extension in extensions
    )
    files: list[Path] = []
    for parent, folders, names in os.walk(path):
        folders[:] = [
            name for name in folders if include_subdirectories and not name.startswith(".")
        ]
        fitting = [
            name for name in names if name.lower().endswith(endings) and not name.startswith(".")
        ]
        files += [Path(parent, name) for name in fitting if not pattern or fnmatch(name, pattern)]
    if not files:
        context.warn(f"The folder {str(path)!r} holds no file that matches.", folder=str(path))
    return path, sorted(files)


def file_name(pattern: str, ending: str) -> str:
    """
    Return a file name with an ending, and with date and time in place of %Y, %m, %d, %H, %M, %S.

    %% is a percent sign. Raises NodeError where the result is no valid file name.
    """
    now = dt.datetime.now().astimezone()
    name = _DATE.sub(
        lambda code: "%" if code[0] == "%%" else now.strftime(code[0]), pattern
    ).strip()
    if not name or name in (".", "..") or any(map(_can_not_be_in_a_name, name)):
        raise NodeError(
            f"{name!r} is no name of a file.",
            f"Give a name such as result{ending}, and the folder in `folder`.",
        )
    return name if Path(name).suffix else f"{name}{ending}"


def _can_not_be_in_a_name(sign: str) -> bool:
    return sign in "/\\" or unicodedata.category(sign) in ("Cc", "Cs")
