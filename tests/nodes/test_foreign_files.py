"""
Workflow files of the nearest tool.

They load as they are, say what was mapped, run, and keep what is not known here.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from nodetool_core import ImageData, ModelRef, Workflow, WorkflowError

FILES = Path(__file__).parent / "files"
LAKE = Path(__file__).parents[2] / "graphs" / "assets" / "lake_at_noon.png"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the files, beside what they read."""
    for file in FILES.glob("*.json"):
        shutil.copy(file, tmp_path)
    shutil.copy(LAKE, tmp_path / "lake.png")
    (tmp_path / "prompts").mkdir()
    for name, text in {
        "a.txt": "a lake",
        "b.md": "hut",
        "c.txt": "a ridge",
        "d.png": "no text",
    }.items():
        (tmp_path / "prompts" / name).write_text(text)
    return tmp_path


def notes(workflow: Workflow) -> list[tuple[str, str, str]]:
    return [(note.code, note.where, note.message) for note in workflow.graph.notes]


def test_a_card_from_an_image(folder: Path) -> None:
    workflow = Workflow.load(folder / "winter_card.json")
    assert notes(workflow) == [
        ("mapped_type", "nodes[3].type", "lib.pillow.__init__.Blend is read as lib.pillow.Blend."),
        (
            "mapped_type",
            "nodes[9].type",
            "nodetool.image.SaveImage is read as nodetool.image.SaveImageFile.",
        ),
        ("mapped_property", "nodes[9].data.name", "name is read as filename."),
    ]
    card = workflow.run()["card"].image
    assert card.size == (148, 148) and card.getpixel((2, 2)) == (255, 255, 255)
    assert (folder / "cards" / "card.png").is_file()


def test_saving_keeps_what_is_not_known_here(folder: Path) -> None:
    saved = Workflow.load(folder / "winter_card.json").save(folder / "again.json")
    given = json.loads((FILES / "winter_card.json").read_text())
    assert json.loads(saved.read_text()).items() >= given.items()


def test_a_loop_over_texts(folder: Path) -> None:
    workflow = Workflow.load(folder / "folder_of_prompts.json")
    assert [code for code, _, _ in notes(workflow)] == ["mapped_type"] * 3
    result = workflow.run()
    assert result["all"] == "A LAKE | A RIDGE" and result["more"] is True
    assert [Path(path).name for path in result["files"]] == ["a.txt", "b.md", "c.txt"]
    assert result["weights"] == ModelRef(repo_id="nodetool/tiny-landscapes")


@pytest.mark.slow
def test_an_edit_by_a_model_that_is_named_by_its_provider(folder: Path) -> None:
    workflow = Workflow.load(folder / "hosted_edit.json")
    left_out = [
        where.rpartition(".")[2]
        for code, where, _ in notes(workflow)
        if code == "left_out_property"
    ]
    assert left_out == [
        "target_width",
        "target_height",
        "scheduler",
        "safety_check",
        "timeout_seconds",
    ]
    result = workflow.run()
    assert isinstance(result["image"], ImageData) and result.seeds == {"edit": {"seed": 3}}


def test_an_edge_to_what_has_no_counterpart_is_left_out_and_told(folder: Path) -> None:
    content: Any = json.loads((folder / "hosted_edit.json").read_text())
    content["graph"]["nodes"].append(
        {"id": "side", "type": "nodetool.constant.Integer", "data": {"value": 256}}
    )
    edge = {
        "source": "side",
        "sourceHandle": "output",
        "target": "edit",
        "targetHandle": "target_width",
    }
    content["graph"]["edges"].append(edge)
    (folder / "edge.json").write_text(json.dumps(content))
    told = [
        message
        for _, where, message in notes(Workflow.load(folder / "edge.json"))
        if where == "edges[2].targetHandle"
    ]
    assert told == [
        "target_width of nodetool.image.ImageToImage has no counterpart; what side passes to it is"
        " left out."
    ]


def test_a_model_that_only_its_provider_can_run(folder: Path) -> None:
    content: Any = json.loads((folder / "hosted_edit.json").read_text())
    content["graph"]["nodes"][1]["data"]["model"]["provider"] = "openai"
    (folder / "openai.json").write_text(json.dumps(content))
    with pytest.raises(
        WorkflowError, match=r"nodes\[1\]\.data\.model.*'openai' runs its own models"
    ):
        Workflow.load(folder / "openai.json")
