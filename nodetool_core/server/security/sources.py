"""
Files that a server keeps, by the addresses that it gives them.

Answered there, and read without asking itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from nodetool_core.jobs.job import JobsError
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.security.urls import read_url

if TYPE_CHECKING:
    from nodetool_core.assets.loader import AssetStore
    from nodetool_core.server.security.access import Access
    from nodetool_core.server.security.fetch import Fetcher

_ADDRESS: Final = re.compile(r".*/(?:v1/files|results)/([0-9a-f]{64})(?:\.\w{3,4})?")
"""The path of a file in each dialect, behind whatever path a proxy puts before it."""

_SHOWN: Final = frozenset(
    {f"image/{kind}" for kind in ("png", "jpeg", "webp", "gif", "avif", "bmp", "tiff")}
)
"""
Raster formats, which run nothing in a browser; whatever else was stored is downloaded, not shown.
"""


def file_answer(media_type: str, content: bytes, *, name: str, seconds: int) -> Response:
    """
    Return a stored file: shown in a browser where it is a raster image, else downloaded.

    Kept by clients for some seconds.
    """
    disposition = "inline" if media_type in _SHOWN else "attachment"
    headers = {
        "Content-Disposition": f'{disposition}; filename="{name}"',
        "Cache-Control": f"private, max-age={seconds}, immutable",
    }
    return Response(content, media_type=media_type, headers=headers)


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
