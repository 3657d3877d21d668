"""
Results as answers show them.

Images are kept in the jobs' storage and named by URL, everything else is JSON.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from nodetool_core.assets.image_data import ImageData
from nodetool_core.jobs.job import Job, StoredFile
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.properties import jsonable
from nodetool_core.references import AssetRef
from nodetool_core.server.http.files import FileAnswer, InlineFile
from nodetool_core.server.http.images import encode_image_data, media_type_of
from nodetool_core.server.v1.schemas import JobAnswer
from nodetool_core.values import json_form

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState


class Results:
    """Turns values into answers. Its methods block: encoding, files, the database."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    def of_run(
        self, outputs: Mapping[str, object], file_format: str, base: str, inline: bool = False
    ) -> JsonObject:
        """
        Return the outputs of a run.

        Args:
            base: Where clients see the server.
            inline: Whether images stand in the answer; they are kept from now on, and named by URL,
                unless they do.
        """
        state = self._state

        def kept(image: ImageData) -> JsonObject:
            content = encode_image_data(image, file_format, provenance=state.settings.provenance)
            return (
                _inline_file(image, content, file_format)
                if inline
                else _file(state.jobs.put(content), base)
            )

        return {
            name: json_form(value, partial(_answer, base=base, kept=kept))
            for name, value in outputs.items()
        }

    def of_job(self, job: Job, base: str) -> JobAnswer:
        """Return a job with the results that it has."""
        found = self._state.jobs.results(job.id) if job.state.ended else {}
        return JobAnswer.of(
            job,
            {
                name: json_form(value, partial(_answer, base=base, kept=_no_image))
                for name, value in found.items()
            },
        )


def _answer(value: object, base: str, kept: Callable[[ImageData], JsonObject]) -> Json:
    if isinstance(value, ImageData):
        return kept(value)
    if isinstance(value, StoredFile):
        return _file(value, base)
    if isinstance(value, AssetRef):
        # A file of this machine that went through: its place is nobody's business.
        return {"type": value.type}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        form: Json = jsonable(value)
    except TypeError:
        return {"type": type(value).__name__}
    return form


def _no_image(image: ImageData) -> JsonObject:
    raise TypeError("A job's results hold no images in memory.")


def _file(file: StoredFile, base: str) -> JsonObject:
    return FileAnswer.of(file, base).model_dump(exclude_none=True)


def _inline_file(image: ImageData, content: bytes, file_format: str) -> JsonObject:
    width, height = image.image.size
    data = base64.b64encode(content).decode()
    return InlineFile(
        data=data,
        media_type=media_type_of(file_format),
        size=len(content),
        width=width,
        height=height,
    ).model_dump()
