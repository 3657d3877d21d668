"""How nodes, workflows, results and images show themselves in a notebook and at a prompt."""

from __future__ import annotations

import inspect
import io
from xml.etree import ElementTree

import pytest
from PIL import Image

from nodes.nodetool.image import GetMetadata, Scale
from nodes.nodetool.input import ImageInput
from nodes.nodetool.output import Output
from nodes.nodetool.workflows.workflow_node import WorkflowNode
from nodetool_core import ImageData, RunError, RunOptions, Workflow
from tests.engine.nodes import Add


def halving() -> Workflow:
    photo = ImageInput(name="photo")
    return Workflow(
        Output(name="half", value=Scale(image=photo.output, scale=0.5).output), name="Half"
    )


def png(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize(
    ("mode", "shown"), [("RGB", "RGB"), ("L", "RGB"), ("I;16", "RGB"), ("RGBA", "RGBA")]
)
def test_an_image_shows_itself_at_1024_pixels_or_less(mode: str, shown: str) -> None:
    image = png(ImageData.of(Image.new(mode, (4096, 1024)))._repr_png_())
    assert (image.mode, image.size) == (shown, (1024, 256))
    assert png(ImageData.of(Image.new(mode, (30, 20)))._repr_png_()).size == (30, 20)


def test_a_workflow_shows_its_graph() -> None:
    drawing = ElementTree.fromstring(halving()._repr_svg_())
    assert drawing.tag.endswith("svg")
    assert "Scale" in "".join(drawing.itertext())


def test_a_workflow_says_what_it_takes_and_gives() -> None:
    assert repr(halving()) == "Workflow('Half', 3 nodes, inputs: photo, outputs: half)"
    assert repr(Workflow(Add(a=1))) == "Workflow(1 node, inputs: none, outputs: none)"


def test_a_result_shows_its_outputs() -> None:
    page = halving().run(photo=Image.new("RGB", (64, 32)))._repr_html_()
    assert 'title="32x16"' in page and "data:image/png;base64," in page
    assert "completed" in page


def test_texts_of_a_result_are_no_markup() -> None:
    workflow = Workflow(Output(name="<b>", value={"<script>": "<img src=x onerror=alert(1)>"}))
    page = workflow.run()._repr_html_()
    assert "<script>" not in page and "<img" not in page and "<b>" not in page
    assert "&lt;b&gt;" in page


def test_many_images_are_counted() -> None:
    images = [ImageData.of(Image.new("RGB", (4, 4)))] * 30
    page = Workflow(Output(name="all", value=images)).run()._repr_html_()
    assert page.count("<img") == 24 and "and 6 more images" in page


def test_a_failed_result_shows_what_failed() -> None:
    with pytest.raises(RunError) as caught:
        halving().run(photo="missing.png")
    assert "missing.png" in caught.value.result._repr_html_()
    result = halving().run(photo="missing.png", options=RunOptions(on_error="continue"))
    assert "failed" in result._repr_html_()


def test_a_class_has_the_signature_of_its_properties() -> None:
    parameters = inspect.signature(Add).parameters
    assert list(parameters) == ["a", "b"]
    assert parameters["a"].default is inspect.Parameter.empty
    assert (parameters["b"].default, parameters["b"].annotation) == (1, int)
    assert [*inspect.signature(WorkflowNode).parameters][-1] == "properties"


def test_outputs_are_completed() -> None:
    assert {"width", "height", "image"} <= {*dir(GetMetadata(image="a.png"))}
