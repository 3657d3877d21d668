"""Files that a server keeps, by the addresses that it gives them."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

_SHOWN: Final = frozenset({f"image/{kind}" for kind in ("png", "jpeg", "webp", "gif", "avif", "bmp", "tiff")})
"""Raster formats, which run nothing in a browser; whatever else was stored is downloaded, not shown."""


def file_answer(media_type: str, content: bytes, *, name: str, seconds: int) -> Response:
    """Return a stored file: shown in a browser where it is a raster picture, else downloaded; kept by clients for some seconds."""
    disposition = "inline" if media_type in _SHOWN else "attachment"
    headers = {"Content-Disposition": f'{disposition}; filename="{name}"', "Cache-Control": f"private, max-age={seconds}, immutable"}
    return Response(content, media_type=media_type, headers=headers)
