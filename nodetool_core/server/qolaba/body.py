"""
What a client of the Qolaba API requests.

The documented fields with their ranges, and the image brought to its size.
"""

from __future__ import annotations

import json
import re
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nodetool_core.assets.image_data import ImageData
from nodetool_core.errors import Problem
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.json_body import checked

LARGEST: Final = 1536
"""Longest side of an image that is worked on; larger ones are scaled down."""
MOST_FILES: Final = 8
SAME_ASPECT: Final = 0.02
"""Change of the aspect that nobody sees: that of a side by a few pixels."""

_JSON_LIST: Final = re.compile(r"\s*\[.*\]\s*", re.DOTALL)
_BETWEEN_ADDRESSES: Final = re.compile(r",(?=\s*(?:[A-Za-z][A-Za-z0-9+.-]*://|data:))")


class ImageRequest(BaseModel):
    """The body of `/getImagetoImage`."""

    model_config = ConfigDict(
        strict=True,
        extra="allow",
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [
                {
                    "app_id": "ap-fGhKl3mfkdlpqrshuwwabc",
                    "image": "https://example.com/lake.png",
                    "prompt": "a winter night",
                    "strength": 0.7,
                }
            ]
        },
    )

    app_id: str = Field(description="Names the model.")
    image: str = Field(
        min_length=1, description="URL of the image; one over 1536x1536 is scaled down to fit."
    )
    prompt: str = Field(default="", max_length=10_000)
    negative_prompt: str = Field(default="", max_length=10_000)
    file_urls: list[str] | None = Field(
        default=None,
        max_length=MOST_FILES,
        description="Further images; only together with `celery`.",
    )
    guidance_scale: float = Field(default=7.5, ge=1, le=30)
    batch: int = Field(default=1, ge=1, le=8, description="How many images to make at once.")
    strength: float = Field(default=0.7, ge=0, le=1, description="1 disregards the image.")
    height: int | None = Field(default=None, description="Only for apps that list sizes.")
    width: int | None = Field(default=None, description="Only for apps that list sizes.")
    celery: bool = Field(default=False, description="Queue the work and answer a `task_id`.")
    inference_type: Literal["a10g", "a100", "h100"] | None = Field(
        default=None, description="Taken, and without effect here."
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, body: object) -> object:
        """
        Leave out what clients with a field for everything send as null or as an empty text.
        """
        if not isinstance(body, dict):
            return body
        return {
            name: value
            for name, value in body.items()
            if value is not None and (name, value) != ("inference_type", "")
        }

    @field_validator("file_urls", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """
        Documented as a string that holds a list.

        As JSON, or with commas, which addresses may have as well.
        """
        if isinstance(value, str):
            value = (
                _read_list(value)
                if _JSON_LIST.fullmatch(value)
                else _BETWEEN_ADDRESSES.split(value)
            )
        if not isinstance(value, list):
            return value
        return [
            part.strip() if isinstance(part, str) else part
            for part in value
            if part not in ("", None)
        ] or None


class TaskRequest(BaseModel):
    """The body of `/getImage`."""

    model_config = ConfigDict(strict=True, json_schema_extra={"examples": [{"id": "task-id"}]})

    id: str = Field(min_length=1, max_length=100, description="The `task_id`.")


def read_image_request(body: JsonObject) -> ImageRequest:
    """Return the request in a body. Raises HttpError 422 with every field that does not fit."""
    parsed = checked(ImageRequest, body)
    if parsed.file_urls and not parsed.celery:
        hint = "Set celery to true, and ask /getImage for the result."
        raise HttpError(
            422, Problem("invalid_value", "file_urls", "only goes together with celery.", hint)
        )
    return parsed


def read_task_request(body: JsonObject) -> TaskRequest:
    """Return the request in a body. Raises HttpError 422."""
    return checked(TaskRequest, body)


def _read_list(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON list of addresses") from None
    return value


def shown_request(parsed: ImageRequest) -> JsonObject:
    """
    Return what was asked, as answers show it.

    Without images, which may be long or come from addresses that are secrets.
    """
    return parsed.model_dump(
        mode="json",
        exclude_none=True,
        include=ImageRequest.model_fields.keys() - {"image", "file_urls"},
    )


def stretching(where: str, before: tuple[int, int], after: tuple[int, int]) -> list[str]:
    """Return a warning where a size has another aspect than the image that is brought to it."""
    change = before[0] * after[1] / (before[1] * after[0])
    if abs(change - 1) <= SAME_ASPECT:
        return []
    return [
        f"{where} was stretched from {before[0]}x{before[1]} to {after[0]}x{after[1]}, which has"
        " another aspect."
    ]


def fitted(given: ImageData, size: tuple[int, int] | None) -> ImageData:
    """Return the image at the size asked for, else no larger than 1536x1536, its aspect kept."""
    from PIL.Image import Resampling

    image = given.image
    if size is None:
        scale = LARGEST / max(image.size)
        size = (
            image.size
            if scale >= 1
            else (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        )
    return given if size == image.size else ImageData.of(image.resize(size, Resampling.LANCZOS))
