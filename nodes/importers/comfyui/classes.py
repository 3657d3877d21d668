"""
How ComfyUI's server describes a class (`/object_info`).

Clients read which models and samplers there are from it, and what a graph may say is checked by it.
Where files are chosen, the name of the folder stands, and the server fills in what it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from nodetool_core.importing.graphs import Files, Json, JsonObject

ANY: Final = "*"
"""The type that fits every other."""


@dataclass(frozen=True)
class FileOf:
    """An input that names a file of a folder."""

    folder: str
    is_checked: bool = True
    """Whether only what is there can be named: not where a rule leaves the name aside."""
    is_uploaded: bool = False

    def described(self, files: Files) -> list[Json]:
        options: JsonObject = {"image_upload": True} if self.is_uploaded else {}
        if not self.is_checked:
            options["unchecked"] = True
        return [list(files.get(self.folder, ())), options]


Input = list[Json] | FileOf


@dataclass(frozen=True)
class ComfyClass:
    """One class."""

    category: str
    required: Mapping[str, Input]
    gives: Sequence[str] = ()
    optional: Mapping[str, Input] = field(default_factory=dict)
    is_output: bool = False

    def described(self, name: str, files: Files) -> JsonObject:
        """Return the class as ComfyUI's server describes it."""
        inputs: JsonObject = {"required": _described(self.required, files)}
        if self.optional:
            inputs["optional"] = _described(self.optional, files)
        order: JsonObject = {"required": list(self.required)}
        if self.optional:
            order["optional"] = list(self.optional)
        return {
            "input": inputs,
            "input_order": order,
            "output": list(self.gives),
            "output_is_list": [False] * len(self.gives),
            "output_name": list(self.gives),
            "name": name,
            "display_name": name,
            "description": "",
            "python_module": "nodes",
            "category": self.category,
            "output_node": self.is_output,
        }


UNKNOWN: Final = ComfyClass("other", {}, (ANY,))
"""A class with a rule of which no more is known: it takes and gives anything."""


def _described(inputs: Mapping[str, Input], files: Files) -> JsonObject:
    return {
        name: one.described(files) if isinstance(one, FileOf) else one
        for name, one in inputs.items()
    }
