"""Behaviours 4, 6 and 7: graphs written in Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from PIL import Image

from nodes.nodetool.control import Collect, If
from nodes.nodetool.input import StringInput
from nodes.nodetool.output import Output
from nodetool_core import (
    Context,
    Field,
    ImageData,
    ImageRef,
    Node,
    Registry,
    Workflow,
    WorkflowError,
)
from nodetool_core.engine.engine import Engine
from nodetool_core.errors import DeclarationError
from tests.engine.nodes import Add, Anything, Each, Mix, Number, Total
from tests.engine.random_graphs import ALL_KINDS, Step, programs, workflow_of


class Silent(Node):
    """Gives nothing."""

    def process(self) -> None:
        return


class Word(Node):
    """Gives a word."""

    def process(self) -> str:
        return "word"


def classes_of(workflow: Workflow) -> Registry:
    return Registry(node_classes=dict.fromkeys(node.node_class for node in workflow.graph.nodes))


@settings(max_examples=40, deadline=None)
@given(program=programs(ALL_KINDS))
def test_built_saved_and_loaded_is_the_same_graph(
    tmp_path_factory: pytest.TempPathFactory, program: list[Step]
) -> None:
    path = tmp_path_factory.mktemp("saved") / "w.json"
    with Engine(workers=1) as engine:
        built = workflow_of(program, engine)
        built.save(path)
        loaded = Workflow.load(path, classes_of(built), engine=engine)
    assert loaded.graph.nodes == built.graph.nodes
    assert json.loads(path.read_text()) == loaded.document.to_json()


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Add(a=1, bb=2), "Add.bb: Add has no property 'bb'."),
        (lambda: Total(value=[1]), "Total has no property 'value'. Did you mean 'values'?"),
        (lambda: Add(a="1"), "Add.a: expects int, got '1' (str)."),
        (lambda: Add(a=1, b=Each(items=[1])["output"], c=3), "Add has no property 'c'."),
        (
            lambda: Total(values=Number()["output"]),
            "Total.values: expects list[int], but Number.output is int.",
        ),
        (lambda: Number()["outputs"], "Number: has no output 'outputs'. Did you mean 'output'?"),
        (lambda: Add(a="1,5"), "Add.a: expects int, got '1,5' (str). Write it as a number: 1.5"),
        (lambda: Add(a=If()), "Add.a: If has 2 outputs. Say which: .if_true, .if_false."),
        (lambda: Add(a=Silent()), "Add.a: Silent has no output."),
        (lambda: Total(values=[Number(), "x"]), "Total.values[1]: expects int, got 'x' (str)."),
        (
            lambda: Total(values=[Number(), Word().output]),
            "Total.values[1]: expects int, but Word.output is str.",
        ),
        (
            lambda: Total(values=(Number(),)),
            "Total.values: expects list[int], got a tuple of outputs.",
        ),
        (lambda: Anything(value={1: Number()}), "Anything.value: the name 1 is no text"),
        (lambda: Anything(value={Number()}), "Anything.value: a set can't hold outputs of nodes."),
        (lambda: Anything(value=[{"a": (If(),)}]), "Anything.value[0]['a'][0]: If has 2 outputs."),
        (lambda: Workflow(), "needs at least one node."),
        (
            lambda: Workflow(Number()["output"]),
            "is made of nodes, got OutputHandle. Give nodes one by one",
        ),
        (lambda: Workflow([Number()]), "is made of nodes, got list."),
        (lambda: Workflow(Add()), "Add needs a (int)."),
    ],
)
def test_a_mistake_is_an_error_at_the_call(build: Any, says: str) -> None:
    """Behaviour 6."""
    with pytest.raises(WorkflowError) as caught:
        build()
    assert says in str(caught.value)


def test_an_output_that_does_not_exist_is_no_attribute() -> None:
    with pytest.raises(
        AttributeError, match=r"If has no output or property 'if_tru'. Did you mean 'if_true'"
    ):
        _ = If().if_tru


def test_nodes_in_two_graphs_change_neither() -> None:
    """Behaviour 7: ids are stable, and do not depend on what else a node is used for."""
    shared = Mix(a=Number(value=1).output)
    first = Workflow(Output(name="x", value=Add(a=shared.output).output))
    before = first.document.to_json()
    second = Workflow(
        Output(name="y", value=Total(values=Collect(input_item=shared.output).output).output)
    )
    assert first.document.to_json() == before
    again = Workflow(Output(name="x", value=Add(a=shared.output).output))
    assert again.document.to_json() == before
    assert [node.id for node in second.document.graph.nodes] == [
        "number",
        "mix",
        "collect",
        "total",
        "output",
    ]
    assert (first.run()["x"], second.run()["y"]) == (3, 2)


@pytest.mark.parametrize("value", [True, 1, 1.0, 0, False, None, "", [], [True], {"a": 1}])
def test_a_value_equal_to_the_default_but_of_another_type_is_kept(value: Any) -> None:
    class Default(Node):
        """Has a default."""

        value: Any = 1

        def process(self) -> Any:
            return self.value

    given_value = Workflow(Output(name="x", value=Default(value=value).output)).run()["x"]
    assert (given_value, type(given_value)) == (value, type(value))


def test_a_node_keeps_nothing() -> None:
    with pytest.raises(AttributeError, match="can't be assigned"):
        Number().value = 3


def test_a_default_list_is_nobodys(engine_runs: int = 2) -> None:
    class Greedy(Node):
        """Appends to its own list."""

        cacheable = False
        items: list[int] = []

        def process(self) -> int:
            self.items.append(1)
            return len(self.items)

    workflow = Workflow(Output(name="x", value=Greedy().output))
    assert [workflow.run()["x"] for _ in range(engine_runs)] == [1, 1]


def test_a_wrong_declaration_says_class_and_field() -> None:
    with pytest.raises(DeclarationError) as caught:

        class Wrong(Node):
            """All wrong."""

            share: float = Field(default=2.0, le=1.0)
            name: int = "x"  # type: ignore[assignment]
            lane: str = "x"  # type: ignore[assignment, misc]

            def process(self) -> int:
                return 1

    found = [
        (problem.where.rpartition(".")[2], problem.message) for problem in caught.value.problems
    ]
    assert {name for name, _ in found} == {"share", "name", "lane"}
    assert "2.0 is above 1.0" in dict(found)["share"]


def test_saving_is_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text("before")
    workflow = Workflow(Output(name="x", value=Number().output))
    document = workflow.document
    document.graph.nodes[0].data["value"] = object()
    with pytest.raises(TypeError, match="has no JSON form"):
        document.save(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_anything_goes_in_where_anything_is_taken() -> None:
    assert Workflow(Anything(value={"a": [1, None]})).run()["anything"] == {"a": [1, None]}


class Shown(Node):
    """Gives on what it sees."""

    image: ImageRef

    def process(self, context: Context) -> ImageRef:
        return context.image_from_pil(context.image(self.image))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "I;16", "F", "CMYK"])
def test_a_image_in_memory_is_saved_with_the_workflow(mode: str, tmp_path: Path) -> None:
    image = (
        Image.linear_gradient("L")
        .resize((5, 5))
        .convert("I" if mode == "I;16" else mode)
        .convert(mode)
    )
    if mode == "F":
        image = image.point(lambda value: value * (1 / 255) + 0)  # white is 1.0
    workflow = Workflow(Output(name="image", value=Shown(image=ImageData.of(image)).output))
    again = Workflow.load(workflow.save(tmp_path / "workflow.json"), workflow.registry)
    found = again.run()["image"].image
    assert found.tobytes() == (image.convert("RGB") if mode == "CMYK" else image).tobytes()


def test_e28_an_input_named_as_an_argument_of_run_is_given_in_a_mapping() -> None:
    inputs = [StringInput(name=name, value="usual") for name in ("options", "on_event")]
    workflow = Workflow(*[Output(name=f"{node.name} out", value=node.output) for node in inputs])
    for name in ("options", "on_event"):
        with pytest.raises(
            WorkflowError, match=f"{name}: is an option of the run, and can't be str"
        ) as caught:
            workflow.run(**{name: "mine"})  # type: ignore[arg-type]
        assert f"run({{'{name}': …}})" in caught.value.problem.hint
        assert workflow.run({name: "mine"})[f"{name} out"] == "mine"


def test_a_node_runs_by_itself_with_all_that_it_needs() -> None:
    assert Add(a=Add(a=1, b=2), b=4).run() == 7
    assert If(condition=False, value=3).run() == {"if_false": 3}
    assert Silent().run() is None


def test_what_is_no_number_is_not_to_be_written_as_one() -> None:
    for text in ("nan", "-inf", "1e999", "many"):
        with pytest.raises(WorkflowError) as caught:
            Add(a=text)
        assert "Write it" not in str(caught.value)
