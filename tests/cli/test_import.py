"""`nodetool import`: what is written, what is said, and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from PIL import Image

from tests.cli.conftest import Command

FILES = Path(__file__).parents[1] / "nodes" / "importers" / "files"


def test_a_workflow_goes_to_stdout_and_notes_to_stderr(nodetool: Command) -> None:
    done = nodetool("import", FILES / "text_to_image.json")
    assert done.code == 0 and [node["id"] for node in done.json["graph"]["nodes"]] == [
        "1",
        "5",
        "7",
    ]
    assert (
        "is the input 'model'" in done.err
        and "--set model=OWNER/NAME" in done.err
        and "3 nodes written, whole." in done.err
    )


def test_a_file_that_is_written_is_valid(nodetool: Command, tmp_path: Path) -> None:
    shutil.copy(FILES.parents[3] / "graphs" / "assets" / "lake_at_noon.png", tmp_path / "lake.png")
    done = nodetool("import", FILES / "upscaling.json", "--out", "made/large.json")
    assert done.code == 0 and done.out.strip() == "made/large.json"
    checked = nodetool("validate", "made/large.json", "--json")
    assert checked.code == 0 and set(checked.json["outputs"]) == {"large", "large_2"}


def test_what_is_left_out_is_named_and_ends_with_1(nodetool: Command) -> None:
    done = nodetool("import", FILES / "two_passes.json", "--out", "made.json")
    assert done.code == 1 and json.loads(Path("made.json").read_text())["graph"]["nodes"]
    assert "left_out_node]: FaceRestore (17): has no counterpart" in done.err
    assert "3 of the file left out" in done.err


def test_files_that_can_not_be_imported(nodetool: Command, tmp_path: Path) -> None:
    missing = nodetool("import", "none.json")
    assert missing.code == 2 and missing.out == "" and "no such file" in missing.err
    (tmp_path / "bad.json").write_text('{"1": {"class_type": "Magic", "inputs": {}}}')
    bad = nodetool("import", "bad.json")
    assert (
        bad.code == 2
        and bad.out == ""
        and "Magic (1): has no counterpart" in bad.err
        and "Traceback" not in bad.err
    )


def test_a_image_that_holds_no_workflow(nodetool: Command, tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.jpg")
    done = nodetool("import", "photo.jpg")
    assert done.code == 2 and "a PNG that ComfyUI wrote" in done.err and "codec" not in done.err


def test_the_file_to_import_is_not_overwritten(nodetool: Command, tmp_path: Path) -> None:
    file = shutil.copy(FILES / "text_to_image.json", tmp_path / "workflow.json")
    done = nodetool("import", "workflow.json", "--out", "./workflow.json")
    assert (
        done.code == 2
        and "would be lost" in done.err
        and Path(file).read_bytes() == (FILES / "text_to_image.json").read_bytes()
    )


def test_a_run_without_the_files_of_the_other_tool_says_how_to_give_ones_own(
    nodetool: Command, tmp_path: Path
) -> None:
    nodetool("import", FILES / "inpainting.json", "--out", "made.json")
    assert "Run with --set image_2=PATH." in nodetool("import", FILES / "inpainting.json").err
    shutil.copy(FILES.parents[3] / "graphs" / "assets" / "lake_at_noon.png", tmp_path / "lake.png")
    done = nodetool("run", "made.json")
    assert (
        done.code == 1
        and "hole.png: does not exist" in done.err
        and "--set image_2=PATH" in done.err
    )
    own = nodetool("run", "made.json", "--set", "image_2=mine.png")
    assert own.code == 1 and "mine.png: does not exist" in own.err and "--set" not in own.err
    nodetool("import", FILES / "text_to_image.json", "--out", "text.json")
    assert "--set model=PATH" in nodetool("run", "text.json").err


def test_a_place_that_can_not_be_written(nodetool: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = nodetool("import", FILES / "text_to_image.json", "--out", "file/made.json")
    assert done.code == 1 and "can't be written" in done.err


def test_the_exit_code_is_the_grade(nodetool: Command, tmp_path: Path) -> None:
    graph = json.loads((FILES / "text_to_image.json").read_text())
    assert nodetool("import", FILES / "text_to_image.json").code == 0
    graph["5"]["inputs"]["sampler_name"] = "dpm_fast"
    (tmp_path / "sampler.json").write_text(json.dumps(graph))
    done = nodetool("import", "sampler.json")
    assert done.code == 3 and "3 nodes written, with notes." in done.err
    assert nodetool("import", FILES / "two_passes.json").code == 1


def test_a_folder_is_imported_at_once(nodetool: Command, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    shutil.copy(FILES / "text_to_image.json", tmp_path / "in" / "one.json")
    shutil.copy(FILES / "two_passes.json", tmp_path / "in" / "deep" / "two.json")
    (tmp_path / "in" / "bad.json").write_text("{")
    Image.new("RGB", (4, 4)).save(tmp_path / "in" / "photo.png")
    done = nodetool("import", "in", "--out", "made")
    rows = [line.split("  ")[0].strip() for line in done.out.splitlines() if "in/" not in line]
    assert done.code == 1 and "1 whole" in done.err and "2 refused" in done.err
    assert {"bad.json", "deep/two.json", "one.json", "photo.png"} <= set(rows)
    assert Path("made/one.json").exists() and Path("made/deep/two.json").exists()
    table = nodetool("import", "in", "--json").json
    assert [(row["file"], row["grade"]) for row in table] == [
        ("bad.json", "refused"),
        ("deep/two.json", "with losses"),
        ("one.json", "whole"),
        ("photo.png", "refused"),
    ]


def test_the_report_says_what_became_of_each_node(nodetool: Command) -> None:
    done = nodetool("import", FILES / "two_passes.json", "--report")
    lines = [line.split() for line in done.out.splitlines()]
    assert done.code == 1 and ["FaceRestore", "(17)", "lost"] in [line[:3] for line in lines]
    assert "Left out with it: fidelity 0.5." in done.out
    entries = nodetool("import", FILES / "text_to_image.json", "--report", "--json").json
    assert (
        entries["grade"] == "whole"
        and {entry["node"]: entry["fate"] for entry in entries["nodes"]}["KSampler (5)"] == "same"
    )
