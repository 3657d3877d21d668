"""
Results by key: what the page shows of a node is what its present values would give.

A key names a result, not a node; which outputs it has, the check that gave the key away has noted.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from nodetool_core.assets.image_data import ImageData
from nodetool_core.assets.loader import ImageLoader
from nodetool_core.editor.answers import ResultAnswer
from nodetool_core.engine.result_page import previewed
from nodetool_core.errors import ImageError, Problem
from nodetool_core.properties import jsonable
from nodetool_core.references import ImageRef
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.images import encode_image_data

if TYPE_CHECKING:
    from PIL import Image

    from nodetool_core.engine.engine import Engine

_MOST: Final = 100_000
"""Keys that are remembered, the last ones asked for."""

_LONGEST: Final = 200
"""Items of a list that an answer names; the rest are counted."""


class _Source(NamedTuple):
    outputs: tuple[str, ...]
    base: Path


class KnownResults:
    """The results in an engine's cache, as the page requests them. Safe to use in many threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, key: str, outputs: Sequence[str], base: Path) -> None:
        """Remember which outputs the result of a key has, and where its paths start from."""
        with self._lock:
            self._sources[key] = _Source(tuple(outputs), base)
            self._sources.move_to_end(key)
            if len(self._sources) > _MOST:
                self._sources.popitem(last=False)

    def answer(self, key: str) -> ResultAnswer:
        """Return a result; images by address. Raises HttpError 404. Blocks."""
        source, values = self._found(key)
        outputs = {
            name: self._shown(value, f"/v1/results/{key}/{name}", source.base)
            for name, value in zip(source.outputs, values, strict=False)
        }
        left_out = {
            name: len(value) - _LONGEST
            for name, value in zip(source.outputs, values, strict=False)
            if isinstance(value, (list, tuple)) and len(value) > _LONGEST
        }
        return ResultAnswer(outputs=outputs, left_out=left_out)

    def image(self, key: str, output: str, index: int | None, side: int | None) -> bytes:
        """
        Return an image of a result: PNG, or WEBP within a square. Raises HttpError 404. Blocks.

        Args:
            index: Which item of a list; None for the output itself.
            side: Pixels of the square that it is made to fit; None for its own size.
        """
        source, values = self._found(key)
        value = dict(zip(source.outputs, values, strict=False)).get(output)
        if index is not None:
            value = (
                value[index] if isinstance(value, (list, tuple)) and index < len(value) else None
            )
        value = previewed(value)
        if not isinstance(value, ImageRef):
            raise _gone(key)
        try:
            image = self._open(value, source.base)
        except ImageError as error:
            raise HttpError(404, list(error.problems)) from error
        if side is None:
            return encode_image_data(ImageData.of(image), "PNG")
        image.thumbnail((side, side))
        return encode_image_data(ImageData.of(image), "WEBP")

    def _found(self, key: str) -> tuple[_Source, tuple[object, ...]]:
        source = self._sources.get(key)
        values = None if source is None else self._engine.cache.get(bytes.fromhex(key))
        if source is None or values is None:
            raise _gone(key)
        return source, values

    def _open(self, ref: ImageRef, base: Path) -> Image.Image:
        if isinstance(ref, ImageData):
            return ref.image
        return ImageLoader(base=base, store=self._engine.assets).open(ref, lambda note: None)

    def _shown(self, value: object, url: str, base: Path) -> object:
        value = previewed(value)
        if isinstance(value, ImageRef):
            try:
                width, height = self._open(value, base).size
            except ImageError as error:
                return str(error)
            return {"type": "image", "url": url, "width": width, "height": height}
        if isinstance(value, (list, tuple)):
            return [
                self._shown(item, f"{url}/{number}", base)
                for number, item in enumerate(value[:_LONGEST])
            ]
        try:
            return jsonable(value)
        except TypeError:
            return f"({type(value).__name__})"


def _gone(key: str) -> HttpError:
    return HttpError(
        404,
        Problem(
            "unknown_result",
            "",
            f"There is no result {key[:64]!r} any more.",
            "Check the workflow again, and run it.",
        ),
    )
