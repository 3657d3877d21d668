"""Types of properties and outputs that take values of any kind."""

from __future__ import annotations

from typing import Any, TypeAlias

Values: TypeAlias = list[Any]
"""A list of values of any kind."""

NamedValues: TypeAlias = dict[str, Any]
"""Values of any kind by name."""
