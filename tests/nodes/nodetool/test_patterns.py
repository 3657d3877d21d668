"""I10: regular expressions mean what Python's `re` means by them."""

from __future__ import annotations

import re
import unicodedata
import warnings

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from nodes.nodetool.text import ExtractRegex, FindAllRegex, RegexReplace, RegexSplit
from nodes.nodetool.text._patterns import translated
from tests.nodes.conftest import NodeRunner

ATOMS = [
    "a",
    "b",
    "é",
    "_",
    "1",
    ".",
    "^",
    "$",
    r"\b",
    r"\B",
    r"\w",
    r"\W",
    r"\s",
    r"\S",
    r"\d",
    r"\D",
    r"\A",
    r"\Z",
    r"\N{EM DASH}",
]
ATOMS += [
    "[ab]",
    "[^a1]",
    r"[\W\d]",
    r"[^\S\n]",
    "[[:alpha:]]",
    "[a-c_-]",
    "[]x]",
    "(?:)",
    r"\{",
    "{",
    "(?=a)",
    "(?!b)",
    "(?<=a)",
    "(?<!1)",
]
TEXTS = st.text(alphabet="abAé_1 -—\n\x1c\x85²[:]{\u0301", max_size=12)


def patterns() -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(ATOMS),
        lambda inner: st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
            st.tuples(inner, st.sampled_from(["*", "+", "?", "{1,2}", "*?", "{0}"])).map(
                lambda pair: f"(?:{pair[0]}){pair[1]}"
            ),
            inner.map(lambda part: f"({part})"),
            inner.map(lambda part: f"(?i:{part})"),
            inner.map(lambda part: f"(?>{part})"),
        ),
        max_leaves=6,
    )


def spans(pattern: object, text: str) -> list[tuple[int, int]]:
    return [found.span() for found in pattern.finditer(text)]  # type: ignore[attr-defined]


@given(
    pattern=patterns(),
    text=TEXTS,
    flags=st.sampled_from([0, re.IGNORECASE, re.MULTILINE, re.DOTALL, re.ASCII]),
)
def test_both_find_the_same(pattern: str, text: str, flags: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = re.compile(pattern, flags)
        assert spans(regex.compile(*translated(pattern, flags)), text) == spans(own, text)


@pytest.mark.parametrize("name", [r"\s", r"\S", r"\w", r"\W", r"\d", r"\D"])
def test_every_character_is_of_the_same_class(name: str) -> None:
    known = [
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) not in ("Cn", "Co", "Cs")
    ]
    text = "".join(known)
    assert regex.findall(*[translated(name, 0)[0], text]) == re.findall(name, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?P<name>a)(?(name)b|c)", "ab c"),
        (r"(a)|b\1?", "abab"),
        (r"(?x) a  # one [ (\n b", "ab"),
        (r"(?s).(?-s:.)", "\na\n\n"),
        ("a*+b", "aaab"),
        ("x{0,}?y", "xxy"),
        ("b{x}", "b{x}"),
        ("(?i:\u017f)s", "ss Ss"),
        ("(" * 101 + "a" + ")" * 101 + r"\101", "aa aA"),
    ],
)
def test_what_else_a_pattern_says(pattern: str, text: str) -> None:
    assert spans(regex.compile(*translated(pattern, 0)), text) == spans(re.compile(pattern), text)


def test_what_python_refuses_is_refused() -> None:
    for pattern in ("(?<=a+)b", r"\p{L}", "(?V1)a", "(?<n>a)", "a(?i)", "x**"):
        with pytest.raises(re.error):
            translated(pattern, 0)


def test_the_nodes_read_patterns_as_python_does(run_node: NodeRunner) -> None:
    assert run_node(FindAllRegex(text="one — two", regex=r"\N{EM DASH}")) == ["—"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert (
            run_node(FindAllRegex(text="a:]l]x", regex="[[:alpha:]]"))
            == re.findall("[[:alpha:]]", "a:]l]x")
            == [":]", "l]"]
        )
    assert run_node(RegexSplit(text="a\x1cb", pattern=r"\s")) == ["a", "b"]
    assert run_node(RegexReplace(text="x² y", pattern=r"\w+", replacement="w")) == "w w"
    assert run_node(ExtractRegex(text="512x768", regex=r"(?P<w>\d+)x(?P<h>\d+)")) == ["512", "768"]
