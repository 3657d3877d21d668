"""
One result, one file.

Written whole or not at all, and believed only when every byte of it is as it was written:

    header: magic, version, length of the key, length of the payload, blake3 of key and payload
    then the key, then the payload

The name of a file is its key, so that the files alone are a complete cache: `ab/ab12….result`. One
level of 256 folders keeps each to a few hundred files at the sizes that images have. Temporary
files lie in `tmp/`; what a killed process left there is removed after an hour. There is no fsync:
after a power failure the checksum shows it, and the result is computed again.
"""

from __future__ import annotations

import os
import re
import secrets
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from nodetool_core.engine.caching.codec import Buffer
from nodetool_core.engine.keys import Key

MAGIC: Final = b"\x89nodetool-result\n"
VERSION: Final = 1
SUFFIX: Final = ".result"

_HEADER: Final = struct.Struct(f">{len(MAGIC)}sHHQ32s")
_FOLDER: Final = re.compile(r"[0-9a-f]{2}")
_ABANDONED_SECONDS: Final = 3600.0
_BLOCK: Final = 4096


class EntryError(Exception):
    """A file is not the entry that it should be."""


class EntryFile(NamedTuple):
    """An entry as the folder shows it."""

    key: Key
    size: int
    changed: float


def entry_path(directory: Path, key: Key) -> Path:
    name = key.hex()
    return directory / name[:2] / (name + SUFFIX)


def disk_size(length: int) -> int:
    """Return what a file of this length takes on the disk."""
    return -(-length // _BLOCK) * _BLOCK


def entry_size(key: Key, parts: Sequence[Buffer]) -> int:
    """Return what an entry will take on the disk."""
    return disk_size(_HEADER.size + len(key) + sum(memoryview(part).nbytes for part in parts))


def write_entry(directory: Path, key: Key, parts: Sequence[Buffer]) -> None:
    """
    Write an entry in one step; what was there is replaced.

    Raises OSError, and then nothing has changed.
    """
    header = _HEADER.pack(
        MAGIC,
        VERSION,
        len(key),
        sum(memoryview(part).nbytes for part in parts),
        _checksum(key, parts),
    )
    target, temporary = (
        entry_path(directory, key),
        directory / "tmp" / f"{key.hex()[:16]}.{secrets.token_hex(6)}",
    )
    temporary.parent.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(exist_ok=True)
    try:
        with temporary.open("xb", buffering=0) as file:
            for part in (header + key, *parts):
                _write_all(file.fileno(), memoryview(part).cast("B"))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_entry(directory: Path, key: Key) -> memoryview:
    """
    Return the payload of an entry.

    Raises FileNotFoundError, EntryError where it is not what was written, or OSError.
    """
    with entry_path(directory, key).open("rb", buffering=0) as file:
        content = file.readall()
    if len(content) < _HEADER.size:
        raise EntryError("it ends inside its header")
    magic, version, key_length, length, checksum = _HEADER.unpack_from(content)
    if magic != MAGIC:
        raise EntryError("it does not begin as one")
    if version != VERSION:
        raise EntryError(f"its version is {version}, this program knows {VERSION}")
    start = _HEADER.size + key_length
    if len(content) != start + length:
        raise EntryError(f"it has {len(content)} bytes instead of {start + length}")
    if content[_HEADER.size : start] != key:
        raise EntryError("it is the entry of another key")
    payload = memoryview(content)[start:]
    if _checksum(key, [payload]) != checksum:
        raise EntryError("its checksum is wrong")
    return payload


def remove_entry(directory: Path, key: Key) -> None:
    """Remove the entry of a key if there is one. Raises OSError."""
    entry_path(directory, key).unlink(missing_ok=True)


def entries(directory: Path) -> Iterator[EntryFile]:
    """Yield every entry in a folder by its name; open none, and leave out what is no entry."""
    for folder in _scan(directory):
        if not _FOLDER.fullmatch(folder.name):
            continue
        for file in _scan(folder.path):
            stem = file.name.removesuffix(SUFFIX)
            if stem == file.name or not stem.startswith(folder.name):
                continue
            try:
                key, status = bytes.fromhex(stem), file.stat(follow_symlinks=False)
            except (ValueError, FileNotFoundError):
                continue
            yield EntryFile(key, disk_size(status.st_size), status.st_mtime)


def remove_abandoned(directory: Path, older_than: float = _ABANDONED_SECONDS) -> None:
    """Remove temporary files that nobody is writing any more. Raises OSError."""
    for file in _scan(directory / "tmp"):
        try:
            if time.time() - file.stat(follow_symlinks=False).st_mtime >= older_than:
                Path(file.path).unlink()
        except FileNotFoundError:
            continue


def _scan(directory: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _checksum(key: Key, parts: Sequence[Buffer]) -> bytes:
    from blake3 import blake3

    hasher = blake3(key)
    for part in parts:
        hasher.update(part)
    return hasher.digest()


def _write_all(descriptor: int, content: memoryview) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
