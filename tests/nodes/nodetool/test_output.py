from __future__ import annotations

from pathlib import Path

import pytest

from nodes.nodetool.output import Output
from nodes.nodetool.workflows.base_node import Comment, Preview
from nodetool_core import ImageData, ImageRef, Role, RunCancelled
from nodetool_core.errors import ImageError
from tests.assets.images import scene
from tests.nodes.conftest import NodeRunner


@pytest.mark.parametrize("value", [None, 3, "text", [1, 2], {"a": 1}])
def test_an_output_passes_its_value_on(value: object, run_node: NodeRunner) -> None:
    assert Output.role is Role.OUTPUT
    assert run_node(Output(name="result", value=value)) == value


def test_an_output_opens_images(run_node: NodeRunner, tmp_path: Path) -> None:
    scene().save(tmp_path / "lake.png")
    image = ImageData.of(scene())
    assert run_node(Output(name="result", value=image)) is image
    opened = run_node(Output(name="result", value=[ImageRef(uri="lake.png"), image]))
    assert isinstance(opened[0], ImageData) and opened[1] is image
    with pytest.raises(ImageError, match=r"missing\.png"):
        run_node(Output(name="result", value=ImageRef(uri="missing.png")))


def test_a_preview_shows_images_and_nothing_else(run_node: NodeRunner) -> None:
    first, second = ImageData.of(scene(8, 8)), ImageData.of(scene(9, 9))
    assert run_node(Preview(value=[first, second])) is None
    assert [
        (kind, details["image"].size, details["total"]) for kind, details in run_node.reports
    ] == [
        ("preview", (8, 8), 0),
        ("preview", (9, 9), 0),
    ], "a total of 0 tells it from the steps of a node at work"
    run_node.reports.clear()
    run_node(Preview(value="a text"))
    assert run_node.reports == []
    assert (
        Preview.spec.node_type == "nodetool.workflows.base_node.Preview"
        and Preview.role is Role.SINK
    )


def test_a_preview_of_many_can_be_cancelled(run_node: NodeRunner) -> None:
    run_node.cancelled.set()
    with pytest.raises(RunCancelled):
        run_node(Preview(value=[ImageData.of(scene())]))


def test_a_comment_takes_text_or_an_editors_document(run_node: NodeRunner) -> None:
    assert Comment.role is Role.COMMENT and not Comment.spec.outputs
    comments: list[object] = ["a note", {"root": {"children": []}}, [{"type": "p"}]]
    for comment in comments:
        assert run_node(Comment(headline="Why", comment=comment)) is None
