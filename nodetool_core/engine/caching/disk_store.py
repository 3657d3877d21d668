"""
The folder of the disk tier: entry files and their index, kept within a bound.

Whatever is wrong with the folder (full, read-only, deleted, its index locked), no call fails: what
can't be read is a miss, what can't be written is left out, the reason is logged once, and writing
is tried again after a while.

What is there is known from a set in memory, because a run looks for every node: a miss costs a
look-up and a look at the clock. Every `REFRESH_SECONDS` a miss also reads from the index what
other processes have added; what they removed shows when the file is opened.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from nodetool_core.engine.caching.codec import Buffer
from nodetool_core.engine.caching.disk_index import DiskIndex, IndexUnavailableError
from nodetool_core.engine.caching.entry_file import (
    EntryError,
    entries,
    entry_size,
    read_entry,
    remove_abandoned,
    remove_entry,
    write_entry,
)
from nodetool_core.engine.keys import Key

_log = logging.getLogger(__name__)

REFRESH_SECONDS = 0.25
PAUSE_SECONDS = 30.0
"""How long nothing is written after a write that failed."""


class DiskStore:
    """
    Payloads by key, in a folder that several processes may share. Safe to use from several threads.
    """

    def __init__(self, directory: Path, bound: int) -> None:
        self.directory = directory
        self.bound = bound
        self._index = DiskIndex(directory)
        self._known: set[Key] = set()
        self._ask_again = 0.0
        self._write_again = 0.0
        self._touched: dict[Key, float] = {}
        self._warned: set[str] = set()
        self._is_swept = False
        self._lock = threading.Lock()
        """Guards the uses noted and the warnings given."""

    def after_fork(self) -> None:
        """Begin anew in a forked process; the other one notes the uses."""
        self._lock = threading.Lock()
        self._touched = {}
        self._index.after_fork()

    def has(self, key: Key) -> bool:
        if key in self._known:
            return True
        if time.monotonic() < self._ask_again:
            return False
        self._refresh()
        return key in self._known

    def refresh(self) -> None:
        """
        Have the next miss read what other processes have added, however short ago that was read.
        """
        self._ask_again = 0.0

    def read(self, key: Key) -> memoryview | None:
        """Return the payload of an entry, or None. An entry that is damaged is removed."""
        try:
            payload = read_entry(self.directory, key)
        except FileNotFoundError:
            self._known.discard(key)
            return None
        except EntryError as error:
            _log.warning(
                "An entry of the result cache is damaged: %s (%s). It is removed, and computed"
                " again.",
                key.hex(),
                error,
            )
            self._known.discard(key)
            self._remove(key)
            self._discard(key)
            return None
        except OSError as error:
            self._warn("read", error)
            return None
        with self._lock:
            self._touched[key] = time.time()
        return payload

    def is_writable(self) -> bool:
        """Return whether the last write did not fail just now."""
        return time.monotonic() >= self._write_again

    def write(self, key: Key, parts: Sequence[Buffer]) -> None:
        """Keep a payload, unless it is larger than the bound or can't be written."""
        size = entry_size(key, parts)
        if size > self.bound or not self.is_writable():
            return
        with self._lock:
            touched, self._touched = self._touched, {}
        try:
            self._sweep()
            gone = self._index.add(key, size, time.time(), self.bound, self._remove, touched)
        except (IndexUnavailableError, OSError) as error:
            # Without an index nothing would keep the bound.
            self._pause(error)
            return
        self._known.difference_update(gone)
        try:
            write_entry(self.directory, key, parts)
            is_counted = self._index.holds(key)
        except (IndexUnavailableError, OSError) as error:
            self._remove(key)
            self._discard(key)
            self._pause(error)
            return
        if is_counted:
            self._known.add(key)
        else:
            # Another process made room, or cleared the folder, between the two.
            self._remove(key)

    def total(self) -> tuple[int, int]:
        """Return how many entries there are, and the bytes they take."""
        try:
            return self._index.total()
        except IndexUnavailableError as error:
            self._warn("index", error)
            sizes = [file.size for file in entries(self.directory)]
            return len(sizes), sum(sizes)

    def clear(self) -> tuple[int, int]:
        """
        Remove all entries; return how many there were, and their bytes.

        Raises OSError where one can't be removed.
        """
        count = size = 0
        try:
            # Rows first: what another process is writing meanwhile is then either still to be
            # removed here, or noticed there.
            self._index.clear()
        except IndexUnavailableError as error:
            self._warn("index", error)
        for file in entries(self.directory):
            remove_entry(self.directory, file.key)
            count, size = count + 1, size + file.size
        remove_abandoned(self.directory, older_than=0.0)
        self._known.clear()
        return count, size

    def close(self) -> None:
        """Note what was used; let go of the index. It is opened again when it is needed again."""
        with self._lock:
            touched, self._touched = self._touched, {}
        try:
            if touched:
                self._index.touch(touched)
        except IndexUnavailableError as error:
            self._warn("index", error)
        self._index.close()

    # -- inside ------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        self._ask_again = time.monotonic() + REFRESH_SECONDS
        # Keys are only added here, as the writing thread adds its own meanwhile. One that is gone
        # shows when its file is opened.
        try:
            self._known.update(self._index.news())
        except IndexUnavailableError as error:
            self._warn("index", error)
            self._ask_again = time.monotonic() + PAUSE_SECONDS
            self._known.update(file.key for file in entries(self.directory))

    def _sweep(self) -> None:
        """Remove, once, what killed processes left behind."""
        if not self._is_swept:
            self._is_swept = True
            remove_abandoned(self.directory)

    def _remove(self, key: Key) -> None:
        try:
            remove_entry(self.directory, key)
        except OSError as error:
            self._warn("remove", error)

    def _discard(self, key: Key) -> None:
        try:
            self._index.discard(key)
        except IndexUnavailableError as error:
            self._warn("index", error)

    def _pause(self, error: Exception) -> None:
        self._write_again = time.monotonic() + PAUSE_SECONDS
        self._warn("write", error)

    def _warn(self, what: str, error: Exception) -> None:
        with self._lock:
            if what in self._warned:
                return
            self._warned.add(what)
        # As text: a log record that held the exception would hold its frames, and with them the
        # index open.
        _log.warning("%s (%s: %s).", _WARNINGS[what], self.directory, str(error))


_WARNINGS = {
    "read": "The result cache on disk can't be read; results are computed again",
    "write": "The result cache on disk can't be written; results stay in memory for now",
    "remove": "An entry of the result cache can't be removed",
    "index": (
        "The index of the result cache can't be used; the cache is searched by its files, and"
        " nothing is added"
    ),
}
