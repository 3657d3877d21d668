"""
JSON as it comes from the network.

Bytes that may be no text, no JSON, too deep, or hold numbers that are none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from nodetool_core.errors import Problem
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.http.http_errors import HttpError, wrong

Body = TypeVar("Body", bound=BaseModel)


def read_json(body: bytes) -> Json:
    """
    Return the value in a body.

    Raises HttpError 400 for what is no JSON, 422 for NaN, infinities and surrogates.
    """
    try:
        value: Json = json.loads(body, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise wrong(
            400, "invalid_json", place, f"The body is no JSON: {error.msg}.", "Send a JSON object."
        ) from None
    except UnicodeDecodeError as error:
        raise wrong(
            400,
            "invalid_json",
            f"byte {error.start}",
            "The body is no UTF-8.",
            "Send JSON in UTF-8.",
        ) from None
    except RecursionError:
        raise wrong(
            400, "invalid_json", "", "The body is nested too deeply.", "Send a flatter object."
        ) from None
    except ValueError as error:
        raise wrong(
            400, "invalid_json", "", f"The body has a number that can't be read: {error}."
        ) from None
    if (b"\\" in body or not body.isascii()) and not _is_encodable(value):
        message = "holds a surrogate, which is no character."
        raise wrong(422, "invalid_value", "body", message, "Send whole characters.")
    return value


def _is_encodable(value: Json) -> bool:
    """Return whether all texts in a value are such that an answer can repeat them."""
    rest: list[Json] = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            rest += (*one, *one.values())
        elif isinstance(one, list):
            rest += one
        elif isinstance(one, str):
            try:
                one.encode()
            except UnicodeEncodeError:
                return False
    return True


def read_object(body: bytes) -> JsonObject:
    """Return the JSON object in a body. Raises HttpError, 422 for any other value."""
    value = read_json(body)
    if not isinstance(value, dict):
        raise wrong(
            422, "invalid_value", "body", f"expects a JSON object, got {type(value).__name__}."
        )
    return value


def _refuse(constant: str) -> NoReturn:
    raise wrong(
        422,
        "invalid_value",
        "body",
        f"{constant} is not a finite number.",
        "Leave it out, or give a number.",
    )


def checked(kind: type[Body], given: Mapping[str, object]) -> Body:
    """Return a body of these fields. Raises HttpError 422 with every one that does not fit."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        problems = [
            Problem(
                "invalid_value",
                ".".join(str(part) for part in detail["loc"]),
                f"{detail['msg'].removeprefix('Value error, ')}.",
            )
            for detail in error.errors(
                include_url=False, include_context=False, include_input=False
            )
        ]
        raise HttpError(422, problems) from None


def without_nulls(given: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that are given, for protocols where `null` counts as left out."""
    return {name: value for name, value in given.items() if value is not None}
