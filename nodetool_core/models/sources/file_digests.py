"""A digest of local files that changes when they do."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGEST_LIMIT = 64 * 2**20
"""
Bytes up to which local weights are distinguished by content.

Above, by names, sizes and times, as reading would take seconds.
"""

_Facts = tuple[tuple[str, int, int], ...]
"""Names, sizes and times of files."""


class FileDigests:
    """Digests of files and directories, by place. Safe to use from many threads."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[_Facts, str]] = {}
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """Begin anew in a forked process, where nobody is looking anything up."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return how many places are remembered."""
        return len(self._known)

    def digest(self, path: Path) -> str:
        """
        Return a digest of these files.

        They are read again only when a name, size or time has changed.
        """
        facts = tuple(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in _files(path)))
        with self._lock:
            before, known = self._known.get(path, ((), ""))
        if before != facts:
            known = _digest(path, facts)
            with self._lock:
                self._known[path] = (facts, known)
        return known


def _digest(path: Path, facts: _Facts) -> str:
    from blake3 import blake3

    files = sorted((Path(name).relative_to(path), size, changed) for name, size, changed in facts)
    hasher = blake3()
    if is_large := sum(size for _, size, _ in files) > _DIGEST_LIMIT:
        hasher.update(
            repr(tuple((str(file), size, changed) for file, size, changed in files)).encode()
        )
    else:
        for file, size, _ in files:
            hasher.update(f"{file}\0{size}\0".encode())
            hasher.update((path / file).read_bytes())
    return f"{'stat' if is_large else 'blake3'}:{hasher.hexdigest()}"


def _files(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """
    Yield a file, or every file below a directory.

    Looked at for each use of a local model, so that one that was changed is read again.
    """
    if not path.is_dir():
        yield str(path), path.stat()
        return
    root = path.stat()
    pending, seen = [str(path)], {(root.st_dev, root.st_ino)}
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    # A link may lead back to where it lies.
                    status = entry.stat()
                    if (place := (status.st_dev, status.st_ino)) not in seen:
                        seen.add(place)
                        pending.append(entry.path)
                elif entry.is_file():
                    yield entry.path, entry.stat()


def file_state(path: str) -> tuple[int, int] | None:
    """Return what changes when a file does; None where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - asked for at each use
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size)
