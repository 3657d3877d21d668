"""Prompts that change while an image is made: what is read of a text, step by step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetool_core.models.diffusers.prompt_changes import texts_of_steps
from nodetool_core.models.diffusers.prompt_syntax import PromptError


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a lake", ["a lake"] * 4),
        ("a [lake:hill:0.5]", ["a lake", "a lake", "a hill", "a hill"]),
        ("a [lake:hill:1]", ["a lake", "a hill", "a hill", "a hill"]),
        ("a [lake:hill:1.0]", ["a lake"] * 4),
        ("a [lake:hill:0]", ["a hill"] * 4),
        ("a [lake:hill: .25 ]", ["a lake", "a hill", "a hill", "a hill"]),
        ("a [lake:0.5]", ["a ", "a ", "a lake", "a lake"]),
        ("a [lake::0.5]", ["a lake", "a lake", "a ", "a "]),
        ("[a|b|c]", ["a", "b", "c", "a"]),
        ("[a|]", ["a", "", "a", ""]),
        ("[[a|b]:c:0.5]", ["a", "b", "c", "c"]),
        ("[(a:1.3):(b: 2):0.5]", ["(a:1.3)", "(a:1.3)", "(b: 2)", "(b: 2)"]),
        ("([a:b:2]:1.2)", ["(a:1.2)", "(a:1.2)", "(b:1.2)", "(b:1.2)"]),
        # Weights and texts.
        ("[lake] [a:b] [:] at 10:30", ["[lake] [a:b] [:] at 10:30"] * 4),
        ("[a|b:0.5]", ["[a|b:0.5]"] * 4),
        ("[a:b:c:0.5]", ["[a:b:c:0.5]"] * 4),
        (r"\[a:b:0.5\] (c", [r"\[a:b:0.5\] (c"] * 4),
        ("[a:b:0.5", ["[a:b:0.5"] * 4),
        ("(a [b:c:0.5)]", ["(a [b:c:0.5)]"] * 4),
    ],
)
def test_a_prompt_is_read_step_by_step(text: str, steps: list[str]) -> None:
    assert texts_of_steps(text, 4) == steps


@given(st.text(alphabet="ab []():|.\\05", max_size=40))
def test_any_text_is_read_and_one_without_changes_stays(text: str) -> None:
    made = texts_of_steps(text, 3)
    assert len(made) == 3
    if ":" not in text and "|" not in text:
        assert made == [text] * 3


def test_many_brackets_take_no_time_and_changes_have_a_bound() -> None:
    text = "[" * 20_000 + "a" + "]" * 20_000
    assert texts_of_steps(text, 1) == [text]
    with pytest.raises(PromptError, match="more than 20 changes in one another"):
        texts_of_steps("[a|" * 25 + "]" * 25, 1)
