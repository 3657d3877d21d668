"""
Write files whole or not at all.

The bytes go into a temporary file in the same folder, are flushed to the disk, and take the name in
one step. Whatever fails on the way (a full disk, a read-only folder), the temporary file is removed
and what existed stays as it was.
"""

from __future__ import annotations

import errno
import os
import secrets
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINTS: Final = {
    errno.ENOSPC: "Free some space, or write to another disk.",
    errno.EDQUOT: "Free some of your quota, or write to another disk.",
    errno.EACCES: "Check the permissions, or write to another folder.",
    errno.EPERM: "Check the permissions, or write to another folder.",
    errno.EROFS: "Write to another folder: this file system is read-only.",
    errno.ENOTDIR: "Write to another folder: a part of this path is a file.",
    errno.EEXIST: "Write to another folder: a part of this path is a file.",
    errno.EINVAL: "Use another name.",
    errno.EISDIR: "Name a file in that folder.",
    errno.ENAMETOOLONG: "Use a shorter name.",
}


def atomic_write(path: Path, data: bytes, *, overwrite: bool = True) -> Path:
    """
    Write a file whole or not at all, and make the folders above it.

    A symbolic link is followed, and the permissions of a file that is replaced are kept. A pipe or
    a device is written to, never replaced. Raises OSError, and FileExistsError with the path as
    `filename` where the file exists and `overwrite` is false.
    """
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "the name holds a null character", str(path))
    # A link that leads to itself stays one. (`resolve` raises a RuntimeError for it.)
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(target))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    # A rename needs no permission on the file it replaces, so a write-protected file has to be
    # asked.
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    if overwrite and target.exists() and not target.is_file():
        target.write_bytes(data)
        return path
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        _write_through(temporary, data)
        if not overwrite:
            _take_free_name(temporary, target)
        else:
            if target.exists():
                temporary.chmod(target.stat().st_mode & 0o7777)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_new(folder: Path, name: str, data: bytes) -> Path:
    """
    Write a file that never replaces another.

    Under the name itself, or with -2, -3, … before its suffix. Raises OSError.
    """
    for path in _candidates(folder, name):
        if os.path.lexists(path):
            continue
        try:
            return atomic_write(path, data, overwrite=False)
        except FileExistsError:
            if not os.path.lexists(path):
                raise
    raise AssertionError("the candidates never end")


def write_problem(path: Path, error: OSError) -> Problem:
    """Return the problem of a file that could not be written."""
    code = "disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "unwritable_file"
    hint = _HINTS.get(error.errno or 0, "Write to another folder.")
    return Problem(code, str(path), f"can't be written: {error.strerror or error}.", hint)


def _candidates(folder: Path, name: str) -> Iterator[Path]:
    yield folder / name
    stem, suffix = Path(name).stem, Path(name).suffix
    yield from (folder / f"{stem}-{number}{suffix}" for number in count(2))


def _take_free_name(temporary: Path, target: Path) -> None:
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        # A file system without hard links: look first, which leaves a moment in which another
        # writer may take the name.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        temporary.replace(target)


def _write_through(path: Path, data: bytes) -> None:
    descriptor = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666
    )
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
