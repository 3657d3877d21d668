"""Runs single nodes the way the engine does, and keeps what they report."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from nodetool_core import Context, Node
from nodetool_core.assets.loader import ImageLoader
from tests.reports import Reports


class NodeRunner:
    """Call it with a node; the value of `process` comes back, a stream as a list."""

    def __init__(self, base: Path, *, confined: bool = False) -> None:
        self.base = base
        self.images = ImageLoader(base, confined=confined)
        self._reports = Reports()
        self.reports = self._reports.all
        self.cancelled = threading.Event()

    def __call__(self, node: Node) -> Any:
        context = Context(
            "node",
            reporter=self._reports,
            cancelled=self.cancelled,
            images=self.images,
            models=None,  # type: ignore[arg-type]
        )
        value = node.process(context) if node.spec.takes_context else node.process()
        if node.spec.carries:
            return _rounds(value)
        return list(value) if node.spec.streams else value

    def warnings(self) -> list[str]:
        return self._reports.warnings


def _rounds(loop: Generator[Any, Any, Any]) -> list[Any]:
    """Return the items of a loop that is sent the first value of each, and ended at the second."""
    items: list[Any] = []
    sent = None
    while True:
        try:
            item = loop.send(sent)
        except StopIteration:
            return items
        items.append(item)
        value = getattr(item, fields(item)[0].name)
        sent = {"value": value, "again": len(items) < 2}


@pytest.fixture
def run_node(tmp_path: Path) -> NodeRunner:
    return NodeRunner(tmp_path)
