"""
The result cache: what nodes returned, by key.

The memory tier keeps values as they are, least recently used first out, within a bound in bytes. A
value larger than the bound is not kept, and nothing is moved out for it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nodetool_core.engine.caching.files_behind import UNSURE, Mark, mark_of, marks_of
from nodetool_core.engine.caching.sizes import SCALAR_ENTRY, size_of_all
from nodetool_core.engine.keys import Key
from nodetool_core.forking import renewed_after_fork
from nodetool_core.references import AssetRef

Values = tuple[Any, ...]
"""The outputs of a node, in the order of its declaration."""


class ResultCache(Protocol):
    """What the engine needs of a cache. Calls come from several threads."""

    def has(self, key: Key) -> bool:
        """Return whether `get` would find a result, without reading it."""
        ...

    def get(self, key: Key) -> Values | None: ...

    def put(self, key: Key, values: Values, seconds: float | None = None) -> None:
        """Keep a result. `seconds`: how long it took to make, where that is known."""
        ...


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """How full a cache is, and how well it served."""

    entries: int
    bytes: int
    bound: int
    hits: int
    misses: int


DEFAULT_BYTES = 512 * 1024**2
_NAMES_NO_FILE = frozenset({int, float, bool, type(None), str, bytes})
_NO_FILES: Sequence[tuple[AssetRef, Mark]] = ()


class MemoryCache:
    """Results in memory, bounded in bytes."""

    def __init__(self, bound: int = DEFAULT_BYTES) -> None:
        self.bound = bound
        self._entries: OrderedDict[Key, tuple[Values, int, Sequence[tuple[AssetRef, Mark]]]] = (
            OrderedDict()
        )
        self._bytes = 0
        self._hits = self._misses = 0
        self._lock = threading.Lock()
        renewed_after_fork(self)

    def after_fork(self) -> None:
        """Go on in a forked process: the results are there, and nobody is changing them."""
        self._lock = threading.Lock()

    def has(self, key: Key) -> bool:
        entry = self._entries.get(key)
        return entry is not None and all(mark_of(ref) == mark for ref, mark in entry[2])

    def get(self, key: Key) -> Values | None:
        if key not in self._entries:
            self._misses += 1
            return None
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                self._misses += 1
                return None
            values, _, files = entry
            if files and any(mark_of(ref) != mark for ref, mark in files):
                self._evict(key)
                self._misses += 1
                return None
            self._entries.move_to_end(key)
            self._hits += 1
            return values

    def put(self, key: Key, values: Values, seconds: float | None = None) -> None:
        kind: type[object] = type(values[0]) if len(values) == 1 else tuple
        files = _NO_FILES
        size = SCALAR_ENTRY.get(kind) or size_of_all(values)
        if size > self.bound:
            return
        if kind not in _NAMES_NO_FILE:
            try:
                files = marks_of(values)
            except RecursionError:
                # Nobody could hand it on: a list that holds itself.
                return
            if any(mark == UNSURE for _, mark in files):
                return
        with self._lock:
            if key in self._entries:
                self._evict(key)
            self._entries[key] = (values, size, files)
            self._bytes += size
            while self._bytes > self.bound:
                self._evict(next(iter(self._entries)))

    def _evict(self, key: Key) -> None:
        self._bytes -= self._entries.pop(key)[1]

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def info(self) -> CacheInfo:
        with self._lock:
            return CacheInfo(len(self._entries), self._bytes, self.bound, self._hits, self._misses)
