"""
A request of the OpenAI Images API, read from JSON and from forms.

`null` counts as left out, and so does an empty text in a form. Fields that the API does not have
are kept: they are inputs of workflows by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from nodetool_core.json_types import Json, JsonObject
from nodetool_core.references import ImageRef
from nodetool_core.server.http.forms import is_form, read_form
from nodetool_core.server.http.http_errors import wrong
from nodetool_core.server.http.json_body import checked, read_object, without_nulls

MOST_IMAGES: Final = 16
"""Images that can be sent to be edited."""

LARGEST_SIDE: Final = 8192

_SIZE: Final = re.compile(r"(\d{1,5})\s*[xX]\s*(\d{1,5})")
_IMAGE: Final = re.compile(r"image(?:\[\d{0,3}\])?")
_NOT_FIELDS: Final = frozenset({"image", "images", "mask"})

Source = bytes | ImageRef
"""An image as it was sent: its file, or where it is."""


class ImagesBody(BaseModel):
    """The fields of a request, but for its images."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    prompt: str = Field(default="", max_length=32_000, description="What to draw.")
    model: str = Field(
        default="", max_length=500, description="A workflow or a model that is served."
    )
    n: int = Field(default=1, ge=1, le=10, description="Images to make, each another.")
    size: str = Field(default="auto", description="`auto`, or width and height as `512x512`.")
    response_format: Literal["url", "b64_json"] | None = Field(
        default=None, description="Both are in the answer unless given."
    )
    quality: Literal["auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"] = Field(
        default="auto", description="Fewer steps for `low`, more for `high` and above."
    )
    output_format: Literal["png", "jpeg", "webp"] = "png"
    output_compression: int | None = Field(
        default=None, ge=0, le=100, description="The quality of JPEG and WEBP."
    )
    background: Literal["auto", "opaque", "transparent"] = "auto"
    stream: bool = Field(default=False, description="Whether the answer is a stream of events.")
    partial_images: int = Field(
        default=0, ge=0, le=3, description="Images of the steps before the last, with `stream`."
    )

    @field_validator("size")
    @classmethod
    def _check_size(cls, value: str) -> str:
        size_of(value)
        return value

    @property
    def wanted_size(self) -> tuple[int, int] | None:
        """Width and height; None where the workflow chooses."""
        return size_of(self.size)

    @property
    def others(self) -> Mapping[str, Json]:
        """The fields that the API does not have."""
        return self.model_extra or {}


@dataclass(frozen=True)
class ImagesRequest:
    """One request, whatever its form."""

    body: ImagesBody
    images: tuple[Source, ...] = ()
    mask: Source | None = None
    texts: bool = False
    """Whether unknown fields are texts, as those of a form are."""


def size_of(text: str) -> tuple[int, int] | None:
    """Return width and height; None for `auto`. Raises ValueError for what is neither."""
    if text.strip().lower() in ("auto", ""):
        return None
    found = _SIZE.fullmatch(text.strip())
    sides = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(1 <= side <= LARGEST_SIDE for side in sides):
        raise ValueError(f"expects auto, or WIDTHxHEIGHT with sides from 1 to {LARGEST_SIDE}")
    return sides


def read_json_request(body: bytes) -> ImagesRequest:
    """
    Return the request in a JSON body.

    Raises HttpError: 400 for what is no JSON, 422 with every field that does not fit.
    """
    given = read_object(body)
    images = given.get("images")
    found = images if images is not None else given.get("image")
    listed = found if isinstance(found, list) else [] if found is None else [found]
    return ImagesRequest(
        _fields({name: value for name, value in given.items() if name not in _NOT_FIELDS}),
        _at_most([_reference(one, f"images[{at}]") for at, one in enumerate(listed)]),
        None if given.get("mask") is None else _reference(given["mask"], "mask"),
    )


def read_request(body: bytes, content_type: str) -> ImagesRequest:
    """
    Return the request in a form or in JSON.

    Raises HttpError: 400 for what is neither, 422 with every field that does not fit.
    """
    if not is_form(content_type):
        return read_json_request(body)
    texts: JsonObject = {}
    images: list[Source] = []
    mask: Source | None = None
    for part in read_form(body, content_type):
        is_image = _IMAGE.fullmatch(part.name) is not None
        if not is_image and part.name != "mask":
            texts[part.name] = part.text()
            continue
        if not part.content:
            continue
        source = part.content if part.is_file else _reference(part.text(), part.name)
        if is_image:
            images.append(source)
        else:
            mask = source
    kept = {name: value for name, value in texts.items() if value != ""}
    return ImagesRequest(_fields(kept), _at_most(images), mask, texts=True)


def _fields(given: Mapping[str, Json]) -> ImagesBody:
    return checked(ImagesBody, without_nulls(given))


def _at_most(images: list[Source]) -> tuple[Source, ...]:
    if len(images) > MOST_IMAGES:
        message = f"are {len(images)}, and {MOST_IMAGES} are the most."
        raise wrong(422, "invalid_value", "image", message, "Send fewer.")
    return tuple(images)


def _reference(value: Json, where: str) -> ImageRef:
    """Return a reference in any of its forms: a text, `image_url`, or the `file_id` of a file."""
    if isinstance(value, dict):
        if isinstance(value.get("file_id"), str):
            return ImageRef(asset_id=str(value["file_id"]))
        value = value.get("image_url", value.get("url"))
        if isinstance(value, dict):
            value = value.get("url")
    if not isinstance(value, str) or not value.strip():
        hint = 'Give {"image_url": "data:image/png;base64,…"} or {"file_id": "…"}.'
        raise wrong(422, "invalid_value", where, "expects an image.", hint)
    return ImageRef(uri=value.strip())
