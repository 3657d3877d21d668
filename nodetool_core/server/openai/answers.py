"""Results as the OpenAI Images API gives them: base64, addresses, and events of a stream."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from nodetool_core.assets.image_data import ImageData
from nodetool_core.engine.events import NodePreview
from nodetool_core.errors import NodetoolError, Problem
from nodetool_core.json_types import JsonObject
from nodetool_core.server import result_files
from nodetool_core.server.http.event_stream import sse
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.images import encode_image_data
from nodetool_core.server.openai.body import ImagesBody
from nodetool_core.server.openai.call import Call, Kept

if TYPE_CHECKING:
    from nodetool_core.engine.result import RunResult
    from nodetool_core.server.runtime.app_state import AppState

_log = logging.getLogger(__name__)

_FORMATS: Final = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP"}
_BASE64_ONLY: Final = ("gpt-image", "chatgpt-image")
"""Names of models whose clients read base64 and don't ask for it."""
_QUALITIES: Final = frozenset({"low", "medium", "high", "xhigh", "max"})
_LATENT_SCALE: Final = 8
"""Pixels of an image for one of its preview along each side, as most models have them."""
_NO_USAGE: Final[JsonObject] = {
    "input_tokens": 0,
    "output_tokens": 0,
    "total_tokens": 0,
    "input_tokens_details": {"text_tokens": 0, "image_tokens": 0},
}
"""What strict clients look for in the last event; nothing is counted in tokens here."""

Stream = Literal["image_generation", "image_edit"]


@dataclass(frozen=True)
class Made:
    """An image of an answer, encoded."""

    content: bytes
    size: tuple[int, int]
    is_transparent: bool

    @property
    def base64(self) -> str:
        return base64.b64encode(self.content).decode()

    @property
    def background(self) -> str:
        return "transparent" if self.is_transparent else "opaque"


class Answers:
    """Makes answers. Its methods block: encoding, files, the database."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    def made(self, call: Call, kept: Kept | None, result: RunResult) -> tuple[Made, list[str]]:
        """Return the image of a run, encoded as it was requested, and what is not as requested."""
        from PIL import Image

        served, body = call.served, call.body
        image = result.outputs.get(served.image_outputs[0])
        if not isinstance(image, ImageData):
            message = f"{served.name} returned no image."
            hint = "Ask the operator to fix the workflow."
            raise HttpError(500, Problem("no_image_returned", "", message, hint))
        notes = [problem.message for problem in result.warnings]
        pixels = image.image
        if kept is not None:
            pixels = kept.within(pixels)
        is_transparent = pixels.has_transparency_data
        if is_transparent and (body.background == "opaque" or body.output_format == "jpeg"):
            white = Image.new("RGBA", pixels.size, "white")
            pixels = Image.alpha_composite(white, pixels.convert("RGBA")).convert("RGB")
            is_transparent = False
        if body.background == "transparent" and not is_transparent:
            notes.append(f"background is opaque: {served.name} makes no transparent images")
        if body.wanted_size not in (None, pixels.size):
            notes.append(f"size is {pixels.width}x{pixels.height}, and not {body.size}")
        if pixels is not image.image:
            image = ImageData.of(pixels, image.provenance)
        return Made(self._encoded(image, body), pixels.size, is_transparent), notes

    def response(
        self, body: ImagesBody, images: Sequence[Made], notes: Sequence[str], base: str
    ) -> JsonObject:
        """
        Return the whole answer.

        Args:
            base: Where clients see the server.

        Raises JobsError where an image can't be kept whose address was requested.
        """
        warnings = list(notes)
        data = [self._entry(body, made, base, warnings) for made in images]
        first = images[0]
        answer: JsonObject = {
            "created": int(time.time()),
            "data": data,
            "output_format": body.output_format,
            "size": "{}x{}".format(*first.size),
            "background": first.background,
        }
        if body.quality in _QUALITIES:
            answer["quality"] = body.quality
        return answer | ({"warnings": list(dict.fromkeys(warnings))} if warnings else {})

    def partial(self, stream: Stream, call: Call, preview: NodePreview, index: int) -> bytes:
        """Return the event of a preview, as large as the image will be where that is known."""
        from PIL.Image import Image, Resampling

        body, small = call.body, preview.image
        assert isinstance(small, Image)
        usual = (small.width * _LATENT_SCALE, small.height * _LATENT_SCALE)
        size = body.wanted_size or (call.first.header[:2] if call.first else usual)
        image = ImageData.of(small.convert("RGB").resize(size, Resampling.BICUBIC))
        made = Made(self._encoded(image, body), size, is_transparent=False)
        name = f"{stream}.partial_image"
        return sse(name, _event(name, body, made) | {"partial_image_index": index})

    def completed(
        self, stream: Stream, body: ImagesBody, made: Made, notes: Sequence[str]
    ) -> bytes:
        """Return the event of an image that is done."""
        name = f"{stream}.completed"
        warnings: JsonObject = {"warnings": list(notes)} if notes else {}
        return sse(name, _event(name, body, made) | {"usage": _NO_USAGE} | warnings)

    def _entry(self, body: ImagesBody, made: Made, base: str, notes: list[str]) -> JsonObject:
        asked = body.response_format
        is_base64_only = body.model.lower().startswith(_BASE64_ONLY)
        entry: JsonObject = {}
        if asked == "url" or (asked is None and not is_base64_only):
            try:
                entry["url"] = result_files.address(self._state.jobs.put(made.content), base)
            except NodetoolError as error:
                if asked == "url":
                    raise
                _log.warning("A result has no address: %s", error)
                notes.append("url is missing: the image can't be kept now")
        if asked != "url" or is_base64_only:
            entry["b64_json"] = made.base64
        return entry

    def _encoded(self, image: ImageData, body: ImagesBody) -> bytes:
        return encode_image_data(
            image,
            _FORMATS[body.output_format],
            provenance=self._state.settings.provenance,
            quality=None if body.output_compression is None else max(1, body.output_compression),
        )


def _event(name: str, body: ImagesBody, made: Made) -> JsonObject:
    return {
        "type": name,
        "b64_json": made.base64,
        "created_at": int(time.time()),
        "size": "{}x{}".format(*made.size),
        "quality": body.quality if body.quality in _QUALITIES else "auto",
        "background": made.background,
        "output_format": body.output_format,
    }
