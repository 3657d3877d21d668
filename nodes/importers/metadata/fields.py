"""The fields of what an image states of its making, each of which has an entry in the report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from nodetool_core.importing.draft import Draft, SourceNode

_EMPTY: Final[tuple[object, ...]] = (None, "", [], {}, "None", "none")


class Fields:
    """Remembers which fields were read, so that none is forgotten."""

    def __init__(self, values: Mapping[str, object], draft: Draft) -> None:
        self.draft = draft
        self._values = dict(values)
        self._sources = {name: SourceNode(name) for name in self._values}
        self._read: set[str] = set()
        draft.sources += self._sources.values()

    def names(self, prefix: str = "") -> list[str]:
        """Return the names of the fields that begin so."""
        return [name for name in self._values if name.startswith(prefix)]

    def has(self, name: str) -> bool:
        """Return whether a field says something."""
        return name in self._values and self._values[name] not in _EMPTY

    def take(self, name: str, node: str = "") -> object:
        """
        Return the value of a field, None where it says nothing.

        Args:
            node: The id of the node of ours that it becomes a part of.
        """
        self._read.add(name)
        if not self.has(name):
            self.skip(name)
            return None
        if node:
            self._sources[name].nodes.append(node)
        return self._values[name]

    def text(self, name: str, node: str = "") -> str:
        """Return a text; an empty one where the field says nothing."""
        value = self.take(name, node)
        return "" if value is None else str(value)

    def number(self, name: str, node: str = "") -> float | None:
        """Return a number; None, and a note, where the field holds something else."""
        value = self.take(name, node)
        if value is None:
            return None
        try:
            number = float(value) if isinstance(value, (str, int, float)) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            self.lost(name, f"is no number: {value!r} is left out.")
            return None
        return number

    def whole(self, name: str, node: str = "") -> int | None:
        """Return the same without what follows the point; a whole number keeps all its digits."""
        value = self._values.get(name)
        if isinstance(value, bool):
            return None if self.number(name, node) is None else int(value)
        if isinstance(value, int) or (isinstance(value, str) and value.strip("-").isdecimal()):
            self.take(name, node)
            return int(value) if len(str(value)) < 30 else None
        number = self.number(name, node)
        return None if number is None else int(number)

    def entries(self, name: str, node: str = "") -> list[object]:
        """Return what a field lists; none, and a note, where it holds something else."""
        value = self.take(name, node)
        if value is None or isinstance(value, list):
            return value or []
        self.lost(name, f"is no list: {value!r} is left out.")
        return []

    def skip(self, *names: str) -> None:
        """Count fields as read that make no difference here."""
        for name in names:
            if name in self._values:
                self._read.add(name)
                self._sources[name].without_effect["value"] = self._values[name]

    def usual(self, name: str, *values: object) -> None:
        """Count a field as read where it has one of the values that make no difference."""
        if name in self._values and str(self._values[name]) in {str(value) for value in values}:
            self.skip(name)

    def note(
        self,
        name: str,
        message: str,
        hint: str = "",
        *,
        code: str = "imported_otherwise",
        level: str = "note",
    ) -> None:
        """Note what is imported otherwise than a field says."""
        self.draft.note(code, name, message, hint, level)

    def about(self, name: str, message: str, hint: str = "") -> None:
        """Note what is done only about as a field says."""
        self.note(name, message, hint, level="warning")

    def lost(self, name: str, message: str, hint: str = "") -> None:
        """Note a field that has no counterpart."""
        self._read.add(name)
        self.note(name, message, hint, code="left_out_property", level="warning")

    def close(self) -> None:
        """Note the fields of which nothing came."""
        noted = {note.where for note in self.draft.notes}
        for name, value in self._values.items():
            source = self._sources[name]
            if name in self._read and (source.nodes or source.without_effect or name in noted):
                continue
            if self.has(name):
                self.lost(name, f"has no counterpart: {value!r} is left out.")
            else:
                self.skip(name)
