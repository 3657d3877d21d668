"""Workflows used as nodes (behaviour 16)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nodes.nodetool.workflows.workflow_node import WorkflowNode
from nodetool_core import Registry, Workflow, WorkflowError


def node(node_id: str, node_type: str, **data: Any) -> dict[str, Any]:
    return {"id": node_id, "type": node_type, "data": data}


def edge(source: str, target: str) -> dict[str, Any]:
    (source_id, source_handle), (target_id, target_handle) = source.split("."), target.split(".")
    return {
        "source": source_id,
        "sourceHandle": source_handle,
        "target": target_id,
        "targetHandle": target_handle,
    }


def write(path: Path, nodes: list[dict[str, Any]], edges: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"graph": {"nodes": nodes, "edges": edges}}))
    return path


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.installed()


@pytest.fixture
def greeting(tmp_path: Path) -> Path:
    """Return a workflow with the inputs `who` and `word`, and the outputs `text` and `name`."""
    nodes = [
        node("who", "nodetool.input.StringInput", name="who", value="nobody"),
        node("word", "nodetool.input.StringInput", name="word", value="Hello, "),
        node("join", "nodetool.text.Concat"),
        node("text", "nodetool.output.Output", name="text"),
        node("name", "nodetool.output.Output", name="name"),
    ]
    edges = [
        edge("word.output", "join.a"),
        edge("who.output", "join.b"),
        edge("join.output", "text.value"),
        edge("who.output", "name.value"),
    ]
    return write(tmp_path / "greeting.json", nodes, edges)


def outer(folder: Path, *, edges: list[dict[str, Any]], **data: Any) -> Path:
    nodes = [
        node("user", "nodetool.input.StringInput", name="user", value="Ada"),
        node("greet", WorkflowNode.spec.node_type, path="greeting.json", **data),
        node("result", "nodetool.output.Output", name="result"),
    ]
    return write(folder / "outer.json", nodes, edges)


def test_it_behaves_as_its_nodes_would(greeting: Path, registry: Registry) -> None:
    path = outer(
        greeting.parent,
        edges=[edge("user.output", "greet.who"), edge("greet.text", "result.value")],
    )
    assert dict(Workflow.load(path, registry).run(user="Grace")) == {"result": "Hello, Grace"}


def test_values_are_given_like_properties_and_open_inputs_can_be_set(
    greeting: Path, registry: Registry
) -> None:
    path = outer(greeting.parent, edges=[edge("greet.text", "result.value")], word="Good night, ")
    workflow = Workflow.load(path, registry)
    assert dict(workflow.run()) == {"result": "Good night, nobody"}
    assert dict(workflow.run({"greet.who": "Alan"})) == {"result": "Good night, Alan"}


def test_an_input_that_is_passed_through_comes_straight_from_its_source(
    greeting: Path, registry: Registry
) -> None:
    path = outer(
        greeting.parent,
        edges=[edge("user.output", "greet.who"), edge("greet.name", "result.value")],
    )
    assert dict(Workflow.load(path, registry).run(user="Grace")) == {"result": "Grace"}


def test_one_may_stand_inside_another(greeting: Path, registry: Registry) -> None:
    outer(
        greeting.parent,
        edges=[edge("user.output", "greet.who"), edge("greet.text", "result.value")],
    )
    nodes = [
        node("inner", WorkflowNode.spec.node_type, path="outer.json", user="Edsger"),
        node("last", "nodetool.output.Output", name="last"),
    ]
    path = write(greeting.parent / "outermost.json", nodes, [edge("inner.result", "last.value")])
    assert dict(Workflow.load(path, registry).run()) == {"last": "Hello, Edsger"}


def test_it_may_be_written_inside_the_file(greeting: Path, registry: Registry) -> None:
    nodes = [
        node("greet", WorkflowNode.spec.node_type, workflow_json=json.loads(greeting.read_text())),
        node("last", "nodetool.output.Output", name="last"),
    ]
    path = write(greeting.parent / "inline.json", nodes, [edge("greet.text", "last.value")])
    assert dict(Workflow.load(path, registry).run()) == {"last": "Hello, nobody"}


def test_saving_keeps_the_node_as_it_was_written(greeting: Path, registry: Registry) -> None:
    path = outer(greeting.parent, edges=[edge("greet.text", "result.value")])
    saved = Workflow.load(path, registry).save(greeting.parent / "saved.json")
    assert json.loads(saved.read_text())["graph"] == json.loads(path.read_text())["graph"]


def test_a_workflow_that_contains_itself_is_rejected(greeting: Path, registry: Registry) -> None:
    nodes = [
        node("self", WorkflowNode.spec.node_type, path="b.json"),
        node("out", "nodetool.output.Output", name="out"),
    ]
    write(
        greeting.parent / "b.json",
        [node("back", WorkflowNode.spec.node_type, path="a.json"), *nodes[1:]],
        [edge("back.out", "out.value")],
    )
    path = write(greeting.parent / "a.json", nodes, [edge("self.out", "out.value")])
    with pytest.raises(
        WorkflowError, match=r"contains itself: a\.json → b\.json → a\.json"
    ) as caught:
        Workflow.load(path, registry)
    assert caught.value.problem.code == "contains_itself"


@pytest.mark.parametrize(
    ("data", "edges", "code", "words"),
    [
        (
            {"whom": "x"},
            [edge("greet.text", "result.value")],
            "unknown_property",
            "Did you mean 'who'",
        ),
        ({}, [edge("greet.txt", "result.value")], "unknown_handle", "Did you mean 'text'"),
        (
            {},
            [edge("user.output", "greet.wh"), edge("greet.text", "result.value")],
            "unknown_property",
            "Did you mean 'who'",
        ),
        ({"who": 3}, [edge("greet.text", "result.value")], "invalid_value", "expects str"),
    ],
)
def test_mistakes_are_told_with_their_place(
    greeting: Path,
    registry: Registry,
    data: dict[str, Any],
    edges: list[dict[str, Any]],
    code: str,
    words: str,
) -> None:
    path = outer(greeting.parent, edges=edges, **data)
    with pytest.raises(WorkflowError) as caught:
        Workflow.load(path, registry)
    assert code in [problem.code for problem in caught.value.problems]
    assert words in str(caught.value)


def test_a_missing_or_broken_inner_file_is_told_with_the_node(
    greeting: Path, registry: Registry
) -> None:
    nodes = [
        node("sub", WorkflowNode.spec.node_type, path="greting.json"),
        node("out", "nodetool.output.Output", name="out", value="x"),
    ]
    with pytest.raises(WorkflowError, match=r"nodes\[0\] > .*Did you mean '.*greeting\.json'"):
        Workflow.load(write(greeting.parent / "missing.json", nodes, []), registry)
    (greeting.parent / "greting.json").write_text("{")
    with pytest.raises(WorkflowError, match=r"nodes\[0\] > .*is no JSON"):
        Workflow.load(greeting.parent / "missing.json", registry)


def test_workflows_that_pass_an_input_on_may_not_stand_in_a_circle(
    greeting: Path, registry: Registry
) -> None:
    path = outer(
        greeting.parent, edges=[edge("greet.name", "greet.who"), edge("greet.name", "result.value")]
    )
    with pytest.raises(WorkflowError, match="runs in a circle: greet → greet") as caught:
        Workflow.load(path, registry)
    assert caught.value.problem.code == "cycle"


def test_one_may_be_passed_through_twice(tmp_path: Path, registry: Registry) -> None:
    ways = [
        (name, f"nodetool.{name}put.{kind}")
        for name, kind in (("in", "StringInput"), ("out", "Output"))
    ]
    nodes = [
        node(f"{way}{number}", kind, name=f"{way}{number}")
        for way, kind in ways
        for number in (1, 2)
    ]
    write(
        tmp_path / "two.json",
        nodes,
        [edge("in1.output", "out1.value"), edge("in2.output", "out2.value")],
    )
    nodes = [
        node("user", "nodetool.input.StringInput", name="user", value="Ada"),
        node("two", WorkflowNode.spec.node_type, path="two.json"),
        node("result", "nodetool.output.Output", name="result"),
    ]
    edges = [
        edge("user.output", "two.in1"),
        edge("two.out1", "two.in2"),
        edge("two.out2", "result.value"),
    ]
    assert dict(Workflow.load(write(tmp_path / "twice.json", nodes, edges), registry).run()) == {
        "result": "Ada"
    }


def test_a_path_that_no_file_can_have_is_a_mistake(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(WorkflowError, match="names no workflow"):
        Workflow.load(
            write(
                tmp_path / "null.json", [node("sub", WorkflowNode.spec.node_type, path="a\0b")], []
            ),
            registry,
        )


def test_a_link_that_leads_to_itself_is_a_file_that_can_not_be_read(
    tmp_path: Path, registry: Registry
) -> None:
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    with pytest.raises(WorkflowError, match=r"nodes\[0\] > .*can't be read"):
        Workflow.load(
            write(
                tmp_path / "outer.json",
                [node("sub", WorkflowNode.spec.node_type, path="loop.json")],
                [],
            ),
            registry,
        )


def double(folder: Path, levels: int) -> Path:
    """Files of which each uses the one before twice; the first has one node."""
    write(folder / "0.json", [node("n", "nodetool.constant.String")], [])
    for level in range(1, levels + 1):
        write(
            folder / f"{level}.json",
            [node(name, WorkflowNode.spec.node_type, path=f"{level - 1}.json") for name in "ab"],
            [],
        )
    return folder / f"{levels}.json"


def test_files_that_use_each_other_twice_grow_to_a_limit(
    tmp_path: Path, registry: Registry
) -> None:
    assert len(Workflow.load(double(tmp_path, 10), registry).graph.nodes) == 2**10
    with pytest.raises(WorkflowError) as caught:
        Workflow.load(double(tmp_path, 40), registry)
    codes = {problem.code for problem in caught.value.problems}
    assert codes == {"too_many_nodes"} and len(caught.value.problems) <= 40
    problem = caught.value.problem
    assert (
        "40.json → 39.json → 38.json → 37.json → … → " in problem.message
        and "100,000 nodes" in problem.message
    )
    assert problem.where.startswith("nodes[0] > nodes[0] > ") and "loop" in problem.hint


def test_edges_count_as_well(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodetool_core.subworkflow.MAX_EDGES", 50)
    taking = [
        node("x", "nodetool.input.StringInput", name="x"),
        node("list", "nodetool.text.FormatText", template=""),
    ]
    write(
        tmp_path / "in.json", taking, [edge("x.output", f"list.p{number}") for number in range(40)]
    )
    used = [node(name, WorkflowNode.spec.node_type, path="in.json") for name in "ab"]
    with pytest.raises(WorkflowError, match=r"out\.json → in\.json.* 50 edges") as caught:
        Workflow.load(write(tmp_path / "out.json", used, []), registry)
    assert caught.value.problem.code == "too_many_nodes"


def test_a_mistake_in_files_that_use_each_other_twice_is_told_a_few_times(
    tmp_path: Path, registry: Registry
) -> None:
    path = double(tmp_path, 40)
    write(tmp_path / "0.json", [node("n", "nodetool.constant.Strin")], [])
    with pytest.raises(WorkflowError, match="Did you mean") as caught:
        Workflow.load(path, registry)
    assert len(caught.value.problems) <= 41


@pytest.mark.parametrize("inline", [False, True])
def test_workflows_stand_only_so_deep_in_each_other(
    tmp_path: Path, registry: Registry, inline: bool
) -> None:
    content: dict[str, Any] = {
        "graph": {"nodes": [node("n", "nodetool.constant.String")], "edges": []}
    }
    for level in range(60):
        (tmp_path / f"{level}.json").write_text(json.dumps(content))
        given = {"workflow_json": content} if inline else {"path": f"{level}.json"}
        content = {
            "graph": {"nodes": [node("n", WorkflowNode.spec.node_type, **given)], "edges": []}
        }
        if level == 40:
            assert len(Workflow.load(tmp_path / "40.json", registry).graph.nodes) == 1
    with pytest.raises(WorkflowError, match=r"more than 50 deep: 59\.json → ") as caught:
        Workflow.load(tmp_path / "59.json", registry)
    assert caught.value.problem.code == "nested_too_deeply"


def test_paths_of_an_inner_workflow_start_from_its_own_folder(
    tmp_path: Path, registry: Registry
) -> None:
    inner, deep = tmp_path / "parts", tmp_path / "parts" / "deep"
    deep.mkdir(parents=True)
    Image.new("RGB", (8, 6), "red").save(deep / "photo.png")
    (inner / "mood.txt").write_text("calm")
    write(
        deep / "photo.json",
        [
            node("photo", "nodetool.input.ImageInput", name="photo", value="photo.png"),
            node("image", "nodetool.output.Output", name="image"),
        ],
        [edge("photo.output", "image.value")],
    )
    write(
        inner / "both.json",
        [
            node("photo", WorkflowNode.spec.node_type, path="deep/photo.json"),
            node("mood", "nodetool.input.FilePathInput", name="mood", value="mood.txt"),
            node("image", "nodetool.output.Output", name="image"),
            node("text", "nodetool.output.Output", name="text"),
        ],
        [edge("photo.image", "image.value"), edge("mood.output", "text.value")],
    )
    outermost = write(
        tmp_path / "outer.json",
        [
            node("both", WorkflowNode.spec.node_type, path="parts/both.json"),
            node("image", "nodetool.output.Output", name="image"),
            node("text", "nodetool.output.Output", name="text"),
        ],
        [edge("both.image", "image.value"), edge("both.text", "text.value")],
    )
    result = Workflow.load(outermost, registry).run()
    assert (result["image"].image.size, result["text"]) == ((8, 6), "parts/mood.txt")
