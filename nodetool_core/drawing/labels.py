"""Short texts for drawings: values in a few characters, texts that fit a width."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodetool_core.references import AssetRef, ColorRef, ImageSizeRef, ModelRef
from nodetool_core.values import CONTAINERS

if TYPE_CHECKING:
    from nodetool_core.graph import GraphNode

_NARROW = frozenset("iljtfrI.,:;'|!()[]{} ")
_WIDE = frozenset("mwMWOQGD@%—…")


def short(value: object, length: int = 40) -> str:
    """Return a value as one line of at most `length` characters."""
    text = " ".join(_text(value).split())
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def _text(value: object) -> str:
    if isinstance(value, str):
        return value[:2000] if value else '""'
    if isinstance(value, AssetRef):
        return _asset(value)
    if isinstance(value, ModelRef):
        return value.repo_id or "default"
    if isinstance(value, ColorRef):
        return value.value or "none"
    if isinstance(value, ImageSizeRef):
        return f"{value.width} x {value.height}"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, CONTAINERS):
        return f"{len(value)} item{'s' * (len(value) != 1)}"
    return str(getattr(value, "value", value))[:2000]


def _asset(ref: AssetRef) -> str:
    if ref.uri.startswith("data:") or ref.data:
        return "inline data"
    return ref.uri.rstrip("/").rpartition("/")[2] or ref.asset_id or "none"


def told_values(node: GraphNode) -> Iterator[tuple[str, object]]:
    """Yield the values of a node that are worth showing: those that differ from their defaults."""
    for name, prop in node.spec.properties.items():
        if name in node.values and (prop.required or node.values[name] != prop.default):
            yield name, node.values[name]
    yield from node.dynamic.items()


def width(text: str, size: float) -> float:
    """Return about how wide a text is in a sans-serif face, rather too much than too little."""
    return sum(_em(character) for character in text) * size


def fit(text: str, room: float, size: float) -> str:
    """Return the text, cut short with … where it is wider than there is room for."""
    if width(text, size) <= room:
        return text
    room -= width("…", size)
    kept = 0
    for character in text:
        room -= _em(character) * size
        if room < 0:
            break
        kept += 1
    return f"{text[:kept].rstrip()}…"


def _em(character: str) -> float:
    if character in _NARROW:
        return 0.36
    if character in _WIDE:
        return 0.95
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    return 0.68 if character.isupper() else 0.58
