"""What a run gave, in a form that can be kept: images as stored files, everything else as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core.assets.decode import decode_bytes
from nodetool_core.assets.encode import encode_image
from nodetool_core.assets.image_data import ImageData
from nodetool_core.assets.loader import ImageLoader
from nodetool_core.assets.provenance import read_provenance_of
from nodetool_core.jobs.files import describe
from nodetool_core.jobs.job import JobOptions, StoredFile
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.properties import jsonable
from nodetool_core.references import AssetRef, FolderRef
from nodetool_core.values import json_form

if TYPE_CHECKING:
    from nodetool_core.jobs.storage import Storage

_LONGEST_TEXT = 1000
"""Characters that are kept of a value that has no JSON form."""


class Collector:
    """Takes the outputs of one run apart."""

    def __init__(self, options: JobOptions, storage: Storage, base: Path) -> None:
        self.files: dict[str, tuple[StoredFile, bytes]] = {}
        """What is to be stored, by digest."""
        self._options = options
        self._loader = ImageLoader(base, store=storage, confined=options.confined)

    def collect(self, outputs: Mapping[str, object]) -> JsonObject:
        """Return the JSON form. Raises ImageError where an image can't be encoded or read."""
        return {name: json_form(value, self._kept) for name, value in outputs.items()}

    def _kept(self, value: object) -> Json:
        if isinstance(value, ImageData):
            options = self._options
            origin = value.provenance if options.provenance else None
            return self._store(
                encode_image(value.image, options.image_format, origin, quality=options.quality)
            )
        if (
            isinstance(value, AssetRef)
            and not isinstance(value, FolderRef)
            and not value.is_empty()
        ):
            # A file that went through unchanged: its place on this machine means nothing to whoever
            # reads the result.
            return self._store(self._loader.read(value))
        try:
            form: Json = jsonable(value)
        except TypeError:
            return {"type": type(value).__name__, "text": str(value)[:_LONGEST_TEXT]}
        return form

    def _store(self, data: bytes) -> JsonObject:
        file = describe(data)
        self.files[file.digest] = (file, data)
        return file.to_json()


def image_of(file: StoredFile, data: bytes) -> ImageData:
    """Return the image in a stored file, with what made it. Raises ImageError."""
    return ImageData.of(
        decode_bytes(data, file.digest), read_provenance_of(BytesIO(data), file.digest)
    )


def revived(value: object) -> object:
    """Return a stored result with `StoredFile` in place of what stands for one."""
    if isinstance(value, list):
        return [revived(item) for item in value]
    if not isinstance(value, dict):
        return value
    return StoredFile.from_json(value) or {name: revived(item) for name, item in value.items()}
