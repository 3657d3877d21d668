"""
Where uploads and results lie.

Files named by the hash of their content, in a directory or behind any URL that fsspec knows.

A name stands for one content, so a file is written once, two writers of one name write the same
bytes, and reading checks what it gets. In a directory a file is written whole or not at all and is
on the disk when `put` returns; an object store (`s3://bucket/prefix`) writes objects whole by
itself.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from nodetool_core.assets.files import atomic_write
from nodetool_core.errors import Problem, missing_package
from nodetool_core.jobs.addresses import shown
from nodetool_core.jobs.job import JobsError, unknown_file

DIGEST: Final = re.compile(r"[0-9a-f]{64}")

_OBJECT_STORES: Final = frozenset({"s3", "gs", "abfs", "oci", "oss"})
"""
Where names have no folders above them, and making one would make a bucket, of whatever name was
mistyped.
"""


class Storage(Protocol):
    """
    Bytes by digest.

    Safe to use from several threads and processes. Also what `asset:` references are read from.
    """

    def put(self, data: bytes) -> str:
        """Keep some bytes and give their digest. Raises JobsError(`storage_failed`)."""
        ...

    def read(self, digest: str) -> bytes:
        """
        Return the bytes. Raises JobsError: `unknown_file`, `damaged_file` or `storage_failed`.
        """
        ...

    def delete(self, digest: str) -> None:
        """Remove a file; one that isn't there is no error. Raises JobsError(`storage_failed`)."""
        ...

    def free_bytes(self) -> int | None:
        """
        Return how many bytes the disk has left, None where that is not known.

        Raises JobsError(`storage_failed`).
        """
        ...


def open_storage(url: str | Path, options: Mapping[str, object] | None = None) -> Storage:
    """
    Return the storage at a path or URL.

    A directory, or what fsspec finds behind `s3://bucket/prefix`, `memory://…` and the like.

    Args:
        options: For the file system, as fsspec takes them: credentials, an endpoint.

    Raises JobsError where the URL names a file system that is not known or not installed.
    """
    text = str(url)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    if "://" not in text:
        return DirectoryStorage(Path(text))
    return RemoteStorage(text, options or {})


def digest_of(data: bytes) -> str:
    """Return the BLAKE3 of some bytes: 64 hexadecimal digits."""
    from blake3 import blake3

    return blake3(data).hexdigest()


class DirectoryStorage:
    """A directory, shared by whoever can reach it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, digest: str) -> Path:
        """Return where a file lies, if it is there."""
        return self.directory / _place(digest)

    def put(self, data: bytes) -> str:
        digest = digest_of(data)
        path = self.path(digest)
        try:
            # A file of another length was cut short by a crash of the machine.
            if not (path.exists() and path.stat().st_size == len(data)):
                atomic_write(path, data)
        except OSError as error:
            raise _failed(digest, error) from error
        return digest

    def read(self, digest: str) -> bytes:
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise JobsError(unknown_file(digest)) from None
        except OSError as error:
            raise _failed(digest, error) from error
        return _checked(digest, data)

    def delete(self, digest: str) -> None:
        try:
            self.path(digest).unlink(missing_ok=True)
        except OSError as error:
            raise _failed(digest, error) from error

    def free_bytes(self) -> int | None:
        try:
            place = next(
                folder
                for folder in (self.directory, *self.directory.absolute().parents)
                if folder.exists()
            )
            return shutil.disk_usage(place).free
        except OSError as error:
            raise _failed(str(self.directory), error) from error


class RemoteStorage:
    """
    A file system of fsspec, each of which raises errors of its own.

    One that can leave half a file when its writer dies leaves one that reading refuses and the next
    `put` replaces.
    """

    def __init__(self, url: str, options: Mapping[str, object]) -> None:
        try:
            from fsspec.core import url_to_fs  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            raise JobsError(missing_package(shown(url), error, "worker")) from None
        try:
            # Others write and remove as well, so nothing that was listed before is believed.
            self._system, self._root = url_to_fs(url, use_listings_cache=False, **options)
            protocol = self._system.protocol
            self._has_folders = _OBJECT_STORES.isdisjoint(
                [protocol] if isinstance(protocol, str) else protocol
            )
        except ImportError as error:
            hint = (
                "In the clone: pip install '.[s3]'"
                if url.startswith("s3:")
                else "Install what fsspec needs for it."
            )
            raise JobsError(
                Problem(
                    "missing_package",
                    shown(url),
                    f"needs a package that is not installed: {error}.",
                    hint,
                )
            ) from None
        except ValueError as error:
            raise JobsError(
                Problem(
                    "storage_failed",
                    shown(url),
                    f"is no storage that can be used: {error}.",
                    "Give a path or s3://…",
                )
            ) from None

    def put(self, data: bytes) -> str:
        digest = digest_of(data)
        path = self._path(digest)
        try:
            if self._size(path) != len(data):
                if self._has_folders:
                    self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
                self._system.pipe_file(path, data)
        except Exception as error:
            raise _failed(digest, error) from error
        return digest

    def read(self, digest: str) -> bytes:
        path = self._path(digest)
        try:
            data = bytes(self._system.cat_file(path))
        except FileNotFoundError:
            raise JobsError(unknown_file(digest)) from None
        except Exception as error:
            raise _failed(digest, error) from error
        return _checked(digest, data)

    def delete(self, digest: str) -> None:
        try:
            self._system.rm_file(self._path(digest))
        except FileNotFoundError:
            return
        except Exception as error:
            raise _failed(digest, error) from error

    def free_bytes(self) -> int | None:
        return None

    def _size(self, path: str) -> int | None:
        try:
            return int(self._system.info(path)["size"])
        except FileNotFoundError:
            return None

    def _path(self, digest: str) -> str:
        return f"{self._root.rstrip('/')}/{_place(digest)}"


def _place(digest: str) -> str:
    """Return the path below the root; what is no digest names no file, whoever sent it."""
    if not DIGEST.fullmatch(digest):
        raise JobsError(unknown_file(digest))
    return f"{digest[:2]}/{digest[2:]}"


def _checked(digest: str, data: bytes) -> bytes:
    if digest_of(data) != digest:
        raise JobsError(
            Problem(
                "damaged_file",
                digest,
                "has another content than was put there.",
                "Upload it, or run the job, again.",
            )
        )
    return data


def _failed(digest: str, error: Exception) -> JobsError:
    return JobsError(
        Problem(
            "storage_failed",
            digest,
            f"can't be read or written: {error}.",
            "Is the storage there and writable?",
        )
    )
