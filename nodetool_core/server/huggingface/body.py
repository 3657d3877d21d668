"""
A request of the Hugging Face image APIs, read from all the forms that clients send it in.

Three ages of the documentation and the clients in use differ: raw bytes or JSON, any content type
or none, base64 or a data URI, `inputs` as a text or an object, `negative_prompt` as a text or a
list, a size as `target_size` or flat. All end in one `ParsedRequest`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.http.http_errors import HttpError, wrong
from nodetool_core.server.http.images import looks_like_image
from nodetool_core.server.http.json_body import read_object

MAX_SIDE: Final = 8192
_IMAGE_NAMES: Final = ("inputs", "image", "data")
_NOT_PARAMETERS: Final = frozenset({"inputs", "image", "parameters", "options"})
_IMAGE_PARAMETERS: Final = frozenset({"prompt", "strength", "target_size"})
"""Parameters that only make sense beside an image, or that a text would stand in for."""
_LONG_TEXT: Final = 4000
"""No prompt is longer without a space: what is, was meant as an image."""


@dataclass(frozen=True)
class ParsedRequest:
    """One request, whatever its form."""

    image: bytes | None = None
    """The encoded image; None where a text is to be made into one."""
    text: str | None = None
    parameters: Mapping[str, Json] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    """Width and height that the result should have."""
    options: Mapping[str, Json] = field(default_factory=dict)
    """What older clients send in the body instead of in headers: `use_cache`, `wait_for_model`."""


def read_body(
    body: bytes, content_type: str, *, takes_image: bool, takes_text: bool
) -> ParsedRequest:
    """
    Read a request's body.

    Raises HttpError: 400 for what is no image or no JSON, 422 for what does not fit.
    """
    if not body:
        raise wrong(
            400, "empty_body", "body", "The body is empty.", "Send an image, or JSON with `inputs`."
        )
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "multipart/form-data" and not looks_like_image(body):
        hint = (
            "Send the image's bytes as they are (curl: --data-binary @photo.jpg), or JSON with the"
            " image as base64 in `inputs`."
        )
        raise wrong(415, "invalid_value", "content-type", "A form is not taken here.", hint)
    is_json = media_type == "application/json" or body.lstrip()[:1] == b"{"
    if looks_like_image(body) or not is_json:
        return _raw(body, takes_image)
    parsed = read_object(body)
    parameters = _parameters(parsed)
    size = _size(parameters)
    options = parsed.get("options")
    options = options if isinstance(options, dict) else {}
    found = _inputs(parsed)
    if takes_image and not (takes_text and _is_prompt(found, parameters)):
        return ParsedRequest(
            image=_decoded(found), parameters=parameters, size=size, options=options
        )
    if not isinstance(found, str):
        raise wrong(422, "invalid_value", "inputs", f"expects a text, got {type(found).__name__}.")
    return ParsedRequest(text=found, parameters=parameters, size=size, options=options)


def header_flag(name: str, value: str | None, default: bool) -> bool:
    """Return a header's `true`, `false`, `1` or `0`. Raises HttpError 422 for anything else."""
    if value is None:
        return default
    found = {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
    if found is None:
        raise wrong(422, "invalid_value", name, f"expects true or false, got {value[:40]!r}.")
    return found


def _raw(body: bytes, takes_image: bool) -> ParsedRequest:
    if not takes_image:
        hint = 'Send JSON: {"inputs": "what to draw"}.'
        raise wrong(
            422, "invalid_value", "body", "This model makes images from texts and takes none.", hint
        )
    return ParsedRequest(image=body)


def _inputs(parsed: JsonObject) -> Json:
    found = next(
        (parsed[name] for name in ("inputs", "image") if parsed.get(name) is not None), None
    )
    if isinstance(found, dict):
        # The oldest documentation calls it an object without saying more.
        found = next((found[name] for name in _IMAGE_NAMES if found.get(name) is not None), None)
    if found is None:
        raise wrong(
            422,
            "missing_input",
            "inputs",
            "is required.",
            "Give the image as base64, or the text to draw.",
        )
    return found


def _parameters(parsed: JsonObject) -> JsonObject:
    given = parsed.get("parameters")
    if given is not None and not isinstance(given, dict):
        raise wrong(
            422, "invalid_value", "parameters", f"expects an object, got {type(given).__name__}."
        )
    found = {name: value for name, value in parsed.items() if name not in _NOT_PARAMETERS} | (
        given or {}
    )
    nested = found.pop("extra_body", None)
    if isinstance(nested, dict):
        found |= nested
    found = {name: value for name, value in found.items() if value is not None}
    if "negative_prompt" in found:
        found["negative_prompt"] = _negative_prompt(found["negative_prompt"])
    _check_published(found)
    return found


def _negative_prompt(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    raise wrong(
        422, "invalid_value", "parameters.negative_prompt", "expects a text or a list of texts."
    )


def _check_published(parameters: Mapping[str, Json]) -> None:
    """
    Raise WorkflowError for a published parameter of another type.

    Whether or not the workflow has an input for it.
    """
    kinds: dict[str, tuple[tuple[type, ...], str]] = {
        "prompt": ((str,), "a text"),
        "guidance_scale": ((int, float), "a number"),
        "num_inference_steps": ((int,), "a whole number"),
    }
    problems = []
    for name, (types, expected) in kinds.items():
        value = parameters.get(name)
        if name in parameters and (not isinstance(value, types) or isinstance(value, bool)):
            problems.append(
                Problem(
                    "invalid_value",
                    f"parameters.{name}",
                    f"expects {expected}, got {str(value)[:80]!r}.",
                )
            )
    if problems:
        raise WorkflowError(problems)


def _size(parameters: JsonObject) -> tuple[int, int] | None:
    """
    Return the size asked for, taken out of the parameters; flat sides that come alone stay there.
    """
    where = "parameters.target_size"
    if "target_size" in parameters:
        wanted = parameters.pop("target_size")
        if not isinstance(wanted, dict) or not {"width", "height"} <= wanted.keys():
            raise wrong(
                422,
                "invalid_value",
                where,
                "expects an object with width and height.",
                'Give {"width": 512, "height": 512}.',
            )
        return _side(wanted["width"], f"{where}.width"), _side(wanted["height"], f"{where}.height")
    sides = {
        name: _side(parameters[name], f"parameters.{name}")
        for name in ("width", "height")
        if name in parameters
    }
    if len(sides) < 2:
        return None
    del parameters["width"], parameters["height"]
    return sides["width"], sides["height"]


def _side(value: Json, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_SIDE:
        return value
    raise wrong(
        422,
        "invalid_value",
        where,
        f"expects a whole number from 1 to {MAX_SIDE}, got {str(value)[:40]!r}.",
    )


def _is_prompt(found: Json, parameters: Mapping[str, Json]) -> bool:
    """Return whether `inputs` of a model that does both is a text to draw rather than an image."""
    if (
        not isinstance(found, str)
        or found.startswith("data:")
        or parameters.keys() & _IMAGE_PARAMETERS
    ):
        return False
    if len(found) > _LONG_TEXT and " " not in found:
        return False
    try:
        return not looks_like_image(_base64(found))
    except (binascii.Error, ValueError):
        return True


def _decoded(found: Json) -> bytes:
    if not isinstance(found, str):
        raise wrong(
            422,
            "invalid_value",
            "inputs",
            f"expects base64, got {type(found).__name__}.",
            "Give the image as base64.",
        )
    text = found
    if text.startswith("data:"):
        header, comma, text = text.partition(",")
        if not comma or not header.lower().endswith(";base64"):
            raise wrong(
                400,
                "bad_data_uri",
                "inputs",
                "is no base64 data: URI.",
                "It looks like data:image/png;base64,iVBOR…",
            )
    try:
        data = _base64(text)
    except (binascii.Error, ValueError) as error:
        _check_no_text(text)
        raise wrong(
            400,
            "bad_base64",
            "inputs",
            f"is no base64: {error}.",
            "Give the encoded image as base64.",
        ) from None
    if not looks_like_image(data):
        _check_no_text(text)
    if not data:
        raise wrong(400, "empty_image", "inputs", "is empty.", "Give the encoded image as base64.")
    return data


def _check_no_text(text: str) -> None:
    """Raise HttpError 400 where words stand in the place of base64."""
    if text[:1].isalpha() and len(text) <= _LONG_TEXT and (" " in text or text.isalpha()):
        hint = "Give the image as base64 in `inputs`, and a text in `parameters.prompt`."
        raise wrong(
            400,
            "not_an_image",
            "inputs",
            "is a text, and this model makes images from images.",
            hint,
        )


def _base64(text: str) -> bytes:
    compact = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)


__all__ = ["MAX_SIDE", "HttpError", "ParsedRequest", "header_flag", "read_body"]
