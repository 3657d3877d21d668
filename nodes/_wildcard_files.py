"""
Lists of lines by name, from files: text with a line each, and YAML or JSON with nested lists.

A list in YAML or JSON is called as the keys on the way to it, without the name of the file, as
Dynamic Prompts and the Impact Pack have it: `animals: {cat: [tabby]}` is `animals/cat`. A file that
is one list is called as a text file is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ENDINGS: Final = [".txt", ".yaml", ".yml", ".json"]
MAX_BYTES: Final = 16 * 1024 * 1024
MAX_LINES: Final = 1_000_000
"""The most lines of one file: aliases of YAML can make many of a few."""
_MAX_DEPTH: Final = 50


def read_lists(file: Path, folder: Path) -> dict[str, list[str]]:
    """
    Return the lists of a file below a folder.

    Raises:
        OSError: Where it can't be read.
        ValueError: Where it is too large or has no lists; the message says what is wrong.
    """
    if file.stat().st_size > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES // 1024**2} MiB")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is no UTF-8 text") from error
    name = file.relative_to(folder).with_suffix("").as_posix()
    if file.suffix.lower() == ".txt":
        return {name: text.splitlines()}
    lists: dict[str, list[str]] = {}
    lines = 0
    for keys, items in _lists_in(_parsed(text, file.suffix.lower())):
        lines += len(items)
        if lines > MAX_LINES:
            raise _too_many()
        lists["/".join(keys) or name] = [line for item in items for line in _line_of(item)]
    if not lists:
        raise ValueError("it has no list")
    return lists


def _parsed(text: str, ending: str) -> object:
    """Return what a file says, where it is YAML with every scalar as a text. Raises ValueError."""
    import yaml  # type: ignore[import-untyped]

    try:
        return json.loads(text) if ending == ".json" else _yaml_value(text)
    except RecursionError as error:
        raise _too_deep() from error
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        kind = "JSON" if ending == ".json" else "YAML"
        raise ValueError(f"it is no {kind}: {' '.join(str(error).split())}") from error


def _yaml_value(text: str) -> object:
    """
    Return what YAML says, put together of the parser's events.

    `no` stays a word, and no object is made. The loaders of the library call themselves for each
    level: the quick one ends the process where there are many.
    """
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    starts = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
    opened: list[tuple[str | None, list[object]]] = [(None, [])]
    anchors: dict[str, object] = {}
    for event in yaml.parse(text, Loader=loader):
        value: object
        if isinstance(event, starts):
            opened.append((event.anchor, []))
            if len(opened) > _MAX_DEPTH:
                raise _too_deep()
            continue
        if isinstance(event, yaml.ScalarEvent):
            anchor, value = event.anchor, event.value
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise ValueError(f"it has no &{event.anchor} before *{event.anchor}")
            anchor, value = None, anchors[event.anchor]
        elif isinstance(event, yaml.SequenceEndEvent):
            anchor, value = opened.pop()
        elif isinstance(event, yaml.MappingEndEvent):
            anchor, items = opened.pop()
            keys = [key for key in items[::2] if isinstance(key, str)]
            if len(keys) < len(items) // 2:
                raise ValueError("a key is no text")
            value = dict(zip(keys, items[1::2], strict=True))
        else:
            continue
        if anchor is not None:
            anchors[anchor] = value
        opened[-1][1].append(value)
    documents = opened[0][1]
    if len(documents) > 1:
        raise ValueError("it has several documents")
    return documents[0] if documents else None


def _lists_in(value: object) -> Iterator[tuple[tuple[str, ...], list[object]]]:
    """
    Yield every list in a value and the keys on the way to it; a text is a list of one.

    Aliases can make very much of a few lines, so that what is looked at is counted.
    """
    waiting: list[tuple[tuple[str, ...], object]] = [((), value)]
    looks = 0
    while waiting:
        keys, value = waiting.pop()
        looks += 1
        if looks > MAX_LINES:
            raise _too_many()
        if len(keys) > _MAX_DEPTH:
            raise _too_deep()
        if isinstance(value, dict):
            waiting += [((*keys, key.strip()), item) for key, item in reversed(value.items())]
        elif isinstance(value, list):
            yield keys, value
        elif keys and value not in (None, ""):
            yield keys, [value]


def _line_of(item: object) -> Iterator[str]:
    """Yield the line of an item: a text, or one of `text` (or `content`) and `weight`."""
    if isinstance(item, dict):
        text = item.get("text") or item.get("content")
        if not isinstance(text, str):
            raise ValueError(f"an item of a list is no text: {json.dumps(item)[:60]}")
        yield f"{item['weight']}::{text}" if "weight" in item else text
    elif isinstance(item, list):
        raise ValueError(f"an item of a list is a list: {json.dumps(item)[:60]}")
    elif item is not None:
        yield " ".join(str(item).split())


def _too_deep() -> ValueError:
    return ValueError(f"it is nested more than {_MAX_DEPTH} deep")


def _too_many() -> ValueError:
    return ValueError(f"it has more than {MAX_LINES:,} lines")
