"""Files that workflows name, and where the Hub has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nodes.importers import known_files
from nodes.importers.known_files import known_file
from nodetool_core import ModelRef
from nodetool_core.importing import import_file
from tests.nodes.importers.conftest import FILES, REGISTRY, from_content, values

SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
NAME = "sd_xl_base_1.0.safetensors"


def test_the_table_holds_files_of_repositories() -> None:
    table = json.loads(Path(known_files.__file__).with_suffix(".json").read_text())
    assert len(table) > 300 and list(table) == sorted(table)
    for name, (repository, path) in table.items():
        assert ModelRef(repo_id=repository, path=path).repo_id == repository
        assert repository.count("/") == 1 and ".." not in path and Path(name).suffix


@pytest.mark.parametrize("name", [NAME, f"sdxl/{NAME}", f"sdxl\\{NAME}"])
def test_a_file_is_known_in_any_folder(name: str) -> None:
    assert known_file(name) == (SDXL, NAME)
    assert known_file("mine.safetensors") is None and known_file("") is None


def test_a_workflow_of_comfyui_names_the_repository() -> None:
    graph = json.loads((FILES / "text_to_image.json").read_text())
    loader = next(node for node in graph.values() if node["class_type"].startswith("Checkpoint"))
    loader["inputs"]["ckpt_name"] = NAME
    result = from_content(graph)
    assert values(result, "1")["value"] == {"type": "hf.model", "repo_id": SDXL, "path": NAME}
    assert any(f"nodetool models pull {SDXL} --path {NAME}" in note.hint for note in result.notes)


def test_an_image_of_a_web_ui_does(tmp_path: Path) -> None:
    text = "a lake\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Model: sd_xl_base_1.0"
    (tmp_path / "photo.txt").write_text(text)
    result = import_file(tmp_path / "photo.txt", REGISTRY)
    assert values(result, "model")["value"]["repo_id"] == SDXL
    assert any(f"nodetool models pull {SDXL} --path {NAME}" in note.hint for note in result.notes)
