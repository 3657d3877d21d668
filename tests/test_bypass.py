"""Nodes that are bypassed: what they take goes straight on."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from nodetool_core import Registry, Workflow
from nodetool_core.bypass import pass_by
from nodetool_core.workflow import WorkflowDocument
from tests.editor.documents import blur, document


def bypassed(made: WorkflowDocument, *names: str) -> WorkflowDocument:
    for node in made.graph.nodes:
        if node.id in names:
            node.ui_properties["bypassed"] = True
    return made


def edges(made: WorkflowDocument) -> list[str]:
    found = pass_by(made, Registry.installed()).graph.edges
    return [f"{edge.source} > {edge.target}.{edge.targetHandle}" for edge in found]


def test_a_bypassed_node_changes_nothing(tmp_path: Path) -> None:
    Image.linear_gradient("L").resize((16, 12)).convert("RGB").save(tmp_path / "photo.png")
    made = bypassed(blur(5.0), "blur", "invert")
    result = Workflow.from_document(made, base=tmp_path).run()
    with Image.open(tmp_path / "photo.png") as image:
        assert result.outputs["result"].image.tobytes() == image.tobytes()


def test_several_in_a_row_lead_to_the_first_source() -> None:
    made = bypassed(blur(), "blur", "invert")
    assert edges(made) == ["photo > blur.image", "photo > invert.image", "photo > out.value"]


def test_what_nothing_fits_is_left_out() -> None:
    made = document(
        {
            "size": ("nodetool.input.IntegerInput", {"name": "size"}),
            "noise": ("lib.pillow.draw.GaussianNoise", {}),
            "out": ("nodetool.output.Output", {"name": "result"}),
        },
        ["size.output > noise.width", "noise.output > out.value"],
    )
    assert edges(bypassed(made, "noise")) == ["size > noise.width"]


def test_a_ring_of_bypassed_nodes_ends() -> None:
    made = document(
        {"a": ("lib.pillow.filter.Blur", {}), "b": ("lib.pillow.filter.Blur", {})},
        ["a.output > b.image", "b.output > a.image"],
    )
    assert edges(bypassed(made, "a", "b")) == []
