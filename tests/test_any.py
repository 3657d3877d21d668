"""`Any` switches mypy off, so there may only be less of it; `object` and `Json` are checked."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]

MOST = 508
"""How many annotations and casts say `Any`. Lower it when there are fewer."""


def test_any_only_goes_down() -> None:
    paths = [path for room in ("nodetool_core", "nodes") for path in (ROOT / room).rglob("*.py")]
    found = {
        str(path.relative_to(ROOT)): sum(
            isinstance(node, ast.Name) and node.id == "Any"
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        )
        for path in paths
    }
    most = sorted(found.items(), key=lambda item: -item[1])[:10]
    assert sum(found.values()) <= MOST, f"there are {sum(found.values())}; most are in {most}"
