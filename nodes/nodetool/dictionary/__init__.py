"""Named values: made, read by name or path, changed, put together."""

from nodes.nodetool.dictionary._named import (
    Entries,
    FromLists,
    GetValue,
    MakeDictionary,
    MergeDictionaries,
    SelectKeys,
    SetValue,
)

__all__ = [
    "Entries",
    "FromLists",
    "GetValue",
    "MakeDictionary",
    "MergeDictionaries",
    "SelectKeys",
    "SetValue",
]
