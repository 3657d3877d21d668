"""Results as answers show them: pictures are kept in the jobs' storage and named by URL, everything else is JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nodetool_core.assets.picture import Picture
from nodetool_core.jobs.job import Job, StoredFile
from nodetool_core.properties import jsonable
from nodetool_core.references import AssetRef
from nodetool_core.server.pictures import encode_picture
from nodetool_core.server.schemas import FileAnswer, JobAnswer

if TYPE_CHECKING:
    from nodetool_core.server.services import Services


class Results:
    """Turns values into answers. Its methods block: encoding, files, the database."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def of_run(self, outputs: Mapping[str, Any], file_format: str, base: str) -> dict[str, Any]:
        """The outputs of a run, whose pictures are kept from now on. `base` is where clients see the server."""
        services = self._services

        def store(picture: Picture) -> StoredFile:
            return services.jobs.put(encode_picture(picture, file_format, provenance=services.settings.provenance))

        return {name: _answer(value, base, store) for name, value in outputs.items()}

    def of_job(self, job: Job, base: str) -> JobAnswer:
        """A job with the results that it has."""
        found = self._services.jobs.results(job.id) if job.state.ended else {}
        return JobAnswer.of(job, {name: _answer(value, base, _no_picture) for name, value in found.items()})


def _answer(value: Any, base: str, store: Callable[[Picture], StoredFile]) -> Any:
    if isinstance(value, Picture):
        value = store(value)
    if isinstance(value, StoredFile):
        return FileAnswer.of(value, base).model_dump(exclude_none=True)
    if isinstance(value, (list, tuple)):
        return [_answer(item, base, store) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _answer(item, base, store) for key, item in value.items()}
    if isinstance(value, AssetRef):
        # A file of this machine that went through: its place is nobody's business.
        return {"type": value.type}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        return jsonable(value)
    except TypeError:
        return {"type": type(value).__name__}


def _no_picture(picture: Picture) -> StoredFile:
    raise TypeError("A job's results hold no pictures in memory.")
