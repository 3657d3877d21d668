"""Stored files as answers: what is said of them, and their content."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, Field
from starlette.responses import Response

from nodetool_core.jobs.job import StoredFile

_SHOWN: Final = frozenset(
    {f"image/{kind}" for kind in ("png", "jpeg", "webp", "gif", "avif", "bmp", "tiff")}
)
"""
Raster formats, which run nothing in a browser; whatever else was stored is downloaded, not shown.
"""


class FileAnswer(BaseModel):
    """
    A stored image or file.

    As an input it can be given as it is, or as `{"type": "image", "asset_id": …}`.
    """

    type: Literal["image", "asset"]
    asset_id: str = Field(description="Names the file by its content.")
    url: str = Field(description="Where it is fetched.")
    media_type: str
    size: int = Field(description="Bytes.")
    width: int | None = None
    height: int | None = None

    @classmethod
    def of(cls, file: StoredFile, base: str) -> FileAnswer:
        return cls(
            type=file.kind,
            asset_id=file.digest,
            url=f"{base}/v1/files/{file.digest}",
            media_type=file.media_type,
            size=file.size,
            width=file.width,
            height=file.height,
        )


class InlineFile(BaseModel):
    """An image that stands in an answer itself. As an input it can be given as it is."""

    type: Literal["image"] = "image"
    data: str = Field(description="The file, as base64.")
    media_type: str
    size: int = Field(description="Bytes.")
    width: int
    height: int


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
