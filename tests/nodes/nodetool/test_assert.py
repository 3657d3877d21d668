"""What a workflow checks: a value goes on, or the run ends with the author's message."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from nodes.nodetool.boolean import Compare
from nodes.nodetool.control import Assert
from nodes.nodetool.input import ImageInput
from nodes.nodetool.output import Output
from nodetool_core import ImageData, NodeError, Workflow
from nodetool_core.engine.result import RunError
from tests.nodes.conftest import NodeRunner


@pytest.mark.parametrize(
    ("given", "condition"),
    [
        ({"value": 3}, "value > 2"),
        ({"value": "a lake"}, "len(value) == 6 and kind == 'photo'"),
        ({"value": [1, 2], "limit": 2}, "len(value) <= limit"),
        ({"value": {"hour": 7}}, "6 <= value.hour < 20"),
        ({"value": 5}, ""),
    ],
)
def test_a_value_goes_on_where_the_condition_holds(
    given: dict[str, Any], condition: str, run_node: NodeRunner
) -> None:
    assert run_node(Assert(condition=condition, **given, kind="photo")) == given["value"]


def test_the_message_is_the_authors(run_node: NodeRunner) -> None:
    image = ImageData.of(Image.new("RGB", (640, 480)))
    said = "{{ value.width }} pixels are too few: {{ least }} are needed."
    node = Assert(value=image, condition="value.width >= least", message=said, least=1024)
    with pytest.raises(NodeError) as caught:
        run_node(node)
    problem = caught.value.problem
    assert problem.message == "640 pixels are too few: 1024 are needed."
    assert problem.code == "assertion_failed" and "value.width >= least" in problem.hint
    assert run_node(Assert(value=image, condition="value.width >= 600")) is not None


def test_without_a_message_the_condition_is_named(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="does not hold: value > 2"):
        run_node(Assert(value=1, condition="value > 2", message="  "))
    with pytest.raises(NodeError, match="`holds`"):
        run_node(Assert(value=1, holds=False))
    with pytest.raises(NodeError, match="no value 'width'"):
        run_node(Assert(value=1, condition="width > 2"))


def test_a_run_ends_with_the_message() -> None:
    photo = ImageInput(name="photo")
    holds = Compare(a=1, b=2, comparison=">")
    checked = Assert(value=photo.output, holds=holds.output, message="One is not more than two.")
    workflow = Workflow(Output(name="image", value=checked.output))
    with pytest.raises(RunError, match="One is not more than two"):
        workflow.run(photo=Image.new("RGB", (4, 4)))
