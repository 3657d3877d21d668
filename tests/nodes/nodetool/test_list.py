from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.nodetool.dictionary import GetValue
from nodes.nodetool.list import GetElement, Length, Slice
from nodetool_core import NodeError
from tests.nodes.conftest import NodeRunner


@given(st.lists(st.integers(), min_size=1), st.data())
def test_items_are_found_from_both_ends(values: list[int], data: st.DataObject) -> None:
    index = data.draw(st.integers(-len(values), len(values) - 1))
    assert GetElement(values=values, index=index).process() == values[index]
    assert Length(values=values).process() == len(values)


@pytest.mark.parametrize(("values", "index"), [([], 0), ([1, 2], 2), ([1, 2], -3)])
def test_an_item_that_is_not_there(values: list[int], index: int, run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match=f"no item {index} in a list of {len(values)}"):
        run_node(GetElement(values=values, index=index))


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"start": 1, "stop": 3}, [1, 2]),
        ({"start": -2}, [2, 3]),
        ({"step": 2}, [0, 2]),
        ({"step": -1}, [3, 2, 1, 0]),
    ],
)
def test_parts_of_a_list(given_: dict[str, int], expected: list[int], run_node: NodeRunner) -> None:
    assert run_node(Slice(values=[0, 1, 2, 3], **given_)) == expected


def test_a_step_of_nothing(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="step of 0"):
        run_node(Slice(values=[1], step=0))


@pytest.mark.parametrize(
    ("given_", "expected"),
    [({"key": "a"}, 1), ({"key": "b"}, None), ({"key": "b", "default": "x"}, "x")],
)
def test_a_named_value(given_: dict[str, Any], expected: Any, run_node: NodeRunner) -> None:
    assert run_node(GetValue(dictionary={"a": 1}, **given_)) == expected
