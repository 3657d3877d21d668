"""Expressions mean what Python's own evaluation says, or are refused with what to do."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes._expression import FUNCTIONS, MAX_DEPTH, evaluated
from nodetool_core import NodeError

VALUES = {"a": 3, "b": -2.5, "c": 0, "width": 1024}
PARTS = st.sampled_from([*VALUES, "2", "0.5", "7", "1e3", "(a - 1)", "max(a, b)", "abs(b)"])
SIGNS = st.sampled_from(["+", "-", "*", "/", "//", "%"])
COMPARISONS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    """Draw an expression that Python and the node both read."""
    if not depth:
        return draw(PARTS)
    inner = expressions(depth=depth - 1)
    first, second, third = draw(inner), draw(inner), draw(inner)
    forms = [
        f"{first} {draw(SIGNS)} {second}",
        f"({first} {draw(SIGNS)} {second}) {draw(SIGNS)} {third}",
        f"-{draw(PARTS)} ** 2",
        f"{first} if {second} {draw(COMPARISONS)} {third} else {second}",
        f"({first} {draw(COMPARISONS)} {second}) + 1",
        f"{first} and {second} or not {third}",
        f"{first} {draw(COMPARISONS)} {second} {draw(COMPARISONS)} {third}",
        f"min({first}, {second}, {third})",
    ]
    return draw(st.sampled_from(forms))


@given(expressions())
def test_expressions_mean_what_they_mean_in_python(text: str) -> None:
    try:
        expected = eval(text, {"__builtins__": {"max": max, "min": min, "abs": abs}}, dict(VALUES))
    except (ArithmeticError, SyntaxError):
        with pytest.raises(NodeError):
            evaluated(text, VALUES)
        return
    found = evaluated(text, VALUES)
    assert found == expected and isinstance(found, int) == isinstance(expected, int)


@given(st.text(alphabet="ab01.()+-*/%<>=!, '\"^_if else and or not \n", max_size=60))
def test_any_text_is_worked_out_or_refused(text: str) -> None:
    try:
        evaluated(text, VALUES)
    except NodeError as error:
        assert error.problem.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("round(2.675, 2)", 2.68),
        ("round(-0.5)", -1),
        ("round(1234, -2)", 1200),
        ("snap(1000, 64)", 1024),
        ("clamp(5, 0, 1)", 1),
        ("lerp(10, 20, 0.25)", 12.5),
        ("sign(-3)", -1),
        ("mean(1, 2, 6)", 3),
        ("hypot(3, 4)", 5),
        ("log(8, 2)", 3),
        ("degrees(pi)", 180),
        ("gcd(1024, 768)", 256),
        ("trunc(-1.7)", -1),
        ("len('lake')", 4),
        ("1 if 'a' == 'a' else 0", 1),
        ("sum(list)", 6),
        ("scene.light.noon", 7),
        ("0 if c == 0 else 1 / c", 0),
    ],
)
def test_functions_and_values(text: str, expected: float) -> None:
    names = {**VALUES, "list": [1, 2, 3], "scene": {"light": {"noon": 7}}}
    assert evaluated(text, names) == pytest.approx(expected)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) & set(dir(math))))
def test_functions_are_those_of_python(name: str) -> None:
    least, _, _ = FUNCTIONS[name]
    arguments = {"atan2": "2, 3", "gcd": "12, 18"}.get(name, "0.5" if least == 1 else "")
    expected = eval(f"math.{name}({arguments})", {"math": math})
    assert evaluated(f"{name}({arguments})", {}) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("1 +", "ends too early"),
        ("a ^ 2", r"\*\* for a power"),
        ("a = 2", "== to compare"),
        ("1 2", "character 3"),
        ("widht", "Did you mean 'width'"),
        ("flor(1)", "Did you mean 'floor'"),
        ("1 / c", "divides by 0"),
        ("sqrt(b)", "has no result"),
        ("clamp(1)", "takes 3 values"),
        ("9 ** 9 ** 9", "too large"),
        ("1e999", "too large"),
        ("'a' + 1", "A text is no number"),
        ("a.width", "has no 'width'"),
        ("(" * 400 + "1", "nested"),
        ("-" * 400 + "1", "nested"),
        ("not " * 400 + "1", "nested"),
        ("1 + " * 5000 + "1", "10000"),
        ("__import__('os')", "no function"),
        ("a.__class__", "no '__class__'"),
        ("(-8) ** 0.5", "has no result"),
    ],
)
def test_what_is_wrong_with_an_expression(text: str, message: str) -> None:
    with pytest.raises(NodeError, match=message):
        evaluated(text, VALUES)


def test_as_deep_as_is_allowed() -> None:
    deep = MAX_DEPTH - 1
    assert evaluated("(" * deep + "1" + ")" * deep, {}) == 1
    assert evaluated("1 + " * 2000 + "1", {}) == 2001
