from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from nodes.nodetool import constant
from nodetool_core import ImageData, ImageRef, ImageSizeRef, Node, NodeError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (constant.Bool, True),
        (constant.Integer, -3),
        (constant.Float, 0.25),
        (constant.String, "a lake"),
        (constant.List, [1, "two", None]),
        (constant.TextList, ["dawn", "noon"]),
        (constant.Dict, {"season": "winter"}),
        (constant.JSON, {"scene": {"objects": ["sun", "lake"]}}),
        (constant.Select, "winter"),
    ],
)
def test_a_constant_is_its_value(kind: type[Node], value: object, run_node: NodeRunner) -> None:
    assert run_node(kind(value=value)) == value


def test_images_are_opened(run_node: NodeRunner, tmp_path: Path) -> None:
    scene().save(tmp_path / "lake.png")
    image = run_node(constant.Image(value=ImageRef(uri="lake.png")))
    assert isinstance(image, ImageData) and difference(image.image, scene()) == 0
    assert len(run_node(constant.ImageList(value=[ImageRef(uri="lake.png")] * 2))) == 2


def test_a_size_has_three_outputs(run_node: NodeRunner) -> None:
    assert list(constant.ImageSize.spec.outputs) == ["image_size", "width", "height"]
    assert tuple(run_node(constant.ImageSize(value=ImageSizeRef(width=64, height=32)))) == (
        ImageSizeRef(width=64, height=32),
        64,
        32,
    )


def test_days_and_moments(run_node: NodeRunner) -> None:
    assert run_node(constant.Date(year=2024, month=2, day=29)) == dt.date(2024, 2, 29)
    moment = run_node(
        constant.DateTime(year=2024, month=7, day=1, hour=12, millisecond=5, tzinfo="Europe/Berlin")
    )
    assert moment.isoformat() == "2024-07-01T12:00:00.005000+02:00"
    assert (
        run_node(constant.DateTime(year=2024, utc_offset=-90)).isoformat()
        == "2024-01-01T00:00:00-01:30"
    )
    assert run_node(constant.DateTime()).tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (constant.Date(year=2023, month=2, day=29), "no day 29 in month 2 of 2023"),
        (constant.DateTime(month=4, day=31), "no day 31 in month 4"),
        (constant.DateTime(tzinfo="Mars/Olympus"), "no time zone 'Mars/Olympus'"),
        (constant.Select(value="wintr", options=["winter"]), "not one of the options"),
    ],
)
def test_what_does_not_exist_is_named(node: Node, says: str, run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match=says):
        run_node(node)
