"""How long steps took, by the own part of their keys."""

from __future__ import annotations

from typing import Final

from nodetool_core.engine.caching.memory import ResultCache
from nodetool_core.engine.keys import Key, combine

_MOST_WORKS: Final = 10_000


class WorkTimes:
    """How long the steps that an engine has met took, by the own part of their keys."""

    def __init__(self, cache: ResultCache) -> None:
        self._cache = cache
        self._known: dict[bytes, float] = {}

    def get(self, base: bytes) -> float:
        """Return the seconds that a step took; 0 where that is unknown, or next to nothing."""
        seconds = self._known.get(base)
        if seconds is None:
            found = self._cache.get(_work_key(base))
            seconds = found[0] if found is not None else 0.0
            self._keep(base, seconds)
        return seconds

    def note(self, base: bytes, seconds: float) -> None:
        if not self._known.get(base):
            self._keep(base, seconds)
            self._cache.put(_work_key(base), (seconds,), seconds)

    def _keep(self, base: bytes, seconds: float) -> None:
        if len(self._known) >= _MOST_WORKS:
            self._known.clear()
        self._known[base] = seconds


def _work_key(base: bytes) -> Key:
    return combine(b"work", base)
