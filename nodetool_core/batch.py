"""
Many runs of one workflow: which values each item has, and which items are done already.

The manifest is a JSON-lines file beside the results, one line per item that was finished, appended
as soon as its files are written. An item is known by a key of the workflow, its values and the
content of its files; so a batch that was stopped, or whose folder has grown, does the rest when it
is started again. A last line that a crash cut short is not read.
"""

from __future__ import annotations

import csv
import glob
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nodetool_core.assets.loader import ImageLoader
from nodetool_core.errors import NodetoolError, Problem, WorkflowError
from nodetool_core.graph import Graph
from nodetool_core.inputs import find
from nodetool_core.references import AssetRef, ImageRef
from nodetool_core.types import union_members


@dataclass(frozen=True)
class Item:
    """One run of a batch."""

    number: int
    values: dict[str, str]
    name: str
    """What its files are called: after the file it works on, or its row."""
    key: str


def batch_items(
    graph: Graph, document: Mapping[str, Any], values: Mapping[str, str], table: Path | None
) -> list[Item] | None:
    """
    Return the items that values and a table of inputs stand for.

    None where they stand for a single run.

    Args:
        values: Texts by input or `node.property`. A pattern such as `photos/*.jpg` for an image
            stands for every file it fits.
        table: A CSV file (commas, semicolons or tabs), whose header names inputs and each row is an
            item; or a JSON-lines file (`.jsonl`), each of whose lines is an object with values by
            input.

    Raises WorkflowError where a pattern fits nothing, where there are two of them, or where the
    table can't be read or names what the workflow does not have.
    """
    patterns = {name: text for name, text in values.items() if _is_pattern(graph, name, text)}
    if not patterns and table is None:
        return None
    if len(patterns) + (table is not None) > 1:
        message = (
            "A batch goes over one thing, but there are several:"
            f" {', '.join([*patterns, *([str(table)] if table else [])])}."
        )
        raise WorkflowError(
            Problem(
                "ambiguous_batch",
                next(iter(patterns)),
                message,
                "Write the combinations that you want as rows of a CSV file.",
            )
        )
    rows = _table(table, graph) if table is not None else _files(*next(iter(patterns.items())))
    return [
        _item(number, {**values, **row}, name, document)
        for number, (name, row) in enumerate(rows, 1)
    ]


def _is_pattern(graph: Graph, name: str, text: str) -> bool:
    return takes_asset(graph, name) and glob.has_magic(text) and not Path(text).exists()


def takes_asset(graph: Graph, name: str) -> bool:
    """Return whether what a setting names, an input or `node.property`, takes an asset."""
    found = find(name, graph)
    return not isinstance(found, Problem) and any(
        isinstance(member, type) and issubclass(member, AssetRef)
        for member in union_members(found[1].annotation)
    )


def _files(name: str, pattern: str) -> list[tuple[str, dict[str, str]]]:
    found = sorted(
        path
        for path in glob.glob(os.path.expanduser(pattern), recursive=True)  # noqa: PTH111, PTH207
        if Path(path).is_file()
    )
    if not found:
        hint = "Quote the pattern, and check it with ls."
        raise WorkflowError(Problem("no_files", name, f"No file fits {pattern!r}.", hint))
    return [(Path(path).stem, {name: path}) for path in found]


def _table(table: Path, graph: Graph) -> list[tuple[str, dict[str, str]]]:
    """
    Return the rows of a table, with a name for each.

    Raises WorkflowError where it can't be read or names what the workflow does not have.
    """
    try:
        rows = (
            _json_rows(table, graph)
            if table.suffix.lower() in _JSON_LINES
            else _csv_rows(table, graph)
        )
    except OSError as error:
        raise WorkflowError(
            Problem(
                "unreadable_file",
                str(table),
                f"can't be read: {error.strerror or error}.",
                "Check the path.",
            )
        ) from None
    except UnicodeDecodeError:
        hint = "Save the table as CSV in UTF-8."
        raise WorkflowError(
            Problem("unreadable_file", str(table), "is no text in UTF-8, so no table.", hint)
        ) from None
    except csv.Error as error:
        raise WorkflowError(
            Problem("unreadable_file", str(table), f"can't be read as a table: {error}.")
        ) from None
    digits = len(str(len(rows)))
    return [(f"{number:0{digits}}", row) for number, row in enumerate(rows, 1)]


_JSON_LINES = frozenset({".jsonl", ".ndjson"})


def _csv_rows(table: Path, graph: Graph) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8-sig") as file:
        separator = _separator(file.readline())
        file.seek(0)
        reader = csv.DictReader(file, strict=True, delimiter=separator)
        rows = list(reader)
    if not rows:
        hint = "The first line names inputs, each further line is an item."
        raise WorkflowError(Problem("empty_table", str(table), "has no rows.", hint))
    names = reader.fieldnames or ()
    problems = [
        replace(wrong, where=f"{table}:1")
        for name in names
        if isinstance(wrong := find(name, graph), Problem)
    ]
    for line, row in enumerate(rows, 2):
        if None in row or None in row.values():
            problems.append(
                Problem(
                    "uneven_row",
                    f"{table}:{line}",
                    f"does not have {len(names)} columns as the header does.",
                )
            )
    if problems:
        raise WorkflowError(problems)
    return [{key: value for key, value in row.items() if value != ""} for row in rows]


def _json_rows(table: Path, graph: Graph) -> list[dict[str, str]]:
    rows, problems = [], []
    for number, line in enumerate(table.read_text(encoding="utf-8-sig").split("\n"), 1):
        if not line.strip():
            continue
        place = f"{table}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.append(
                Problem(
                    "unreadable_file",
                    place,
                    f"is no JSON: {error}.",
                    "Each line is an object of its own.",
                )
            )
            continue
        if not isinstance(row, dict):
            message = f"expects an object with values by input, got {type(row).__name__}."
            problems.append(Problem("unreadable_file", place, message))
            continue
        problems += [
            replace(wrong, where=place)
            for name in row
            if isinstance(wrong := find(name, graph), Problem)
        ]
        rows.append(
            {
                name: value if isinstance(value, str) else json.dumps(value)
                for name, value in row.items()
            }
        )
    if problems:
        raise WorkflowError(problems)
    if not rows:
        raise WorkflowError(
            Problem(
                "empty_table",
                str(table),
                "has no rows.",
                "Each line is an object with values by input.",
            )
        )
    return rows


def _separator(header: str) -> str:
    """
    Return what stands between the columns.

    A comma, or what the spreadsheets of many countries write in its place.
    """
    return next((mark for mark in ",;\t" if mark in header), ",")


def _item(number: int, values: dict[str, str], name: str, document: Mapping[str, Any]) -> Item:
    loader = ImageLoader(base=Path.cwd())
    content = {}
    for key, text in values.items():
        try:
            content[key] = [text, loader.digest(ImageRef(uri=text)) if Path(text).is_file() else ""]
        except (NodetoolError, OSError):
            # The run reports what is wrong with it; the item is not taken for done meanwhile.
            content[key] = [text, "unreadable"]
    canonical = json.dumps([document, content], sort_keys=True)
    return Item(
        number, values, name, hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()
    )


class Manifest:
    """The record of a batch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done: dict[str, dict[str, Any]] = {}
        for line in self._lines():
            try:
                record = json.loads(line)
            except ValueError:
                # Cut short when its process was killed; the item is done again.
                continue
            if isinstance(record, dict) and isinstance(record.get("key"), str):
                self._done[record["key"]] = record

    def _lines(self) -> Sequence[bytes]:
        try:
            return self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return ()

    def finished(self, item: Item) -> dict[str, Any] | None:
        """
        Return the record of an item that needs no further run.

        It was completed, and its files are still there.
        """
        record = self._done.get(item.key)
        if record is None or record.get("status") != "completed":
            return None
        return record if all(Path(path).exists() for path in record.get("files", [])) else None

    def add(self, item: Item, record: Mapping[str, Any]) -> None:
        """Append the record of a finished item; it is on disk when this returns."""
        # In ASCII: a file name may hold bytes that are no text, for which there is no UTF-8.
        line = json.dumps(
            {"item": item.number, "key": item.key, "inputs": item.values, **record}, allow_nan=False
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            if file.tell() and not _ends_line(file):
                file.write(b"\n")
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._done[item.key] = json.loads(line)


def _ends_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")
