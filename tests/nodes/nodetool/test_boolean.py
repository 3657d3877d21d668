from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.nodetool.boolean import (
    All,
    Compare,
    ConditionalSwitch,
    IsIn,
    IsNone,
    LogicalOperator,
    Not,
    Some,
)
from nodetool_core import NodeError
from tests.nodes.conftest import NodeRunner

OPERATIONS: dict[str, Callable[[bool, bool], bool]] = {
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "nand": lambda a, b: not (a and b),
    "nor": lambda a, b: not (a or b),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("a", [False, True])
@pytest.mark.parametrize("b", [False, True])
def test_logical_operators(a: bool, b: bool, operation: str, run_node: NodeRunner) -> None:
    assert run_node(LogicalOperator(a=a, b=b, operation=operation)) is OPERATIONS[operation](a, b)


@given(st.lists(st.booleans()))
def test_all_and_some_are_opposites(values: list[bool]) -> None:
    assert (
        All(values=values).process() is not Some(values=[not value for value in values]).process()
    )
    assert All(values=values).process() is all(values)


def test_membership_and_absence(run_node: NodeRunner) -> None:
    assert run_node(IsIn(value="lake", options=["hut", "lake"])) is True
    assert run_node(IsIn(value={"a": 1}, options=[])) is False
    assert (
        run_node(IsNone()) is True
        and run_node(IsNone(value=0)) is False
        and run_node(IsNone(value="")) is False
    )


def test_not_and_switch(run_node: NodeRunner) -> None:
    assert run_node(Not(value=False)) is True
    assert run_node(ConditionalSwitch(condition=True, if_true="a", if_false="b")) == "a"
    assert run_node(ConditionalSwitch(condition=False, if_true="a", if_false="b")) == "b"


@given(st.integers(), st.integers())
def test_comparisons(a: int, b: int) -> None:
    signs = {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        ">": operator.gt,
        "<=": operator.le,
        ">=": operator.ge,
    }
    for sign, compare in signs.items():
        assert Compare(a=a, b=b, comparison=sign).process() is compare(a, b)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("a", "b", "tolerance", "holding"),
    [
        (1.1, 1.0, 0.1, {"==", "<=", ">="}),
        (1000.1, 1000.0, 0.1, {"==", "<=", ">="}),
        (1.2, 1.0, 0.1, {"!=", ">", ">="}),
        (-3, 4, 7, {"==", "<=", ">="}),
        (-3, 4, 6.9, {"!=", "<", "<="}),
        (10**400, 1.5, 0.1, {"!=", ">", ">="}),
        ("a", "b", 5.0, {"!=", "<", "<="}),
    ],
)
def test_numbers_within_a_tolerance_are_equal(
    a: Any, b: Any, tolerance: float, holding: set[str], run_node: NodeRunner
) -> None:
    found = {
        sign
        for sign in ("==", "!=", "<", ">", "<=", ">=")
        if run_node(Compare(a=a, b=b, tolerance=tolerance, comparison=sign))  # type: ignore[arg-type]
    }
    assert found == holding


def test_texts_are_compared_without_their_capitals(run_node: NodeRunner) -> None:
    assert run_node(Compare(a="Straße", b="STRASSE", case_sensitive=False))
    assert not run_node(Compare(a="Lake", b="lake"))
    assert run_node(Compare(a="B", b="a", comparison=">", case_sensitive=False))


def test_what_has_no_order(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="'a' and 3 have no order"):
        run_node(Compare(a="a", b=3, comparison="<"))
