"""Every arrow between the rooms of the server points down."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVER = Path(__file__).parents[2] / "nodetool_core" / "server"

ROOMS = [
    "logs",
    "metrics",
    "http",
    "parameters",
    "served_workflow",
    "uses",
    "seeds",
    "fan_out",
    "translation",
    "input_schemas",
    "catalog",
    "security",
    "settings_sources",
    "settings",
    "settings_checks",
    "settings_page",
    "runtime",
    "result_files",
    "v1",
    "openai",
    "a1111",
    "mcp",
    "comfyui",
    "replicate",
    "huggingface",
    "qolaba",
    "operations",
    "app",
    "launch",
]
"""From the bottom up: a room imports those before it and itself."""

DIALECTS = {"v1", "openai", "a1111", "mcp", "comfyui", "replicate", "huggingface", "qolaba"}


def imported(path: Path) -> Iterator[str]:
    """Yield the rooms of the server that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[:2] == ["nodetool_core", "server"]:
                yield from [parts[2]] if len(parts) > 2 else [name.name for name in node.names]


def room_of(path: Path) -> str:
    return path.relative_to(SERVER).parts[0].removesuffix(".py")


FILES = [
    path for path in sorted(SERVER.rglob("*.py")) if path.parent != SERVER or path.stem in ROOMS
]


def test_every_file_is_in_a_room() -> None:
    assert {room_of(path) for path in SERVER.rglob("*.py")} == {*ROOMS, "__init__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SERVER)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    below = set(ROOMS[: ROOMS.index(room) + 1])
    if room in DIALECTS:
        below -= DIALECTS - {room}
    assert set(imported(path)) <= below
