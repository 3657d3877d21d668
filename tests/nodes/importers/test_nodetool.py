"""Files of NodeTool that hold what is not known here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nodetool_core import Workflow, WorkflowError
from nodetool_core.importing import NotRecognizedError
from nodetool_core.importing.draft import Grade
from nodetool_core.importing.nodetool import import_file
from tests.nodes.importers.conftest import FILES, REGISTRY

SCALED: dict[str, Any] = {
    "access": "private",
    "graph": {
        "nodes": [
            {"id": "a", "type": "nodetool.input.ImageInput", "data": {"name": "photo"}},
            {
                "id": "b",
                "type": "nodetool.image.Scale",
                "data": {"scale": 0.5, "sharpen_after": 3},
                "sync_mode": "on_any",
            },
            {"id": "c", "type": "nodetool.output.Output", "data": {"name": "small"}},
            {"id": "d", "type": "nodetool.video.Trim", "data": {"seconds": 4}},
        ],
        "edges": [
            {"source": "a", "sourceHandle": "output", "target": "b", "targetHandle": "image"},
            {"source": "b", "sourceHandle": "output", "target": "c", "targetHandle": "value"},
            {"source": "b", "sourceHandle": "output", "target": "d", "targetHandle": "video"},
            {"source": "a", "sourceHandle": "output", "target": "b", "targetHandle": "overlay"},
        ],
    },
}
LAKE = Path(__file__).parents[3] / "graphs" / "assets" / "lake_at_noon.png"


def written(folder: Path, content: Any) -> Path:
    (folder / "scaled.json").write_text(json.dumps(content))
    return folder / "scaled.json"


def test_what_is_not_known_is_kept_aside_and_the_rest_runs(tmp_path: Path) -> None:
    path = written(tmp_path, SCALED)
    with pytest.raises(WorkflowError, match="sharpen_after"):
        Workflow.load(path)
    result = import_file(path, REGISTRY)
    assert result.grade is Grade.LOSSES
    assert [(note.code, note.where) for note in result.notes] == [
        ("left_out_property", "Scale (b)"),
        ("left_out_node", "Trim (d)"),
        ("left_out_property", "Scale (b)"),
    ]
    saved = json.loads(json.dumps(result.document.to_json()))
    assert saved["access"] == "private" and saved["graph"]["nodes"][1]["sync_mode"] == "on_any"
    aside = saved["left_out"]
    assert aside["properties"] == [{"node": "b", "sharpen_after": 3}]
    assert aside["nodes"][0]["data"] == {"seconds": 4} and len(aside["edges"]) == 2
    made = Workflow.from_document(result.document, REGISTRY, base=tmp_path).run(photo=LAKE)
    assert made["small"].image.size == (64, 64)


@pytest.mark.parametrize("name", ["sde", "t2i_provider"])
def test_what_is_known_is_whole(name: str) -> None:
    result = import_file(FILES / "faults" / f"{name}.json", REGISTRY)
    assert result.grade is Grade.WHOLE and len(result.document.graph.nodes) == 2


def test_files_that_are_none_of_it(tmp_path: Path) -> None:
    others: list[Any] = [{"nodes": []}, [], {"graph": 3}]
    for content in others:
        with pytest.raises(NotRecognizedError):
            import_file(written(tmp_path, content), REGISTRY)
    nothing = {"graph": {"nodes": [{"id": "d", "type": "nodetool.video.Trim"}], "edges": []}}
    with pytest.raises(WorkflowError, match="has no node that is known here"):
        import_file(written(tmp_path, nothing), REGISTRY)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_an_image_that_was_made_here_holds_its_workflow(tmp_path: Path, suffix: str) -> None:
    made = import_file(written(tmp_path, SCALED), REGISTRY).document
    result = Workflow.from_document(made, REGISTRY, base=tmp_path).run(photo=LAKE)
    path = result["small"].save(tmp_path / f"small.{suffix}")
    again = import_file(path, REGISTRY)
    assert again.grade is Grade.WHOLE
    assert [node.type for node in again.document.graph.nodes][:2] == [
        "nodetool.input.ImageInput",
        "nodetool.image.Scale",
    ]
