"""
Texts with placeholders, loops and conditions.

A placeholder, `{{ name }}`, is a name or a path into a value (`{{ scene.season }}`,
`{{ items.0 }}`), and may name filters (`{{ season | upper }}`). A loop repeats what lies in it for
each item of a list, or each name of an object; a condition keeps one of several parts:

    {% for item in items %}{{ loop.index }}. {{ item }}{% endfor %}
    {% if loop.first %}…{% elif len(item) > 20 %}…{% else %}…{% endif %}

A condition is an expression (`_expression.py`). In a loop, `loop` has `index` (from 1), `index0`,
`first`, `last` and `length`. A tag alone on its line leaves no empty line behind. The form is that
of Jinja; there is no code in a template. A text becomes at most MAX_LENGTH characters long.
"""

from __future__ import annotations

import json
import re
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeGuard

from nodes._expression import Work, compiled
from nodetool_core import ImageData, NodeError
from nodetool_core.errors import near_miss
from nodetool_core.references import AssetRef, ColorRef, ImageSizeRef, ModelRef

MAX_LENGTH: Final = 10_000_000
MAX_PARTS: Final = 1_000_000
"""Parts that a text is written of, those of loops once for each round."""
MAX_DEPTH: Final = 20

_TAG: Final = re.compile(
    r"(?P<line>(?:(?<=\n)|\A)[ \t]*\{%(?P<whole>[^%]*(?:%(?!\})[^%]*)*)%\}[ \t]*(?:\n|\Z))"
    r"|\{%(?P<inner>[^%]*(?:%(?!\})[^%]*)*)%\}"
    r"|\{\{(?P<placeholder>.*?)\}\}",
    re.DOTALL,
)
_LOOP: Final = re.compile(r"for\s+([^\W\d]\w*)\s+in\s+(\w+(?:\.\w+)*)")
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


def fill(template: str, values: Mapping[str, object]) -> str:
    """
    Return the text with every placeholder replaced by its value, and every loop written out.

    Raises NodeError for one that has no value, or can't be read.
    """
    return _Writer().written(_Reader(template).parts(), values)


Part = Callable[["_Writer", Mapping[str, object]], str]
"""Writes a part of a text with values."""


class _Reader:
    """Reads a template from one tag to the next."""

    def __init__(self, template: str) -> None:
        self._template = template
        self._place = 0
        self._depth = 0

    def parts(self) -> list[Part]:
        parts, tag = self._until()
        if tag:
            raise _misplaced(tag)
        return parts

    def _until(self, *ends: str) -> tuple[list[Part], str]:
        """Return what stands before a tag that begins with one of these words, and the tag."""
        parts: list[Part] = []
        while found := _TAG.search(self._template, self._place):
            parts.append(_plain(self._template[self._place : found.start()]))
            self._place = found.end()
            if (inner := found["placeholder"]) is not None:
                parts.append(partial(_placeholder, inner))
                continue
            tag = (found["inner"] if found["whole"] is None else found["whole"]).strip(" \t\n-")
            word = tag.partition(" ")[0]
            if word in ends:
                return parts, tag
            if word not in ("for", "if"):
                raise _misplaced(tag)
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise NodeError(
                    f"The loops of the text are nested more than {MAX_DEPTH} deep.",
                    "Divide it among several nodes.",
                )
            parts.append(self._loop(tag) if word == "for" else self._condition(tag))
            self._depth -= 1
        if ends:
            raise NodeError(
                f"The text ends before {{% {ends[-1]} %}}.", "Write that tag where its part ends."
            )
        parts.append(_plain(self._template[self._place :]))
        return parts, ""

    def _loop(self, tag: str) -> Part:
        read = _LOOP.fullmatch(tag)
        if not read:
            raise NodeError(
                f"The loop {{% {tag} %}} can't be read.", "Write {% for item in items %}."
            )
        inner, _ = self._until("endfor")
        return partial(_looped, read[1], read[2], inner)

    def _condition(self, tag: str) -> Part:
        cases: list[tuple[Work, list[Part]]] = []
        while tag.partition(" ")[0] in ("if", "elif"):
            condition = compiled(tag.partition(" ")[2])
            inner, tag = self._until("elif", "else", "endif")
            cases.append((condition, inner))
        otherwise: list[Part] = []
        if tag == "else":
            otherwise, tag = self._until("endif")
        return partial(_chosen, cases, otherwise)


class _Writer:
    """Writes the parts of a text, and counts what it writes."""

    def __init__(self) -> None:
        self._length = 0
        self._count = 0

    def written(self, parts: Sequence[Part], values: Mapping[str, object]) -> str:
        """Return what parts become. Raises NodeError where there are too many."""
        self._count += 1 + len(parts)
        if self._count > MAX_PARTS:
            raise NodeError(
                f"The loops of the text write more than {MAX_PARTS:,} parts.", "Give shorter lists."
            )
        return "".join([part(self, values) for part in parts])

    def counted(self, text: str) -> str:
        """Return a text. Raises NodeError where all of them together become too long."""
        self._length += len(text)
        if self._length > MAX_LENGTH:
            raise NodeError(
                f"The text becomes longer than {MAX_LENGTH:,} characters.", "Give shorter values."
            )
        return text


def _plain(text: str) -> Part:
    return lambda writer, _: writer.counted(text)


def _placeholder(inner: str, writer: _Writer, values: Mapping[str, object]) -> str:
    return writer.counted(_value_of(inner, values))


def _looped(
    name: str, path: str, inner: Sequence[Part], writer: _Writer, values: Mapping[str, object]
) -> str:
    found = _look_up(path, values)
    items = list(found) if isinstance(found, Mapping) or _is_list(found) else None
    if items is None:
        raise NodeError(
            f"The loop over {path} has no list: it is a {type(found).__name__}.",
            "Connect a list, or an object, whose names it then goes through.",
        )
    texts, outside = [], dict(values)
    for index, item in enumerate(items):
        loop = {
            "index": index + 1,
            "index0": index,
            "first": index == 0,
            "last": index == len(items) - 1,
            "length": len(items),
        }
        texts.append(writer.written(inner, ChainMap({name: item, "loop": loop}, outside)))
    return "".join(texts)


def _chosen(
    cases: Sequence[tuple[Work, Sequence[Part]]],
    otherwise: Sequence[Part],
    writer: _Writer,
    values: Mapping[str, object],
) -> str:
    for condition, inner in cases:
        if condition(values):
            return writer.written(inner, values)
    return writer.written(otherwise, values)


def _misplaced(tag: str) -> NodeError:
    word = tag.partition(" ")[0]
    hint = (
        "" if word in _WORDS else near_miss(word, _WORDS)
    ) or "Write {% for item in items %} or {% if condition %} in front of it."
    return NodeError(f"The tag {{% {tag[:80]} %}} is out of place.", hint)


def as_text(value: object) -> str:
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


def _value_of(inner: str, values: Mapping[str, object]) -> str:
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


def _look_up(path: str, values: Mapping[str, object]) -> object:
    found: object = values
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


def _hint(part: str, found: object) -> str:
    if isinstance(found, Mapping) and found:
        names = [str(name) for name in found]
        return near_miss(part, names) or f"There are values for {', '.join(names[:20])}."
    if _is_list(found) and found:
        return f"There are {len(found)} values: 0 to {len(found) - 1}."
    return "Give it one, or remove it from the text."


_WORDS: Final = ("for", "endfor", "if", "elif", "else", "endif")


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str)
