"""Lists: made, put together, ordered, drawn from, counted, and parts of them."""

from nodes.nodetool.list._make import Append, Extend, MakeList, MakeTuple, Range, Zip
from nodes.nodetool.list._order import Flatten, Shuffle, Sort, Unique
from nodes.nodetool.list._parts import Choose, GetElement, Length, Slice, Statistics

__all__ = [
    "Append",
    "Choose",
    "Extend",
    "Flatten",
    "GetElement",
    "Length",
    "MakeList",
    "MakeTuple",
    "Range",
    "Shuffle",
    "Slice",
    "Sort",
    "Statistics",
    "Unique",
    "Zip",
]
