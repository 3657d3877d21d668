"""
Results as content of an answer.

Hosts cut large results, so an image is in the answer as a preview, with a link to the whole.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mcp_types import CallToolResult, ImageContent, ResourceLink, TextContent

from nodetool_core.assets.encode import encode_image
from nodetool_core.assets.image_data import ImageData
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.properties import jsonable
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.images import encode_image_data
from nodetool_core.values import json_form

if TYPE_CHECKING:
    from PIL import Image

    from nodetool_core.engine.result import RunResult

PREVIEW_BYTES: Final = 500_000
"""Most bytes of a preview; about a million of base64 is where hosts cut."""

PREVIEW_SIDES: Final = (1024, 768, 512, 256)
"""Longest sides of previews, of which the first is taken that is small enough."""

Keep = Callable[[bytes], str]
"""Keeps the file of an image, and returns its address. Blocks."""

Content = ImageContent | ResourceLink | TextContent


def result_of(
    result: RunResult, notes: list[str], keep: Keep, *, provenance: bool
) -> CallToolResult:
    """Return the answer to a call. Blocks: images are encoded and kept."""
    content: list[Content] = []

    def shown(value: object) -> Json:
        if not isinstance(value, ImageData):
            return _plain(value)
        data = encode_image_data(value, "PNG", provenance=provenance)
        address = keep(data)
        width, height = value.image.size
        name = address.rpartition("/")[2]
        content.append(_preview(value.image))
        content.append(ResourceLink(uri=address, name=name, mime_type="image/png", size=len(data)))
        return {"url": address, "media_type": "image/png", "width": width, "height": height}

    outputs: JsonObject = {name: json_form(value, shown) for name, value in result.outputs.items()}
    answer: JsonObject = {"outputs": outputs}
    if result.seeds:
        answer["seeds"] = dict(result.seeds)
    if warnings := [*notes, *(problem.message for problem in result.warnings)]:
        answer["warnings"] = warnings
    text = TextContent(text=json.dumps(answer, ensure_ascii=False))
    return CallToolResult(content=[*content, text], structured_content=answer)


def failure_of(error: HttpError) -> CallToolResult:
    """Return the answer to a call that failed, with a text that a model can act on."""
    shown = error.to_json()
    text = TextContent(text=str(shown["error"]))
    return CallToolResult(content=[text], structured_content=shown, is_error=True)


def _preview(image: Image.Image) -> ImageContent:
    """Return an image that is small enough for an answer."""
    file_format = "WEBP" if image.has_transparency_data else "JPEG"
    data = b""
    for side in PREVIEW_SIDES:
        small = image.copy()
        small.thumbnail((side, side))
        data = encode_image(small, file_format, quality=85)
        if len(data) <= PREVIEW_BYTES:
            break
    text = base64.b64encode(data).decode()
    return ImageContent(data=text, mime_type=f"image/{file_format.lower()}")


def _plain(value: object) -> Json:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        form: Json = jsonable(value)
    except TypeError:
        return {"type": type(value).__name__}
    return form
