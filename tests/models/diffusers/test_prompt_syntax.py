"""Prompts with weights: what each spelling is read as."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetool_core.models.diffusers.prompt_syntax import PromptError, parse, shown


def read(text: str) -> list[list[tuple[str, float]]]:
    return [[(one.text, round(one.weight, 4)) for one in section] for section in parse(text)]


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("", [[]]),
        ("a lake", [[("a lake", 1.0)]]),
        ("a (lake:1.3) at dawn", [[("a ", 1.0), ("lake", 1.3), (" at dawn", 1.0)]]),
        ("a (lake)", [[("a ", 1.0), ("lake", 1.1)]]),
        ("((lake))", [[("lake", 1.21)]]),
        ("[lake]", [[("lake", 0.9091)]]),
        ("[[lake]] (hill)", [[("lake", 0.8264), (" ", 1.0), ("hill", 1.1)]]),
        ("(a (lake:1.5) b)", [[("a ", 1.1), ("lake", 1.65), (" b", 1.1)]]),
        ("(lake : 0.5 )", [[("lake ", 0.5)]]),
        ("(lake:-.5)", [[("lake", -0.5)]]),
        (r"\(lake\) \[x\] \\", [[("(lake) [x] \\", 1.0)]]),
        ("a lake BREAK (a hill:2)", [[("a lake", 1.0)], [("a hill", 2.0)]]),
        ("BREAKFAST", [[("BREAKFAST", 1.0)]]),
        ("(a lake", [[("a lake", 1.1)]]),
        ("a lake) at: 10:30", [[("a lake) at: 10:30", 1.0)]]),
        ("[lake:1.3)", [[("lake:1.3)", 0.9091)]]),
        ("(lake:1.0)", [[("lake", 1.0)]]),
        ("(lake:1.2.3)", [[("lake:1.2.3", 1.1)]]),
    ],
)
def test_a_prompt_is_read(text: str, sections: list[list[tuple[str, float]]]) -> None:
    assert read(text) == sections


@given(st.text(alphabet="a ()[]:\\.1-BREAK", max_size=60))
def test_any_text_is_read_or_refused_and_no_word_is_lost(text: str) -> None:
    try:
        sections = parse(text)
    except PromptError as error:
        assert "weights go from" in str(error)
        return
    kept = "".join(one.text for section in sections for one in section)
    assert kept.count("a") == text.count("a")
    shown(sections)


def test_many_brackets_take_no_time_and_weights_have_bounds() -> None:
    with pytest.raises(PromptError, match="weighs 'x' by"):
        parse("(" * 20_000 + "x" + ")" * 20_000)
    with pytest.raises(PromptError, match="weighs 'lake' by 11; weights go from -10 to 10"):
        parse("a (lake:11)")
