"""What the owner's page receives besides jobs: files that changed, models that are fetched."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nodetool_core.editor.events import Watch
    from nodetool_core.server.catalog import Catalog

_SECONDS: Final = 1.0
"""How often the folder is looked at, at most."""

_SHARE: Final = 0.05
"""How much of the time may be spent on it: a huge folder is looked at less often."""


class FolderWatch:
    """Looks for files that somebody else has changed. Safe to use from many threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._next = 0.0
        self._looking = threading.Lock()

    def begin(self) -> Watch:
        """Return what tells of changes from now on."""
        seen = self._catalog.version

        def news() -> list[Mapping[str, object]]:
            nonlocal seen
            self._look()
            version = self._catalog.version
            if version == seen:
                return []
            names, seen = self._catalog.changed_since(seen), version
            return [{"event": "workflows_changed", "names": names}]

        return news

    def _look(self) -> None:
        # One of many streams looks for all.
        if time.monotonic() < self._next or not self._looking.acquire(blocking=False):
            return
        try:
            began = time.monotonic()
            self._catalog.refresh()
            took = time.monotonic() - began
            self._next = time.monotonic() + max(_SECONDS, took / _SHARE)
        finally:
            self._looking.release()
