"""The nodes that change, cut, compare and search texts, as a table of what they make of what."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.nodetool import text as nodes
from nodes.nodetool.control import ForEach
from nodes.nodetool.output import Output
from nodetool_core import SKIPPED, FolderRef, Node, NodeError, Workflow
from tests.nodes.conftest import NodeRunner

CASES: list[tuple[type[Node], dict[str, Any], Any]] = [
    (nodes.ChangeCase, {"text": "a läke", "case": "upper"}, "A LÄKE"),
    (nodes.ChangeCase, {"text": "A LÄKE"}, "a läke"),
    (nodes.ChangeCase, {"text": "a blue lake", "case": "title"}, "A Blue Lake"),
    (
        nodes.ChangeCase,
        {"case": "title", "text": "the lake's shore, the HUT\u2019s roof"},
        "The Lake's Shore, The Hut\u2019s Roof",
    ),
    (
        nodes.ChangeCase,
        {"case": "title", "text": "l'été o'brien 2nd-hand"},
        "L'été O'brien 2nd-Hand",
    ),
    (nodes.ChangeCase, {"text": "a BLUE lake", "case": "sentence"}, "A blue lake"),
    (nodes.CollapseWhitespace, {"text": "  a \t lake\n\n at noon "}, "a lake at noon"),
    (nodes.CollapseWhitespace, {"text": " a   b \n c  ", "preserve_newlines": True}, "a b \n c"),
    (nodes.CollapseWhitespace, {"text": "a \r\n  b\r\nc", "preserve_newlines": True}, "a \n b\nc"),
    (
        nodes.CollapseWhitespace,
        {"text": " a  b ", "replacement": r"\1", "trim_edges": False},
        r"\1a\1b\1",
    ),
    (nodes.RemovePunctuation, {"text": "a lake, (blue)!"}, "a lake blue"),
    (nodes.RemovePunctuation, {"text": "a.b.c", "punctuation": ".", "replacement": "-"}, "a-b-c"),
    (nodes.StripAccents, {"text": "café über Straße"}, "cafe uber Straße"),
    (nodes.StripAccents, {"text": "Straße", "preserve_non_ascii": False}, "Strasse"),
    (nodes.StripAccents, {"text": "10 m², ½ … 한국 é"}, "10 m², ½ … 한국 e"),
    (nodes.Slugify, {"text": "A Lake, at Noon (2)!"}, "a-lake-at-noon-2"),
    (nodes.Slugify, {"text": "Über  See", "separator": "_", "lowercase": False}, "Uber_See"),
    (nodes.Slugify, {"text": "Straße und Smørrebrød, Łódź"}, "strasse-und-smorrebrod-lodz"),
    (nodes.Slugify, {"text": "Über", "allow_unicode": True}, "über"),
    (nodes.Slugify, {"text": "cafe\u0301 हिन्दी", "allow_unicode": True}, "café-हिन्दी"),
    (nodes.TruncateText, {"text": "a blue lake", "max_length": 6}, "a blue"),
    (nodes.TruncateText, {"text": "a blue lake", "max_length": 6, "ellipsis": "…"}, "a blu…"),
    (nodes.TruncateText, {"text": "a lake", "max_length": 6, "ellipsis": "…"}, "a lake"),
    (nodes.TruncateText, {"text": "a lake", "max_length": 2, "ellipsis": "..."}, ".."),
    (nodes.SurroundWith, {"text": "lake", "prefix": "(", "suffix": ":1.2)"}, "(lake:1.2)"),
    (nodes.SurroundWith, {"text": '"lake"', "prefix": '"', "suffix": '"'}, '"lake"'),
    (
        nodes.SurroundWith,
        {"text": '"lake"', "prefix": '"', "suffix": '"', "skip_if_wrapped": False},
        '""lake""',
    ),
    (nodes.SurroundWith, {"text": "*", "prefix": "*", "suffix": "*"}, "***"),
    (nodes.PadText, {"text": "7", "length": 4, "pad_character": "0", "direction": "left"}, "0007"),
    (nodes.PadText, {"text": "lake", "length": 6}, "lake  "),
    (nodes.PadText, {"text": "x", "length": 4, "pad_character": "{", "direction": "both"}, "{x{{"),
    (nodes.PadText, {"text": "lake", "length": 2}, "lake"),
    (nodes.Chunk, {"text": "a b c d e", "length": 2}, ["a b", "c d", "e"]),
    (nodes.Chunk, {"text": "a b c d e", "length": 3, "overlap": 1}, ["a b c", "c d e"]),
    (nodes.Chunk, {"text": "a,b,c", "length": 5, "separator": ","}, ["a,b,c"]),
    (nodes.Slice, {"text": "a lake", "start": 2}, "lake"),
    (nodes.Slice, {"text": "a lake", "start": -4, "stop": -1}, "lak"),
    (nodes.Slice, {"text": "abcdef", "start": 1, "stop": 5, "step": 2}, "bd"),
    (nodes.Slice, {"text": "abcdef", "step": -1}, "fedcba"),
    (nodes.Slice, {"text": "abcdef", "start": 3, "step": -1}, "dcba"),
    (nodes.Length, {"text": " a blue lake\n"}, 13),
    (nodes.Length, {"text": " a blue lake\n", "trim_whitespace": True}, 11),
    (nodes.Length, {"text": "a blue lake", "measure": "words"}, 3),
    (nodes.Length, {"text": "a\nb\n", "measure": "lines"}, 2),
    (nodes.IndexOf, {"text": "Lake, lake", "substring": "lake"}, 6),
    (nodes.IndexOf, {"text": "Lake, lake", "substring": "LAKE", "case_sensitive": False}, 0),
    (nodes.IndexOf, {"text": "lake, lake", "substring": "lake", "search_from_end": True}, 6),
    (
        nodes.IndexOf,
        {"text": "lake, lake", "substring": "lake", "start_index": 1, "end_index": 9},
        -1,
    ),
    (nodes.IndexOf, {"text": "İİ Lake", "substring": "LAKE", "case_sensitive": False}, 3),
    (nodes.ParseJSON, {"text": '{"a": [1, null, true]}'}, {"a": [1, None, True]}),
    (nodes.Contains, {"text": "a lake", "substring": "lake"}, True),
    (nodes.Contains, {"text": "a Lake", "substring": "lake"}, False),
    (nodes.Contains, {"text": "a Lake", "substring": "lake", "case_sensitive": False}, True),
    (nodes.Contains, {"text": "a lake", "search_values": ["sea", "lake"]}, True),
    (
        nodes.Contains,
        {"text": "a lake", "search_values": ["sea", "lake"], "match_mode": "all"},
        False,
    ),
    (
        nodes.Contains,
        {"text": "a lake", "search_values": ["sea", "hut"], "match_mode": "none"},
        True,
    ),
    (nodes.StartsWith, {"text": "a lake", "prefix": "a "}, True),
    (nodes.EndsWith, {"text": "lake.png", "suffix": ".jpg"}, False),
    (
        nodes.Equals,
        {"text_a": " Lake", "text_b": "lake ", "case_sensitive": False, "trim_whitespace": True},
        True,
    ),
    (nodes.Equals, {"text_a": "Lake", "text_b": "lake"}, False),
    (nodes.Compare, {"text_a": "hut", "text_b": "lake"}, "less"),
    (nodes.Compare, {"text_a": "lake", "text_b": "Lake"}, "greater"),
    (nodes.Compare, {"text_a": "lake", "text_b": "Lake", "case_sensitive": False}, "equal"),
    (nodes.IsEmpty, {"text": " \n"}, True),
    (nodes.IsEmpty, {"text": " ", "trim_whitespace": False}, False),
    (nodes.HasLength, {"text": "lake", "min_length": 4, "max_length": 4}, True),
    (nodes.HasLength, {"text": "lake", "max_length": 3}, False),
    (nodes.HasLength, {"text": "lake", "exact_length": 5}, False),
    (nodes.FilterString, {"value": "a lake", "criteria": "lake"}, "a lake"),
    (
        nodes.FilterString,
        {"value": "a lake", "filter_type": "starts_with", "criteria": "lake"},
        SKIPPED,
    ),
    (
        nodes.FilterString,
        {"value": "a lake", "filter_type": "ends_with", "criteria": "lake"},
        "a lake",
    ),
    (
        nodes.FilterString,
        {"value": "a lake", "filter_type": "length_greater", "criteria": "6"},
        SKIPPED,
    ),
    (
        nodes.FilterString,
        {"value": "a lake", "filter_type": "length_less", "criteria": "7"},
        "a lake",
    ),
    (
        nodes.FilterString,
        {"value": "a lake", "filter_type": "exact_length", "criteria": "6"},
        "a lake",
    ),
    (nodes.ExtractRegex, {"text": "size 512x768", "regex": r"(\d+)x(\d+)"}, ["512", "768"]),
    (nodes.ExtractRegex, {"text": "a LAKE", "regex": "lake", "ignorecase": True}, ["LAKE"]),
    (nodes.ExtractRegex, {"text": "a lake", "regex": "sea"}, []),
    (nodes.ExtractRegex, {"text": "ab", "regex": "(a)|(c)"}, ["a", ""]),
    (nodes.FindAllRegex, {"text": "(lake:1.2) and (hut)", "regex": r"\((\w+)"}, ["(lake", "(hut"]),
    (nodes.FindAllRegex, {"text": "a\nb", "regex": "^.", "multiline": True}, ["a", "b"]),
    (nodes.FindAllRegex, {"text": "a\nb", "regex": "a.b", "dotall": True}, ["a\nb"]),
    (nodes.FindAllRegex, {"text": "a{e} b", "regex": "a{e}"}, ["a{e}"]),
    (nodes.FindAllRegex, {"text": "a=1, b=2", "regex": r"(\w)=(\d)", "group": 2}, ["1", "2"]),
    (
        nodes.RegexReplace,
        {"text": "(lake:1.2)", "pattern": r"\((\w+):[\d.]+\)", "replacement": r"\1"},
        "lake",
    ),
    (
        nodes.RegexReplace,
        {"text": "a a a", "pattern": "a", "replacement": "b", "count": 2},
        "b b a",
    ),
    (nodes.RegexSplit, {"text": "a, b\nc", "pattern": r"[,\n]\s*"}, ["a", "b", "c"]),
    (nodes.RegexSplit, {"text": "a-b-c", "pattern": "-", "maxsplit": 1}, ["a", "b-c"]),
    (nodes.RegexValidate, {"text": "512x768", "pattern": r"\d+x\d+$"}, True),
    (nodes.RegexValidate, {"text": "a 512", "pattern": r"\d"}, False),
    (nodes.FilterRegexString, {"value": "a lake", "pattern": "l.k"}, "a lake"),
    (nodes.FilterRegexString, {"value": "a lake", "pattern": "l.k", "full_match": True}, SKIPPED),
]


@pytest.mark.parametrize(
    ("node", "given_", "expected"),
    CASES,
    ids=lambda part: part.__name__ if isinstance(part, type) else None,
)
def test_what_it_makes_of_a_text(
    node: type[Node], given_: dict[str, Any], expected: Any, run_node: NodeRunner
) -> None:
    result = run_node(node(**given_))
    assert result == expected and type(result) is type(expected)


REFUSED: list[tuple[type[Node], dict[str, Any], str]] = [
    (nodes.PadText, {"text": "a", "length": 3, "pad_character": "ab"}, "'ab' is not one character"),
    (
        nodes.Chunk,
        {"text": "a", "length": 5, "overlap": 5},
        "An overlap of 5 leaves nothing new in 5 words",
    ),
    (nodes.Chunk, {"text": "a", "separator": ""}, "separator is empty"),
    (nodes.Slice, {"text": "a", "step": 0}, "step of 0 never comes to an end"),
    (nodes.ParseJSON, {"text": "{a: 1}"}, "is no JSON: Expecting property name"),
    (nodes.ParseJSON, {"text": "[" * 200_000}, "is no JSON"),
    (nodes.ParseJSON, {"text": "[NaN]"}, "is no JSON: NaN"),
    (
        nodes.FilterString,
        {"filter_type": "exact_length", "criteria": "six"},
        "'six' is no number of characters",
    ),
    (
        nodes.FilterString,
        {"filter_type": "exact_length", "criteria": "9" * 5000},
        "is no number of characters",
    ),
    (
        nodes.FindAllRegex,
        {"text": "a", "regex": "(a)", "group": 2},
        "no group 2: the pattern has 1",
    ),
    (
        nodes.RegexReplace,
        {"text": "a", "pattern": "a", "replacement": r"\2"},
        "can't be used: invalid group reference",
    ),
    *(
        (node, {name: "(a"}, "can't be read: missing \\)")
        for node, name in (
            (nodes.ExtractRegex, "regex"),
            (nodes.FindAllRegex, "regex"),
            (nodes.RegexSplit, "pattern"),
            (nodes.FilterRegexString, "pattern"),
        )
    ),
]


@pytest.mark.parametrize(
    ("node", "given_", "says"),
    REFUSED,
    ids=lambda part: part.__name__ if isinstance(part, type) else None,
)
def test_what_it_can_not_do(
    node: type[Node], given_: dict[str, Any], says: str, run_node: NodeRunner
) -> None:
    with pytest.raises(NodeError, match=says) as caught:
        run_node(node(**given_))
    assert caught.value.problem.hint


ENDLESS: list[tuple[type[Node], str, dict[str, Any]]] = [
    (nodes.ExtractRegex, "regex", {}),
    (nodes.FindAllRegex, "regex", {}),
    (nodes.RegexReplace, "pattern", {}),
    (nodes.RegexSplit, "pattern", {}),
    (nodes.RegexValidate, "pattern", {}),
    (nodes.FilterRegexString, "pattern", {"full_match": True}),
]


@pytest.mark.parametrize(
    ("node", "name", "options"),
    ENDLESS,
    ids=lambda part: part.__name__ if isinstance(part, type) else "",
)
def test_a_regular_expression_that_never_ends_is_given_up(
    node: type[Node],
    name: str,
    options: dict[str, Any],
    run_node: NodeRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nodes.nodetool.text._regex.PATIENCE", 0.05)
    text = {"value" if "value" in node.spec.properties else "text": "a" * 60 + "!"}
    with pytest.raises(NodeError, match=r"is not done with the text after") as caught:
        run_node(node(**text, **{name: "(a|aa)+$"}, **options))
    assert caught.value.problem.hint


def test_other_work_goes_on_beside_a_regular_expression(
    run_node: NodeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodes.nodetool.text._regex.PATIENCE", 0.5)
    beats = 0
    with ThreadPoolExecutor(1) as pool:
        search = pool.submit(run_node, nodes.RegexValidate(text="a" * 60 + "!", pattern="(a|aa)+$"))
        while not search.done():
            beats += 1
            wait([search], timeout=0.01)
    assert isinstance(search.exception(), NodeError)
    assert beats >= 5, "another thread was let in while it searched"


@given(st.text(), st.integers(1, 5), st.integers(0, 4))
def test_chunks_hold_every_word(text: str, length: int, overlap: int) -> None:
    overlap = min(overlap, length - 1)
    chunks: list[list[str]] = [
        part.split(" ") for part in nodes.Chunk(text=text, length=length, overlap=overlap).process()
    ]  # type: ignore[misc]
    assert [
        word for number, words in enumerate(chunks) for word in words[overlap if number else 0 :]
    ] == text.split(" ")
    assert all(len(words) <= length for words in chunks)


@given(st.text(), st.integers(0, 20), st.text(max_size=5))
def test_a_truncated_text_is_never_too_long(text: str, limit: int, ellipsis: str) -> None:
    assert len(nodes.TruncateText(text=text, max_length=limit, ellipsis=ellipsis).process()) <= max(
        limit, 0
    )


def test_a_filter_in_a_loop_leaves_items_out() -> None:
    loop = ForEach(input_list=["a lake", "a hut", "the lake"])
    kept = nodes.FilterString(value=loop.output, criteria="lake")
    upper = nodes.ChangeCase(text=kept.output, case="upper")
    result = Workflow(
        Output(name="all", value=nodes.Collect(input_item=upper.output, separator="; ").output)
    ).run()
    assert result["all"] == "A LAKE; THE LAKE"


def test_texts_of_a_folder_in_order(run_node: NodeRunner, tmp_path: Path) -> None:
    for name, content in {
        "b.txt": b"second",
        "a.md": b"\xef\xbb\xbffirst",
        "c.txt": b"\xff\xfe",
        "d.png": b"",
        ".e.txt": b"hidden",
    }.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "f.txt").write_text("third")
    for folder in ("", ".", FolderRef(uri=".")):
        found = run_node(nodes.LoadTextFolder(folder=folder, include_subdirectories=True))
        assert [item.text for item in found] == ["first", "second", "third"]
    assert "c.txt: it is no UTF-8 text" in run_node.warnings()[0]
    assert [Path(item.path).name for item in run_node(nodes.LoadTextFolder(pattern="a*"))] == [
        "a.md"
    ]


def test_folders_that_can_not_be_read(run_node: NodeRunner, tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="does not exist"):
        run_node(nodes.LoadTextFolder(folder="nowhere"))
    with pytest.raises(NodeError, match="asset id 'a1'"):
        run_node(nodes.LoadTextFolder(folder=FolderRef(asset_id="a1")))
    (tmp_path / "a.txt").write_bytes(b"\xff")
    with pytest.raises(NodeError, match="None of the 1 files"):
        run_node(nodes.LoadTextFolder())


def test_a_text_file_is_never_replaced(run_node: NodeRunner, tmp_path: Path) -> None:
    for text in ("one", "two"):
        assert run_node(nodes.SaveTextFile(text=text, folder="notes", name="caption")) == text
    assert [
        (tmp_path / "notes" / name).read_text() for name in ("caption.txt", "caption-2.txt")
    ] == ["one", "two"]
    (tmp_path / "file").write_text("")
    with pytest.raises(NodeError, match="can't be written"):
        run_node(nodes.SaveTextFile(text="x", folder="file"))
    for name in ("../out.txt", "a\0b", "a\ud800b.txt"):
        with pytest.raises(NodeError, match="no name of a file"):
            run_node(nodes.SaveTextFile(text="x", name=name))


def test_only_date_and_time_are_filled_into_a_name(run_node: NodeRunner, tmp_path: Path) -> None:
    run_node(nodes.SaveTextFile(text="x", folder="out", name="50% off, %Y %B %q %%d.txt"))
    (made,) = (tmp_path / "out").iterdir()
    assert re.fullmatch(r"50% off, \d{4} %B %q %d\.txt", made.name)


def test_i16_a_slug_loses_no_letters_without_a_word(run_node: NodeRunner) -> None:
    assert run_node(nodes.Slugify(text="日本 at noon")) == "at-noon"
    assert run_node.warnings() == [
        "Left out of the name, because they have no plain letters: 日 本. allow_unicode keeps them."
    ]
    assert (
        run_node(nodes.Slugify(text="日本 at noon", allow_unicode=True)) == "日本-at-noon"
        and len(run_node.warnings()) == 1
    )


@pytest.mark.parametrize(
    ("old", "given", "expected"),
    [
        ("ToUppercase", {}, "A LÄKE, AT 7 OR 8"),
        ("ToLowercase", {}, "a läke, at 7 or 8"),
        ("ToTitlecase", {}, "A Läke, At 7 Or 8"),
        ("CapitalizeText", {}, "A läke, at 7 or 8"),
        ("Extract", {"start": 2, "end": -3}, "LÄKE, at 7 o"),
        ("RegexMatch", {"pattern": r"(\d)", "group": 1}, ["7", "8"]),
    ],
)
def test_nodes_that_were_joined_are_read_by_their_old_names(
    old: str, given: dict[str, Any], expected: Any, tmp_path: Path
) -> None:
    data = {"text": "a LÄKE, at 7 or 8", **given}
    step = {"id": "step", "type": f"nodetool.text.{old}", "data": data}
    output = {"id": "out", "type": "nodetool.output.Output", "data": {"name": "result"}}
    edge = {"source": "step", "sourceHandle": "output", "target": "out", "targetHandle": "value"}
    file = tmp_path / "old.json"
    file.write_text(json.dumps({"graph": {"nodes": [step, output], "edges": [edge]}}))
    assert Workflow.load(file).run()["result"] == expected
