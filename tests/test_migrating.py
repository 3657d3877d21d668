"""Workflow files with names of another time: read with conversions, and written anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nodetool_core import Node, Workflow, WorkflowError
from nodetool_core.cli.app import execute
from nodetool_core.migrating import migrated
from nodetool_core.packs import Alias, Pack
from nodetool_core.registry import Registry
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument


class Soften(Node):
    """Softens a number."""

    sigma: float = 1.0
    edges: str = "keep"
    value: float = 0.0

    def process(self) -> float:
        return self.value * self.sigma


def half(pixels: object) -> float:
    """Return a radius in pixels as a standard deviation."""
    if not isinstance(pixels, int | float):
        raise TypeError(f"expects a number of pixels, got {pixels!r}")
    return pixels / 2


TYPE = Soften.spec.node_type
OLD = Alias(
    TYPE,
    {"radius": "sigma", "quality": None, "border": "edges"},
    outputs={"image": "output"},
    values={"value": 3.0},
    choices={"border": {"same": "keep"}},
    conversions={"radius": half},
)
REGISTRY = Registry([Pack("nodes", prefix="", aliases={"old.Blur": OLD})], [Soften])


def document(*nodes: dict[str, Any], edges: tuple[dict[str, str], ...] = ()) -> WorkflowDocument:
    return WorkflowDocument.from_json({"graph": {"nodes": list(nodes), "edges": list(edges)}})


def blur(name: str = "a", **data: object) -> dict[str, Any]:
    return {"id": name, "type": "old.Blur", "data": data}


def test_an_old_value_is_converted_where_it_is_read() -> None:
    graph = build_graph(document(blur(radius=4, border="same")), REGISTRY)
    assert graph.nodes[0].values == {"sigma": 2.0, "edges": "keep", "value": 3.0}
    assert any("radius 4 is read as sigma 2.0" in note.message for note in graph.notes)


def test_a_value_that_can_not_be_converted_is_a_problem_with_its_place() -> None:
    with pytest.raises(WorkflowError, match=r"nodes\[0\]\.data\.radius: can't be converted"):
        build_graph(document(blur(radius="wide")), REGISTRY)
    found = migrated(document(blur(radius="wide")), REGISTRY)
    assert [problem.where for problem in found.problems] == ["nodes[0].data.radius"]


def test_a_document_is_written_with_the_names_of_today() -> None:
    edge = {"source": "a", "sourceHandle": "image", "target": "b", "targetHandle": "radius"}
    old = document(blur(radius=4), blur("b", border="same"), edges=(edge,))
    before = build_graph(old, REGISTRY)
    found = migrated(old, REGISTRY)
    assert [node.type for node in found.document.graph.nodes] == [TYPE, TYPE]
    assert found.document.graph.nodes[0].data == {"value": 3.0, "sigma": 2.0}
    (led,) = found.document.graph.edges
    assert (led.sourceHandle, led.targetHandle) == ("output", "sigma")
    after = build_graph(found.document, REGISTRY)
    assert after.notes == ()
    assert [node.values for node in after.nodes] == [node.values for node in before.nodes]
    assert old.graph.nodes[0].type == "old.Blur", "the old document is not changed"
    assert migrated(found.document, REGISTRY).notes == []


def test_what_has_no_counterpart_is_named() -> None:
    edge = {"source": "a", "sourceHandle": "output", "target": "b", "targetHandle": "quality"}
    found = migrated(document(blur(quality=3), blur("b"), edges=(edge,)), REGISTRY)
    assert [note.where for note in found.left_out] == [
        "nodes[0].data.quality",
        "edges[0].targetHandle",
    ]
    assert found.document.graph.edges == []


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """Return a file with a type that the built-in pack has renamed."""
    nodes = [
        {"id": "upper", "type": "nodetool.text.ToUppercase", "data": {"text": "night"}},
        {"id": "out", "type": "nodetool.output.Output", "data": {"name": "text"}},
    ]
    edges = [{"source": "upper", "target": "out", "targetHandle": "value"}]
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"graph": {"nodes": nodes, "edges": edges}, "kept": 1}))
    return path


def test_a_file_is_migrated_in_its_place(
    old_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = old_file.read_text()
    assert execute(["migrate", "--check", str(old_file)]) == 1
    assert old_file.read_text() == content
    assert execute(["migrate", str(old_file)]) == 0
    assert "nodetool.text.ToUppercase is read as" in capsys.readouterr().err
    written = json.loads(old_file.read_text())
    assert written["graph"]["nodes"][0]["type"] == "nodetool.text.ChangeCase"
    assert written["kept"] == 1
    workflow = Workflow.load(old_file)
    assert workflow.graph.notes == () and workflow() == "NIGHT"
    assert execute(["migrate", "--check", str(old_file)]) == 0


def test_a_file_that_would_lose_something_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    node = {"id": "a", "type": "nodetool.image.TextToImage", "data": {"safety_check": True}}
    path.write_text(json.dumps({"graph": {"nodes": [node], "edges": []}}))
    content = path.read_text()
    assert execute(["migrate", str(path)]) == 1
    assert path.read_text() == content
    assert execute(["migrate", "--leave-out", str(path)]) == 0
    assert json.loads(path.read_text())["graph"]["nodes"][0]["data"] == {}
