"""Images by address: read from the storage where this server gave the address, else fetched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from nodetool_core.jobs.job import JobsError
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.security.urls import read_url

if TYPE_CHECKING:
    from nodetool_core.assets.loader import AssetStore
    from nodetool_core.server.security.access import Access
    from nodetool_core.server.security.fetch import Fetcher

_ADDRESS: Final = re.compile(r".*/(?:v1/files|results)/([0-9a-f]{64})(?:\.\w{3,4})?")
"""The path of a file in each dialect, behind whatever path a proxy puts before it."""


class Sources:
    """
    Reads images by URL: from the storage where this server gave the address, and from the web else.

    Safe to use from many threads.
    """

    def __init__(self, access: Access, storage: AssetStore, fetcher: Fetcher) -> None:
        self._access = access
        self._storage = storage
        self._fetcher = fetcher

    def get(self, url: str) -> bytes:
        """
        Return the bytes behind a URL.

        Raises HttpError as `Fetcher.get` does, and JobsError for a file that is not kept. Blocks.
        """
        digest = self._digest(url)
        if digest is None:
            return self._fetcher.get(url)
        try:
            return self._storage.read(digest)
        except JobsError as error:
            if error.problem.code != "unknown_file":
                raise
            try:
                # Another server can have an address that this one would answer for as well: one
                # that listens on every address does.
                return self._fetcher.get(url)
            except HttpError:
                raise error from None

    def _digest(self, url: str) -> str | None:
        try:
            address = read_url(url)
        except ValueError:
            return None
        found = _ADDRESS.fullmatch(address.path)
        return found[1] if found and self._access.is_own_url(address) else None
