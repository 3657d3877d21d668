"""
Values of a file that become inputs of the workflow.

The app mode of ComfyUI's editor names such values, and clients write placeholders (`%seed%`) in
their places. A value remembers the input until a node of ours takes it; what is calculated from it
is a plain value again.
"""

from __future__ import annotations

import re
from typing import Final

INPUT_TYPES: Final[dict[object, str]] = {
    str: "nodetool.input.StringInput",
    int: "nodetool.input.IntegerInput",
    float: "nodetool.input.FloatInput",
}
"""The node that gives a value of a type to a workflow."""

_PLACEHOLDER: Final = re.compile(r"%(\w+)%|\{\{\s*(\w+)\s*\}\}|\$\{(\w+)\}")


class ExposedText(str):
    input = ""


class ExposedInt(int):
    input = ""


class ExposedFloat(float):
    input = ""


Exposed = ExposedText | ExposedInt | ExposedFloat


def exposed(value: object, name: str) -> object:
    """Return a value that is to become the input of a name; others than texts and numbers stay."""
    made: Exposed
    if type(value) is str:
        made = ExposedText(value)
    elif type(value) is int:
        made = ExposedInt(value)
    elif type(value) is float:
        made = ExposedFloat(value)
    else:
        return value
    made.input = name
    return made


def plain(value: Exposed) -> str | int | float:
    """Return the value alone."""
    if isinstance(value, str):
        return str(value)
    return int(value) if isinstance(value, int) else float(value)


def placeholder(value: object) -> str:
    """Return the name in a text that is a placeholder as a whole; empty for all else."""
    found = _PLACEHOLDER.fullmatch(value.strip()) if isinstance(value, str) else None
    return next(filter(None, found.groups())) if found else ""
