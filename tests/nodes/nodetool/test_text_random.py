"""Choices by chance, lists of lines, JSONPath and templates with loops."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes._json_path import found_at, read_path, with_value
from nodes._template import fill
from nodes._wildcards import all_texts, drawn
from nodes.nodetool.text import (
    ExtractJSON,
    FormatText,
    LoadWildcards,
    PromptCombinations,
    SplitLines,
    Wildcards,
)
from nodetool_core import NodeError, NodetoolError
from tests.nodes.conftest import NodeRunner

LISTS = {
    "colour": ["red", "2::green", "", "# none of these", "{light|dark} blue"],
    "scene/light": ["at noon", "at night"],
    "loop": ["__loop__ __loop__"],
    "empty": ["# nothing"],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a lake", ["a lake"]),
        ("", [""]),
        ("a {red|green} {lake|hill}", ["a red lake", "a red hill", "a green lake", "a green hill"]),
        ("{a|{b|c} d}", ["a", "b d", "c d"]),
        ("{|very }calm", ["calm", "very calm"]),
        ("{2$$a|b|c}", ["a, b", "a, c", "b, c"]),
        ("{1-2$$ and $$a|b}", ["a", "b", "a and b"]),
        ("{-1$$a|b}", ["", "a", "b"]),
        ("{2-$$+$$a|b}", ["a+b"]),
        ("{9$$a|b}", ["a, b"]),
        ("{3-1$$a|b}", ["a", "b", "a, b"]),
        ("__colour__ sky", ["red sky", "green sky", "light blue sky", "dark blue sky"]),
        ("__scene/*__", ["at noon", "at night"]),
        (r"\{a|b\} \_\_colour__ 50\\50", ["{a|b} __colour__ 50\\50"]),
        ("snake_case and __init", ["snake_case and __init"]),
        ("a}b|c", ["a}b|c"]),
    ],
)
def test_all_that_a_text_can_become(text: str, expected: list[str], run_node: NodeRunner) -> None:
    assert run_node(PromptCombinations(text=text, wildcards=LISTS)) == expected
    found = {drawn(text, LISTS, seed) for seed in range(60)}
    if "$$" not in text:
        assert found == set(expected)
    assert all(len(one.split(", ")) == len(expected[0].split(", ")) for one in found) or "-" in text


def test_only_as_many_as_are_wanted(run_node: NodeRunner) -> None:
    text = "{a|b|c}" * 500
    found = run_node(PromptCombinations(text=text, limit=5))
    assert found == ["a" * 498 + ending for ending in ("aa", "ab", "ac", "ba", "bb")]
    assert "more than 5" in run_node.warnings()[0]


def test_options_are_drawn_as_often_as_their_weights_say() -> None:
    for text in ("{3::a|b|0::c}", "__w__"):
        found = Counter(drawn(text, {"w": ["3::a", "b", "0::c"]}, seed) for seed in range(4000))
        assert found["c"] == 0 and found["a"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_several_are_drawn_in_any_order_and_none_twice() -> None:
    found = Counter(drawn("{3$$ $$a|b|c}", {}, seed) for seed in range(3000))
    assert set(found) == {" ".join(one) for one in permutations("abc")}
    assert min(found.values()) > 400


def test_the_same_seed_draws_the_same(run_node: NodeRunner) -> None:
    text = "__colour__ {1-3$$a|b|c|d} {x|y}"
    one, again, other = (
        run_node(Wildcards(text=text, wildcards=LISTS, seed=seed)) for seed in (5, 5, 7)
    )
    assert one == again != other


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a {b", "character 3 of the text is not closed"),
        ("__color__", "Did you mean 'colour'"),
        ("__loop__", "names itself"),
        ("__empty__", "is empty"),
        ("{a|b}" * 20_000, "more than 10,000"),
        ("{" * 100, "nested"),
    ],
)
def test_what_is_wrong_with_choices(text: str, message: str, run_node: NodeRunner) -> None:
    for node in (Wildcards, PromptCombinations):
        with pytest.raises(NodeError, match=message):
            run_node(node(text=text, wildcards=LISTS))


@given(st.text(alphabet="ab{}|$:_\\-12 ", max_size=40), st.integers(0, 9))
def test_any_text_is_drawn_or_refused(text: str, seed: int) -> None:
    try:
        found = drawn(text, {"a": ["b"]}, seed)
    except NodeError as error:
        assert error.problem.hint
        return
    if "-" not in text and "$$" not in text:
        assert found in all_texts(text, {"a": ["b"]}, 10_000)


def test_lists_are_read_from_a_folder(run_node: NodeRunner) -> None:
    folder = run_node.base / "wildcards"
    (folder / "scene").mkdir(parents=True)
    (folder / "colour.txt").write_text("\ufeffred\n\n# no\ngrün\n", "utf-8")
    (folder / "scene" / "light.txt").write_text("at noon\n")
    (folder / "broken.txt").write_bytes(b"\xff\xfe\xff")
    (folder / "other.md").write_text("no list")
    lists = run_node(LoadWildcards())
    assert lists == {"colour": ["red", "", "# no", "grün"], "scene/light": ["at noon"]}
    assert "no UTF-8" in run_node.warnings()[0]
    text = "__colour__ __scene/light__"
    found = {run_node(Wildcards(text=text, wildcards=lists, seed=seed)) for seed in range(20)}
    assert found == {"red at noon", "grün at noon"}


ANIMALS = """
animals:
  cat:
    - tabby
    - 3::no          # a word, no condition
    - {weight: 0, text: sphynx}
  Dog House: ['a {small|large} dog']
  fish: trout
greeting: hello __cat__
"""


def test_lists_are_read_from_yaml_and_json(run_node: NodeRunner) -> None:
    folder = run_node.base / "wildcards"
    folder.mkdir()
    (folder / "any name.yaml").write_text(ANIMALS)
    (folder / "hours.yml").write_text("- dawn\n- 12:30\n")
    (folder / "moods.json").write_text(json.dumps({"mood": {"calm": ["still", 7, None]}}))
    lists = run_node(LoadWildcards())
    assert lists == {
        "animals/cat": ["tabby", "3::no", "0::sphynx"],
        "animals/Dog House": ["a {small|large} dog"],
        "animals/fish": ["trout"],
        "greeting": ["hello __cat__"],
        "hours": ["dawn", "12:30"],
        "mood/calm": ["still", "7"],
    }
    assert run_node.warnings() == []
    for text, expected in (
        ("__animals/cat__", {"tabby", "no"}),
        ("__Animals/CAT__", {"tabby", "no"}),
        ("__cat__", {"tabby", "no"}),
        ("__greeting__", {"hello tabby", "hello no"}),
        ("__animals/*__", {"tabby", "no", "a small dog", "a large dog", "trout"}),
    ):
        assert {drawn(text, lists, seed) for seed in range(80)} == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.yaml", "a: [b", "it is no YAML: while parsing"),
        ("a.yaml", "[" * 100_000, "more than 50 deep"),
        ("a.yaml", "a: &x [*x]", "no &x before"),
        ("a.yaml", "? [a]\n: b", "a key is no text"),
        ("a.yaml", "a: [b]\n---\nc: [d]", "several documents"),
        ("a.json", "{", "it is no JSON"),
        ("a.json", "[" * 100_000, "more than 50 deep"),
        ("a.yaml", "just a text", "it has no list"),
        ("a.yaml", "", "it has no list"),
        ("a.yaml", "a: [[b]]", 'is a list: ."b".'),
        ("a.yaml", "a: [{b: c}]", "an item of a list is no text"),
    ],
)
def test_what_is_wrong_with_a_file_of_lists(
    name: str, content: str, message: str, run_node: NodeRunner
) -> None:
    folder = run_node.base / "wildcards"
    folder.mkdir()
    (folder / "good.txt").write_text("good")
    (folder / name).write_text(content)
    assert run_node(LoadWildcards())["good"] == ["good"]
    assert re.search(message, run_node.warnings()[0])


@pytest.mark.parametrize("start", ["{}", "[" + "x," * 1000 + "]"])
def test_aliases_that_multiply_come_to_an_end(start: str, run_node: NodeRunner) -> None:
    folder = run_node.base / "wildcards"
    folder.mkdir()
    levels = [
        f"a{level}: &a{level} {{x: *a{level - 1}, y: *a{level - 1}}}" for level in range(1, 30)
    ]
    (folder / "many.yaml").write_text(f"a0: &a0 {start}\n" + "\n".join(levels))
    assert run_node(LoadWildcards()) == {}
    assert "more than 1,000,000 lines" in run_node.warnings()[0]


def test_the_last_of_two_lists_of_a_name_counts(run_node: NodeRunner) -> None:
    folder = run_node.base / "wildcards"
    folder.mkdir()
    (folder / "a.txt").write_text("one")
    (folder / "b.yaml").write_text("a: [two]")
    assert run_node(LoadWildcards()) == {"a": ["two"]}
    assert "Several files have a list 'a'" in run_node.warnings()[0]


def test_a_folder_that_is_not_there(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="does not exist"):
        run_node(LoadWildcards(folder="nowhere"))
    with pytest.raises(NodeError, match="Give a list of texts"):
        run_node(Wildcards(text="__a__", wildcards={"a": 3}))
    assert run_node(Wildcards(text="__a__", wildcards={"a": "b\n"}, seed=1)) == "b"


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({}, ["a lake", "a hill", "# no"]),
        ({"comment": "#"}, ["a lake", "a hill"]),
        ({"skip_empty": False}, ["a lake", "", "a hill", "# no"]),
        ({"trim": False}, ["a lake ", "  a hill", "# no"]),
    ],
)
def test_lines(given_: dict[str, Any], expected: list[str]) -> None:
    found = SplitLines(text="a lake \r\n\n  a hill\n# no", **given_).process()
    assert found == (expected, len(expected))


STORE: Any = {
    "store": {
        "book": [
            {"category": "reference", "author": "Nigel Rees", "price": 8.95},
            {"category": "fiction", "author": "Evelyn Waugh", "price": 12.99},
            {"category": "fiction", "author": "Herman Melville", "isbn": "0-553", "price": 8.99},
        ],
        "bicycle": {"color": "red", "price": 399},
    }
}
BOOKS = STORE["store"]["book"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # From the examples of RFC 9535, with what it says of them.
        ("$", [STORE]),
        ("$.store.book[*].author", ["Nigel Rees", "Evelyn Waugh", "Herman Melville"]),
        ("$..author", ["Nigel Rees", "Evelyn Waugh", "Herman Melville"]),
        ("$.store.*", [BOOKS, STORE["store"]["bicycle"]]),
        ("$.store..price", [8.95, 12.99, 8.99, 399]),
        ("$..book[2]", [BOOKS[2]]),
        ("$..book[2].publisher", []),
        ("$..book[-1]", [BOOKS[2]]),
        ("$..book[0,1]", BOOKS[:2]),
        ("$..book[:2]", BOOKS[:2]),
        ("$['store']['bicycle'][\"color\"]", ["red"]),
        ("$.store.book[5:1:-2].price", [8.99]),
        ("$.store.book[1:5:2].price", [12.99]),
        ("$.store.book[::-1].price", [8.99, 12.99, 8.95]),
        ("$.store.book[0:3:0]", []),
        ("$.store.book['price']", []),
        ("$.store[0]", []),
        ("$.store.book[?@.price < 9].price", [8.95, 8.99]),
        ("$..book[?@.price > 9 && @.price < 20].price", [12.99]),
        ("$.store.book[?count(@.*) > 9]", []),
    ],
)
def test_paths(path: str, expected: list[Any], run_node: NodeRunner) -> None:
    text = json.dumps(STORE)
    assert run_node(ExtractJSON(text=text, json_path=path, find_all=True)) == expected
    first = run_node(ExtractJSON(text=text, json_path=path))
    assert first == (expected[0] if expected else None)


def test_descendants_are_those_of_the_rfc() -> None:
    value = {"o": {"j": 1, "k": 2}, "a": [5, 3, [{"j": 4}, {"k": 6}]]}
    assert found_at(read_path("$..j"), value) == [1, 4]
    assert found_at(read_path("$..[0]"), value) == [5, {"j": 4}]
    everything = found_at(read_path("$..*"), value)
    assert sorted(map(str, everything)) == sorted(
        map(str, [value["o"], value["a"], 1, 2, 5, 3, value["a"][2], {"j": 4}, {"k": 6}, 4, 6])
    )
    assert found_at(read_path(r"$['j \' j']['\u006b']"), {"j ' j": {"k": 3}}) == [3]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "store",
        "$.",
        "$..",
        "$[",
        "$[0",
        "$[1:2:3:4]",
        "$[?match(@.a, '(a+)+b')]",
        "$" + "[?(" * 500,
    ],
)
def test_paths_that_can_not_be_read(path: str) -> None:
    with pytest.raises(NodeError, match="can't be read"):
        read_path(path)


def test_values_that_lie_too_deep_are_named() -> None:
    deep: Any = 1
    for _ in range(600):
        deep = [deep]
    with pytest.raises(NodeError, match="recursion"):
        found_at(read_path("$..x"), deep)


@given(st.text(max_size=30) | st.text("$.[]?@'\"*:,()<>=&|! ab01", max_size=30))
def test_any_path_is_read_or_refused(text: str) -> None:
    try:
        found_at(read_path(f"${text}"), STORE)
    except NodeError as error:
        assert "path" in str(error)


@given(st.dictionaries(st.text(max_size=3), st.integers(), max_size=4), st.text(max_size=5))
def test_what_is_set_is_found(value: dict[str, int], name: str) -> None:
    path = read_path(f"$[{json.dumps(name)}].b[0]") if name.isalnum() else read_path("$.a.b[0]")
    before = dict(value)
    for key in [key for key in value if key in ("a", name)]:
        del before[key]
    changed = with_value(path, before, 7)
    assert found_at(path, changed) == [7]
    assert isinstance(changed, dict) and all(changed[key] == before[key] for key in before)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% for i in items %}{{ loop.index }}. {{ i }};{% endfor %}", "1. a;2. b;3. c;"),
        ("{% for i in items %}{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}", "a, b, c"),
        ("{% if n > 5 %}many{% elif n == 3 %}three{% else %}few{% endif %}", "three"),
        ("{% if len(items) == 0 %}none{% else %}some{% endif %}", "some"),
        ("x\n{% for name in scene %}\n- {{ name }}\n{% endfor %}\ny", "x\n- light\n- stars\ny"),
        ("{% for i in items %}{% for s in scene.stars %}{{ i }}{{ s }} {% endfor %}{% endfor %}",
         "a1 a2 b1 b2 c1 c2 "),
        ("{% for i in none %}never{% endfor %}.", "."),
        ("{% for n in items %}{{ n }}{% endfor %}{{ n }}", "abc3"),
        ("{{ scene.light | upper }} { % } 50 %}", "NOON { % } 50 %}"),
    ],
)  # fmt: skip
def test_templates_with_loops(template: str, expected: str, run_node: NodeRunner) -> None:
    values: Any = {"items": ["a", "b", "c"], "n": 3, "none": []}
    scene = {"light": "noon", "stars": [1, 2]}
    assert run_node(FormatText(template=template, **values, scene=scene)) == expected


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for i in n %}{% endfor %}", "has no list"),
        ("{% for i in nothing %}{% endfor %}", "has no value"),
        ("{% for i of items %}{% endfor %}", "can't be read"),
        ("{% for i in items %}", "ends before {% endfor %}"),
        ("{% endfor %}", "out of place"),
        ("{% fro i in items %}", "Did you mean 'for'"),
        ("{% if %}{% endif %}", "empty"),
        ("{% if n %}{% else %}{% else %}{% endif %}", "out of place"),
        ("{% if n %}" * 50, "nested"),
    ],
)
def test_what_is_wrong_with_a_template(template: str, message: str) -> None:
    with pytest.raises(NodeError, match=message):
        fill(template, {"items": [1], "n": 3})


def test_a_template_comes_to_an_end() -> None:
    loops = "{% for i in items %}" * 4 + "x" + "{% endfor %}" * 4
    with pytest.raises(NodeError, match="more than"):
        fill(loops, {"items": list(range(100))})
    with pytest.raises(NodeError, match="longer than"):
        fill(
            "{% for i in items %}{{ long }}{% endfor %}", {"items": [1] * 500, "long": "x" * 10**5}
        )


def test_lists_stay_in_their_folder(tmp_path: Path) -> None:
    confined = NodeRunner(tmp_path, confined=True)
    with pytest.raises(NodetoolError, match="may not read"):
        confined(LoadWildcards(folder="../elsewhere"))
