"""
No value of a ComfyUI graph is lost in silence.

Each value, made another one, makes another workflow or another report. The values are those of the
official templates (extra `bench`) and of our own files; NODETOOL_IMPORTED_VALUES says how many are
drawn, and 0 takes all.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from nodes.importers.comfyui import file
from nodes.importers.comfyui.graph import ComfyNode
from nodes.importers.comfyui.importer import import_nodes
from nodetool_core import WorkflowError
from nodetool_core.importing.report import report
from tests.nodes.importers.conftest import FILES, REGISTRY
from tests.nodes.importers.test_comfyui_templates import TEMPLATES, needs_templates

COUNT: Final = int(os.environ.get("NODETOOL_IMPORTED_VALUES", "150"))
SAYS_NOTHING: Final = frozenset({"control_after_generate", "upload"})
"""What the editor does after a run, and a button of it."""

Value = tuple[int, str]
"""The place of a node among the others, and the name of its input."""


def another(value: object) -> object:
    """Return another value of a kind; None where there is none."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 + 0.125
    return f"x{value}" if isinstance(value, str) else None


def nodes_of(path: Path) -> list[ComfyNode]:
    """Return the nodes of a file; none where it is refused, which is said of it as a whole."""
    try:
        nodes = file.load(path)
        import_nodes(nodes, REGISTRY)
    except WorkflowError:
        return []
    return nodes


def values_of(nodes: list[ComfyNode]) -> Iterator[Value]:
    for place, node in enumerate(nodes):
        for name, value in node.inputs.items():
            if name not in SAYS_NOTHING and another(value) is not None:
                yield place, name


def result_of(nodes: list[ComfyNode]) -> object:
    """Return all that an import says: the workflow with the report, or why there is none."""
    try:
        imported = import_nodes(nodes, REGISTRY)
    except WorkflowError as error:
        return error.problems
    return imported.document.to_json(), report(imported)


def silent(nodes: list[ComfyNode], values: list[Value]) -> list[str]:
    """Return the values of a graph that make no difference to what an import says."""
    before = result_of(nodes)
    found = []
    for place, name in values:
        node = nodes[place]
        changed = replace(node, inputs={**node.inputs, name: another(node.inputs[name])})
        if result_of([*nodes[:place], changed, *nodes[place + 1 :]]) == before:
            found.append(f"{node.label}: {name} {node.inputs[name]!r}")
    return found


def losses(paths: list[Path], count: int) -> list[str]:
    """Return what is lost in silence, of so many values of files; of all where it is 0."""
    graphs = [nodes for path in paths if (nodes := nodes_of(path))]
    drawn = [(graph, value) for graph, nodes in enumerate(graphs) for value in values_of(nodes)]
    if count:
        drawn = random.Random(20).sample(drawn, min(count, len(drawn)))
    found = []
    for graph, nodes in enumerate(graphs):
        if values := [value for other, value in drawn if other == graph]:
            found += silent(nodes, values)
    return found


def test_no_value_of_our_files_is_lost_in_silence() -> None:
    assert losses(sorted(FILES.glob("**/*.json")), COUNT) == []


@needs_templates
@pytest.mark.slow
def test_no_value_of_the_templates_is_lost_in_silence() -> None:
    assert losses(TEMPLATES, COUNT) == []
