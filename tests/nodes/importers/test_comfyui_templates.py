"""
ComfyUI's official templates, whole and damaged: nothing crashes, and nothing is lost in silence.

The package of the templates comes with the extra `bench`.
"""

from __future__ import annotations

import importlib.util
import json
import random
from pathlib import Path
from typing import Any

import pytest

from nodes.importers.comfyui import file
from nodes.importers.comfyui.canvas import LEADS
from nodes.importers.comfyui.importer import import_nodes
from nodetool_core import WorkflowError
from nodetool_core.importing.report import report
from tests.nodes.importers.conftest import REGISTRY, content_of
from tests.nodes.importers.damage import damaged, grade_of

_FOUND = importlib.util.find_spec("comfyui_workflow_templates_json")
TEMPLATES = (
    sorted(Path(_FOUND.submodule_search_locations[0], "templates").glob("*.json"))
    if _FOUND and _FOUND.submodule_search_locations
    else []
)
needs_templates = pytest.mark.skipif(not TEMPLATES, reason="comfyui-workflow-templates-json")
MADE = ["base", "sdxl_text_editor", "bypassed_controlnet", "weights", "runpod", "sub_ids"]


def imported(content: Any) -> str:
    """Import a content; return its grade, or `refused`."""
    return grade_of(lambda: import_nodes(file.read(content), REGISTRY))


@pytest.mark.parametrize("seed", range(8))
def test_damaged_files_are_imported_or_refused_in_words(seed: int) -> None:
    draws = random.Random(seed)
    contents = [content_of(f"faults/{name}") for name in MADE]
    grades = [imported(damaged(draws.choice(contents), draws)) for _ in range(100)]
    assert {"whole", "refused"} <= set(grades)


@needs_templates
@pytest.mark.slow
def test_damaged_templates_are_imported_or_refused_in_words() -> None:
    draws = random.Random(20)
    files = [json.loads(path.read_text("utf-8")) for path in draws.sample(TEMPLATES, 60)]
    contents = [content for content in files if isinstance(content, dict) and "nodes" in content]
    for _ in range(1200):
        imported(damaged(draws.choice(contents), draws))


@needs_templates
@pytest.mark.slow
@pytest.mark.parametrize("path", TEMPLATES[::7], ids=lambda path: path.stem)
def test_every_text_of_a_template_is_in_the_workflow_or_in_the_report(path: Path) -> None:
    content = json.loads(path.read_text("utf-8"))
    if not isinstance(content, dict) or "nodes" not in content:
        return
    try:
        result = import_nodes(file.read(content), REGISTRY)
    except WorkflowError:
        return
    found = json.dumps(result.document.to_json(), ensure_ascii=False) + "".join(
        message for entry in report(result) for message in entry.messages
    )
    for node in file.read(content):
        for name, value in node.values().items():
            if isinstance(value, str) and len(value) > 24 and node.class_type not in LEADS:
                shown = json.dumps(value, ensure_ascii=False).strip('"')
                assert shown in found or repr(value)[1:-1] in found, f"{node.label}: {name}"
