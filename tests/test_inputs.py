"""Behaviours 2 and 12: values given from outside, and results asked for by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nodes.nodetool.input import FloatInput, ImageInput, IntegerInput, StringInput
from nodes.nodetool.output import Output
from nodetool_core import ImageRef, Workflow, WorkflowError, inputs
from nodetool_core.engine.options import RunOptions
from tests.assets.images import scene
from tests.engine.nodes import Add, Mix, Number


def workflow() -> Workflow:
    count = IntegerInput(name="count", value=2)
    return Workflow(
        Output(name="sum", value=Add(a=count.output, b=3).output),
        Output(name="mix", value=Mix(a=Number(value=4).output).output),
        Output(name="text", value=StringInput(name="title", value="a").output),
        Output(name="share", value=FloatInput(name="share", value=0.5).output),
    )


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({}, {}),
        ({"count": 5}, {"sum": 8}),
        ({"title": "b"}, {"text": "b"}),
        ({"share": 1}, {"share": 1}),
        ({"add.b": 10}, {"sum": 12}),
        ({"add.a": 10}, {"sum": 13}),
        ({"number.value": 0, "count": 0}, {"mix": 0, "sum": 3}),
    ],
)
def test_values_by_name_and_by_property(given: dict[str, Any], changed: dict[str, Any]) -> None:
    """A value given for a connected property replaces the connection."""
    assert dict(workflow().run(given)) == {"sum": 5, "mix": 8, "text": "a", "share": 0.5} | changed


def test_a_run_leaves_the_workflow_as_it_was() -> None:
    flow = workflow()
    flow.run(count=50)
    assert flow.run()["sum"] == 5


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        ({"cuont": 5}, "unknown_input", "The workflow has no input 'cuont'. Did you mean 'count'?"),
        ({"ad.b": 5}, "unknown_input", "The workflow has no node 'ad'. Did you mean 'add'?"),
        ({"add.bb": 5}, "unknown_property", "Add has no property 'bb'."),
        ({"count": "5"}, "invalid_value", "count: expects int, got '5' (str)."),
        ({"count": 2.5}, "invalid_value", "count: expects int, got 2.5 (float)."),
        ({"share": float("nan")}, "invalid_value", "nan is not a finite number."),
    ],
)
def test_what_does_not_fit_is_said_before_anything_runs(
    given: dict[str, Any], code: str, says: str
) -> None:
    with pytest.raises(WorkflowError) as caught:
        workflow().start(given)
    assert caught.value.problem.code == code
    assert says in str(caught.value)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(WorkflowError) as caught:
        workflow().start({"cuont": 5, "count": "x", "add.c": 1})
    assert [problem.code for problem in caught.value.problems] == [
        "unknown_input",
        "invalid_value",
        "unknown_property",
    ]


def test_texts_are_read_as_the_property_says() -> None:
    """As the command line gives them."""
    flow = workflow()
    graph = inputs.apply(flow.graph, {"count": "7", "title": "7", "share": "0.25"}, texts=True)
    assert {node.name: node.values["value"] for node in graph.inputs().values()} == {
        "count": 7,
        "title": "7",
        "share": 0.25,
    }


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (["sum"], {"sum": 5}),
        (["mix", "text"], {"mix": 8, "text": "a"}),
        (["add"], {"add": 5}),
        ([], {}),
    ],
)
def test_chosen_outputs_only(outputs: list[str], expected: dict[str, Any]) -> None:
    result = workflow().run(options=RunOptions(outputs=outputs))
    assert dict(result) == expected
    assert ("mix" in result.ran) == ("mix" in expected)


def test_an_unknown_output_has_a_near_miss() -> None:
    with pytest.raises(
        WorkflowError, match=r"There is no output or node 'summ'. Did you mean 'sum'"
    ):
        workflow().run(options=RunOptions(outputs=["summ"]))
    with pytest.raises(WorkflowError, match=r"Its outputs are sum, mix, text, share"):
        workflow().run(options=RunOptions(outputs=["nothing"]))
    with pytest.raises(KeyError, match=r"The run has no output 'summ'. Did you mean 'sum'"):
        workflow().run()["summ"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("photo.png", "{here}/photo.png"),
        ("2026-01-01T10:30:00.png", "{here}/2026-01-01T10:30:00.png"),
        ("take:2/photo.png", "{here}/take:2/photo.png"),
        ("~photo.png", "{here}/~photo.png"),
        ("~nobody/photo.png", "{here}/~nobody/photo.png"),
        ("~/photo.png", "{home}/photo.png"),
        ("/photo.png", "/photo.png"),
        ("file:photo.png", "file:photo.png"),
        ("data:image/png;base64,", "data:image/png;base64,"),
        ("https://example.org/photo.png", "https://example.org/photo.png"),
        ("C:\\photo.png", "C:\\photo.png"),
    ],
)
def test_a_path_given_from_outside_starts_from_here(given: str, meant: str) -> None:
    workflow = Workflow(Output(name="image", value=ImageInput(name="photo").output))
    graph = inputs.apply(workflow.graph, {"photo": given})
    assert graph.inputs()["photo"].values["value"].uri == meant.format(
        here=Path.cwd(), home=Path.home()
    )


def test_a_relative_path_starts_where_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    One in a file starts from the file's folder, one that is given to a run from the current folder.
    """
    there, here = tmp_path / "there", tmp_path / "here"
    for folder, width in ((there, 10), (here, 20)):
        folder.mkdir()
        scene(width, 10).save(folder / "photo.png")
    photo = ImageInput(name="photo", value=ImageRef(uri="photo.png"))
    Workflow(Output(name="image", value=photo.output)).save(there / "flow.json")
    monkeypatch.chdir(here)
    saved = Workflow.load(there / "flow.json")
    assert saved.run()["image"].image.width == 10
    for given in ("photo.png", Path("photo.png"), ImageRef(uri="photo.png")):
        assert saved.run(photo=given)["image"].image.width == 20
