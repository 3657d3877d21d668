"""
The example on every page is a complete workflow that runs, from the file and from Python alike.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from nodetool_core import Lane, Node, Registry, Role, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.reference.examples import FILE, example
from nodetool_core.workflow import WorkflowDocument

ROOT = Path(__file__).parents[2]
REGISTRY = Registry.installed()
NODES = list(REGISTRY)
FEW_STEPS = 4


@pytest.fixture(scope="module")
def engine() -> Any:
    with Engine(registry=REGISTRY) as shared:
        yield shared


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that looks like the root of the repository, and may be written to."""
    shutil.copytree(ROOT / "graphs", tmp_path / "graphs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def runs_a_model(node: type[Node]) -> bool:
    return node.lane is Lane.DEVICE or node.spec.title == "WorkflowNode"


def marked(node: type[Node]) -> Any:
    return pytest.param(
        node, id=node.spec.node_type, marks=[pytest.mark.slow] if runs_a_model(node) else []
    )


def test_every_namespace_is_here() -> None:
    assert {node.spec.namespace for node in NODES} >= {
        "huggingface.image_to_image",
        "nodetool.input",
        "nodetool.output",
    }


@pytest.mark.parametrize("node", [marked(node) for node in NODES])
def test_the_file_runs(node: type[Node], root: Path, engine: Engine) -> None:
    shown = example(node, REGISTRY)
    (root / FILE).write_text(shown.to_json())
    workflow = Workflow.load(root / FILE, REGISTRY, engine=engine)
    steps = dict.fromkeys(_step_counts(workflow), FEW_STEPS)
    if shown.needs:
        assert not shown.gives_image, "what needs a service is loaded and checked, and not run"
        return
    result = workflow.run(steps)
    assert set(result) == set(shown.results) and result.warnings == []
    ids = [
        record.id for record in workflow.document.graph.nodes if record.type == node.spec.node_type
    ]
    assert node.role is Role.COMMENT or any(
        name.split("/")[0] in ids for name in result.ran + result.hits
    )
    for name, kind in shown.results.items():
        assert result[name] is not None
        if kind == "image":
            assert result[name].image.width > 1


@pytest.mark.parametrize("node", [marked(node) for node in NODES])
def test_python_runs_and_says_the_same(
    node: type[Node], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = example(node, REGISTRY)
    names: dict[str, Any] = {}
    (root / FILE).write_text(shown.to_json())
    code = shown.to_python()
    if shown.needs:
        code = code.partition("\nresult = workflow.run()")[0]
    elif runs_a_model(node):
        run = Workflow.run
        monkeypatch.setattr(
            Workflow, "run", lambda self: run(self, dict.fromkeys(_step_counts(self), FEW_STEPS))
        )
    exec(compile(code, f"<example of {node.spec.title}>", "exec"), names)
    assert _content(names["workflow"].document) == _content(
        WorkflowDocument.from_json(json.loads(shown.to_json()))
    )
    for name, kind in shown.results.items():
        if kind == "image" and not shown.needs:
            assert (root / f"{name}.png").stat().st_size > 0


def _step_counts(workflow: Workflow) -> list[str]:
    return [
        f"{node.id}.num_inference_steps"
        for node in workflow.graph.nodes
        if "num_inference_steps" in node.values
    ]


def _content(document: WorkflowDocument) -> Any:
    """
    Return what a workflow says, whatever the order of its nodes.

    And whatever defaults and file names are written out.
    """
    graph = Workflow.from_document(document, REGISTRY).graph
    by_id = {}
    for node in graph.nodes:
        sources = {
            edge.property: (graph.nodes[edge.source].id, edge.output) for edge in node.inputs
        }
        by_id[node.id] = (node.spec.node_type, node.values, node.dynamic, sources)
    return by_id


def test_an_image_is_shown_where_a_node_gives_one_beside_numbers() -> None:
    node = REGISTRY.get("lib.pillow.measure.Similarity")
    assert node is not None and list(example(node, REGISTRY).results.values()) == ["image"]
