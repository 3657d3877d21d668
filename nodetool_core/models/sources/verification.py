"""
Whether the files of a model are those that were published.

The Hub's cache names each file by its hash: SHA-256 of large ones, git's own of small ones. A
folder that was fetched without the cache keeps the same in `.cache/huggingface`. Where nothing is
recorded, the size that a safetensors file's header states is all there is to compare.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nodetool_core.models.sources.headers import HeaderError, is_safetensors, read_header
from nodetool_core.models.sources.local_models import files_in, gaps_in

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 2**20
_SHA256, _GIT = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
_INDEX = re.compile(r"\.safetensors\.index(\.[\w-]+)?\.json$")


@dataclass
class Verification:
    """What was looked at, and what is wrong with it."""

    files: int = 0
    bytes: int = 0
    hashed: int = 0
    """Files for which a hash was recorded."""
    findings: list[tuple[str, str]] = field(default_factory=list)
    """File, relative to its folder, and what is wrong with it."""


def verify(
    directories: list[Path], progress: Callable[[int], None] = lambda done: None
) -> Verification:
    """
    Compare the files in folders with what was recorded of them.

    `progress` gets the bytes that were read so far.
    """
    found, seen = Verification(), set()
    for directory in directories:
        for file in files_in(directory):
            name = file.relative_to(directory).as_posix()
            if not file.exists():
                found.findings.append((name, "is a link to a file that is not there"))
            elif (place := file.resolve()) not in seen:
                seen.add(place)
                found.findings += [
                    (name, what) for what in _wrong_with(file, directory, found, progress)
                ]
    said = {name for name, _ in found.findings}
    found.findings += [
        ("", gap)
        for gap in gaps_in(directories)
        if not any(name.rpartition("/")[2] in gap for name in said)
    ]
    return found


def _wrong_with(
    file: Path, directory: Path, found: Verification, progress: Callable[[int], None]
) -> list[str]:
    """Return what is wrong with one file, which is counted."""
    size = file.stat().st_size
    found.files += 1
    recorded = _recorded(file, directory)
    if recorded is not None:
        found.hashed += 1
        if _hash(file, size, recorded, lambda done: progress(found.bytes + done)) != recorded:
            found.bytes += size
            return [
                _cut(file)
                or f"is not the file that was published: its hash is not {recorded[:12]}…"
            ]
    found.bytes += size
    wrong = (
        _cut(file)
        if is_safetensors(file.name)
        else _disagreement(file)
        if _INDEX.search(file.name)
        else None
    )
    return [wrong] if wrong else []


def _recorded(file: Path, directory: Path) -> str | None:
    """Return the hash that was recorded of a file when it was fetched; None where none was."""
    name = file.readlink().name if file.is_symlink() else ""
    if not name:
        note = (
            directory
            / ".cache"
            / "huggingface"
            / "download"
            / f"{file.relative_to(directory).as_posix()}.metadata"
        )
        name = (
            (note.read_text(encoding="utf-8").splitlines()[1:2] or [""])[0].strip('"')
            if note.is_file()
            else ""
        )
    return name if _SHA256.fullmatch(name) or _GIT.fullmatch(name) else None


def _hash(file: Path, size: int, like: str, progress: Callable[[int], None]) -> str:
    """Return the hash of a file, of the kind of another one."""
    hasher = (
        hashlib.sha256()
        if _SHA256.fullmatch(like)
        else hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    )
    done = 0
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            hasher.update(chunk)
            done += len(chunk)
            progress(done)
    return hasher.hexdigest()


def _cut(file: Path) -> str | None:
    """Return what a safetensors file's header shows of damage."""
    try:
        if is_safetensors(file.name):
            read_header(file)
    except HeaderError as error:
        return str(error)
    return None


def _disagreement(index: Path) -> str | None:
    """
    Return what an index states of its shards and is not so.

    Missing ones are reported elsewhere.
    """
    try:
        listed = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = {
            name: read_header(index.parent / name).tensors
            for name in sorted(set(listed.values()))
            if (index.parent / name).is_file()
        }
        wrong = [
            tensor
            for tensor, shard in listed.items()
            if shard in shards and tensor not in shards[shard]
        ]
    except HeaderError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"can't be read as the index of shards: {error}"
    return (
        f"names {len(wrong)} tensors that its shards do not hold, such as {wrong[0]}"
        if wrong
        else None
    )
