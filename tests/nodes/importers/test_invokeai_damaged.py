"""Workflows of InvokeAI, damaged anywhere: imported or refused in words, and never by a crash."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from nodes.importers.invokeai.importer import import_file
from tests.nodes.importers.conftest import REGISTRY
from tests.nodes.importers.damage import damaged, grade_of
from tests.nodes.importers.test_invokeai import text_to_image, workflow


def whole() -> Any:
    nodes, links = text_to_image()
    return workflow(nodes, *links)


def imported(content: Any, path: Path) -> str:
    """Import a content from a file; return its grade, or `refused`."""
    path.write_text(json.dumps(content))
    return grade_of(lambda: import_file(path, REGISTRY))


@pytest.mark.parametrize("seed", range(4))
def test_damaged_workflows_are_imported_or_refused_in_words(seed: int, tmp_path: Path) -> None:
    draws = random.Random(seed)
    content = whole()
    grades = [imported(damaged(content, draws), tmp_path / "one.json") for _ in range(100)]
    assert {"whole", "refused"} <= set(grades)


@pytest.mark.slow
def test_two_thousand_damaged_workflows(tmp_path: Path) -> None:
    draws = random.Random(2000)
    content = whole()
    for _ in range(2000):
        imported(damaged(content, draws), tmp_path / "one.json")
