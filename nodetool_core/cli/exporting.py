"""`nodetool export`: workflow files of ours, written as files of other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from nodetool_core.cli.importing import end_by_grade
from nodetool_core.cli.messages import WrongUseError, say, show_problem

File = Annotated[Path, typer.Argument(metavar="FILE", help="A workflow of nodetool.")]
To = Annotated[str, typer.Option("--to", metavar="TOOL", help="The tool to write for: comfyui.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="File to write, instead of stdout.")]


def export_(file: File, to: To, out: Out = None) -> None:
    """
    Convert a workflow for another tool: to the API format that ComfyUI's server runs.

    Notes on stderr name what was changed or has no counterpart, by node. The exit code is 0 where
    the workflow is whole, 3 where something is approximated, 1 where a node or a value is lost, and
    2 where there is nothing to export.

    \b
    Example:
      nodetool export workflow.json --to comfyui --out comfyui.json
    """
    from nodetool_core.assets.files import atomic_write, write_problem
    from nodetool_core.errors import NodetoolError, Problem
    from nodetool_core.importing.exporting import export
    from nodetool_core.registry import Registry
    from nodetool_core.workflow import WorkflowDocument

    if out is not None and out.exists() and file.exists() and out.samefile(file):
        message = "is the file to export, and would be lost."
        raise WrongUseError(Problem("unwritable_file", str(out), message, "Name another file."))
    exported = export(WorkflowDocument.load(file), to, Registry.installed(), str(file))
    for note in exported.notes:
        show_problem(note)
    text = json.dumps(exported.content, indent=2, ensure_ascii=False)
    if out is None:
        typer.echo(text)
    else:
        try:
            atomic_write(out, f"{text}\n".encode())
        except OSError as error:
            raise NodetoolError(write_problem(out, error)) from error
        typer.echo(out)
    say(f"{len(exported.content)} nodes of {to} written, {exported.grade}.")
    end_by_grade([exported.grade])
