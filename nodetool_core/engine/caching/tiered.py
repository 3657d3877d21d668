"""Two tiers as one cache: memory first, then disk; and where they are by default."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from nodetool_core.engine.caching.memory import DEFAULT_BYTES, CacheInfo, MemoryCache, Values
from nodetool_core.engine.keys import Key
from nodetool_core.errors import NodetoolError, Problem, near_miss

if TYPE_CHECKING:
    from nodetool_core.engine.caching.disk import DiskCache

DEFAULT_DISK_BYTES = 10 * 1024**3
SHARE_OF_FREE = 0.2
"""Share of the free space that the cache may take by default, with what it has already."""


class TieredCache:
    """
    Results in memory, and those worth it on disk.

    A `ResultCache`; what is found on disk is kept in memory from then on.
    """

    def __init__(self, memory: MemoryCache, disk: DiskCache) -> None:
        self.memory = memory
        self.disk = disk

    def has(self, key: Key) -> bool:
        return self.memory.has(key) or self.disk.has(key)

    def get(self, key: Key) -> Values | None:
        values = self.memory.get(key)
        if values is None:
            values = self.disk.get(key)
            if values is not None:
                self.memory.put(key, values)
        return values

    def put(self, key: Key, values: Values, seconds: float | None = None) -> None:
        """Keep a result that took `seconds` to make."""
        self.memory.put(key, values, seconds)
        self.disk.put(key, values, seconds)

    @property
    def info(self) -> CacheInfo:
        """How full the memory tier is; the disk tier reports its own."""
        return self.memory.info

    def refresh(self) -> None:
        """See at once what other processes have stored, which else takes a fraction of a second."""
        self.disk.refresh()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all is written. False where that takes longer than `timeout` seconds."""
        return self.disk.flush(timeout)

    def clear(self) -> tuple[int, int]:
        """
        Forget everything; return how many entries the disk had, and their bytes.

        Raises OSError where one can't be removed.
        """
        self.memory.clear()
        return self.disk.clear()

    def close(self) -> None:
        """Write what waits, and let go of thread and index."""
        self.disk.close()


def cache_directory() -> Path:
    """
    Return where results are kept.

    Below NODETOOL_CACHE_DIR, else in the user's cache folder as the platform has it.
    """
    chosen = os.environ.get("NODETOOL_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser() / "results"
    return _user_cache() / "nodetool" / "results"


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    # The specification has relative paths ignored.
    return Path(chosen) if chosen.startswith("/") else Path.home() / ".cache"


def default_disk_cache() -> DiskCache:
    """
    Return the disk tier in the default folder.

    10 GiB, or a share of what the disk has left if that is less.
    """
    from nodetool_core.engine.caching.disk import DiskCache

    directory = cache_directory()
    disk = DiskCache(directory, DEFAULT_DISK_BYTES)
    existing = next((folder for folder in (directory, *directory.parents) if folder.is_dir()), None)
    if existing is None:
        return disk
    room = SHARE_OF_FREE * shutil.disk_usage(existing).free
    if room < DEFAULT_DISK_BYTES:
        taken = disk.info.bytes if directory.is_dir() else 0
        disk = DiskCache(directory, min(DEFAULT_DISK_BYTES, int(room) + taken))
    return disk


CacheName = Literal["memory", "disk", "off"]


def named_cache(name: CacheName) -> MemoryCache | TieredCache:
    """
    Return a result cache by its name.

    One in `memory`, one in memory and on `disk`, or one that keeps nothing (`off`).
    Raises NodetoolError for another name.
    """
    names = get_args(CacheName)
    if name not in names:
        message = f"expects one of {', '.join(map(repr, names))}, or a cache, got {name!r}."
        raise NodetoolError(Problem("wrong_value", "cache", message, near_miss(name, names)))
    return (
        default_cache() if name == "disk" else MemoryCache(DEFAULT_BYTES if name == "memory" else 0)
    )


def default_cache(memory: int = DEFAULT_BYTES) -> TieredCache:
    """
    Return the cache of a program that names no other.

    `memory`: most bytes of its memory tier.
    """
    return TieredCache(MemoryCache(memory), default_disk_cache())
