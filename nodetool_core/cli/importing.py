"""`nodetool import`: workflow files of other tools, written as files of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodetool_core.cli.messages import ExitCode, WrongUseError, say, show_problem

if TYPE_CHECKING:
    from nodetool_core.importing.draft import Imported

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="A workflow of ComfyUI: API or editor format, or a PNG it wrote."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="File to write, instead of stdout.", dir_okay=False),
]


def import_(file: File, out: Out = None) -> None:
    """
    Write a ComfyUI workflow as a workflow of nodetool.

    What was changed or has no counterpart is said on stderr, by node. Exit code 1 where a node had
    to be left out.

    \b
    Example:
      nodetool import comfyui.json --out workflow.json
      nodetool run workflow.json --set model=OWNER/NAME
    """
    import json

    from nodetool_core.errors import NodetoolError, Problem
    from nodetool_core.importing import import_file
    from nodetool_core.registry import Registry

    if out is not None and out.exists() and out.samefile(file):
        raise WrongUseError(
            Problem(
                "unwritable_file",
                str(out),
                "is the file to import, and would be lost.",
                "Name another file.",
            )
        )
    imported = import_file(file, Registry.installed())
    for note in imported.notes:
        show_problem(note)
    if out is None:
        typer.echo(json.dumps(imported.document.to_json(), indent=2, ensure_ascii=False))
    else:
        from nodetool_core.assets.files import write_problem

        try:
            imported.document.save(out)
        except OSError as error:
            raise NodetoolError(write_problem(out, error)) from error
        typer.echo(out)
    say(_summary(imported))
    if not imported.is_whole:
        raise typer.Exit(ExitCode.FAILED)


def _summary(imported: Imported) -> str:
    """Return how it went, in a line."""
    written, left_out = len(imported.document.graph.nodes), len(imported.left_out)
    rest = f"; {left_out} of the file left out, listed above" if left_out else ""
    return f"{written} nodes written{rest}."
