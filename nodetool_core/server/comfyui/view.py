"""`/view`: a stored file as it is, as a small preview, or some of its channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from PIL import Image
from starlette.responses import Response

from nodetool_core.assets.image_data import ImageData
from nodetool_core.references import ImageRef
from nodetool_core.server.http.files import file_answer
from nodetool_core.server.http.images import encode_image_data

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

_QUALITY: Final = 90
"""Of previews that say none."""


def shown(state: AppState, digest: str, name: str, preview: str | None, channel: str) -> Response:
    """
    Return a stored file. Blocks.

    Args:
        preview: `webp` or `jpeg`, with a quality behind a semicolon, for what is coded anew.
        channel: `rgb`, `a`, or `rgba`; empty for all.

    Raises ImageError where it is to be coded anew, and is no image.
    """
    media_type, content = state.stored(digest)
    if preview is not None or channel in ("rgb", "a"):
        with state.sanitizer.image(ImageRef(asset_id=digest), name) as image:
            media_type, content = _coded(image.image, preview, channel)
    answer = file_answer(media_type, content, name=_ascii(name), seconds=0)
    answer.headers["Cache-Control"] = "private, no-cache"
    if not name.isascii():
        answer.headers["Content-Disposition"] += f"; filename*=utf-8''{quote(name)}"
    return answer


def _coded(image: Image.Image, preview: str | None, channel: str) -> tuple[str, bytes]:
    if channel == "rgb":
        image = image.convert("RGB")
    elif channel == "a":
        alpha = image.convert("RGBA").getchannel("A")
        image = Image.new("RGBA", image.size)
        image.putalpha(alpha)
    if preview is None:
        return "image/png", encode_image_data(ImageData.of(image), "PNG")
    kind, *more = preview.split(";")
    file_format = "JPEG" if kind == "jpeg" and "a" not in channel else "WEBP"
    quality = int(more[-1]) if more and more[-1].isdecimal() and len(more[-1]) < 4 else _QUALITY
    if file_format == "JPEG":
        image = image.convert("RGB")
    content = encode_image_data(ImageData.of(image), file_format, quality=min(100, max(1, quality)))
    return f"image/{file_format.lower()}", content


def _ascii(name: str) -> str:
    return "".join(one if one.isascii() and one not in '"\\' else "_" for one in name)
