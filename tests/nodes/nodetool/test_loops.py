"""Loops over several lists at once."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.nodetool.control import Collect, ForEachCombination
from nodes.nodetool.list import MakeList
from nodes.nodetool.output import Output
from nodetool_core import RunError, Workflow

Lists = dict[str, Any]
TWO: Lists = {"first_list": [1, 2], "second_list": ["a", "b"]}


def combined(lists: Lists, **properties: Any) -> Any:
    each = ForEachCombination(**lists, **properties)
    row = MakeList(a=each.first, b=each.second, c=each.third, d=each.index)
    return Workflow(Output(name="x", value=Collect(input_item=row)))()


@pytest.mark.parametrize(
    ("lists", "combine", "expected"),
    [
        (TWO, "zip", [[1, "a", None, 0], [2, "b", None, 1]]),
        (
            TWO,
            "product",
            [[1, "a", None, 0], [1, "b", None, 1], [2, "a", None, 2], [2, "b", None, 3]],
        ),
        (TWO | {"third_list": [8, 9]}, "zip", [[1, "a", 8, 0], [2, "b", 9, 1]]),
        (TWO | {"third_list": []}, "product", []),
        ({"first_list": [], "second_list": []}, "zip", []),
    ],
)
def test_lists_are_gone_through_together(lists: Lists, combine: str, expected: Any) -> None:
    assert combined(lists, combine=combine) == expected


def test_lists_of_several_lengths_are_refused_for_pairs() -> None:
    with pytest.raises(RunError, match=r"first has 2, second has 3 items.*product"):
        combined({"first_list": [1, 2], "second_list": [1, 2, 3]})
