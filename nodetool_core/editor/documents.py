"""
The owner's workflow files: read, written, moved, and never lost.

A workflow's name is its path below the folder, without the suffix. What was in a file before it is
written, moved or deleted stays among its versions, by content; a draft is what the page has not
saved yet. Both are kept in the server's data folder, away from the files.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from nodetool_core.assets.files import atomic_write, write_problem
from nodetool_core.errors import Problem
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import HttpError

VERSIONS: Final = 50
"""Versions that are kept of a file, the newest."""

_PART: Final = re.compile(r"[^\x00-\x1f/\\:*?\"<>|]{1,100}")
"""One part of a name: what every file system takes."""
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
"""Names that Windows keeps for devices."""


class Stored(NamedTuple):
    """A document as it is on disk."""

    text: bytes
    etag: str


class Version(NamedTuple):
    """What a file held once."""

    id: str
    saved: float
    """Unix time in seconds."""
    bytes: int


class Documents:
    """The workflow files of one folder. Safe to use from many threads."""

    def __init__(self, folder: Path, data: Path) -> None:
        """
        Take a folder of workflow files.

        Args:
            folder: Where the files are.
            data: Where drafts and versions are kept.
        """
        self.folder = folder
        self._drafts = data / "drafts"
        self._versions = data / "versions"
        self._writing = threading.Lock()
        """Held from looking at a file until it is another."""

    def path(self, name: str) -> Path:
        """
        Return the file of a workflow, which need not exist.

        Raises HttpError 422 for a name that is none, 403 for one that a link leads out of the
        folder.
        """
        parts = name.split("/")
        wrong = next((part for part in parts if not _is_part(part)), None)
        if wrong is not None:
            raise HttpError(
                422,
                Problem(
                    "invalid_name",
                    "name",
                    f"{name[:200]!r} is no name of a workflow.",
                    "Use letters, digits, spaces, - and _, with / between folders.",
                ),
            )
        path = self.folder.joinpath(*parts[:-1], f"{parts[-1]}.json")
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise HttpError(
                403,
                Problem(
                    "outside_folder",
                    "name",
                    f"{name[:200]!r} leads out of the folder of workflows.",
                    "Choose another name.",
                ),
            )
        return path

    def read(self, name: str) -> Stored:
        """Return the document of a workflow. Raises HttpError 404."""
        text = _bytes(self.path(name))
        if text is None:
            raise _missing(name)
        return Stored(text, etag_of(text))

    def names_packs(self, name: str) -> bool:
        """Return whether a file is there and names its packs, which the page may not know of."""
        text = _bytes(self.path(name))
        try:
            content = json.loads(text or "null")
        except ValueError:
            return False
        return isinstance(content, dict) and bool(content.get("packs"))

    def write(self, name: str, text: bytes, expected: str | None) -> str:
        """
        Write a document, and keep what was there.

        Args:
            expected: The ETag of what is replaced; None where there must be no such file yet.

        Returns the new ETag. Raises HttpError 412 where something else is there, 507 or 500 where
        the disk refuses.
        """
        path = self.path(name)
        with self._writing:
            before = _bytes(path)
            there = None if before is None else etag_of(before)
            if there != expected:
                message = (
                    f"{name!r} exists already."
                    if expected is None
                    else f"{name!r} has been changed elsewhere."
                )
                raise HttpError(
                    412,
                    Problem("document_changed", name, message, "Read it again, or save a copy."),
                    headers={"ETag": there} if there else {},
                )
            if before is not None and before != text:
                self._keep(name, before)
            _write(path, text)
            return etag_of(text)

    def move(self, name: str, to: str, change: Callable[[bytes], bytes]) -> str:
        """
        Rename a workflow, with its versions and its draft. Returns the ETag under the new name.

        Args:
            change: Returns a document as it has to be under the new name.

        Raises HttpError 404, or 412 where the new name is taken.
        """
        with self._writing:
            stored, target = self.read(name), self.path(to)
            if target.exists():
                raise HttpError(
                    412,
                    Problem("document_changed", to, f"{to!r} exists already.", "Choose another."),
                )
            text = change(stored.text)
            _write(target, text)
            self.path(name).unlink(missing_ok=True)
            for kept in (self._drafts, self._versions):
                before, after = kept / _folder(name), kept / _folder(to)
                if before.exists() and not after.exists():
                    before.rename(after)
            self._change_kept(to, change)
            return etag_of(text)

    def _change_kept(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Change what is kept of a file as the file was changed."""
        for path in [*self._kept(name)]:
            text = path.read_bytes()
            changed = change(text)
            if changed != text:
                saved = path.stat()
                new = path.with_stem(_digest(changed))
                _write(new, changed)
                os.utime(new, ns=(saved.st_atime_ns, saved.st_mtime_ns))
                path.unlink()
        draft = self.draft(name)
        if draft is not None:
            draft["document"] = json.loads(change(json.dumps(draft["document"]).encode()))
            _write(self._draft_path(name), json.dumps(draft, ensure_ascii=False).encode())

    def delete(self, name: str) -> None:
        """Remove a workflow's file; what it held stays among its versions. Raises HttpError 404."""
        with self._writing:
            self._keep(name, self.read(name).text)
            self.path(name).unlink(missing_ok=True)

    def versions(self, name: str) -> list[Version]:
        """Return what a file held before, the newest first."""
        self.path(name)
        found = [
            Version(path.stem, path.stat().st_mtime, path.stat().st_size)
            for path in self._kept(name)
        ]
        return sorted(found, key=lambda version: version.saved, reverse=True)

    def version(self, name: str, version: str) -> bytes:
        """Return one of the versions. Raises HttpError 404."""
        for path in self._kept(name):
            if path.stem == version:
                return path.read_bytes()
        raise _missing(f"{name} {version}")

    def draft(self, name: str) -> JsonObject | None:
        """Return what the page has not saved yet; None where there is nothing."""
        text = _bytes(self._draft_path(name))
        if text is None:
            return None
        draft: JsonObject = json.loads(text)
        return draft

    def write_draft(self, name: str, document: JsonObject, etag: str) -> None:
        """Keep what is not saved yet, begun from the file with an ETag."""
        draft = {"document": document, "etag": etag, "saved": time.time()}
        _write(self._draft_path(name), json.dumps(draft, ensure_ascii=False).encode())

    def drop_draft(self, name: str) -> None:
        """Forget what is not saved."""
        self._draft_path(name).unlink(missing_ok=True)

    def _draft_path(self, name: str) -> Path:
        self.path(name)
        return self._drafts / _folder(name) / "draft.json"

    def _keep(self, name: str, text: bytes) -> None:
        _write(self._versions / _folder(name) / f"{_digest(text)}.json", text)
        for old in self.versions(name)[VERSIONS:]:
            (self._versions / _folder(name) / f"{old.id}.json").unlink(missing_ok=True)

    def _kept(self, name: str) -> Iterator[Path]:
        folder = self._versions / _folder(name)
        return folder.glob("*.json") if folder.is_dir() else iter(())


def etag_of(text: bytes) -> str:
    """Return the ETag of a document's bytes."""
    return f'"{_digest(text)}"'


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]


def _is_part(part: str) -> bool:
    return (
        bool(_PART.fullmatch(part))
        and not part.startswith(".")
        and not part.endswith((".", " "))
        and not _RESERVED.fullmatch(part)
    )


def _folder(name: str) -> str:
    """Return the name of a workflow's folder: its own may be long, and hold slashes."""
    return _digest(name.encode())


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def _write(path: Path, text: bytes) -> None:
    try:
        atomic_write(path, text)
    except OSError as error:
        problem = write_problem(path, error)
        raise HttpError(507 if problem.code == "disk_full" else 500, problem) from error


def _missing(name: str) -> HttpError:
    return HttpError(
        404,
        Problem(
            "unknown_workflow",
            "",
            f"There is no workflow {name[:200]!r}.",
            "GET /v1/workflows lists what there is.",
        ),
    )
