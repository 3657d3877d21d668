"""
JSON values as types: what documents, schemas, requests and answers are made of.

Lists and objects are read-only inside of `Json`, so that a `dict[str, int]` or a `list[str]` is one
as it stands. Whoever reads a value of unknown form narrows it with `isinstance(value, dict)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""Any JSON value."""

JsonObject: TypeAlias = "dict[str, Json]"
"""A JSON object that is being read or made."""
