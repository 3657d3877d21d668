"""Numbers, against `decimal`, numpy and formulas."""

from __future__ import annotations

import math
import operator
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nodes.nodetool.image import GetMetadata
from nodes.nodetool.number import (
    Calculate,
    Clamp,
    Expression,
    MapRange,
    NumberToText,
    RandomNumber,
    Round,
    TextToNumber,
)
from nodetool_core import ImageData, NodeError
from tests.nodes.conftest import NodeRunner


def test_an_expression_of_images(run_node: NodeRunner) -> None:
    image = ImageData.of(Image.new("RGB", (40, 10)))
    text = "photo.width * photo.aspect > 100 and photo.height == h"
    assert run_node(Expression(expression=text, photo=image, h=10)) == (1, 1, True)


@pytest.mark.parametrize(
    ("operation", "reference"),
    [
        ("add", operator.add),
        ("subtract", operator.sub),
        ("multiply", operator.mul),
        ("divide", operator.truediv),
        ("floor_divide", operator.floordiv),
        ("modulo", operator.mod),
        ("minimum", min),
        ("maximum", max),
        ("average", lambda a, b: (a + b) / 2),
        ("distance", lambda a, b: abs(a - b)),
    ],
)
@given(a=st.integers(-(2**64), 2**64), b=st.integers(1, 2**32))
def test_arithmetic_of_whole_numbers_is_exact(
    operation: Any, reference: Any, a: int, b: int
) -> None:
    assert Calculate(a=a, b=b, operation=operation).process().number == reference(a, b)


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"a": 1.0, "b": 0.0, "operation": "divide"}, "divides by 0"),
        ({"a": 1e308, "b": 1e308, "operation": "multiply"}, "too large"),
        ({"a": -8.0, "b": 0.5, "operation": "power"}, "has no result"),
        ({"a": 10, "b": 10**9, "operation": "power"}, "too large"),
    ],
)
def test_what_can_not_be_worked_out(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(NodeError, match=message):
        Calculate(**given_).process()


@pytest.mark.parametrize(
    ("method", "mode"),
    [
        ("nearest", ROUND_HALF_UP),
        ("nearest_even", ROUND_HALF_EVEN),
        ("down", ROUND_FLOOR),
        ("up", ROUND_CEILING),
        ("towards_zero", ROUND_DOWN),
    ],
)
@given(value=st.floats(-1e9, 1e9), digits=st.integers(0, 6))
def test_rounding_is_that_of_decimal(method: Any, mode: str, value: float, digits: int) -> None:
    step = float(f"1e-{digits}")
    expected = Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), mode)
    found = Round(value=value, multiple_of=step, method=method).process()
    assert found.number == float(expected)


def test_multiples_for_models() -> None:
    assert Round(value=1000, multiple_of=64).process() == (1024, 1024)
    assert Round(value=1000, multiple_of=64, method="down").process().integer == 960
    assert Round(value=0.1 + 0.2, multiple_of=0.1).process().number == 0.3
    assert Round(value=1e308, multiple_of=5e-324).process().number == 1e308


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_clamping_is_that_of_numpy(value: float, low: float, span: float) -> None:
    found = Clamp(value=value, minimum=low, maximum=low + span).process().number
    assert found == np.clip(value, low, low + span)


@given(st.floats(-100, 100), st.booleans())
def test_ranges_are_mapped_evenly(value: float, clamp: bool) -> None:
    found = MapRange(value=value, from_start=-10, from_end=30, to_start=5, to_end=-3, clamp=clamp)
    share = (value + 10) / 40
    share = min(1, max(0, share)) if clamp else share
    assert found.process().number == pytest.approx(5 - 8 * share)


def test_ends_of_ranges_are_met() -> None:
    for value, expected in ((0.1, 0.3), (0.7, 1.1)):
        node = MapRange(value=value, from_start=0.1, from_end=0.7, to_start=0.3, to_end=1.1)
        assert node.process().number == expected
    with pytest.raises(NodeError, match="single number"):
        MapRange(from_start=1.0, from_end=1.0).process()


@pytest.mark.parametrize("distribution", ["uniform", "whole", "normal"])
def test_drawn_numbers_are_spread_as_said(distribution: Any) -> None:
    drawn = [
        RandomNumber(minimum=-3, maximum=3, distribution=distribution, seed=seed).process().number
        for seed in range(3000)
    ]
    assert min(drawn) >= -3 and max(drawn) <= 3
    assert abs(np.mean(drawn)) < 0.15
    # Of an even spread, of seven whole numbers, and of a sixth of the range.
    expected = {"uniform": 6 / math.sqrt(12), "whole": 2.0, "normal": 1.0}[distribution]
    assert np.std(drawn) == pytest.approx(expected, rel=0.05)
    assert len(set(drawn)) == (7 if distribution == "whole" else 3000)
    again = RandomNumber(minimum=-3, maximum=3, distribution=distribution, seed=5).process()
    assert again.number == drawn[5]


def test_ranges_without_a_number() -> None:
    with pytest.raises(NodeError, match="greater"):
        RandomNumber(minimum=2.0, seed=1).process()
    with pytest.raises(NodeError, match="no whole number"):
        RandomNumber(minimum=0.2, maximum=0.8, distribution="whole", seed=1).process()


@pytest.mark.parametrize(
    ("text", "given_", "expected"),
    [
        ("strength 0.75, or so", {}, 0.75),
        ("-12", {}, -12),
        ("\u22123", {}, -3),
        ("1,234.5", {}, 1234.5),
        ("1 234 567", {}, 1234567),
        ("1.234,5", {"decimal_mark": "comma"}, 1234.5),
        ("50 %", {}, 0.5),
        ("2/3", {}, 2 / 3),
        ("0xff", {}, 255),
        ("1.5e3", {}, 1500),
        (".5", {}, 0.5),
        ("scene_12-3", {}, 12),
        ("18446744073709551615", {}, 18446744073709551615),
        (" 7 ", {"exact": True}, 7),
    ],
)
def test_numbers_of_texts(text: str, given_: dict[str, Any], expected: float) -> None:
    assert TextToNumber(text=text, **given_).process().number == expected


@pytest.mark.parametrize(
    ("text", "given_", "message"),
    [
        ("a lake", {}, "has no number"),
        ("7 lakes", {"exact": True}, "is no number"),
        ("9" * 5000, {}, "has no number"),
        ("1/0", {}, "divides by 0"),
        ("1e999", {}, "too large"),
    ],
)
def test_texts_without_a_number(text: str, given_: dict[str, Any], message: str) -> None:
    with pytest.raises(NodeError, match=message):
        TextToNumber(text=text, **given_).process()


@given(st.floats(-1e12, 1e12), st.integers(0, 12))
def test_numbers_are_written_as_decimal_writes_them(value: float, decimals: int) -> None:
    written = NumberToText(value=value, decimals=decimals).process()
    expected = Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    assert written == f"{expected or abs(expected):.{decimals}f}"


@given(st.one_of(st.integers(-(2**64), 2**64), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_written_number_is_read_again(value: float) -> None:
    written = NumberToText(value=value).process()
    assert "e" not in written and type(value)(written) == value


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({"value": 7, "min_digits": 4}, "0007"),
        ({"value": 1234567.5, "thousands": ","}, "1,234,567.5"),
        ({"value": 1234.5, "thousands": ".", "decimal_mark": "comma"}, "1.234,5"),
        ({"value": 0.123, "style": "percent", "decimals": 0}, "12%"),
        ({"value": 1500, "style": "scientific"}, "1.5e+03"),
        ({"value": 0.00123, "style": "scientific", "decimals": 1}, "1.2e-03"),
        ({"value": 1_500_000, "style": "bytes"}, "1.5 MB"),
        ({"value": 999, "style": "bytes"}, "999 B"),
        ({"value": 255, "style": "hexadecimal"}, "ff"),
        ({"value": -5, "style": "binary"}, "-101"),
        ({"value": 2, "sign": True}, "+2"),
        ({"value": -0.001, "decimals": 1}, "0.0"),
    ],
)
def test_styles(given_: dict[str, Any], expected: str) -> None:
    assert NumberToText(**given_).process() == expected


@pytest.mark.parametrize(
    ("size", "ratio", "orientation"),
    [
        ((1920, 1080), "16:9", "landscape"),
        ((1080, 1350), "4:5", "portrait"),
        ((512, 512), "1:1", "square"),
        ((4032, 3024), "4:3", "landscape"),
        ((1366, 768), "16:9", "landscape"),
        ((1, 7000), "1:7000", "portrait"),
    ],
)
def test_the_shape_of_an_image(
    size: tuple[int, int], ratio: str, orientation: str, run_node: NodeRunner
) -> None:
    found = run_node(GetMetadata(image=ImageData.of(Image.new("L", size))))
    assert (found.width, found.height) == size
    assert (found.ratio, found.orientation) == (ratio, orientation)
    assert found.aspect_ratio == size[0] / size[1]
    assert found.megapixels == pytest.approx(size[0] * size[1] / 1e6)
