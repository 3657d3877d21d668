"""
The index of a cache folder: sizes and last uses, in SQLite, shared by processes.

Idea: the files are the truth; the index only counts them. It knows what is there without reading
the folder, how much that is, and what was used least recently. Lost or damaged, it is made again
from the files; no result is ever taken from it.

Invariant: a row is written before its file and looked for once more after it (`holds`), and it is
removed after its file; so every file is counted, whatever is killed where. A row without a file
costs a miss. The sum of sizes is kept by triggers, in the transaction that changes a row.

Cost: two transactions per write (0.1 ms), with the uses noted since; a question for news every so
often, answered from `PRAGMA data_version` in microseconds while no other process has written.
Readers never wait for writers (WAL).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from nodetool_core.engine.caching.entry_file import entries
from nodetool_core.engine.keys import Key

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

_log = logging.getLogger(__name__)

NAME: Final = "index-1.sqlite"
"""The number changes with the schema: programs that know another one count for themselves."""

BUSY_SECONDS: Final = 2.0
ROOM: Final = 0.95
"""Share of the bound that is left filled when room is made, so that not every write makes room."""

_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS entries
       (id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB UNIQUE NOT NULL, size INTEGER NOT NULL,
        used REAL NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS by_use ON entries (used, id, key, size)",
    """CREATE TRIGGER IF NOT EXISTS added AFTER INSERT ON entries
       BEGIN UPDATE total SET entries = entries + 1, bytes = bytes + new.size; END""",
    """CREATE TRIGGER IF NOT EXISTS removed AFTER DELETE ON entries
       BEGIN UPDATE total SET entries = entries - 1, bytes = bytes - old.size; END""",
    """CREATE TRIGGER IF NOT EXISTS resized AFTER UPDATE OF size ON entries
       BEGIN UPDATE total SET bytes = bytes + new.size - old.size; END""",
    "CREATE TABLE IF NOT EXISTS total (entries INTEGER NOT NULL, bytes INTEGER NOT NULL)",
    "INSERT INTO total SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM total)",
)
_ADD: Final = """
INSERT INTO entries (key, size, used) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET size = excluded.size, used = excluded.used"""
_TOUCH: Final = "UPDATE entries SET used = max(used, ?) WHERE key = ?"
_DISCARD: Final = "DELETE FROM entries WHERE key = ?"

_DAMAGE: Final = frozenset({1, 10, 11, 14, 26})
"""
SQLite's codes for a missing table, a failed read, a malformed file, one that can't be opened, and
one that is none.
"""


class IndexUnavailableError(Exception):
    """The index is locked by another process for long, or can't be read or made."""


class DiskIndex:
    """
    The index of one folder.

    Safe to use from several threads. Every method may raise IndexUnavailableError.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / NAME
        self._directory = directory
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, ...] = ()
        self._is_fresh = False
        """Whether `news` has not been called yet since the index was opened."""
        self._version = self._last = -1
        self._inherited: list[sqlite3.Connection | None] = []
        """
        Connections of processes that this one was forked from.

        Not used here, nor closed, which would let go of their locks.
        """

    def after_fork(self) -> None:
        """Begin anew in a forked process, where nobody is using the index."""
        self._lock = threading.Lock()
        self._inherited.append(self._connection)

    def add(
        self,
        key: Key,
        size: int,
        used: float,
        bound: int,
        remove: Callable[[Key], None],
        touched: Mapping[Key, float],
    ) -> list[Key]:
        """
        Count an entry that is about to be written, with uses noted before, and make room for it.

        Gives the keys of the entries that had to go; `remove` is called with each, to remove its
        file.
        """

        def work(connection: sqlite3.Connection) -> list[Key]:
            connection.executemany(_TOUCH, [(time, known) for known, time in touched.items()])
            connection.execute(_ADD, (key, size, used))
            gone = _oldest(connection, key, bound)
            for other in gone:
                remove(other)
            connection.executemany(_DISCARD, [(other,) for other in gone])
            return gone

        return self._write(work)

    def holds(self, key: Key) -> bool:
        """
        Return whether an entry is counted.

        In a transaction that writes, so that nobody is just about to remove it.
        """
        return self._write(
            lambda connection: (
                connection.execute("SELECT 1 FROM entries WHERE key = ?", (key,)).fetchone()
                is not None
            )
        )

    def touch(self, touched: Mapping[Key, float]) -> None:
        """Note uses."""
        self._write(
            lambda connection: connection.executemany(
                _TOUCH, [(time, key) for key, time in touched.items()]
            )
        )

    def discard(self, key: Key) -> None:
        """Note that an entry is gone."""
        self._write(lambda connection: connection.execute(_DISCARD, (key,)))

    def clear(self) -> None:
        """Note that all entries are gone."""
        self._write(lambda connection: connection.execute("DELETE FROM entries"))

    def total(self) -> tuple[int, int]:
        """Return how many entries there are, and their bytes."""
        with self._lock:
            count, size = self._mended(
                lambda connection: connection.execute("SELECT entries, bytes FROM total").fetchone()
            )
        return int(count), int(size)

    def news(self) -> list[Key]:
        """
        Return the keys that were added since the last time.

        All there are at first, and after a change of index. None of them where another thread is
        using the index: call it again later.
        """
        if not self._lock.acquire(blocking=self._connection is None):
            return []
        try:
            return self._mended(self._news)
        finally:
            self._lock.release()

    def close(self) -> None:
        with self._lock:
            self._disconnect()

    # -- inside ------------------------------------------------------------------------------------

    def _news(self, connection: sqlite3.Connection) -> list[Key]:
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        fresh = self._is_fresh
        if version == self._version and not fresh:
            return []
        rows = connection.execute(
            "SELECT id, key FROM entries WHERE id > ? ORDER BY id", (-1 if fresh else self._last,)
        ).fetchall()
        self._is_fresh, self._version = False, version
        self._last = rows[-1][0] if rows else max(self._last, 0)
        return [key for _, key in rows]

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def transaction(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.rollback()
                raise
            return result

        with self._lock:
            return self._mended(transaction)

    def _mended(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """
        Work on the index.

        Where it turns out to be damaged or gone, on a new one made from the files.
        """
        import sqlite3

        try:
            try:
                return work(self._connected())
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                if self.path.exists():
                    _log.warning(
                        "The index of the result cache %s is damaged (%s): it is made again.",
                        self._directory,
                        error,
                    )
            self._disconnect()
            for name in (NAME, NAME + "-wal", NAME + "-shm"):
                self.path.with_name(name).unlink(missing_ok=True)
            return work(self._connected())
        except (sqlite3.Error, OSError) as error:
            raise IndexUnavailableError(str(error)) from error

    def _connected(self) -> sqlite3.Connection:
        """
        Return the connection.

        A new one where the file is another by now, or this is a fork of the process that opened it.
        """
        if self._connection is not None and self._identity == _identity_of(self.path):
            return self._connection
        import sqlite3

        self._disconnect()
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Autocommit: transactions begin where they are written. The lock guards the connection
        # among threads.
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _use_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            self._fill(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._identity = connection, _identity_of(self.path)
        self._is_fresh, self._version, self._last = True, -1, -1
        return connection

    def _fill(self, connection: sqlite3.Connection) -> None:
        """Make the tables; a new index counts what is there."""
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'total'").fetchone():
            return
        connection.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            connection.execute(statement)
        found = [(file.key, file.size, file.changed) for file in entries(self._directory)]
        connection.executemany(
            "INSERT OR IGNORE INTO entries (key, size, used) VALUES (?, ?, ?)", found
        )
        connection.execute("COMMIT")

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._identity[0] == os.getpid():
            connection.close()


def _use_wal(connection: sqlite3.Connection) -> None:
    """
    Switch to a write-ahead log.

    Where several processes make the switch at once, SQLite does not wait by itself.
    """
    import sqlite3

    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.005)


def _identity_of(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return (os.getpid(),)
    return os.getpid(), status.st_dev, status.st_ino


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Return whether a new index would help: not where it is locked, or nothing can be written."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in _DAMAGE


def _oldest(connection: sqlite3.Connection, kept: Key, bound: int) -> list[Key]:
    """Return what has to go, least recently used first."""
    (total,) = connection.execute("SELECT bytes FROM total").fetchone()
    gone: list[Key] = []
    if total > bound:
        for key, size in connection.execute("SELECT key, size FROM entries ORDER BY used, id"):
            if total <= bound * ROOM:
                break
            if key != kept:
                gone.append(key)
                total -= size
    return gone
