"""Folders and names of files, shared by the nodes that read and write them."""

from __future__ import annotations

import datetime as dt
import os
import re
import unicodedata
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from nodes._template import as_text
from nodetool_core import Context, FolderRef, NodeError
from nodetool_core.errors import near_miss

FOLDER: Final = (
    "Folder to write to, made where it does not exist; a relative one starts from the workflow's"
    " folder."
)
"""What a property says that names the folder of what a node writes."""

_DATE: Final = re.compile("%[YmdHMS%]")
"""What a name may say of date and time: numbers alone, which read the same in every language."""

_PLACEHOLDER: Final = re.compile(r"\{(\w+)([:!.\[][^{}]*)?\}")
_FORM: Final = re.compile(r":(?:0?(?P<digits>[1-9]\d?)d?|\.(?P<decimals>\d)f?)")
"""How a placeholder writes a number: at least so many digits, or so many decimals."""
_LONGEST_PART: Final = 80
"""Characters of a value that a file's name holds."""
_LONGEST_BYTES: Final = 120
"""Their bytes: a name has room for 255, and a sign of Japanese takes three."""


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


def file_name(pattern: str, ending: str, values: Mapping[str, object] | None = None) -> str:
    """
    Return a file name with an ending, and with date and time in place of %Y, %m, %d, %H, %M, %S.

    %% is a percent sign. Raises NodeError where the result is no valid file name.

    Args:
        values: What stands in place of `{name}`; `{name:03}` is a number of three digits at least,
            `{name:.2f}` one with two decimals. Without it, braces mean themselves.
    """
    now = dt.datetime.now().astimezone()
    name = _DATE.sub(
        lambda code: "%" if code[0] == "%%" else now.strftime(code[0]), pattern
    ).strip()
    if values is not None:
        name = _PLACEHOLDER.sub(lambda found: _part_of_name(found[1], found[2], values), name)
    if not name or name in (".", "..") or any(map(_can_not_be_in_a_name, name)):
        raise NodeError(
            f"{name!r} is no name of a file.",
            f"Give a name such as result{ending}, and the folder in `folder`.",
        )
    # A value may hold a dot, and is no ending.
    has_ending = Path(pattern if values is None else _PLACEHOLDER.sub("x", pattern)).suffix
    return name if has_ending else f"{name}{ending}"


def asks_for(pattern: str, name: str) -> bool:
    """Return whether the pattern of a file's name has a placeholder of a name."""
    return any(found[1] == name for found in _PLACEHOLDER.finditer(pattern))


def _part_of_name(name: str, form: str | None, values: Mapping[str, object]) -> str:
    """Return a value as a part of a file's name: what can't be in one becomes a hyphen."""
    read = _FORM.fullmatch(form) if form else None
    if form and not read:
        raise NodeError(
            f"The placeholder {{{name}{form}}} can't be read.",
            f"Write {{{name}}}, {{{name}:03}} for three digits or {{{name}:.2f}} for two decimals.",
            code="invalid_value",
            where="filename",
        )
    if not values:
        raise NodeError(
            f"The name of the file asks for {{{name}}}; this node fills in date and time alone.",
            "Leave it out: a name that exists gets -2, -3, …",
            code="missing_value",
            where="filename",
        )
    if name not in values:
        known = ", ".join(sorted({*values, "index"}))
        raise NodeError(
            f"The name of the file asks for {{{name}}}, which has no value.",
            near_miss(name, {*values, "index"})
            or f"Connect a property of that name, or use one of {known}.",
            code="missing_value",
            where="filename",
        )
    value = values[name]
    if read and isinstance(value, (int, float)):
        if read["decimals"]:
            return format(value, f".{read['decimals']}f")
        if isinstance(value, int):
            return format(value, f"0{read['digits']}d")
    text = "".join("-" if _can_not_be_in_a_name(sign) else sign for sign in as_text(value))
    text = " ".join(re.sub(r'[<>:"|?*]', "-", text).split()).strip(". ")
    text = text[:_LONGEST_PART].encode()[:_LONGEST_BYTES].decode(errors="ignore")
    return text.strip(". ")


def _can_not_be_in_a_name(sign: str) -> bool:
    return sign in "/\\" or unicodedata.category(sign) in ("Cc", "Cs")
