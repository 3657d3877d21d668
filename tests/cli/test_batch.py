"""`nodetool run` over many files, and `nodetool rerun`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Author, Command


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(3):
        Image.new("RGB", (8, 8), (80 * number, 0, 0)).save(tmp_path / f"shot{number}.png")
    return tmp_path


def records(folder: Path) -> list[dict[str, object]]:
    return [
        json.loads(line) for line in (folder / "out" / "manifest.jsonl").read_text().splitlines()
    ]


def test_a_pattern_runs_once_per_file(nodetool: Command, write: Author, photos: Path) -> None:
    done = nodetool("run", write.resize(), "--set", "photo=shot*.png")
    assert done.code == 0
    assert sorted(done.out.split()) == [f"out/shot{number}_image.png" for number in range(3)]
    assert [record["status"] for record in records(photos)] == ["completed"] * 3


def test_a_batch_goes_on_where_it_was(nodetool: Command, write: Author, photos: Path) -> None:
    (photos / "shot1.png").write_text("no image")
    workflow = write.resize()
    first = nodetool("run", workflow, "--set", "photo=shot*.png")
    assert (
        first.code == 1
        and "1 computed, 1 failed, 1 left" in first.err
        and "--on-error continue" in first.err
    )
    Image.new("RGB", (8, 8)).save(photos / "shot1.png")
    second = nodetool("run", workflow, "--set", "photo=shot*.png")
    assert second.code == 0 and "2 computed, 1 done before" in second.err
    assert len(list((photos / "out").glob("*.png"))) == 3
    third = nodetool("run", workflow, "--set", "photo=shot*.png")
    assert third.code == 0 and "3 done before" in third.err and "what is left" not in third.err


def test_a_bad_item_is_passed_over_where_asked(
    nodetool: Command, write: Author, photos: Path
) -> None:
    (photos / "shot0.png").write_text("no image")
    done = nodetool(
        "run", write.resize(), "--set", "photo=shot*.png", "--on-error", "continue", "--json"
    )
    assert done.code == 1
    assert [json.loads(line)["status"] for line in done.out.splitlines()] == [
        "failed",
        "completed",
        "completed",
    ]


def test_a_table_gives_inputs_by_name(nodetool: Command, write: Author, photos: Path) -> None:
    (photos / "rows.csv").write_text("photo,smaller.width\nshot0.png,5\nshot1.png,6\n")
    done = nodetool("run", write.resize(), "--inputs", "rows.csv")
    assert done.code == 0
    widths = [Image.open(photos / "out" / f"{row}_image.png").width for row in (1, 2)]
    assert widths == [5, 6]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_table_of_a_spreadsheet_with_other_separators(
    separator: str, nodetool: Command, write: Author, photos: Path
) -> None:
    (photos / "rows.csv").write_text(
        "photo,smaller.width\nshot0.png,5\n".replace(",", separator), encoding="utf-8-sig"
    )
    done = nodetool("run", write.resize(), "--inputs", "rows.csv")
    assert done.code == 0 and Image.open(photos / "out" / "1_image.png").width == 5


def test_a_column_that_the_workflow_does_not_have_is_refused_before_the_first_run(
    nodetool: Command, write: Author, photos: Path
) -> None:
    (photos / "rows.csv").write_text("photo,smaler.width,captoin\nshot0.png,5,x\nshot1.png,6,y\n")
    done = nodetool("run", write.resize(), "--inputs", "rows.csv")
    assert done.code == 2 and not (photos / "out").exists()
    assert (
        done.err.count("rows.csv:1: ") == 2
        and "Did you mean 'smaller'?" in done.err
        and "Did you mean 'caption'?" in done.err
    )


@pytest.mark.parametrize(
    ("content", "says"), [(None, "No such file"), (b"photo\n\xff\n", "no text in UTF-8")]
)
def test_a_table_that_can_not_be_read(
    content: bytes | None, says: str, nodetool: Command, write: Author, photos: Path
) -> None:
    if content is not None:
        (photos / "rows.csv").write_bytes(content)
    done = nodetool("run", write.resize(), "--inputs", "rows.csv")
    assert (
        done.code == 2 and says in done.err and "codec" not in done.err and "Errno" not in done.err
    )


def test_a_pattern_that_fits_nothing_is_wrong_use(
    nodetool: Command, write: Author, photos: Path
) -> None:
    done = nodetool("run", write.resize(), "--set", "photo=q*.png")
    assert (done.code, done.out) == (2, "") and "No file fits 'q*.png'" in done.err


def test_a_image_is_made_again(nodetool: Command, write: Author, photos: Path) -> None:
    nodetool("run", write.resize())
    done = nodetool("rerun", "out/image.png")
    assert (done.code, done.out.split()) == (0, ["out/image-again.png"]) and "Identical" in done.err


def test_n3_an_image_is_made_again_elsewhere(
    nodetool: Command, write: Author, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodetool("run", write.resize())
    (tmp_path / "photo.png").rename(photos / "renamed.png")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    lost = nodetool("rerun", "../out/image.png")
    assert lost.code == 1 and "--files DIR" in lost.err
    done = nodetool("rerun", "../out/image.png", "--files", "..")
    assert (done.code, done.out.split()) == (0, ["out/image-again.png"]) and "Identical" in done.err
    other = nodetool("rerun", "../out/image.png", "--files", "..", "--set", "smaller.width=7")
    assert other.code == 0
    with Image.open("out/image-again-2.png") as made:
        assert made.width == 7


def test_a_image_that_nobody_made_is_refused(nodetool: Command, photos: Path) -> None:
    done = nodetool("rerun", "shot0.png")
    assert (done.code, done.out) == (1, "") and "does not state what made it" in done.err


@pytest.mark.usefixtures("pack")
def test_a_node_over_its_time_is_given_up(nodetool: Command, write: Author) -> None:
    done = nodetool("run", write.single("Slow"), "--timeout", "0.1")
    assert done.code == 1 and "took longer than its 0.1 s" in done.err


@pytest.mark.usefixtures("pack")
def test_a_node_that_fails_is_tried_again(nodetool: Command, write: Author) -> None:
    done = nodetool("run", write.single("Crash"), "--attempts", "2")
    assert done.code == 1 and "is tried again in 1 s" in done.err


def test_n9_a_quiet_batch_names_the_row_that_fails_and_no_other(
    nodetool: Command, write: Author, photos: Path
) -> None:
    (photos / "shot1.png").write_text("no image")
    done = nodetool(
        "run", write.resize(), "--set", "photo=shot*.png", "-q", "--on-error", "continue"
    )
    lines = done.err.splitlines()
    assert done.code == 1 and lines[0] == "2 of 3: photo=shot1.png"
    assert lines[1].startswith("error[") and "of 3:" not in "".join(lines[1:])


def test_n9_a_quiet_batch_names_the_row_that_can_not_start(
    nodetool: Command, write: Author, photos: Path
) -> None:
    (photos / "table.csv").write_text("smaller.width\n20\nwide\n")
    done = nodetool("run", write.resize(), "--inputs", "table.csv", "-q", "--on-error", "continue")
    assert done.code == 1 and done.err.splitlines()[0] == "2 of 2: smaller.width=wide"
