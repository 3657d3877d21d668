"""
Behaviours 2 to 6: the document.

What is in a file stays in it; what is wrong with it is said, never raised as a bug.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodetool_core import NodetoolError, Registry, Workflow, WorkflowError
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument
from tests.engine.nodes import Add, Anything, Each, Mix, Number, Numbers, Total

NODES = Registry(node_classes=[Add, Anything, Each, Mix, Number, Numbers, Total])

VALID: dict[str, Any] = {
    "name": "sums",
    "description": "",
    "access": "private",
    "graph": {
        "nodes": [
            {
                "id": "1",
                "type": Number.spec.node_type,
                "data": {"value": 3},
                "ui_properties": {"position": {"x": 1.5, "y": -2}, "title": "three"},
            },
            {
                "id": "2",
                "type": Add.spec.node_type,
                "data": {"b": 4},
                "parent_id": None,
                "sync_mode": "on_any",
            },
            {
                "id": "3",
                "type": Numbers.spec.node_type,
                "data": {"values": [1, 2]},
                "dynamic_properties": {},
            },
            {"id": "4", "type": Total.spec.node_type, "data": {}},
        ],
        "edges": [
            {
                "id": "e1",
                "source": "1",
                "sourceHandle": "output",
                "target": "2",
                "targetHandle": "a",
                "ui_properties": {"className": "int"},
            },
            {
                "id": "e2",
                "source": "3",
                "sourceHandle": "output",
                "target": "4",
                "targetHandle": "values",
                "edge_type": "data",
            },
        ],
        "viewport": {"zoom": 1},
    },
    "to_json": "a field named like a method",
    "tags": ["a", {"b": None}],
}


def test_a_document_keeps_every_field_known_or_not(tmp_path: Path) -> None:
    """Behaviour 4."""
    path = tmp_path / "w.json"
    path.write_text(json.dumps(VALID))
    document = WorkflowDocument.load(path)
    build_graph(document, NODES)
    document.save(path)
    assert json.loads(path.read_text()) == {"schema_version": 1, **VALID}


def test_a_bare_graph_is_read_as_well() -> None:
    assert (
        len(
            build_graph(WorkflowDocument.from_json({**VALID["graph"], "name": "bare"}), NODES).nodes
        )
        == 4
    )


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("", "invalid_json", "is empty"),
        ("graph", "invalid_json", ":1:1: is no JSON"),
        ("{", "invalid_json", ":1:2: is no JSON"),
        ("[1]", "invalid_document", "expects a JSON object, got list."),
        ("{}", "invalid_document", "has no `graph`."),
        ('{"3": {"class_type": "KSampler"}}', "invalid_document", "is a workflow of ComfyUI"),
        ('{"graph": {"nodes": [{"id": 1, "type": "x"}]}}', "invalid_document", "nodes[0].id"),
        ('{"graph": {"nodes": [{"id": "1"}], "edges": [{}]}}', "invalid_document", "nodes[0].type"),
        ('{"schema_version": 99, "graph": {}}', "invalid_document", "schema_version"),
        ('{"graph": {"nodes": [' + "[" * 100_000, "invalid_json", "nested too deeply"),
        ('{"graph": {}, "x": ' + "9" * 5_000 + "}", "invalid_json", "number"),
    ],
)
def test_what_is_no_workflow_is_said_with_its_place(
    text: str, code: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "w.json"
    path.write_text(text)
    with pytest.raises(WorkflowError) as caught:
        WorkflowDocument.load(path)
    assert caught.value.problem.code == code
    assert says in str(caught.value)


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "winter.json").write_text("{}")
    with pytest.raises(WorkflowError, match=r"no such file. Did you mean '.*/winter.json'\?"):
        WorkflowDocument.load(tmp_path / "winer.json")
    with pytest.raises(WorkflowError, match="is a folder"):
        WorkflowDocument.load(tmp_path)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1", "2", "output", "a", "value"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return every place in a JSON value."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """
    Return a valid document with a few places replaced, removed, doubled, or given one more key.
    """
    document = copy.deepcopy(VALID)
    for _ in range(draw(st.integers(1, 4))):
        *path, last = draw(st.sampled_from(places(document)[1:]))
        holder = document
        for key in path:
            holder = holder[key]
        match draw(st.sampled_from(["replace", "remove", "double", "add"])):
            case "replace":
                holder[last] = draw(JSON_VALUES)
            case "remove":
                del holder[last]
            case "double" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[last]))
            case _ if isinstance(holder[last], dict):
                holder[last][draw(st.text(max_size=6))] = draw(JSON_VALUES)
        if not places(document)[1:]:
            break
    return document


@settings(max_examples=200, deadline=None)
@given(content=mutated())
def test_a_random_document_is_a_graph_or_a_list_of_problems(content: Any) -> None:
    """Behaviours 1 and 2: never a traceback, never a value that was quietly changed."""
    try:
        workflow = Workflow.from_document(WorkflowDocument.from_json(content), NODES)
    except WorkflowError as error:
        assert error.problems
        assert all(problem.code and problem.message for problem in error.problems)
        return
    again = json.loads(json.dumps(workflow.document.to_json()))
    assert len(Workflow.from_document(WorkflowDocument.from_json(again), NODES).graph.nodes) == len(
        workflow.graph.nodes
    )


@settings(max_examples=60, deadline=None)
@given(content=mutated())
def test_a_random_document_that_is_valid_runs_or_fails_in_words(content: Any) -> None:
    try:
        workflow = Workflow.from_document(WorkflowDocument.from_json(content), NODES)
        with workflow.engine:
            workflow.run()
    except NodetoolError as error:
        assert error.problems


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        name: JSON | st.text()
        for name in ("id", "type", "data", "source", "target", "targetHandle")
    },
)
GRAPHS = st.fixed_dictionaries(
    {},
    optional={
        "nodes": st.lists(RECORDS, max_size=3) | JSON,
        "edges": st.lists(RECORDS, max_size=3) | JSON,
    },
)


def _read(read: Callable[[], WorkflowDocument]) -> Any:
    try:
        return read().to_json()
    except WorkflowError as error:
        return [problem.to_json() for problem in error.problems]


@settings(max_examples=150)
@given(
    st.fixed_dictionaries(
        {}, optional={"graph": GRAPHS | JSON, "nodes": JSON, "name": JSON, "schema_version": JSON}
    )
    | JSON
)
def test_a_text_is_read_as_its_value_is(content: Any) -> None:
    text = json.dumps(content)
    assert repr(_read(lambda: WorkflowDocument.from_text(text))) == repr(
        _read(lambda: WorkflowDocument.from_json(json.loads(text)))
    )
