"""
What an answer of a hosted service means.

What it says of a failure, how long to wait, and which error to raise.
"""

from __future__ import annotations

import email.utils
import html
import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from nodes.services.waiting import BusyError
from nodetool_core import NodeError
from nodetool_core.assets.decode import MIB, ImageLimits

RESULT_LIMITS: Final = ImageLimits(max_pixels=8192 * 8192, max_bytes=64 * MIB)
"""What is too large for an image that a service sends back."""
MOST_TEXT: Final = 1 * MIB
"""Bytes of an answer that is no image and holds none."""
_SHOWN: Final = 300
_FOREVER: Final = 1e9
"""Seconds that nobody waits."""
_DEPTH: Final = 5
"""Levels of lists and objects in which a message is looked for."""
_FAILED: Final = frozenset({"failed", "error", "canceled", "cancelled", "aborted"})
_MESSAGE_KEYS: Final = (
    "error",
    "errors",
    "error_data",
    "message",
    "detail",
    "error_description",
    "msg",
)

_MEANINGS: Final = {
    401: (
        "service_refused",
        "refused the key",
        "Check {secret}, or make a new key at the service.",
    ),
    402: (
        "service_refused",
        "wants to be paid",
        "Look at the credit of the account behind {secret}.",
    ),
    403: (
        "service_refused",
        "does not allow this with the key",
        "Check what {secret} is allowed to do, and whether the model is gated.",
    ),
    404: (
        "service_rejected",
        "knows no such model or address",
        "Check the spelling, and whether the service has this model.",
    ),
    413: ("service_rejected", "finds the request too large", "Use a smaller image."),
}


def parsed(body: bytes) -> Any:
    """Return the JSON value of a body, or None where it is no JSON."""
    if body.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def message_in(body: bytes) -> str:
    """
    Return what a body states of a failure, on one line.

    The text in its JSON, the title of a web page, or the text itself.
    """
    value = parsed(body)
    if value is not None:
        return _short(_message(value))
    text = body[:100_000].decode("utf-8", "replace")
    page = re.search(r"<(?:title|h1)[^>]*>(.*?)</", text, re.IGNORECASE | re.DOTALL)
    if page or re.match(r"\s*<(!doctype|html)", text, re.IGNORECASE):
        return _short(f"a web page, {html.unescape(page[1])!r}" if page else "a web page")
    return f"{len(body)} bytes that are no text" if "\0" in text else _short(text)


def failure_in(value: Any) -> str | None:
    """
    Return the message of a JSON response that reports a failed task; else None.

    Such a response, or its `data`, has the `status` FAILED.
    """
    for part in (value, value.get("data") if isinstance(value, dict) else None):
        if isinstance(part, dict) and str(part.get("status", "")).lower() in _FAILED:
            return _short(_message(part)) or "it does not say why"
    return None


def state_in(value: Any) -> str:
    """
    Return the state that a JSON answer of a queue reports, such as `in queue`.

    Empty where it tells none.
    """
    for part in (value, value.get("data") if isinstance(value, dict) else None):
        if isinstance(part, dict) and isinstance(part.get("status"), str):
            return _short(part["status"].lower().replace("_", " "))
    return ""


def seconds_to_wait(headers: Mapping[str, str], body: bytes = b"") -> float | None:
    """
    Return how long a busy service wants to be left alone.

    `Retry-After` in seconds or as a date, or `estimated_time` in its JSON.
    """
    stated = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", stated, re.ASCII):
        return min(float(stated), _FOREVER)
    if stated:
        # What parses dates raises many kinds of errors for what is none.
        with suppress(ValueError, TypeError, IndexError, OverflowError):
            return max(0.0, email.utils.parsedate_to_datetime(stated).timestamp() - time.time())
    value = parsed(body)
    estimate = value.get("estimated_time") if isinstance(value, dict) else None
    if not isinstance(estimate, (int, float)) or isinstance(estimate, bool) or estimate != estimate:
        return None
    return float(min(max(estimate, 0.0), _FOREVER))


def refusal(
    service: str, status: int, headers: Mapping[str, str], body: bytes, *, secret: str
) -> Exception:
    """
    Return the error of an answer with a status of 400 or more.

    BusyError where asking again can help, else NodeError.

    Args:
        secret: The name of the key that was sent; empty where none was.
    """
    said = message_in(body) or _short(headers.get("x-error-message", ""))
    if status in (429, 503):
        reason = "too many requests" if status == 429 else "not ready"
        return BusyError(
            f"{reason} ({status}): {said}" if said else f"{reason} ({status})",
            seconds_to_wait(headers, body),
        )
    code, meaning, hint = _MEANINGS.get(
        status, ("service_rejected", "rejected the request", "Change what it names.")
    )
    if status >= 500:
        code, meaning, hint = (
            "service_failed",
            "failed",
            "Try again later. It may have done the work all the same, so nothing was sent twice.",
        )
    detail = f": {said}" if said else ", and does not say why"
    return NodeError(
        f"{service} {meaning} ({status}){detail}.",
        hint.format(secret=secret or "the key"),
        code=code,
    )


def unexpected(service: str, what: str) -> NodeError:
    """Return the error of an answer that is not what the service documents."""
    hint = (
        "Try again; if it stays so, the service has changed, or the address is not that of the"
        " service."
    )
    return NodeError(f"{service} answered with {what}.", hint, code="unexpected_answer")


def _message(value: Any, depth: int = _DEPTH) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and depth:
        return "; ".join(filter(None, (_message(part, depth - 1) for part in value[:5])))
    if isinstance(value, dict) and depth:
        return next(
            filter(
                None, (_message(value[key], depth - 1) for key in _MESSAGE_KEYS if key in value)
            ),
            "",
        )
    return ""


def _short(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
