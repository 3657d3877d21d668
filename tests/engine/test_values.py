"""
Behaviour 9: what doesn't fit fails the node that got it, or returned it, and states where.

Sizes are here as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from nodes.nodetool.boolean import ConditionalSwitch
from nodes.nodetool.control import Collect
from nodes.nodetool.output import Output
from nodetool_core import SKIPPED, Field, Lane, Node, Registry, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import RunOptions
from nodetool_core.engine.result import RunError
from nodetool_core.workflow import EdgeRecord, GraphRecord, NodeRecord, WorkflowDocument
from tests.engine.nodes import Add, Anything, Each, Mix, Number, Total


class Gives(Node):
    """Gives what it promised, or not."""

    value: Any = None

    def process(self) -> int:
        return self.value  # type: ignore[no-any-return]


class GivesMaybe(Node):
    """May give nothing."""

    value: Any = None

    def process(self) -> int | None:
        return self.value  # type: ignore[no-any-return]


class Listed(Node):
    """A list of whatever."""

    value: list[Any] = []

    def process(self) -> list[Any]:
        return self.value


class Bounded(Node):
    """Takes a share."""

    lane = Lane.INLINE

    share: float = Field(default=0.5, ge=0.0, le=1.0)

    def process(self) -> float:
        return self.share


class Endless(Node):
    """No finite number."""

    def process(self) -> float:
        return float("inf")


class Strict(Node):
    """Takes one number of each loop's item, or a list of them."""

    gathers = frozenset({"items"})

    items: int

    def process(self) -> int:
        return sum(self.items)  # type: ignore[arg-type]


class Pair(NamedTuple):
    left: Any
    right: Any


class Half(Node):
    """Says that it gives a pair."""

    def process(self) -> Pair:
        return 1  # type: ignore[return-value]


def error_of(node: Node, engine: Engine) -> str:
    with pytest.raises(RunError) as caught:
        Workflow(Output(name="x", value=node["output"]), engine=engine).run()
    return str(caught.value)


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (
            lambda: Add(a=Anything(value="five").output),
            "node 'add' (tests.engine.nodes.Add): anything.output → add.a: expects int, got str.",
        ),
        (
            lambda: Mix(a=Anything(value=3.5).output),
            "anything.output → mix.a: expects int, got float.",
        ),
        (
            lambda: Mix(a=Anything(value=True).output),
            "anything.output → mix.a: expects int, got bool.",
        ),
        (
            lambda: Mix(a=Anything(value=None).output),
            "anything.output → mix.a: expects int, got none.",
        ),
        (
            lambda: Total(values=Listed(value=[1, "two"]).output),
            "listed.output → total.values: expects list[int], got list.",
        ),
        (
            lambda: Bounded(share=Number(value=3).output),
            "number.output → bounded.share: 3 is above 1.0.",
        ),
        (
            lambda: Bounded(share=Endless().output),
            "endless.output → bounded.share: inf is not a finite number.",
        ),
        (
            lambda: ConditionalSwitch(condition=Anything(value=1).output),
            "anything.output → conditional_switch.condition: expects bool, got int.",
        ),
        (
            lambda: Gives(value=None),
            (
                "node 'gives' (tests.engine.test_values.Gives): Gives.output should be int, but"
                " process returned none."
            ),
        ),
        (lambda: Gives(value="x"), "Gives.output should be int, but process returned str."),
    ],
)
def test_a_wrong_value_names_edge_type_and_value(node: Any, says: str, engine: Engine) -> None:
    assert says in error_of(node(), engine)


def test_a_node_that_returns_something_else_says_whose_fault_it_is(engine: Engine) -> None:
    for wrong in (Gives(value="x")["output"], Half()["left"]):
        with pytest.raises(RunError) as caught:
            Workflow(Output(name="x", value=wrong), engine=engine).run()
        problem = caught.value.problem
        assert problem.code == "wrong_output" and "report it to its author" in problem.hint


def test_in_a_loop_the_item_is_named(engine: Engine) -> None:
    loop = Each(items=[0, 1])
    bad = ConditionalSwitch(
        condition=Anything(value=False).output, if_false=Anything(value="x").output
    )
    node = Collect(input_item=Mix(a=loop.output, b=bad.output).output)
    message = error_of(node, engine)
    assert "item 0" in message
    assert "conditional_switch.output → mix.b: expects int, got str." in message


def test_in_a_gathered_list_every_value_is_looked_at(engine: Engine) -> None:
    loop = Each(items=[0, 1])
    wrong = ConditionalSwitch(
        condition=Anything(value=True).output, if_true=Anything(value="x").output
    )
    mixed = Mix(a=loop.output)
    says = "conditional_switch.output → strict.items: expects int, got str. The value is 'x'."
    assert error_of(Strict(items=wrong.output), engine).endswith(says)
    assert (
        Workflow(Output(name="x", value=Strict(items=mixed.output).output), engine=engine).run()[
            "x"
        ]
        == 2
    )


def test_an_optional_output_may_be_nothing(engine: Engine) -> None:
    result = Workflow(
        Output(name="x", value=Mix(a=1, c=GivesMaybe(value=None).output).output), engine=engine
    ).run()
    assert result["x"] == 2


def test_an_item_with_one_side_left_out(engine: Engine) -> None:
    """
    A generator may give one output of an item and leave out another.

    Only what takes that one is left out.
    """

    class Sides(Node):
        """Even numbers to the left, odd ones to the right."""

        lane = Lane.INLINE

        n: int

        def process(self) -> Iterator[Pair]:
            for number in range(self.n):
                yield Pair(number, SKIPPED) if number % 2 == 0 else Pair(SKIPPED, number)

    sides = Sides(n=4)
    workflow = Workflow(
        Output(name="left", value=Collect(input_item=Mix(a=sides["left"]).output).output),
        Output(name="right", value=Collect(input_item=sides["right"]).output),
        Output(name="items", value=sides["right"]),
        engine=engine,
    )
    assert dict(workflow.run()) == {"left": [0, 4], "right": [1, 3], "items": [1, 3]}


def test_an_output_that_is_an_empty_object_is_a_result(engine: Engine) -> None:
    assert dict(
        Workflow(Output(name="x", value=Anything(value={}).output), engine=engine).run()
    ) == {"x": {}}


def test_a_value_without_a_json_form_runs(engine: Engine) -> None:
    """It has no key, so it is computed each time."""
    thing = object()
    workflow = Workflow(Output(name="x", value=Anything(value=thing).output), engine=engine)
    assert workflow.run()["x"] is workflow.run()["x"] is thing


def test_a_text_with_half_a_character_runs(engine: Engine) -> None:
    assert (
        Workflow(Output(name="x", value=Anything(value="\ud800").output), engine=engine).run()["x"]
        == "\ud800"
    )


@pytest.mark.slow
@pytest.mark.parametrize("use_cache", [True, False])
def test_a_chain_of_100_000_nodes_runs(use_cache: bool) -> None:
    """
    Behaviour 3: nothing recurses; from a document, through validation and plan, to the result.
    """
    length = 100_000
    nodes = [NodeRecord(id="0", type=Number.spec.node_type, data={"value": 0})]
    nodes += [
        NodeRecord(id=str(number), type=Add.spec.node_type, data={}) for number in range(1, length)
    ]
    edges = [
        EdgeRecord(source=str(number - 1), target=str(number), targetHandle="a")
        for number in range(1, length)
    ]
    with Engine(workers=2) as engine:
        document = WorkflowDocument(graph=GraphRecord(nodes=nodes, edges=edges))
        workflow = Workflow.from_document(
            document, Registry(node_classes=[Number, Add]), engine=engine
        )
        result = workflow.run(options=RunOptions(use_cache=use_cache))
    assert list(result.values()) == [length - 1]
    assert len(result.ran) == length


def test_a_chain_of_100_000_nodes_is_built() -> None:
    node: Node = Number(value=0)
    for _ in range(99_999):
        node = Add(a=node["output"])
    assert len(Workflow(node).graph.nodes) == 100_000
