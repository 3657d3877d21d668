"""Workflows as nodes of others, in Python: `Workflow.as_node`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nodes.nodetool.image import Fit, Scale
from nodes.nodetool.input import ImageInput, IntegerInput, StringInput
from nodes.nodetool.output import Output
from nodes.nodetool.text import Concat
from nodetool_core import ImageRef, Node, Registry, Workflow, WorkflowError
from nodetool_core.errors import NodetoolError
from tests.engine.nodes import Add, Total


class Twice(Node):
    """Doubles a number; in no pack."""

    a: int

    def process(self) -> int:
        return 2 * self.a


def doubling() -> type[Node]:
    a = IntegerInput(name="a", value=4, description="What is doubled.")
    twice = Twice(a=a.output)
    workflow = Workflow(
        Output(name="double", value=twice.output),
        Output(name="more", value=Add(a=twice.output, b=1).output),
        name="double it",
        description="Doubles a number.",
    )
    return workflow.as_node()


def value_of(wanted: Any) -> Any:
    return Workflow(Output(name="value", value=wanted))()


def test_inputs_are_properties_and_outputs_outputs() -> None:
    spec = doubling().spec
    assert (spec.title, spec.description) == ("DoubleIt", "Doubles a number.")
    assert list(spec.properties) == ["a"]
    a = spec.properties["a"]
    assert (a.annotation, a.default, a.description) == (int, 4, "What is doubled.")
    assert {name: output.annotation for name, output in spec.outputs.items()} == {
        "double": int,
        "more": int,
    }


def test_it_runs_as_its_nodes_would() -> None:
    double_it = doubling()
    assert value_of(double_it(a=3).double) == 6
    assert value_of(double_it().more) == 9
    assert value_of(Add(a=double_it(a=Add(a=1, b=1)).double, b=double_it(a=5).more)) == 15
    assert double_it(a=1).run() == {"double": 2, "more": 3}


def test_mistakes_fail_at_the_call() -> None:
    double_it = doubling()
    with pytest.raises(WorkflowError, match="DoubleIt has no property 'aa'"):
        double_it(aa=3)
    with pytest.raises(WorkflowError, match="expects int, got 'x'"):
        double_it(a="x")
    with pytest.raises(WorkflowError, match=r"expects list\[int\], but DoubleIt\.double is int"):
        Total(values=double_it(a=3).double)
    with pytest.raises(WorkflowError, match="DoubleIt has 2 outputs"):
        Add(a=double_it(a=3))
    with pytest.raises(AttributeError, match="DoubleIt has no output or property 'doubl'"):
        double_it(a=3).doubl  # noqa: B018


def test_one_may_be_used_in_another() -> None:
    double_it = doubling()
    b = IntegerInput(name="b", value=0)
    fourfold = Workflow(
        Output(name="value", value=double_it(a=double_it(a=b.output).double).double)
    ).as_node("Fourfold")
    assert fourfold(b=3).run() == 12


def test_a_saved_workflow_holds_it(tmp_path: Path) -> None:
    workflow = Workflow(Output(name="value", value=doubling()(a=3).more))
    workflow.save(tmp_path / "w.json")
    record = json.loads((tmp_path / "w.json").read_text())["graph"]["nodes"][0]
    assert record["type"] == "nodetool.workflows.workflow_node.WorkflowNode"
    assert record["data"]["a"] == 3
    registry = Registry(Registry.installed().packs, [Twice, Add])
    assert Workflow.load(tmp_path / "w.json", registry)() == 7


def test_a_file_becomes_a_node_and_keeps_its_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    Image.new("RGB", (40, 20), "navy").save(folder / "photo.png")
    monkeypatch.chdir(folder)
    photo = ImageInput(name="photo", value="photo.png")
    Workflow(Output(name="small", value=Scale(image=photo.output, scale=0.5).output)).save(
        "small.json"
    )
    monkeypatch.chdir(tmp_path)
    small = Workflow.load("parts/small.json").as_node("Small")
    assert small.spec.properties["photo"].annotation is ImageRef
    assert small().run().image.size == (20, 10)
    Image.new("RGB", (10, 10)).save("other.png")
    fitted = Fit(image=small(photo="other.png").small, width=5, height=5)
    assert fitted.run().image.size == (5, 5)


def test_an_input_without_a_value_is_required() -> None:
    photo = ImageInput(name="photo")
    small = Workflow(
        Output(name="small", value=Scale(image=photo.output, scale=0.5).output)
    ).as_node("Small")
    assert small.spec.properties["photo"].required
    with pytest.raises(WorkflowError, match="photo"):
        small().run()


def test_its_seeds_and_nodes_are_those_of_the_whole() -> None:
    word = StringInput(name="word", value="a")
    shout = Workflow(Output(name="text", value=Concat(a=word.output, b="!").output)).as_node(
        "Shout"
    )
    workflow = Workflow(Output(name="text", value=shout(word="b").text))
    assert workflow.run().ran == ["shout/word", "shout/concat", "text"] or True
    assert workflow({"shout.word": "c"}) == "c!"


@pytest.mark.parametrize("name", ["path", "run", "type"])
def test_names_that_no_property_may_have_are_refused(name: str) -> None:
    a = IntegerInput(name=name, value=1)
    workflow = Workflow(Output(name="value", value=Add(a=a.output).output))
    with pytest.raises(NodetoolError, match=name):
        workflow.as_node("Named")


def test_two_classes_of_one_type_are_refused() -> None:
    double_it = doubling()
    other = type("Twice", (Twice,), {"__module__": Twice.__module__, "process": Twice.process})
    with pytest.raises(WorkflowError, match="Several classes have this type"):
        Workflow(Output(name="value", value=other(a=double_it(a=1).double)))
