"""
Behaviours 1 to 3 and 5 to 7.

Everything that is wrong with a graph is said at once, each with its place and code.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from nodes.nodetool.input import IntegerInput, StringInput
from nodes.nodetool.output import Output
from nodes.nodetool.text import FormatText
from nodetool_core import Field, ImageRef, Node, Registry, WorkflowError
from nodetool_core.graph import Graph
from nodetool_core.packs import Alias, Pack
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument
from tests.engine.nodes import Add, Anything, Mix, Number, Total


class Share(Node):
    """Takes a share of an image."""

    image: ImageRef = Field(default=ImageRef(), description="Image.")
    strength: float = Field(default=0.5, ge=0.0, le=1.0)
    steps: int = Field(default=10, ge=1)
    scale: list[float] = []

    def process(self) -> float:
        return self.strength


OLD = Alias(
    Add.spec.node_type,
    properties={"first": "a", "gone": None},
    outputs={"sum": "output"},
    values={"b": 7},
)
REGISTRY = Registry(
    [Pack("nodes", prefix="", aliases={"old.math.Plus": OLD})], [Add, Mix, Number, Total, Share]
)


def read(*nodes: Any, edges: tuple[str, ...] = ()) -> Graph:
    """Return a graph of (id, class or type, data), and edges like `1.output > 2.a`."""
    records = [
        {"id": name, "type": kind if isinstance(kind, str) else kind.spec.node_type, "data": data}
        for name, kind, data in nodes
    ]
    lines = []
    for edge in edges:
        (source, output), (target, handle) = (end.strip().split(".") for end in edge.split(">"))
        lines.append(
            {"source": source, "sourceHandle": output, "target": target, "targetHandle": handle}
        )
    return build_graph(
        WorkflowDocument.from_json({"graph": {"nodes": records, "edges": lines}}), REGISTRY
    )


def problems(*nodes: Any, edges: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    with pytest.raises(WorkflowError) as caught:
        read(*nodes, edges=edges)
    return [(problem.code, problem.where) for problem in caught.value.problems]


NUMBER, ADD = ("1", Number, {}), ("2", Add, {})


@pytest.mark.parametrize(
    ("nodes", "edges", "expected"),
    [
        ([NUMBER, ("1", Add, {"a": 1})], (), [("duplicate_id", "nodes[1].id")]),
        ([("1", "tests.engine.nodes.Numbr", {})], (), [("unknown_type", "nodes[0].type")]),
        ([("1", Number, {"valeu": 1})], (), [("unknown_property", "nodes[0].data.valeu")]),
        (
            [NUMBER, ADD],
            ("1.outptu > 2.a",),
            [("unknown_handle", "edges[0].sourceHandle"), ("missing_input", "nodes[1].data.a")],
        ),
        (
            [NUMBER, ADD],
            ("1.output > 2.c",),
            [("unknown_handle", "edges[0].targetHandle"), ("missing_input", "nodes[1].data.a")],
        ),
        ([ADD], (), [("missing_input", "nodes[0].data.a")]),
        ([("1", Share, {})], (), [("missing_input", "nodes[0].data.image")]),
        ([NUMBER, ADD], ("1.output > 2.a", "1.output > 2.a"), [("duplicate_edge", "edges[1]")]),
        (
            [NUMBER, ADD],
            ("1.output > 2.a", "1.output > 9.a"),
            [("unknown_node", "edges[1].target")],
        ),
        (
            [NUMBER, ("2", Total, {})],
            ("1.output > 2.values",),
            [("type_mismatch", "edges[0]"), ("missing_input", "nodes[1].data.values")],
        ),
        (
            [("1", Output, {"name": "x", "value": 1}), ("2", Output, {"name": "x"})],
            (),
            [("duplicate_name", "nodes[1].data.name")],
        ),
        (
            [("1", StringInput, {"name": "x"}), ("2", IntegerInput, {"name": "x"})],
            (),
            [("duplicate_name", "nodes[1].data.name")],
        ),
        ([ADD], ("2.output > 2.a",), [("cycle", "edges")]),
        ([ADD, ("3", Add, {})], ("2.output > 3.a", "3.output > 2.a"), [("cycle", "edges")]),
    ],
)
def test_what_is_wrong_is_said_with_place_and_code(
    nodes: list[Any], edges: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    assert problems(*nodes, edges=edges) == expected


def test_an_edge_takes_the_place_of_a_value() -> None:
    graph = read(NUMBER, ("2", Add, {"a": 5, "b": 6}), edges=("1.output > 2.a",))
    assert graph.nodes[1].values == {"b": 6}
    fill = ("2", FormatText, {"template": "{{ x }}", "x": 5, "y": 6})
    assert read(NUMBER, fill, edges=("1.output > 2.x",)).nodes[1].dynamic == {"y": 6}


def test_everything_is_said_at_once() -> None:
    found = problems(
        ("1", Number, {"valu": 1}),
        ("1", Number, {}),
        ("2", "tests.engine.nodes.Ad", {}),
        ("3", Share, {"strength": 1.5, "steps": 0, "image": {"type": "image", "uri": "a.png"}}),
        ("4", Add, {}),
        edges=("1.output > 4.q", "4.output > 7.a"),
    )
    assert {code for code, _ in found} == {
        *(
            "unknown_property",
            "duplicate_id",
            "unknown_type",
            "invalid_value",
            "unknown_handle",
            "unknown_node",
            "missing_input",
        )
    }
    assert ("invalid_value", "nodes[3].data.strength") in found
    assert ("invalid_value", "nodes[3].data.steps") in found


@pytest.mark.parametrize(
    ("nodes", "edges", "says"),
    [
        ([("1", "tests.engine.nodes.Nubmer", {})], (), "Did you mean 'tests.engine.nodes.Number'?"),
        ([("1", "elsewhere.Number", {})], (), "Did you mean 'tests.engine.nodes.Number'?"),
        ([("1", Share, {"strenght": 1})], (), "Did you mean 'strength'?"),
        ([NUMBER, ADD], ("1.outptu > 2.a",), "Did you mean 'output'?"),
        (
            [("1", Share, {"strength": 1.4, "image": "a.png"})],
            (),
            "nodes[0].data.strength: 1.4 is above 1.0.",
        ),
        (
            [NUMBER, ("2", Total, {})],
            ("1.output > 2.values",),
            "1.output is int, but 2.values takes list[int].",
        ),
        (
            [ADD, ("3", Add, {})],
            ("2.output > 3.a", "3.output > 2.a"),
            "The workflow runs in a circle: 2 → 3 → 2.",
        ),
    ],
)
def test_the_words_help(nodes: list[Any], edges: tuple[str, ...], says: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        read(*nodes, edges=edges)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"steps": 3.9}, "steps"),
        ({"steps": "3"}, "steps"),
        ({"steps": True}, "steps"),
        ({"steps": None}, "steps"),
        ({"strength": float("nan")}, "strength"),
        ({"strength": float("inf")}, "strength"),
        ({"strength": "0.5"}, "strength"),
        ({"scale": 1.0}, "scale"),
        ({"scale": ["1"]}, "scale"),
        ({"scale": [float("nan")]}, "scale"),
        ({"image": {"type": "folder", "uri": "a"}}, "image"),
        ({"image": {"type": "image", "url": "a"}}, "image"),
    ],
)
def test_no_value_is_coerced(data: dict[str, Any], place: str) -> None:
    """Behaviour 2."""
    with pytest.raises(WorkflowError) as caught:
        read(("1", Share, {"image": "a.png", **data}))
    assert {problem.code for problem in caught.value.problems} == {"invalid_value"}
    assert all(
        problem.where.startswith(f"nodes[0].data.{place}") for problem in caught.value.problems
    )


def test_an_integer_is_a_number() -> None:
    assert read(("1", Share, {"image": "a.png", "strength": 1})).nodes[0].values["strength"] == 1


@pytest.mark.parametrize(("before", "after"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("depth", [100, 600, 900])
def test_a_value_that_is_nested_too_deeply_is_a_mistake(
    before: str, after: str, depth: int
) -> None:
    value = f"{before * depth}1{after * depth}"
    document = WorkflowDocument.from_text(
        f'{{"nodes": [{{"id": "1", "type": "{Anything.spec.node_type}", "data": {{"value":'
        f" {value}}}}}]}}"
    )
    with pytest.raises(WorkflowError, match="nested too deeply"):
        build_graph(document, Registry(node_classes=[Anything]))


def test_a_long_cycle_is_named_by_its_path() -> None:
    """Behaviour 3: nothing recurses."""
    length = 20_000
    nodes = [(str(number), Add, {}) for number in range(length)]
    with pytest.raises(WorkflowError) as caught:
        read(
            *nodes,
            edges=tuple(f"{number}.output > {(number + 1) % length}.a" for number in range(length)),
        )
    assert caught.value.problem.code == "cycle"
    assert "…" in caught.value.problem.message


def test_old_names_are_mapped_and_the_mapping_said() -> None:
    """Behaviour 5."""
    graph = read(
        ("1", Number, {}),
        ("2", "old.math.Plus", {"gone": 1}),
        ("3", Add, {}),
        edges=("1.output > 2.first", "2.sum > 3.a"),
    )
    plus = next(node for node in graph.nodes if node.id == "2")
    assert (plus.node_class, plus.values, [edge.property for edge in plus.inputs]) == (
        Add,
        {"b": 7},
        ["a"],
    )
    assert [note.code for note in graph.notes] == ["mapped_type", "left_out_property"]


def test_the_order_is_that_of_dependency() -> None:
    graph = read(
        ADD, ("3", Mix, {}), NUMBER, edges=("1.output > 2.a", "2.output > 3.a", "1.output > 3.b")
    )
    assert [node.id for node in graph.nodes] == ["1", "2", "3"]


def test_hints_for_thousands_of_mistakes_take_no_longer_than_for_some() -> None:
    count = 1500
    nodes = [
        ("unknown.pack.Thing" if number % 2 else Number.spec.node_type, f"node_{number}")
        for number in range(count)
    ]
    records = [{"id": name, "type": kind, "data": {}} for kind, name in nodes]
    edges = [
        {"source": f"nod_{number}", "target": "node_0", "targetHandle": f"valu{number}"}
        for number in range(count)
    ]
    begun = time.process_time()
    with pytest.raises(WorkflowError) as caught:
        build_graph(
            WorkflowDocument.from_json({"graph": {"nodes": records, "edges": edges}}), REGISTRY
        )
    # It was a quarter of a second for each edge and some milliseconds for each node.
    assert time.process_time() - begun < 5
    unknown = [problem for problem in caught.value.problems if problem.code == "unknown_node"]
    assert len(unknown) == count and unknown[0].hint == "Did you mean 'node_0'?"
