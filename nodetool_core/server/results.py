"""Results as answers show them: pictures are kept in the jobs' storage and named by URL, everything else is JSON."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nodetool_core.assets.picture import Picture
from nodetool_core.jobs.job import Job, StoredFile
from nodetool_core.properties import jsonable
from nodetool_core.references import AssetRef
from nodetool_core.server.pictures import encode_picture, media_type_of
from nodetool_core.server.schemas import FileAnswer, InlineFile, JobAnswer

if TYPE_CHECKING:
    from nodetool_core.server.services import Services


class Results:
    """Turns values into answers. Its methods block: encoding, files, the database."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def of_run(self, outputs: Mapping[str, Any], file_format: str, base: str, inline: bool = False) -> dict[str, Any]:
        """
        The outputs of a run.

        Args:
            base: Where clients see the server.
            inline: Whether pictures stand in the answer; they are kept from now on, and named by URL, unless they do.
        """
        services = self._services

        def kept(picture: Picture) -> dict[str, Any]:
            content = encode_picture(picture, file_format, provenance=services.settings.provenance)
            return _inline_file(picture, content, file_format) if inline else _file(services.jobs.put(content), base)

        return {name: _answer(value, base, kept) for name, value in outputs.items()}

    def of_job(self, job: Job, base: str) -> JobAnswer:
        """A job with the results that it has."""
        found = self._services.jobs.results(job.id) if job.state.ended else {}
        return JobAnswer.of(job, {name: _answer(value, base, _no_picture) for name, value in found.items()})


def _answer(value: Any, base: str, kept: Callable[[Picture], dict[str, Any]]) -> Any:
    if isinstance(value, Picture):
        return kept(value)
    if isinstance(value, StoredFile):
        return _file(value, base)
    if isinstance(value, (list, tuple)):
        return [_answer(item, base, kept) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _answer(item, base, kept) for key, item in value.items()}
    if isinstance(value, AssetRef):
        # A file of this machine that went through: its place is nobody's business.
        return {"type": value.type}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        return jsonable(value)
    except TypeError:
        return {"type": type(value).__name__}


def _no_picture(picture: Picture) -> dict[str, Any]:
    raise TypeError("A job's results hold no pictures in memory.")


def _file(file: StoredFile, base: str) -> dict[str, Any]:
    return FileAnswer.of(file, base).model_dump(exclude_none=True)


def _inline_file(picture: Picture, content: bytes, file_format: str) -> dict[str, Any]:
    width, height = picture.image.size
    data = base64.b64encode(content).decode()
    return InlineFile(data=data, media_type=media_type_of(file_format), size=len(content), width=width, height=height).model_dump()
