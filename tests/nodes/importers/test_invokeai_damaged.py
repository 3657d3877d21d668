"""Workflows of InvokeAI, damaged anywhere: imported or refused in words, and never by a crash."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from nodes.importers.invokeai.importer import import_file
from nodetool_core import WorkflowError
from nodetool_core.importing.draft import Grade
from nodetool_core.importing.report import report
from nodetool_core.validation import build_graph
from tests.nodes.importers.conftest import REGISTRY
from tests.nodes.importers.test_comfyui_templates import damaged
from tests.nodes.importers.test_invokeai import text_to_image, workflow


def whole() -> Any:
    nodes, links = text_to_image()
    return workflow(nodes, *links)


def grade_of(content: Any, path: Path) -> str:
    """Import a content; return its grade, or `refused` where an error says what is wrong."""
    path.write_text(json.dumps(content))
    try:
        result = import_file(path, REGISTRY)
    except WorkflowError as error:
        assert error.problems and all(str(problem) for problem in error.problems)
        return "refused"
    json.dumps(result.document.to_json())
    assert all(entry.node for entry in report(result))
    if result.grade is not Grade.LOSSES:
        build_graph(result.document, REGISTRY)
    return str(result.grade)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_workflows_are_imported_or_refused_in_words(seed: int, tmp_path: Path) -> None:
    draws = random.Random(seed)
    content = whole()
    grades = [grade_of(damaged(content, draws), tmp_path / "one.json") for _ in range(100)]
    assert {"whole", "refused"} <= set(grades)


@pytest.mark.slow
def test_two_thousand_damaged_workflows(tmp_path: Path) -> None:
    draws = random.Random(2000)
    content = whole()
    for _ in range(2000):
        grade_of(damaged(content, draws), tmp_path / "one.json")
