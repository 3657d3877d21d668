from __future__ import annotations

from pathlib import Path

import pytest

from nodes.nodetool import input as inputs
from nodetool_core import (
    ColorRef,
    FolderRef,
    ImageData,
    ImageRef,
    ImageSizeRef,
    ModelRef,
    Node,
    NodeError,
    Role,
)
from nodetool_core.errors import ImageError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner

CLASSES = [
    kind
    for kind in vars(inputs).values()
    if isinstance(kind, type) and issubclass(kind, Node) and kind is not Node
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_input_can_be_named_and_set(kind: type[Node]) -> None:
    assert kind.role is Role.INPUT and kind.spec.node_type.startswith("nodetool.input.")
    assert {"name", "value", "description"} <= set(kind.spec.properties)
    assert list(kind.spec.outputs) == ["output"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (inputs.StringInput, "a lake"),
        (inputs.IntegerInput, 25),
        (inputs.FloatInput, 0.6),
        (inputs.BooleanInput, True),
        (inputs.ColorInput, ColorRef(value="#ff0000")),
        (inputs.SelectInput, "anything"),
        (inputs.ImageSizeInput, ImageSizeRef(width=64, height=32)),
        (inputs.FolderPathInput, "/photos"),
        (inputs.FilePathInput, "lake.png"),
        (inputs.AssetFolderInput, FolderRef(uri="/photos")),
        (inputs.StringListInput, ["dawn", "noon"]),
        (inputs.HuggingFaceModelInput, ModelRef(repo_id="owner/name")),
    ],
)
def test_a_value_comes_out_as_it_went_in(
    kind: type[Node], value: object, run_node: NodeRunner
) -> None:
    assert run_node(kind(name="it", value=value)) == value


def test_images_are_opened_at_once(run_node: NodeRunner, tmp_path: Path) -> None:
    scene().save(tmp_path / "lake.png")
    image = run_node(inputs.ImageInput(name="photo", value=ImageRef(uri="lake.png")))
    assert isinstance(image, ImageData) and difference(image.image, scene()) == 0
    images = run_node(inputs.ImageListInput(name="photos", value=[ImageRef(uri="lake.png"), image]))
    assert [type(item) for item in images] == [ImageData, ImageData]


@pytest.mark.parametrize("value", [ImageRef(), ImageRef(uri="missing.png")])
def test_a_missing_image_fails_at_the_input(value: ImageRef, run_node: NodeRunner) -> None:
    with pytest.raises(ImageError):
        run_node(inputs.ImageInput(name="photo", value=value))


@pytest.mark.parametrize("value", [0, 5, 10])
def test_bounds_are_inclusive(value: int, run_node: NodeRunner) -> None:
    assert run_node(inputs.IntegerInput(name="steps", value=value, min=0, max=10)) == value
    assert run_node(inputs.FloatInput(name="steps", value=value / 10, min=0, max=1)) == value / 10


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (inputs.IntegerInput(name="steps", value=11, max=10), "'steps' is 11, above its max 10"),
        (inputs.IntegerInput(name="steps", value=-1), "below its min 0"),
        (
            inputs.FloatInput(name="strength", value=1.4, max=1),
            "'strength' is 1.4, above its max 1",
        ),
        (inputs.FloatInput(name="strength", min=2, max=1), "min 2 above max 1"),
        (
            inputs.SelectInput(name="season", value="wintr", options=["summer", "winter"]),
            "Did you mean 'winter'?",
        ),
        (inputs.SelectInput(name="season", options=["summer", "winter"]), "'summer', 'winter'"),
        (
            inputs.StringInput(name="prompt", value="a lake", max_length=3),
            "6 characters; at most 3",
        ),
    ],
)
def test_what_is_not_allowed_is_named(node: Node, says: str, run_node: NodeRunner) -> None:
    with pytest.raises(NodeError) as caught:
        run_node(node)
    assert says in str(caught.value)
