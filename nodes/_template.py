"""
Texts with placeholders: `{{ name }}`.

A placeholder is a name, or a path into a value (`{{ scene.season }}`, `{{ items.0 }}`), and may
name filters (`{{ season | upper }}`). A single brace means itself. There is no logic and no code in
a template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from nodetool_core import ImageData, NodeError
from nodetool_core.errors import near_miss
from nodetool_core.references import AssetRef, ColorRef, ImageSizeRef, ModelRef

_PLACEHOLDER: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PATH: Final = re.compile(r"\w+(\.\w+)*")

_WORD: Final = re.compile("[^\\W_](?:[^\\W_]|['\u2019\u0300-\u036f])*")
"""Letters and digits, with the apostrophes and accents in between."""


def titled(text: str) -> str:
    """
    Return the text with every word capitalized: `the lake's shore` becomes `The Lake's Shore`.
    """
    return _WORD.sub(lambda word: word[0].capitalize(), text)


FILTERS: Final[Mapping[str, Callable[[str], str]]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": titled,
    "capitalize": str.capitalize,
    "trim": str.strip,
}


def fill(template: str, values: Mapping[str, Any]) -> str:
    """
    Return the text with every placeholder replaced by its value.

    Raises NodeError for one that has none, or can't be read.
    """
    return _PLACEHOLDER.sub(lambda match: _value_of(match[1], values), template)


def as_text(value: Any) -> str:
    """
    Return a value as text: short numbers, lists separated by commas, objects as JSON.

    Raises NodeError for an image.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, ImageData):
        raise NodeError("An image has no text form.", "Connect a text.")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, AssetRef):
        return value.uri or value.asset_id or ""
    if isinstance(value, ModelRef):
        return value.repo_id
    if isinstance(value, ColorRef):
        return value.value or ""
    if isinstance(value, ImageSizeRef):
        return f"{value.width}x{value.height}"
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=as_text)
    if isinstance(value, (list, tuple)):
        return ", ".join(as_text(item) for item in value)
    return str(value)


def _value_of(inner: str, values: Mapping[str, Any]) -> str:
    path, *filters = (part.strip() for part in inner.split("|"))
    if not _PATH.fullmatch(path):
        raise NodeError(
            f"The placeholder {{{{{inner}}}}} can't be read.", "Write a name: {{ name }}."
        )
    text = as_text(_look_up(path, values))
    for name in filters:
        if name not in FILTERS:
            hint = near_miss(name, FILTERS) or f"There are {', '.join(FILTERS)}."
            raise NodeError(
                f"The placeholder {{{{ {path} }}}} asks for the unknown filter {name!r}.", hint
            )
        text = FILTERS[name](text)
    return text


def _look_up(path: str, values: Mapping[str, Any]) -> Any:
    found: Any = values
    for part in path.split("."):
        if isinstance(found, Mapping) and part in found:
            found = found[part]
        elif _is_list(found) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            raise NodeError(
                f"The placeholder {{{{ {path} }}}} has no value.",
                _hint(part, found),
                code="missing_value",
            )
    return found


def _hint(part: str, found: Any) -> str:
    if isinstance(found, Mapping) and found:
        names = [str(name) for name in found]
        return near_miss(part, names) or f"There are values for {', '.join(names[:20])}."
    if _is_list(found) and found:
        return f"There are {len(found)} values: 0 to {len(found) - 1}."
    return "Give it one, or remove it from the text."


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
