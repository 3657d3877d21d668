"""
The walk over values.

E11 and E26: numbers that are none, and values that are too deep, wherever they lie.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from nodes.nodetool.output import Output
from nodetool_core import Node, Workflow, WorkflowError
from nodetool_core.engine.engine import Engine
from nodetool_core.errors import NodetoolError
from nodetool_core.properties import Property
from nodetool_core.values import json_form, leaves, map_leaves, map_places
from tests.engine.nodes import Anything

NAN, ENDLESS = float("nan"), float("inf")


class Numbers(Node):
    """Takes numbers in every kind of container, and gives those of its list."""

    table: list[list[float]] = []
    by_name: dict[str, float | None] = {}
    pair: tuple[float, float] = (0.0, 1.0)

    def process(self) -> list[list[float]]:
        return self.table


class Odd(Node):
    """Gives what is no number."""

    def process(self) -> list[list[float]]:
        return [[1.0], [NAN]]


class Takes(Node):
    """Takes values under any name."""

    dynamic = True

    def process(self) -> Any:
        return self.dynamic_values


class Deep(Node):
    """Gives lists inside of lists."""

    depth: int = 5000

    def process(self) -> Any:
        return deep(self.depth)


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "build",
    [
        lambda: Numbers(table=[[1.0], [2.0, NAN]]),
        lambda: Numbers(by_name={"a": ENDLESS}),
        lambda: Numbers(pair=(1.0, -ENDLESS)),
        lambda: Anything(value={"a": [(1, {NAN})]}),
        lambda: Anything(value={NAN: 1}),
        lambda: Takes(anything=[[NAN]]),
    ],
)
def test_what_is_no_number_is_refused_wherever_it_lies(build: Any) -> None:
    """E11."""
    with pytest.raises(WorkflowError, match="is not a finite number"):
        build()


def test_what_is_no_number_is_refused_on_an_edge_and_from_outside(engine: Engine) -> None:
    """E11: a property of numbers takes none from other nodes or from `run`."""
    with pytest.raises(
        NodetoolError, match=r"odd.output → numbers.table: nan is not a finite number"
    ):
        Workflow(Output(name="x", value=Numbers(table=Odd())), engine=engine).run()
    with pytest.raises(WorkflowError, match="nan is not a finite number"):
        Workflow(Output(name="x", value=Numbers()), engine=engine).run({"numbers.table": [[NAN]]})


@pytest.mark.parametrize("depth", [100, 5000])
def test_a_value_that_is_too_deep_names_its_node(engine: Engine, depth: int) -> None:
    """E26: as a value, from outside, and from a node."""
    for run in (
        lambda: Anything(value=deep(depth)),
        lambda: Takes(anything=deep(depth)),
        lambda: Workflow(Anything(value=1), engine=engine).run({"anything.value": deep(depth)}),
        lambda: Workflow(Deep(depth=depth), engine=engine).run(),
        lambda: Workflow(Output(name="x", value=[{"a": Deep(depth=depth)}]), engine=engine).run(),
    ):
        with pytest.raises(
            NodetoolError,
            match=r"nested too deeply. Lists and objects inside of each other go 100 deep",
        ) as caught:
            run()
        assert any(name in str(caught.value).lower() for name in ("anything", "takes", "deep"))


def test_a_value_of_99_levels_goes_all_the_way(engine: Engine) -> None:
    """E26: what is not refused works."""
    assert Workflow(Output(name="x", value=Deep(depth=97)), engine=engine).run()["x"] == deep(97)
    assert Workflow(Output(name="x", value=Anything(value=deep(99))), engine=engine).run()[
        "x"
    ] == deep(99)


@pytest.fixture
def engine() -> Any:
    with Engine(workers=1) as engine:
        yield engine


class Pair(NamedTuple):
    """Two things."""

    one: Any
    two: Any


NESTED = [1, (2, {"a": 3, "b": Pair(4, [5])}), {6}]


def test_leaves_are_found_in_order_by_their_class() -> None:
    assert list(leaves(NESTED, int)) == [1, 2, 3, 4, 5, 6]
    assert list(leaves({"name": "value"}, str)) == ["value"]
    assert list(leaves("alone", str)) == ["alone"] and list(leaves("alone", int)) == []


def test_leaves_are_replaced_in_containers_of_the_same_kinds() -> None:
    doubled = map_leaves(NESTED, lambda leaf: leaf * 2)
    assert doubled == [2, (4, {"a": 6, "b": Pair(8, [10])}), {12}]
    assert isinstance(doubled[1][1]["b"], Pair) and NESTED[0] == 1


def test_a_leaf_is_replaced_by_its_place() -> None:
    assert map_places({"a": [1, 2], "b": 3}, lambda leaf, place: place) == {
        "a": [("a", 0), ("a", 1)],
        "b": ("b",),
    }


def test_the_json_form_has_lists_and_objects_alone() -> None:
    assert json_form({1: (2, {3}), "x": Pair(4, 5)}, str) == {"1": ["2", ["3"]], "x": ["4", "5"]}


@pytest.mark.parametrize("value", [10**400, -(10**400), 2**1024], ids=lambda one: "huge")
def test_whole_numbers_that_no_float_holds_are_refused_where_one_is_wanted(value: int) -> None:
    one, several = (Property("a", kind, 0, "", {}) for kind in (float, list[float]))
    for prop, given in ((one, value), (several, [1.0, value])):
        _, problems = prop.validate(given, "a")
        assert "too large" in problems[0].message
        assert prop.validate(int(1.7e308), "a")[1] == [] or prop is several
    assert Property("a", int, 0, "", {}).validate(value, "a") == (value, [])
