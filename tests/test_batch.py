"""Batches: which items there are, and which are done already."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from nodes.nodetool.input import ImageInput, StringInput
from nodes.nodetool.output import Output
from nodetool_core import Workflow, WorkflowError
from nodetool_core.batch import Item, Manifest, batch_items

WORKFLOW = Workflow(
    Output(name="image", value=ImageInput(name="photo").output),
    Output(name="text", value=StringInput(name="word").output),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for number, colour in enumerate(["red", "green", "blue"]):
        Image.new("RGB", (4, 4), colour).save(tmp_path / f"photo{number}.png")
    return tmp_path


def items(values: dict[str, str], table: Path | None = None) -> list[Item]:
    found = batch_items(WORKFLOW.graph, WORKFLOW.document.to_json(), values, table)
    assert found is not None
    return found


def test_a_pattern_for_an_image_is_an_item_per_file(folder: Path) -> None:
    found = items({"photo": "photo*.png", "word": "hi"})
    assert [(item.name, item.values) for item in found] == [
        (f"photo{n}", {"photo": f"photo{n}.png", "word": "hi"}) for n in range(3)
    ]


def test_a_star_in_a_text_is_no_pattern(folder: Path) -> None:
    assert (
        batch_items(WORKFLOW.graph, {}, {"photo": "photo0.png", "word": "photo*.png"}, None) is None
    )


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder: Path) -> None:
    (folder / "a[1].png").write_bytes((folder / "photo0.png").read_bytes())
    assert batch_items(WORKFLOW.graph, {}, {"photo": "a[1].png"}, None) is None


def test_a_table_is_an_item_per_row_and_empty_cells_keep_defaults(folder: Path) -> None:
    table = folder / "rows.csv"
    table.write_text('photo,word\nphoto0.png,"one, two"\nphoto1.png,\n')
    found = items({"word": "given"}, table)
    assert [item.values for item in found] == [
        {"photo": "photo0.png", "word": "one, two"},
        {"photo": "photo1.png", "word": "given"},
    ]


@pytest.mark.parametrize(
    ("values", "text", "code"),
    [
        ({"photo": "nothing*.png"}, None, "no_files"),
        ({"photo": "photo*.png"}, "word\na\n", "ambiguous_batch"),
        ({}, "word\n", "empty_table"),
        ({}, "photo,word\na\n", "uneven_row"),
    ],
)
def test_mistakes_are_told(
    folder: Path, values: dict[str, str], text: str | None, code: str
) -> None:
    table = folder / "rows.csv" if text is not None else None
    if table is not None and text is not None:
        table.write_text(text)
    with pytest.raises(WorkflowError) as caught:
        items(values, table)
    assert caught.value.problem.code == code


def test_keys_follow_content_and_values_not_names_of_files(folder: Path) -> None:
    before = items({"photo": "photo*.png"})
    assert [item.key for item in items({"photo": "photo*.png"})] == [item.key for item in before]
    Image.new("RGB", (4, 4), "white").save(folder / "photo1.png")
    after = items({"photo": "photo*.png"})
    assert [a.key == b.key for a, b in zip(before, after, strict=True)] == [True, False, True]


def test_what_is_in_the_manifest_and_on_disk_is_done(folder: Path) -> None:
    first, second, third = items({"photo": "photo*.png"})
    manifest = Manifest(folder / "out" / "manifest.jsonl")
    manifest.add(first, {"status": "completed", "files": ["photo0.png"]})
    manifest.add(second, {"status": "failed", "files": []})
    manifest.add(third, {"status": "completed", "files": ["gone.png"]})
    again = Manifest(folder / "out" / "manifest.jsonl")
    assert [again.finished(item) is not None for item in (first, second, third)] == [
        True,
        False,
        False,
    ]


def test_a_line_cut_short_is_done_again_and_spoils_no_other(folder: Path) -> None:
    first, second, third = items({"photo": "photo*.png"})
    path = folder / "manifest.jsonl"
    for item in (first, second):
        Manifest(path).add(item, {"status": "completed", "files": []})
    path.write_bytes(path.read_bytes()[:-20])
    resumed = Manifest(path)
    assert [resumed.finished(item) is not None for item in (first, second)] == [True, False]
    resumed.add(third, {"status": "completed", "files": []})
    assert [Manifest(path).finished(item) is not None for item in (first, second, third)] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("name", ["a\u2028b.png", "a\x85b.png", "größe.png", "latin-1-\udcfc.png"])
def test_any_file_name_can_be_noted(name: str, folder: Path) -> None:
    path = folder / "manifest.jsonl"
    first, second = Item(1, {"photo": name}, "a", "first"), Item(2, {"photo": name}, "b", "second")
    for item in (first, second):
        Manifest(path).add(item, {"status": "completed", "files": []})
    # Cut in the middle of a line, and in what another program has written, in the middle of a
    # character.
    path.write_bytes(path.read_bytes()[:-20] + "\nö".encode()[:-1])
    assert [Manifest(path).finished(item) is not None for item in (first, second)] == [True, False]


def test_a_table_may_be_json_lines(folder: Path) -> None:
    """E28: texts as they are, other values as JSON; empty lines are passed over."""
    table = folder / "rows.jsonl"
    table.write_text(
        '{"photo": "photo0.png", "word": "é, 1"}\n\n{"photo": "photo1.png", "word": 3}\n'
    )
    assert [(item.name, item.values) for item in items({}, table)] == [
        ("1", {"photo": "photo0.png", "word": "é, 1"}),
        ("2", {"photo": "photo1.png", "word": "3"}),
    ]


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ('{"photo": "photo0.png"}\n{"photo":', "unreadable_file", "rows.jsonl:2: is no JSON"),
        (
            '["photo0.png"]',
            "unreadable_file",
            "rows.jsonl:1: expects an object with values by input, got list.",
        ),
        (
            '{"foto": "photo0.png"}',
            "unknown_input",
            "rows.jsonl:1: The workflow has no input 'foto'. Did you mean 'photo'?",
        ),
        ("\n", "empty_table", "has no rows. Each line is an object with values by input."),
    ],
)
def test_a_mistake_in_json_lines_names_its_line(
    folder: Path, text: str, code: str, says: str
) -> None:
    """E28."""
    table = folder / "rows.jsonl"
    table.write_text(text)
    with pytest.raises(WorkflowError) as caught:
        items({}, table)
    assert caught.value.problem.code == code and says in str(caught.value)
