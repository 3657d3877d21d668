"""
The disk tier of the result cache.

Results that survive the process, shared by all processes of a machine.

Not every result is worth a file. One is stored when it took longer to make than to read back, and
longer than `LEAST_SECONDS`. Cheap results are left out, but their times add up: when
`LEAST_UNSAVED` seconds of work have gone unstored, the next result is stored however cheap it was.
So a chain of cheap nodes is never computed again from its start, and a hundred thousand trivial
nodes make a handful of files.

Results are written behind the run, at once and in order. A process that is killed loses what still
waited: as a rule the last result or two, since making a result that is worth storing takes longer
than storing it. What is stored and what comes back is in codec.py; how the folder is kept is in
disk_store.py.
"""

from __future__ import annotations

import logging
import weakref
from dataclasses import dataclass
from pathlib import Path

from nodetool_core.engine.caching.codec import DecodeError, Encoded, NoCodecError, decode, encode
from nodetool_core.engine.caching.disk_store import DiskStore
from nodetool_core.engine.caching.memory import CacheInfo, Values
from nodetool_core.engine.caching.sizes import size_of_all
from nodetool_core.engine.caching.write_behind import WriteBehind
from nodetool_core.engine.keys import Key
from nodetool_core.forking import renewed_after_fork

_log = logging.getLogger(__name__)

LEAST_SECONDS = 0.01
LEAST_UNSAVED = 0.05
READ_BYTES_PER_SECOND = 500e6
"""
How fast a stored result is read, checked and decoded.

Arrays were seen at 0.5 GB/s, images at 3, both warm; a cold disk is slower.
"""

QUEUE_BYTES = 256 * 1024**2
EXIT_SECONDS = 30.0
"""How long the end of the program waits for what is still to be written."""


@dataclass(frozen=True, slots=True)
class _Job:
    values: Values
    encoded: Encoded


class DiskCache:
    """
    Results on disk, bounded in bytes, least recently used first out.

    A `ResultCache`. Close it when the program ends; one that was not closed is closed at exit.
    """

    def __init__(
        self,
        directory: str | Path,
        bound: int = 10 * 1024**3,
        *,
        least_seconds: float = LEAST_SECONDS,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        """
        Open a folder of entries.

        Args:
            directory: Where the entries lie; made when the first is written.
            bound: How many bytes they may take, in whole blocks of the disk.
            least_seconds: Results that took less are left out, within `LEAST_UNSAVED`; 0 to store
                all, however cheap and large.
            queue_bytes: How much may wait to be written; what comes while the queue is full is left
                out.
        """
        # Of where it is made: what is written behind a run is written when the current folder may
        # be another one.
        self.directory = Path(directory).absolute()
        self.bound = bound
        self._least_seconds = least_seconds
        self._unsaved = 0.0
        self._hits = self._misses = 0
        self._store = store = DiskStore(self.directory, bound)
        self._queue: WriteBehind[_Job] = WriteBehind(
            lambda key, job: _write(store, key, job), queue_bytes
        )
        # What waits is written at exit, too; the finalizer must not hold the cache itself.
        self._close = weakref.finalize(self, _close, self._queue, store, EXIT_SECONDS)
        renewed_after_fork(self)

    def after_fork(self) -> None:
        """Begin anew in a forked process; the other one writes what waited."""
        self._queue.after_fork()
        self._store.after_fork()

    def has(self, key: Key) -> bool:
        """Return whether a result is stored, or waits to be; one that is damaged counts."""
        return self._store.has(key) or self._queue.waiting(key) is not None

    def get(self, key: Key) -> Values | None:
        """Return the result, or None where it is not there, is damaged, or can't be used here."""
        values = self._read(key) if self._store.has(key) else None
        if values is None:
            waiting = self._queue.waiting(key)
            values = waiting.values if waiting else None
        if values is None:
            self._misses += 1
        else:
            self._hits += 1
        return values

    def put(self, key: Key, values: Values, seconds: float | None = None) -> None:
        """
        Store a result behind the caller's back, if it is worth it.

        `seconds`: how long it took to make; None to store it in any case.
        """
        if seconds is not None:
            # Without a lock: this is called for every node, and an addend lost to another thread
            # does no harm.
            self._unsaved = unsaved = self._unsaved + seconds
            if seconds < self._least_seconds and unsaved < LEAST_UNSAVED:
                return
        size = size_of_all(values)
        if (
            not self._is_worth(seconds, size)
            or size > 2 * self.bound
            or not self._store.is_writable()
        ):
            return
        try:
            encoded = encode(values)
        except NoCodecError as error:
            _log.debug("A result is kept in memory only: %s.", error)
            return
        if self._queue.offer(key, _Job(values, encoded), size):
            self._unsaved = 0.0

    def refresh(self) -> None:
        """See at once what other processes have stored, which else takes a fraction of a second."""
        self._store.refresh()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all is written. False where that takes longer than `timeout` seconds."""
        return self._queue.flush(timeout)

    def clear(self) -> tuple[int, int]:
        """
        Remove everything; return how many entries there were, and their bytes.

        Raises OSError where one can't be removed.
        """
        self.flush()
        return self._store.clear()

    def close(self) -> None:
        """
        Write what waits, and let go of thread and index.

        Nothing is stored any more; results can still be read.
        """
        self._queue.close()
        self._store.close()

    @property
    def info(self) -> CacheInfo:
        count, size = self._store.total()
        return CacheInfo(count, size, self.bound, self._hits, self._misses)

    def _read(self, key: Key) -> Values | None:
        payload = self._store.read(key)
        if payload is None:
            return None
        try:
            return decode(payload)
        except DecodeError as error:
            _log.info("A stored result can't be used here: %s.", error)
            return None

    def _is_worth(self, seconds: float | None, size: int) -> bool:
        """
        Return whether reading a result is faster than making it, with the cheap work before it.
        """
        return (
            seconds is None
            or not self._least_seconds
            or max(seconds, self._unsaved) * READ_BYTES_PER_SECOND >= size
        )


def _write(store: DiskStore, key: Key, job: _Job) -> None:
    try:
        parts = job.encoded.payload()
    except NoCodecError as error:
        _log.debug("A result is kept in memory only: %s.", error)
        return
    store.write(key, parts)


def _close(queue: WriteBehind[_Job], store: DiskStore, timeout: float) -> None:
    if queue.close(timeout):
        store.close()
