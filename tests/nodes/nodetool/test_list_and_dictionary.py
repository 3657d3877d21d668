"""Lists and named values, against Python's own, numpy and `statistics`."""

from __future__ import annotations

import statistics
from collections import Counter
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.nodetool.dictionary import (
    Entries,
    FromLists,
    GetValue,
    MergeDictionaries,
    SelectKeys,
    SetValue,
)
from nodes.nodetool.list import (
    Append,
    Choose,
    Extend,
    Flatten,
    Range,
    Shuffle,
    Sort,
    Statistics,
    Unique,
    Zip,
)
from nodetool_core import NodeError

NUMBERS = st.lists(st.integers(-5, 5), max_size=8)
SCENE: dict[str, Any] = {"season": "winter", "lights": [{"hour": 7}, {"hour": 19}], "$x": 3}


@given(NUMBERS, st.integers(0, 8), st.booleans())
def test_a_value_is_added_at_its_place(values: list[int], place: int, from_end: bool) -> None:
    place = min(place, len(values))
    index = place - len(values) - 1 if from_end else place
    expected = [*values[:place], 99, *values[place:]]
    assert Append(values=values, value=99, index=index).process() == expected


def test_values_that_are_added() -> None:
    assert Append(values=[1], value=[2]).process() == [1, [2]]
    with pytest.raises(NodeError, match="no place 3"):
        Append(values=[1], value=2, index=3).process()


def test_lists_put_together() -> None:
    node = Extend(values=[1], other=[2, 3], more_10=[6], more_2=[4, 5], single="x")
    assert node.process() == [1, 2, 3, 4, 5, 6, "x"]


def test_lists_side_by_side() -> None:
    lists: dict[str, Any] = {"image": ["a", "b", "c"], "prompt": [1, 2]}
    assert Zip(**lists).process() == [["a", 1], ["b", 2]]
    assert Zip(**lists, length="longest", fill=0).process()[2] == ["c", 0]
    assert Zip(**lists, kind="dictionaries").process()[1] == {"image": "b", "prompt": 2}
    assert Zip().process() == []


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-9, 9).filter(bool))
def test_whole_ranges_are_those_of_python(start: int, stop: int, step: int) -> None:
    expected = list(range(start, stop, step))
    assert Range(start=start, stop=stop, step=step).process() == (expected, expected)


@given(st.floats(-100, 100), st.floats(-100, 100), st.integers(2, 50))
def test_even_numbers_are_those_of_numpy(start: float, stop: float, count: int) -> None:
    found = Range(start=start, stop=stop, count=count).process().numbers
    assert np.allclose(found, np.linspace(start, stop, count))
    assert (found[0], found[-1]) == (start, stop)


def test_ranges_by_tenths() -> None:
    found = Range(start=0.0, stop=1.0, step=0.1).process()
    assert found.numbers == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert found.integers == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert Range(start=2.5, count=1).process().numbers == [2.5]
    for wrong, message in ({"step": 0.0}, "step of 0"), ({"step": 1e-9}, "more than 1,000,000"):
        with pytest.raises(NodeError, match=message):
            Range(**wrong).process()


@given(st.lists(st.floats(-10, 10)), st.booleans())
def test_numbers_are_sorted_as_in_python(values: list[float], descending: bool) -> None:
    expected = sorted(values, reverse=descending)
    assert Sort(values=values, descending=descending).process() == expected


@pytest.mark.parametrize(
    ("values", "given_", "expected"),
    [
        (["b10", "a", "B2"], {}, ["a", "B2", "b10"]),
        (["b10", "a", "B2"], {"text_order": "exact"}, ["B2", "a", "b10"]),
        (["x", None, 2, True], {}, [None, True, 2, "x"]),
        ([{"n": 2}, {"n": 1}, {}], {"by": "n"}, [{}, {"n": 1}, {"n": 2}]),
        ([{"a": [3]}, {"a": [1]}], {"by": "$.a[0]"}, [{"a": [1]}, {"a": [3]}]),
        (
            [{"n": 1, "i": 0}, {"n": 2, "i": 1}, {"n": 1, "i": 2}],
            {"by": "n", "descending": True},
            [{"n": 2, "i": 1}, {"n": 1, "i": 0}, {"n": 1, "i": 2}],
        ),
    ],
)
def test_orders(values: list[Any], given_: dict[str, Any], expected: list[Any]) -> None:
    assert Sort(values=values, **given_).process() == expected


def test_what_has_no_order() -> None:
    with pytest.raises(NodeError, match="Item 1 has no order: it is a dict"):
        Sort(values=[1, {}]).process()


def test_shuffles_are_even_and_repeatable() -> None:
    found = Counter(
        tuple(Shuffle(values=["a", "b", "c"], seed=seed).process()) for seed in range(3000)
    )
    assert set(found) == set(permutations("abc")) and min(found.values()) > 400
    assert (
        Shuffle(values=list(range(50)), seed=3).process()
        == Shuffle(values=list(range(50)), seed=3).process()
        != list(range(50))
    )


def test_items_are_drawn_by_weight_and_none_twice() -> None:
    values = ["a", "b", "c"]
    drawn = [Choose(values=values, weights=[3, 1, 0], seed=seed).process() for seed in range(3000)]
    found = Counter(one.item for one in drawn)
    assert found["c"] == 0 and found["a"] / 3000 == pytest.approx(0.75, abs=0.03)
    assert all(one.items == [one.item] for one in drawn)
    several = Choose(values=values, number=5, seed=1).process().items
    assert sorted(several) == values
    assert len(Choose(values=values, number=5, repeat=True, seed=1).process().items) == 5
    assert len(Choose(values=values, number=5, weights=[1, 1, 0], seed=1).process().items) == 2


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({}, "list is empty"),
        ({"values": [1], "weights": [1.0, 2.0]}, "2 weights for 1"),
        ({"values": [1], "weights": [0.0]}, "none above 0"),
        ({"values": [1], "weights": [-1.0]}, "0 or more"),
    ],
)
def test_what_can_not_be_drawn(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(NodeError, match=message):
        Choose(**given_, seed=1).process()


@given(st.lists(st.sampled_from(["a", "b", 1, 2.5, None]), max_size=12))
def test_each_value_once(values: list[Any]) -> None:
    found = Unique(values=values).process()
    assert found.items == list(dict.fromkeys(values))
    assert found.counts == [Counter(values)[value] for value in found.items]


def test_values_that_are_equal() -> None:
    values = [1, True, 1.0, [1], [1], {"a": [1]}, {"a": [1]}]
    assert Unique(values=values).process() == ([1, True, [1], {"a": [1]}], [2, 1, 2, 2])
    assert Unique(values=[{"n": 1, "i": 0}, {"n": 1, "i": 1}], by="n").process().counts == [2]


def test_lists_of_lists() -> None:
    nested = [1, [2, [3, [4]], []], "ab"]
    assert Flatten(values=nested).process() == [1, 2, 3, 4, "ab"]
    assert Flatten(values=nested, depth=1).process() == [1, 2, [3, [4]], [], "ab"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_what_numbers_amount_to(values: list[float]) -> None:
    found = Statistics(values=values).process()
    assert found.total == pytest.approx(sum(values)) and found.length == len(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.minimum, found.maximum) == (min(values), max(values))
    assert found.median == statistics.median(values)
    assert found.deviation == pytest.approx(np.std(values), abs=1e-6)


def test_numbers_that_amount_to_nothing() -> None:
    with pytest.raises(NodeError, match="no numbers"):
        Statistics().process()
    with pytest.raises(NodeError, match=r"too large|amount to nothing"):
        Statistics(values=[1e308, 1e308]).process()


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("season", "winter"),
        ("$.season", "winter"),
        ("$.lights[-1].hour", 19),
        ("$x", 3),
        ("hour", "none"),
        ("$.lights[2]", "none"),
    ],
)
def test_values_by_name_and_path(key: str, expected: Any) -> None:
    assert GetValue(dictionary=SCENE, key=key, default="none").process() == expected


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("hour", ["hour"]),
        ("$.season", ["season"]),
        ("$.lights[0].hour", ["lights", 0, "hour"]),
        ("$.a.b", ["a", "b"]),
        ("$.lights[2]", ["lights", 2]),
    ],
)
def test_values_that_are_set(key: str, path: list[Any]) -> None:
    changed: Any = SetValue(dictionary=SCENE, key=key, value=5).process()
    assert GetValue(dictionary=changed, key=key).process() == 5
    for step in path:
        changed = changed[step]
    assert changed == 5 and SCENE["lights"] == [{"hour": 7}, {"hour": 19}]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("$.lights[9]", "no item 9 in a list of 2"),
        ("$..hour", "one place"),
        ("$.season.hour", "type str has no names"),
        ("$", "whole dictionary"),
        ("$[", "can't be read"),
    ],
)
def test_places_that_can_not_be_set(key: str, message: str) -> None:
    with pytest.raises(NodeError, match=message):
        SetValue(dictionary=SCENE, key=key, value=5).process()


def test_named_values_taken_apart_and_put_together() -> None:
    keys, values, length = Entries(dictionary=SCENE).process()
    assert FromLists(keys=keys, values=values).process() == SCENE and length == 3
    with pytest.raises(NodeError, match="1 names and 0 values"):
        FromLists(keys=["a"]).process()
    first, second = {"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}, "c": 4}
    merged = MergeDictionaries(dictionary=first, other=second)
    assert merged.process() == {"a": {"y": 3}, "b": 1, "c": 4}
    deep = MergeDictionaries(dictionary=first, other=second, deep=True).process()
    assert deep == {"a": {"x": 1, "y": 3}, "b": 1, "c": 4}
    assert SelectKeys(dictionary=first, keys=["b", "z"]).process() == {"b": 1}
    assert SelectKeys(dictionary=first, keys=["b"], mode="remove").process() == {"a": first["a"]}
