"""
Stored images that were looked at a moment ago.

Whoever tries one prompt after another names the same image each time. A stored file stays for a
while in any case, and what can be decoded can be decoded again: so within that while it is neither
read nor decoded nor put.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Final

from nodetool_core.jobs.files import GRACE_SECONDS
from nodetool_core.json_types import JsonObject

_SECONDS: Final = GRACE_SECONDS / 2
"""For so long nothing is done again. The other half is left to the job that names the image."""

_MOST: Final = 1000


class RecentImages:
    """References by the digests of their files. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, JsonObject]] = OrderedDict()

    def get(self, digest: str) -> JsonObject | None:
        """Return the reference to an image that was noted a moment ago; None for every other."""
        with self._lock:
            at, reference = self._known.get(digest, (0.0, None))
        return reference if time.monotonic() - at < _SECONDS else None

    def note(self, digest: str, reference: JsonObject) -> None:
        """Take note of an image that can be decoded, and was put just now."""
        with self._lock:
            self._known[digest] = time.monotonic(), reference
            self._known.move_to_end(digest)
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
