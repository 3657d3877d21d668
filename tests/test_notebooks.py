"""The notebooks in docs/notebooks: each runs from its first cell to its last, as in a kernel."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SHOWN = ("_repr_mimebundle_", "_repr_html_", "_repr_svg_", "_repr_png_", "__repr__")
"""How a notebook shows the value of a cell: the first that it has."""


def cells(notebook: Path) -> Iterator[str]:
    """Yield the code of a notebook's cells."""
    for cell in json.loads(notebook.read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None), "clear it first"
            yield "".join(cell["source"])


async def run_cell(source: str, names: dict[str, object]) -> object:
    """Run a cell, which may await; return how the value of its last line is shown."""
    tree = ast.parse(source)
    parts: list[ast.Module | ast.Expression] = [tree]
    if isinstance(last := tree.body[-1], ast.Expr):
        tree.body.pop()
        parts.append(ast.Expression(last.value))
    value: object = None
    for part in parts:
        code: CodeType = compile(
            part,
            "cell",
            "exec" if part is tree else "eval",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        )
        value = eval(code, names)
        if inspect.iscoroutine(value):
            value = await value
    shown = next(getattr(value, name) for name in SHOWN if hasattr(value, name))
    return shown()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    names: dict[str, object] = {"__name__": __name__}

    async def run() -> None:
        for source in cells(notebook):
            await run_cell(source, names)

    asyncio.run(run())


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 3
