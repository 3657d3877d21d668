"""
Values from clients, made safe before anything runs.

A client's value is read into its property's type first; then what it refers to is looked at. Images
are taken from inline data, from an upload, from a public address, and stay encoded: of those that
wait for a run only the headers are read, under the server's limits; those for a job are decoded
once, to see whether they can be. What names a place on this machine, or a model that is not listed,
is refused. So no path and no address of a client's choosing ever reaches a node.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from nodetool_core.assets.decode import ImageLimits
from nodetool_core.assets.image_data import ImageData
from nodetool_core.assets.loader import AssetStore, ImageLoader
from nodetool_core.errors import Problem, WorkflowError, near_miss
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.properties import jsonable
from nodetool_core.references import ColorRef, FontRef, ImageRef, ImageSizeRef, ModelRef, Reference
from nodetool_core.server.http.files import FileAnswer, InlineFile
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.images import EncodedImage
from nodetool_core.server.parameters import Input
from nodetool_core.server.security.json_limits import violation
from nodetool_core.server.security.recent_images import RecentImages
from nodetool_core.server.served_workflow import ServedWorkflow

DECODED_AT_ONCE: Final = 2
"""
Images that are decoded at once though no run has begun.

To see whether they can be, or to scale them down.
"""

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_WEB: Final = frozenset({"http", "https"})
_INLINE: Final = frozenset({"data", "asset"})

_HARMLESS: Final = (ColorRef, FontRef, ImageSizeRef)
_FONT_FILE: Final = re.compile(r"[/\\:~]|\.\w{2,5}$")

_WHICH_FILES: Final = (
    "path",
    "variant",
    "allow_patterns",
    "ignore_patterns",
    "revision",
    "denoiser",
    "text_encoders",
    "vae",
)
"""Parts of a model reference that choose among files: the operator's to set."""

IMAGE_HINT: Final = (
    "Send it inline (a data: URI), upload it and give its asset_id, or give an http(s) address."
)


Fetch = Callable[[str], bytes]
"""Returns the bytes behind a URL. Blocks."""

Put = Callable[[bytes], JsonObject]
"""Keeps an image, and returns the reference to it. Blocks."""

Keep = Callable[[ImageRef, str], object]
"""Makes of a reference what stands for the image in a value; the text says where it was found."""


class InputSanitizer:
    """
    Reads clients' values.

    Args:
        listed: Ids of the models that clients may name.
        fetch: Returns the bytes of images by URL.
        store: Holds the uploads, by asset id.
    """

    def __init__(
        self,
        listed: Collection[str],
        limits: ImageLimits,
        fetch: Fetch,
        store: AssetStore | None = None,
    ) -> None:
        self._listed = listed
        self._limits = limits
        self._fetch = fetch
        self._loader = ImageLoader(limits=limits, store=store)
        self._decoding = threading.BoundedSemaphore(DECODED_AT_ONCE)
        self._recent = RecentImages()

    def values(self, served: ServedWorkflow, given: Mapping[str, Json]) -> dict[str, object]:
        """
        Return the values by the names that `inputs.apply` takes, with images as `EncodedImage`.

        Blocks where one has to be fetched.

        Raises WorkflowError with every unknown name and every value that does not fit, ImageError,
        HttpError.
        """
        return self._read(served, given, self.encoded)

    def stored(
        self,
        served: ServedWorkflow,
        given: Mapping[str, Json],
        put: Put,
    ) -> JsonObject:
        """
        Return the same as JSON, for a job.

        `put` keeps an image's bytes and gives the reference to them.

        Images are decoded all the same, so that a job is not accepted with one that can't be read.
        """

        return {
            name: jsonable(value)
            for name, value in self._read(served, given, self._keeping(put)).items()
        }

    def kept(self, value: object, where: str, put: Put) -> object:
        """
        Return a value of a property with images kept by `put`.

        Everything else that it refers to is checked.
        """
        return self._resolved(value, where, self._keeping(put))

    def _keeping(self, put: Put) -> Keep:
        def keep(ref: ImageRef, where: str) -> JsonObject:
            digest = ref.stored_as
            kept = None if digest is None else self._recent.get(digest)
            if kept is None:
                data = self._bytes(ref, where)
                self.check_image(data, where)
                kept = put(data)
                if digest is not None:
                    self._recent.note(digest, kept)
            return kept

        return keep

    def encoded(self, ref: ImageRef, where: str) -> EncodedImage:
        """
        Return the image behind a client's reference, still encoded. Blocks where it is fetched.

        Raises ImageError, and HttpError where it may not be read.
        """
        return self._encoded(self._bytes(ref, where), where)

    def check_image(self, data: bytes, where: str) -> None:
        """Raise ImageError for what can't be decoded. Blocks."""
        with self._decoded(data, where):
            pass

    @contextmanager
    def image(self, ref: ImageRef, where: str) -> Iterator[ImageData]:
        """
        Yield the image behind a client's reference.

        `DECODED_AT_ONCE` blocks last at once, the others wait.

        Raises ImageError, and HttpError where it may not be read.
        """
        with self._decoded(self._bytes(ref, where), where) as image:
            yield image

    @contextmanager
    def _decoded(self, data: bytes, where: str) -> Iterator[ImageData]:
        encoded = self._encoded(data, where)
        with self._decoding:
            yield encoded.decode()

    def _encoded(self, data: bytes, where: str) -> EncodedImage:
        return EncodedImage.read(data, self._limits, where)

    def _bytes(self, ref: ImageRef, where: str) -> bytes:
        match = _SCHEME.match(ref.uri.strip())
        scheme = match[1].lower() if match else ""
        if not ref.data and scheme in _WEB:
            return self._fetch(ref.uri)
        if not ref.data and ref.uri and scheme not in _INLINE:
            message = (
                "names a place on the server, which clients can't read."
                if scheme in ("", "file")
                else f"has the scheme {scheme!r}."
            )
            raise HttpError(422, Problem("forbidden_path", where, message, IMAGE_HINT))
        return self._loader.read(ref)

    def _read(
        self, served: ServedWorkflow, given: Mapping[str, Json], keep: Keep
    ) -> dict[str, object]:
        problems: list[Problem] = []
        values: dict[str, object] = {}
        for name, value in given.items():
            found = served.inputs.get(name)
            if found is None:
                hint = (
                    near_miss(name, served.inputs)
                    or f"It has {', '.join(served.inputs) or 'none'}."
                )
                problems.append(
                    Problem(
                        "unknown_input",
                        name[:80],
                        f"{served.shown} has no input of that name that can be set.",
                        hint,
                    )
                )
                continue
            values[name], wrong = self._validated(found, value)
            problems.extend(wrong)
        if problems:
            raise WorkflowError(problems)
        return {
            served.inputs[name].given: self._resolved(value, name, keep)
            for name, value in values.items()
        }

    def _validated(self, target: Input, value: Json) -> tuple[object, list[Problem]]:
        complaint = violation(value)
        if complaint:
            return None, [Problem("invalid_value", target.name, complaint)]
        validated, problems = target.prop.validate(_as_reference(value), target.name)
        if not problems:
            complaint = _out_of_bounds(validated, target.bounds)
            problems = [Problem("invalid_value", target.name, complaint)] if complaint else []
        return validated, problems

    def _resolved(self, value: object, where: str, keep: Keep) -> object:
        """Return the value with what `keep` made of each image in place of the reference to it."""
        if isinstance(value, list):
            return [
                self._resolved(item, f"{where}[{index}]", keep) for index, item in enumerate(value)
            ]
        if isinstance(value, dict):
            if isinstance(value.get("type"), str) and {"uri", "asset_id", "data"} & value.keys():
                # A reference in a value of any type: no node may come to open it.
                raise HttpError(
                    422,
                    Problem(
                        "forbidden_path",
                        where,
                        "holds a reference in a place where none is expected.",
                    ),
                )
            return {
                key: self._resolved(item, f"{where}.{key}", keep) for key, item in value.items()
            }
        if isinstance(value, ImageRef):
            return value if value.is_empty() else keep(value, where)
        if isinstance(value, ModelRef):
            self.check_model(value, where)
        elif isinstance(value, FontRef) and _FONT_FILE.search(value.name):
            raise HttpError(
                422,
                Problem(
                    "forbidden_path",
                    where,
                    "names a file on the server.",
                    "Give a font by its name.",
                ),
            )
        elif (
            isinstance(value, Reference)
            and not isinstance(value, _HARMLESS)
            and not value.is_empty()
        ):
            raise HttpError(
                422,
                Problem(
                    "forbidden_path",
                    where,
                    "names a place on the server, which clients can't read.",
                ),
            )
        return value

    def check_model(self, ref: ModelRef, where: str) -> None:
        """Raise HttpError 422 for a model that clients may not name."""
        is_plain = all(getattr(ref, name) is None for name in _WHICH_FILES)
        if ref.is_empty() or (is_plain and ref.repo_id in self._listed):
            return
        hint = (
            near_miss(ref.repo_id, self._listed)
            or "GET /v1/models lists those that can be named, by id alone."
        )
        raise HttpError(
            422,
            Problem(
                "model_unlisted",
                where,
                f"The model {ref.repo_id[:200]!r} is not served here.",
                hint,
            ),
        )


def _as_reference(value: Json) -> Json:
    """Return what an answer says of a file, as the reference to it; everything else as it is."""
    if isinstance(value, list):
        return [_as_reference(item) for item in value]
    if (
        isinstance(value, dict)
        and {"asset_id", "url"} <= value.keys() <= FileAnswer.model_fields.keys()
    ):
        return {name: value[name] for name in ("type", "asset_id") if name in value}
    if (
        isinstance(value, dict)
        and {"data", "media_type"} <= value.keys() <= InlineFile.model_fields.keys()
    ):
        return {name: value[name] for name in ("type", "data") if name in value}
    return value


def _out_of_bounds(value: object, bounds: Mapping[str, float]) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < bounds.get("minimum", value):
            return f"{value} is below {bounds['minimum']}."
        if value > bounds.get("maximum", value):
            return f"{value} is above {bounds['maximum']}."
    if isinstance(value, str) and len(value) > bounds.get("maxLength", len(value)):
        return f"has {len(value)} characters, at most {bounds['maxLength']} are allowed."
    return ""
