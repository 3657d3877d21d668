"""The prompts of a workflow, by which its results are found again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from nodetool_core.json_types import Json
from nodetool_core.workflow import WorkflowDocument

_MOST: Final = 8
_LONGEST: Final = 300
"""Letters that are kept of each."""


def prompts_of(document: WorkflowDocument, inputs: Mapping[str, object]) -> list[Json]:
    """
    Return the texts in properties that are prompts, and in inputs of such a name, each once.

    Args:
        inputs: What is given to the workflow for this run.
    """
    found = dict.fromkeys(text[:_LONGEST] for text in _texts(document, inputs) if text.strip())
    return list[Json](found)[:_MOST]


def _texts(document: WorkflowDocument, inputs: Mapping[str, object]) -> Iterator[str]:
    for record in document.graph.nodes:
        name = record.data.get("name")
        if isinstance(name, str) and "prompt" in name.lower():
            value = inputs.get(name, record.data.get("value"))
            if isinstance(value, str):
                yield value
        for field, value in record.data.items():
            if "prompt" in field and isinstance(value, str):
                yield value
