"""Bodies that say what is to be done with prompts: often none, and rarely with a content type."""

from __future__ import annotations

from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import wrong
from nodetool_core.server.http.json_body import read_object

MOST_IDS = 1000


def order_of(body: bytes) -> JsonObject:
    """Return the order in a body; an empty one where there is none. Raises HttpError."""
    return read_object(body) if body.strip() else {}


def ids_of(order: JsonObject) -> list[str] | None:
    """
    Return the prompts that an order is about: all with `clear`, those of `delete`, or none.

    None stands for all. Raises HttpError 400 for what is no list of ids.
    """
    if order.get("clear") is True:
        return None
    value = order.get("delete", [])
    is_list = isinstance(value, list) and len(value) <= MOST_IDS
    if not isinstance(value, list) or not is_list or not all(isinstance(one, str) for one in value):
        raise wrong(400, "invalid_value", "delete", f"expects a list of at most {MOST_IDS} ids.")
    return [str(one) for one in value]


def prompt_of(order: JsonObject) -> list[str] | None:
    """Return the one prompt that an order is about; None for all. Raises HttpError 400."""
    value = order.get("prompt_id")
    if value is not None and not isinstance(value, str):
        raise wrong(400, "invalid_value", "prompt_id", "expects a text.")
    return None if value is None else [value]
