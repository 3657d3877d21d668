"""Workflows made of others: `upto`, `without`, `replace`, `rename`."""

from __future__ import annotations

import pytest

from nodes.nodetool.input import IntegerInput
from nodes.nodetool.output import Output
from nodetool_core import Node, Workflow, WorkflowError
from tests.engine.nodes import Add


class Multiply(Node):
    """Multiplies two numbers."""

    a: int
    b: int = 2

    def process(self) -> int:
        return self.a * self.b


class Negate(Node):
    """Gives the negative of a number, under another name."""

    number: int

    def process(self) -> int:
        return -self.number


def sums() -> Workflow:
    """Return ((number + 10) + 1) as `more`, and its first part as `first`."""
    number = IntegerInput(name="number", value=1)
    first = Add(a=number.output, b=10)
    second = Add(a=first.output, b=1)
    return Workflow(
        Output(name="first", value=first.output), Output(name="more", value=second.output)
    )


def test_a_part_has_what_its_nodes_need_and_no_more() -> None:
    part = sums().upto("add")
    assert [node.id for node in part.graph.nodes] == ["integer_input", "add"]
    assert part(number=2) == 12
    assert dict(sums().upto("add", "output_2").run()) == {"more": 12}


def test_the_workflow_itself_stays_as_it_was() -> None:
    workflow = sums()
    before = workflow.document.to_json()
    workflow.upto("add")
    workflow.without("add_2")
    workflow.replace("add", Multiply, b=3)
    workflow.rename(number="n", add="a")
    assert workflow.document.to_json() == before
    assert workflow() == {"first": 11, "more": 12}


def test_what_a_node_took_goes_straight_on_without_it() -> None:
    assert sums().without("add_2")() == {"first": 11, "more": 11}
    assert sums().without("add")(number=5) == {"first": 5, "more": 6}


def test_without_an_input_its_takers_need_a_value() -> None:
    with pytest.raises(WorkflowError, match="Add needs a"):
        sums().without("integer_input")


def test_a_replacement_is_connected_as_the_old_node_was() -> None:
    assert sums().replace("add", Multiply, b=3)(number=4) == {"first": 12, "more": 13}


def test_a_value_of_the_replacement_counts_more_than_the_old_edge() -> None:
    assert sums().replace("add", Multiply, a=7, b=3)() == {"first": 21, "more": 22}


def test_a_replacement_may_bring_nodes_of_its_own() -> None:
    replaced = sums().replace("add", Multiply, b=Add(a=1, b=1))
    assert replaced(number=4) == {"first": 8, "more": 9}
    assert sorted(node.id for node in replaced.graph.nodes) == [
        "add",
        "add_2",
        "add_3",
        "integer_input",
        "output",
        "output_2",
    ]


def test_a_replacement_without_the_property_is_refused() -> None:
    with pytest.raises(WorkflowError, match="Negate has no property 'a', which 'add' takes from"):
        sums().replace("add", Negate)


def test_a_replacement_of_another_type_is_refused() -> None:
    with pytest.raises(WorkflowError, match="int"):
        sums().replace("integer_input", Names)


class Names(Node):
    """Gives texts."""

    def process(self) -> list[str]:
        return []


def test_inputs_outputs_and_nodes_get_other_names() -> None:
    renamed = sums().rename({"number": "n", "add": "first_sum"}, more="sum")
    assert renamed(n=3) == {"first": 13, "sum": 14}
    assert renamed({"first_sum.b": 0}) == {"first": 1, "sum": 2}


def test_names_can_be_exchanged() -> None:
    assert sums().rename(first="more", more="first")() == {"more": 11, "first": 12}


def test_another_name_computes_nothing_again() -> None:
    workflow = sums()
    workflow.run()
    assert "add_2" not in workflow.rename(number="n", more="sum").run().ran


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ({"nmber": "n"}, "no input, output or node 'nmber'"),
        ({"first": "more"}, "The name 'more' is taken"),
        ({"add": "add_2"}, "The name 'add_2' is taken"),
    ],
)
def test_names_that_cannot_be_are_refused(names: dict[str, str], says: str) -> None:
    with pytest.raises(WorkflowError, match=says):
        sums().rename(names)


@pytest.mark.parametrize("change", ["upto", "without"])
def test_an_unknown_node_is_named(change: str) -> None:
    with pytest.raises(WorkflowError, match="has no node 'ad'") as caught:
        getattr(sums(), change)("ad")
    assert "add" in caught.value.problem.hint
