"""E8: outputs of nodes inside of values become edges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.nodetool.control import Collect, If
from nodes.nodetool.input import IntegerInput
from nodes.nodetool.output import Output
from nodetool_core import Node, Registry, Workflow, WorkflowError
from nodetool_core.engine.engine import Engine
from nodetool_core.errors import NodetoolError
from tests.engine.nodes import Add, Anything, Each, Number, Total

Nested = Any
"""
A value with numbers in it.

What it is to be, and the same with nodes and outputs in place of the numbers.
"""


class Area(Node):
    """Width times height."""

    size: tuple[int, int]
    names: dict[str, list[int]] = {}

    def process(self) -> int:
        return self.size[0] * self.size[1] + sum(sum(items) for items in self.names.values())


def _connected(value: Nested) -> Nested:
    """Return a value with a node, an output or the number itself in place of each number."""
    if isinstance(value, int):
        return (Number(value=value), Number(value=value)["output"], value)[value % 3]
    if isinstance(value, dict):
        return {name: _connected(item) for name, item in value.items()}
    return (
        type(value)(_connected(item) for item in value)
        if isinstance(value, (list, tuple))
        else value
    )


def _plain(value: Nested) -> str:
    """Return a text that tells lists from tuples, and minds no order of names."""
    if isinstance(value, dict):
        return (
            f"{{{', '.join(sorted(f'{name!r}: {_plain(item)}' for name, item in value.items()))}}}"
        )
    return (
        f"{type(value).__name__}({', '.join(map(_plain, value))})"
        if isinstance(value, (list, tuple))
        else repr(value)
    )


VALUES = st.recursive(
    st.integers(0, 20) | st.sampled_from(["text", None]),
    lambda inner: (
        st.lists(inner, max_size=12)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(
            st.sampled_from(["a", "b c", "self", "dynamic_values", "", "10", "9"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=20,
)


def _without_tuples(value: Nested) -> bool:
    """Return whether a file can hold all of it that is no node."""
    return not (
        isinstance(value, tuple)
        or (isinstance(value, list) and not all(map(_without_tuples, value)))
        or (isinstance(value, dict) and not all(map(_without_tuples, value.values())))
    )


@settings(max_examples=60, deadline=None)
@given(value=VALUES)
def test_nested_outputs_give_their_values(
    tmp_path_factory: pytest.TempPathFactory, value: Nested
) -> None:
    """E8: in lists, tuples and mappings, however deep; built, and saved and loaded."""
    path = tmp_path_factory.mktemp("saved") / "w.json"
    with Engine(workers=1) as engine:
        workflow = Workflow(Output(name="x", value=_connected(value)), engine=engine)
        given_value = workflow.run()["x"]
        assert _plain(given_value) == _plain(value)
        if _without_tuples(value):
            workflow.save(path)
            registry = Registry(Registry.installed().packs, (Number,))
            assert Workflow.load(path, registry, engine=engine).run()["x"] == value


def test_a_node_stands_for_its_one_output(engine_workers: int = 1) -> None:
    """E8: also in a property of its own type, and in one that takes any name."""
    with Engine(workers=engine_workers) as engine:
        assert (
            Workflow(Output(name="x", value=Add(a=Number(value=4))), engine=engine).run()["x"] == 5
        )


def test_elements_are_checked_where_they_stand() -> None:
    """E8: the types of the places hold, in Python and in the file."""
    with Engine(workers=1) as engine:
        three, four = Number(value=3), Number(value=4)
        area = Area(size=(three, four), names={"more": [three.output, 1], "none": []})
        assert Workflow(Output(name="x", value=area), engine=engine).run()["x"] == 16
        with pytest.raises(
            WorkflowError, match=r"Area.size: expects tuple\[int, int\], got a tuple of outputs"
        ):
            Area(size=(three, four, 5))
        with pytest.raises(
            WorkflowError,
            match=r"Area.names\['more'\]\[0\]: expects int, but If.if_true is any|Area.names",
        ) as caught:
            Area(size=(1, 2), names={"more": [Anything(value="x"), "y"]})
        assert caught.value.problem.where == "Area.names['more'][1]"
        late = Workflow(Output(name="x", value=Total(values=[Anything(value="x")])), engine=engine)
        with pytest.raises(
            NodetoolError, match=r"make_list.output → total.values: expects list\[int\]"
        ):
            late.run()


def test_lists_of_outputs_in_loops_and_branches() -> None:
    """E8: a list in a loop is one per item; one of a branch that is not taken is left out."""
    with Engine(workers=1) as engine:
        items = Each(items=[1, 2])
        pairs = Collect(input_item=[items, Add(a=items)])
        assert Workflow(Output(name="x", value=pairs), engine=engine).run()["x"] == [[1, 2], [2, 3]]
        way = If(condition=False, value=1)
        assert dict(Workflow(Output(name="x", value=[way.if_true, 2]), engine=engine).run()) == {}


def test_inputs_can_be_given_to_what_is_inside(tmp_path: Path) -> None:
    """E8: and a value for the property as a whole replaces the list."""
    with Engine(workers=1) as engine:
        count = IntegerInput(name="count", value=1)
        workflow = Workflow(Output(name="x", value=Total(values=[count, 10])), engine=engine)
        assert [
            workflow.run()["x"],
            workflow.run(count=5)["x"],
            workflow.run({"total.values": [1]})["x"],
        ] == [11, 15, 1]


def test_the_same_list_twice_is_computed_once() -> None:
    """E8: and a list that holds itself is refused."""
    with Engine(workers=1) as engine:
        shared: list[Any] = [Number(value=1), 2]
        result = Workflow(Output(name="x", value=[shared, shared]), engine=engine).run()
        assert result["x"] == [[1, 2], [1, 2]]
        assert len([node_id for node_id in result.ran if node_id.startswith("number")]) == 1
        shared.append(shared)
        with pytest.raises(WorkflowError, match="nested too deeply"):
            Anything(value=shared)


def test_a_built_node_keeps_no_list_of_the_caller() -> None:
    """E16: what is changed afterwards is not the node's."""
    values = [1, [2]]
    node = Anything(value=values)
    values.append(3)
    values[1].append(4)  # type: ignore[attr-defined]
    with Engine(workers=1) as engine:
        assert Workflow(Output(name="x", value=node), engine=engine).run()["x"] == [1, [2]]
