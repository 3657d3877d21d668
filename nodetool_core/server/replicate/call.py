"""What the input of a prediction means for a workflow: a job, and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.http.http_errors import wrong
from nodetool_core.server.replicate.models import (
    COUNT,
    FIRST_IMAGE,
    IMAGES,
    MOST_OUTPUTS,
    makes_several,
)
from nodetool_core.server.seeds import seed_places
from nodetool_core.server.served_workflow import ServedWorkflow
from nodetool_core.server.translation import by_input_name, taken_parameters
from nodetool_core.server.uses import image_inputs, images_input, mask_input

if TYPE_CHECKING:
    from nodetool_core.server.security.sanitize import InputSanitizer, Put

_FORMATS: Final = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}
_FORMAT: Final = "output_format"
_QUALITY: Final = "output_quality"
_ALIASES: Final = {"prompt_strength": "strength"}
"""What models at Replicate call a parameter, besides what other APIs call it."""


@dataclass(frozen=True)
class Call:
    """An input that was checked, with its images kept."""

    inputs: JsonObject
    """By the names that jobs take."""
    shown: JsonObject
    """The input as it is shown, with references in place of images that were sent in it."""
    image_format: str
    quality: int | None
    notes: tuple[str, ...]
    """What is not done as asked."""
    count: int
    """Images that are made, by as many seeds."""


def call_of(
    served: ServedWorkflow, given: Mapping[str, Json], sanitizer: InputSanitizer, put: Put
) -> Call:
    """
    Return an input as values of a workflow. Blocks where an image has to be fetched.

    Raises WorkflowError, ImageError and HttpError for values that do not fit.
    """
    values: JsonObject = {name: value for name, value in given.items() if value is not None}
    image_format, quality = _encoding(served, values)
    count = _count(served, values)
    places = {name: _place(served, name) for name in values}
    named: JsonObject = {}
    for name, value in values.items():
        named.setdefault(places[name], value)
    taken, notes = taken_parameters(served, by_input_name(served, named))
    inputs = sanitizer.stored(served, taken, put)
    shown = {
        name: _shown(value, inputs.get(_given(served, places.get(name, name))))
        for name, value in given.items()
    }
    if count > 1 and not seed_places(served.graph):
        notes.append(f"{served.name} has no seed: its images are alike")
    return Call(inputs, shown, image_format, quality, tuple(notes), count)


def _encoding(served: ServedWorkflow, values: JsonObject) -> tuple[str, int | None]:
    """Take out how images are to be encoded, unless the workflow has inputs of these names."""
    image_format, quality = "PNG", None
    if _FORMAT in values and _FORMAT not in served.inputs:
        name = values.pop(_FORMAT)
        if not isinstance(name, str) or name.lower() not in _FORMATS:
            message = f"expects one of {', '.join(_FORMATS)}."
            raise wrong(422, "invalid_value", f"input.{_FORMAT}", message)
        image_format = _FORMATS[name.lower()]
    if _QUALITY in values and _QUALITY not in served.inputs:
        number = values.pop(_QUALITY)
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 100:
            raise wrong(422, "invalid_value", f"input.{_QUALITY}", "expects 0 to 100.")
        quality = max(1, number)
    return image_format, quality


def _count(served: ServedWorkflow, values: JsonObject) -> int:
    """Take out how many images are wanted, where the workflow makes one and has no such input."""
    if COUNT not in values or not makes_several(served):
        return 1
    count = values.pop(COUNT)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_OUTPUTS:
        raise wrong(422, "invalid_value", f"input.{COUNT}", f"expects 1 to {MOST_OUTPUTS}.")
    return count


def _place(served: ServedWorkflow, name: str) -> str:
    """Return the input that a client means by a name, which is its own where there is none."""
    found: str | None = None
    if name not in served.inputs:
        if name == "prompt":
            found = served.prompt_input
        elif name == "mask":
            found = mask_input(served)
        elif name in FIRST_IMAGE:
            found = next(iter(image_inputs(served)), None)
        elif name in IMAGES:
            found = images_input(served)
        else:
            found = _ALIASES.get(name)
    return found or name


def _given(served: ServedWorkflow, name: str) -> str:
    return served.inputs[name].given if name in served.inputs else name


def _shown(value: Json, stored: Json) -> Json:
    """Return a value as it is shown: images that were sent in it are what they were stored as."""
    if isinstance(value, str) and value[:5].lower() == "data:":
        return stored if isinstance(stored, dict) else None
    if isinstance(value, list) and isinstance(stored, list) and len(value) == len(stored):
        return [_shown(one, kept) for one, kept in zip(value, stored, strict=True)]
    return value
