"""The gallery shows every workflow of a folder, its graph, and what it gives."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from nodetool_core import Registry, WorkflowError
from nodetool_core.reference.gallery import gallery, make_images

ROOT = Path(__file__).parents[2]
REGISTRY = Registry.installed()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one small workflow."""
    graphs = tmp_path / "graphs"
    graphs.mkdir()
    Image.new("RGB", (600, 300), (200, 100, 0)).save(graphs / "photo.png")
    nodes = [
        {
            "id": "photo",
            "type": "nodetool.input.ImageInput",
            "data": {"name": "photo", "value": "photo.png", "description": "A | photo."},
        },
        {"id": "half", "type": "nodetool.image.Scale", "data": {"scale": 0.9}},
        {"id": "out", "type": "nodetool.output.Output", "data": {"name": "smaller"}},
    ]
    edges = [
        {"source": "photo", "target": "half", "targetHandle": "image"},
        {"source": "half", "target": "out", "targetHandle": "value"},
    ]
    content = {
        "name": "Smaller",
        "description": "Makes it smaller.",
        "graph": {"nodes": nodes, "edges": edges},
    }
    (graphs / "smaller.json").write_text(json.dumps(content))
    return graphs


def test_the_workflows_that_ship_are_all_there(tmp_path: Path) -> None:
    files = gallery(ROOT / "graphs", REGISTRY, tmp_path)
    names = {path.stem for path in (ROOT / "graphs").glob("*.json")}
    assert {path for path in files if path.endswith(".svg")} == {f"{name}.svg" for name in names}
    for path, text in files.items():
        if path.endswith(".svg"):
            ElementTree.fromstring(text)
    assert all(f"nodetool run graphs/{name}.json" in files["index.md"] for name in names)


def test_an_entry_tells_inputs_outputs_and_shows_the_image_once_made(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "gallery"
    page = gallery(folder, REGISTRY, out)["index.md"]
    assert (
        "## Smaller\n\nMakes it smaller." in page
        and r"| `photo` | `image` | A \| photo. |  |" in page
        and "Outputs: `smaller`." in page
    )
    assert "smaller.webp" not in page
    assert list(make_images(folder, REGISTRY, out)) == [
        (folder / "smaller.webp", ""),
        (out / "given" / "photo.webp", ""),
    ]
    with Image.open(folder / "smaller.webp") as image:
        assert image.size == (540, 270)
    page = gallery(folder, REGISTRY, out)["index.md"]
    assert (
        f"![What smaller.json gives](../{folder.name}/smaller.webp)" in page
        and r"| A \| photo. | ![photo.png](given/photo.webp) |" in page
    )
    assert list(make_images(folder, REGISTRY, out)) == []


def test_several_outputs_are_shown_side_by_side(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "smaller.json").read_text())
    content["graph"]["nodes"].append(
        {"id": "same", "type": "nodetool.output.Output", "data": {"name": "same"}}
    )
    content["graph"]["edges"].append({"source": "photo", "target": "same", "targetHandle": "value"})
    (folder / "smaller.json").write_text(json.dumps(content))
    assert dict(make_images(folder, REGISTRY, tmp_path)) == {
        tmp_path / "given" / "photo.webp": "",
        folder / "smaller.webp": "",
    }
    with Image.open(folder / "smaller.webp") as image:
        assert image.width > 3 * image.height


def test_a_workflow_that_fails_is_named_and_the_others_are_made(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "photo.png").write_text("no image")
    made = list(make_images(folder, REGISTRY, tmp_path / "gallery"))
    assert [path.name for path, _ in made] == ["smaller.webp", "photo.webp"]
    assert all("photo.png" in complaint and not path.exists() for path, complaint in made)


def test_an_invalid_workflow_is_an_error(folder: Path, tmp_path: Path) -> None:
    (folder / "wrong.json").write_text(
        '{"graph": {"nodes": [{"id": "a", "type": "no.such.Node"}]}}'
    )
    with pytest.raises(WorkflowError, match=r"no\.such\.Node"):
        gallery(folder, REGISTRY, tmp_path)
