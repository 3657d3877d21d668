"""
The page itself: static files, and the policy under which they run.

Scripts and styles come from this server alone, and no text becomes script (Trusted Types); so what
is in a workflow, or in the name of a file, stays text.
"""

from __future__ import annotations

import gzip
import mimetypes
from functools import lru_cache
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from nodetool_core.errors import Problem
from nodetool_core.server.http.http_errors import HttpError

PREFIX: Final = "/editor/"

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_YEAR: Final = "public, max-age=31536000, immutable"
_TEXTS: Final = ("text/", "application/javascript", "application/json", "image/svg")
_LEAST_ZIPPED: Final = 1024


async def page(request: Request) -> Response:
    """Return one of the page's files; the page itself for the folder."""
    name = request.path_params.get("name", "") or "index.html"
    found = _file(name)
    if found is None:
        raise HttpError(
            404,
            Problem(
                "missing_file", name[:200], "The editor has no such file.", "Load the page again."
            ),
        )
    content, zipped, media_type = found
    headers = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": _YEAR if name.startswith("assets/") else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            zipped, media_type=media_type, headers=headers | {"Content-Encoding": "gzip"}
        )
    return Response(content, media_type=media_type, headers=headers)


@lru_cache(maxsize=256)
def _file(name: str) -> tuple[bytes, bytes | None, str] | None:
    """Return a file's bytes, the same compressed where that pays, and its media type."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        return None
    path = files("nodetool_core.editor").joinpath("static", *parts)
    if not path.is_file():
        return None
    content = path.read_bytes()
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    pays = media_type.startswith(_TEXTS) and len(content) >= _LEAST_ZIPPED
    return content, gzip.compress(content, mtime=0) if pays else None, media_type
