"""E23, E25: what a workflow's document holds, and what a file of it gives back."""

from __future__ import annotations

import datetime
import enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nodes.nodetool.control import ForEach
from nodes.nodetool.output import Output
from nodetool_core import ColorRef, ImageData, ImageRef, Node, Registry, Workflow, WorkflowError
from nodetool_core.engine.engine import Engine
from nodetool_core.properties import jsonable
from tests.engine.nodes import Anything, Number, Total


class Colour(enum.Enum):
    RED = "red"


class Foo(Node):
    """Two of these, and one of the next."""

    def process(self) -> int:
        return 1


class Foo_2(Node):  # noqa: N801 - the name is what the test is about
    """Its id would be that of the second Foo."""

    def process(self) -> int:
        return 2


class Typed(Node):
    """Says of what types its values are."""

    pair: tuple[int, int] = (0, 0)
    when: datetime.date = datetime.date(2020, 1, 1)
    colour: Colour = Colour.RED

    def process(self) -> str:
        return f"{self.pair} {self.when} {self.colour}"


class Seen(Node):
    """The class of what comes."""

    value: ImageRef

    def process(self) -> str:
        return type(self.value).__name__


def loaded(workflow: Workflow, path: Path, *classes: type[Node], engine: Engine) -> Workflow:
    return Workflow.load(
        workflow.save(path), Registry(Registry.installed().packs, classes), engine=engine
    )


def test_ids_do_not_clash(tmp_path: Path) -> None:
    """E23."""
    for nodes in (
        [Foo(), Foo(), Foo_2()],
        [Foo_2(), Foo(), Foo()],
        [Foo(), Foo_2(), Foo(), Foo_2(), Foo()],
    ):
        with Engine(workers=1) as engine:
            workflow = Workflow(
                *(Output(name=str(place), value=node) for place, node in enumerate(nodes)),
                engine=engine,
            )
            assert list(
                loaded(workflow, tmp_path / "w.json", Foo, Foo_2, engine=engine).run().values()
            ) == list(workflow.run().values())


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ((1, 2), "give back a tuple"),
        ([{"a": (1,)}], "give back a tuple"),
        (datetime.datetime(2020, 1, 1), "give back a datetime"),
        ({1, 2}, "give back a set"),
        (Colour.RED, "give back a Colour"),
        ({1: "a"}, "the name 1 as a text"),
        ({1: "a", "1": "b"}, "the name 1 as a text"),
        (object(), "give back a object"),
    ],
)
def test_what_a_file_would_not_give_back_is_refused(value: Any, says: str, tmp_path: Path) -> None:
    """E23: it runs all the same, and nothing is written."""
    with Engine(workers=1) as engine:
        workflow = Workflow(Output(name="x", value=Anything(value=value)), engine=engine)
        assert workflow.run()["x"] == value
        with pytest.raises(WorkflowError) as caught:
            workflow.save(tmp_path / "w.json")
        assert says in str(caught.value) and caught.value.problem.where == "nodes[0].data.value"
        assert not list(tmp_path.iterdir())


def test_what_a_property_declares_is_given_back(tmp_path: Path) -> None:
    """E23: the same values where the type is said."""
    with Engine(workers=1) as engine:
        workflow = Workflow(
            Output(name="x", value=Typed(pair=(1, 2), when=datetime.date(2021, 2, 3))),
            engine=engine,
        )
        assert (
            loaded(workflow, tmp_path / "w.json", Typed, engine=engine).run()["x"]
            == workflow.run()["x"]
        )


def test_references_are_given_back_where_any_value_is_allowed(tmp_path: Path) -> None:
    """E23: a loop over images goes through images, also from a file."""
    images = [ImageData.of(Image.new("RGB", (2, 2))), ImageRef(uri="a.png")]
    with Engine(workers=1) as engine:
        items = ForEach(input_list=images).output
        workflow = Workflow(
            Output(name="x", value=Seen(value=items)),
            Output(name="y", value=Anything(value=[ColorRef()])),
            engine=engine,
        )
        assert dict(workflow.run()) == {"x": ["ImageData", "ImageRef"], "y": [ColorRef()]}
        again = loaded(workflow, tmp_path / "w.json", Seen, Anything, engine=engine).run()
        assert dict(again) == {"x": ["ImageRef", "ImageRef"], "y": [ColorRef()]}


def test_names_that_are_one_in_json_have_no_json_form() -> None:
    """E23."""
    with pytest.raises(TypeError, match="one name in JSON"):
        jsonable({1: "a", "1": "b"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(value=JSON)
def test_what_json_has_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    """E23."""
    path = tmp_path_factory.mktemp("saved") / "w.json"
    with Engine(workers=1) as engine:
        workflow = Workflow(Output(name="x", value=Anything(value=value)), engine=engine)
        found = loaded(workflow, path, Anything, engine=engine).run()["x"]
    assert (found, repr(found)) == (value, repr(value))


def test_the_document_is_a_copy() -> None:
    """E25: what is edited is not what runs; a workflow of the edited one is."""
    with Engine(workers=1) as engine:
        workflow = Workflow(Output(name="x", value=Total(values=[1, 2])), engine=engine)
        before = workflow.document.to_json()
        edited = workflow.document
        edited.graph.nodes[0].data["values"].append(3)
        edited.graph.nodes.reverse()
        edited.graph.edges.clear()
        edited.name = "another"
        assert workflow.document.to_json() == before
        assert workflow.run()["x"] == 3
        other = workflow.document
        other.graph.nodes[0].data["values"].append(4)
        again = Workflow.from_document(other, workflow.registry, engine=engine)
        other.graph.nodes[0].data["values"].append(5)
        assert (again.run()["x"], again.document.graph.nodes[0].data["values"]) == (7, [1, 2, 4])


@pytest.mark.parametrize("items", [(1, 2), range(1, 3)])
def test_a_tuple_or_a_range_is_a_list(items: Any) -> None:
    """E28: where a list is expected."""
    with Engine(workers=1) as engine:
        each, total = (
            Output(name="x", value=ForEach(input_list=items).output),
            Output(name="sum", value=Total(values=items)),
        )
        workflow = Workflow(each, total, engine=engine)
        assert dict(workflow.run()) == {"x": [1, 2], "sum": 3}
        with pytest.raises(WorkflowError, match="expects int"):
            Number(value=items)


def test_a_run_says_what_it_did_not_need() -> None:
    """E28: the ancestors of what was in the cache."""
    with Engine(workers=1) as engine:
        workflow = Workflow(
            Output(name="x", value=Anything(value=Anything(value=Number(value=1)))), engine=engine
        )
        assert workflow.run().not_needed == []
        assert workflow.run().not_needed == ["number", "anything"]
