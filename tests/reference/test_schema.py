"""The JSON Schema says of a workflow file what loading it says, as far as a schema can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from nodetool_core import Registry
from nodetool_core.reference.examples import example
from nodetool_core.reference.schema import schema_text, workflow_schema

REGISTRY = Registry.installed()
FILES = sorted((Path(__file__).parents[2] / "graphs").glob("*.json"))


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(schema_text(REGISTRY, REGISTRY.renamed_types()))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def complaints(validator: Draft202012Validator, content: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)]


def with_node(node_type: str, **data: Any) -> dict[str, Any]:
    return {"graph": {"nodes": [{"id": "node", "type": node_type, "data": data}], "edges": []}}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_workflows_that_ship_pass(path: Path, validator: Draft202012Validator) -> None:
    assert complaints(validator, json.loads(path.read_text())) == []


def test_the_example_of_every_node_passes(validator: Draft202012Validator) -> None:
    wrong = {
        node.spec.node_type: complaints(validator, json.loads(example(node, REGISTRY).to_json()))
        for node in REGISTRY
    }
    assert {node_type: found for node_type, found in wrong.items() if found} == {}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (with_node("nodetool.image.Scale", scale=40), "$.graph.nodes[0].data.scale"),
        (with_node("nodetool.image.Scale", scale="0.5"), "$.graph.nodes[0].data.scale"),
        (with_node("nodetool.image.Scale", scal=0.5), "$.graph.nodes[0].data"),
        (with_node("nodetool.image.Scale", image=7), "$.graph.nodes[0].data.image"),
        ({"graph": {"nodes": [{"type": "nodetool.image.Scale"}]}}, "$.graph.nodes[0]"),
        ({"graph": {"edges": [{"source": "a", "target": "b"}]}}, "$.graph.edges[0]"),
        ({"nodes": []}, "$"),
        (with_node("nodetool.image.Scal"), "$.graph.nodes[0].type"),
        (with_node("nodetool.imag.Scale"), "$.graph.nodes[0].type"),
        (with_node("nodetool"), "$.graph.nodes[0].type"),
        (with_node(""), "$.graph.nodes[0].type"),
    ],
)
def test_mistakes_are_found_where_they_are(
    content: Any, place: str, validator: Draft202012Validator
) -> None:
    assert place in {error.json_path for error in validator.iter_errors(content)}


@pytest.mark.parametrize(
    "content",
    [
        with_node("nodetool.image.Scale", image="photo.png", scale=2),
        with_node("nodetool.image.Scale", image={"type": "image", "uri": "photo.png"}),
        with_node("somebody.elses.Node", anything=[1, {}]),
        with_node("nodetools.image.Scale"),
        with_node("nodetool.image.SaveImage", filename="a.png"),
        with_node("nodetool.constant.JSON", value={"any": ["thing"]}),
    ],
)
def test_what_loads_passes(content: Any, validator: Draft202012Validator) -> None:
    assert complaints(validator, content) == []


def test_a_changed_node_changes_one_line() -> None:
    nodes = list(REGISTRY)
    before, after = (
        schema_text(nodes).splitlines(),
        schema_text([*nodes[:-2], nodes[-1]]).splitlines(),
    )
    assert 0 < len(set(before) - set(after)) <= 4
    assert json.loads(schema_text(nodes)) == workflow_schema(nodes)
