from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.nodetool.text import (
    Concat,
    FormatText,
    Join,
    Replace,
    Split,
    Template,
    ToString,
    TrimWhitespace,
)
from nodetool_core import ColorRef, ImageData, ImageRef, ModelRef, Node, NodeError
from tests.assets.images import scene
from tests.nodes.conftest import NodeRunner


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        ("a lake in {{ season }}", {"season": "winter"}, "a lake in winter"),
        ("{{a}}{{ a }}{{  a  }}", {"a": "x"}, "xxx"),
        (
            "strength {{ s }}, {{ n }} steps, {{ on }}",
            {"s": 0.6, "n": 25, "on": True},
            "strength 0.6, 25 steps, true",
        ),
        ("{{ parts }}", {"parts": ["sun", "lake"]}, "sun, lake"),
        (
            "{{ scene.season }} {{ scene.objects.1 }}",
            {"scene": {"season": "summer", "objects": ["sun", "lake"]}},
            "summer lake",
        ),
        ("{{ a | title }}", {"a": "a lake's shore"}, "A Lake's Shore"),
        (
            "{{ a | upper }} {{ a|title }} {{ a | trim | capitalize }}",
            {"a": " a lake "},
            " A LAKE   A Lake  A lake",
        ),
        ("{ literal } {a} }}{", {}, "{ literal } {a} }}{"),
        ("{{ a }}", {"a": "{{ b }}"}, "{{ b }}"),
        ("{{ a }}", {"a": r"\1 \g<0>"}, r"\1 \g<0>"),
        ("nothing", {"unused": 1}, "nothing"),
        (
            "{{ m }} {{ c }} {{ i }} {{ none }}",
            {
                "m": ModelRef(repo_id="o/n"),
                "c": ColorRef(value="#ffffff"),
                "i": ImageRef(uri="a.png"),
                "none": None,
            },
            "o/n #ffffff a.png ",
        ),
        ("{{ d }}", {"d": {"a": [1, "ü"]}}, '{"a": [1, "ü"]}'),
    ],
)
def test_placeholders_are_filled(
    template: str, values: dict[str, object], expected: str, run_node: NodeRunner
) -> None:
    assert run_node(FormatText(template=template, **values)) == expected
    assert run_node(Template(string=template, values=values)) == expected


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ seson }}", "{{ seson }} has no value. Did you mean 'season'?"),
        ("{{ xyz }}", "There are values for season, items."),
        ("{{ items.7 }}", "There are 2 values: 0 to 1."),
        ("{{ season.name }}", "{{ season.name }} has no value"),
        ("{{ season | uper }}", "unknown filter 'uper'. Did you mean 'upper'?"),
        ("{{ 1 + 1 }}", "can't be read"),
        ("{{ }}", "can't be read"),
        ("{{ __class__.__mro__ }}", "has no value"),
        ("{{ season.__class__ }}", "has no value"),
        ("{{ image }}", "An image has no text form"),
    ],
)
def test_a_placeholder_without_a_value_is_named(
    template: str, says: str, run_node: NodeRunner
) -> None:
    values = {"season": "winter", "items": ["a", "b"]} | (
        {"image": ImageData.of(scene())} if "image" in template else {}
    )
    with pytest.raises(NodeError) as caught:
        run_node(FormatText(template=template, **values))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("string", "values", "expected"),
    [
        ("{{ 0 }} and {{ 1 }}", ["a", 2], "a and 2"),
        ("a {{ value }}", "lake", "a lake"),
        ("{{ value }}", 0.5, "0.5"),
        ("plain", None, "plain"),
    ],
)
def test_a_template_takes_lists_and_single_values(
    string: str, values: object, expected: str, run_node: NodeRunner
) -> None:
    assert run_node(Template(string=string, values=values)) == expected


@given(text=st.text(alphabet=st.characters(exclude_characters="{")))
def test_text_without_placeholders_stays(text: str) -> None:
    assert FormatText(template=text).process() == text


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Concat(a="a lake", b=" at dawn"), "a lake at dawn"),
        (Join(strings=["sun", "lake", 3], separator=", "), "sun, lake, 3"),
        (Join(), ""),
        (Replace(text="day by day", old="day", new="night"), "night by night"),
        (Replace(text="day", old="", new="x"), "day"),
        (Split(text="a,b,,c"), ["a", "b", "", "c"]),
        (Split(text=""), [""]),
        (ToString(value=0.25), "0.25"),
        (ToString(value=["a", 1]), "a, 1"),
        (ToString(value="a", mode="repr"), "'a'"),
        (TrimWhitespace(text="  a \n"), "a"),
        (TrimWhitespace(text="  a \n", trim_end=False), "a \n"),
        (TrimWhitespace(text="  a \n", trim_start=False), "  a"),
    ],
)
def test_text_nodes(node: Node, expected: object, run_node: NodeRunner) -> None:
    assert run_node(node) == expected


def test_an_empty_delimiter_is_an_error(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="delimiter is empty"):
        run_node(Split(text="a", delimiter=""))
