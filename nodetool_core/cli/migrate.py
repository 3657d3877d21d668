"""`nodetool migrate`: workflow files written with the names of today."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodetool_core.cli.messages import ExitCode, say, show_problem, show_problems
from nodetool_core.errors import Problem

if TYPE_CHECKING:
    from nodetool_core.registry import Registry


def migrate(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Workflow files.", show_default=False),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 where something would be.")
    ] = False,
    leave_out: Annotated[
        bool,
        typer.Option("--leave-out", help="Write files that lose what has no counterpart, too."),
    ] = False,
) -> None:
    """
    Update workflow files to the current names.

    Files with nodes that were renamed are read as they are, with a note for each name. This writes
    the current types, properties, choices and outputs into them, so that the notes are gone. A file
    with a value that has no counterpart is left as it is, unless --leave-out is given.

    \b
    Examples:
      nodetool migrate graphs/*.json
      nodetool migrate --check graphs/*.json
    """
    from nodetool_core.registry import Registry

    registry = Registry.installed()
    codes = [_migrate(file, registry, check=check, leave_out=leave_out) for file in files]
    raise typer.Exit(max(codes))


def _migrate(file: Path, registry: Registry, *, check: bool, leave_out: bool) -> ExitCode:
    from nodetool_core.migrating import migrated
    from nodetool_core.pack_versions import with_versions
    from nodetool_core.workflow import WorkflowDocument

    path = file.expanduser()
    found = migrated(WorkflowDocument.load(path), registry)
    for note in found.notes:
        show_problem(note)
    if found.problems:
        show_problems(found.problems)
        return ExitCode.FAILED
    if not found.notes:
        say(f"{file}: nothing to change.")
        return ExitCode.OK
    if check:
        say(f"{file}: would be changed.")
        return ExitCode.FAILED
    if found.left_out and not leave_out:
        message = f"would lose {len(found.left_out)} of its values or edges, and is left as it is."
        hint = "See the notes; --leave-out writes it without them."
        show_problem(Problem("left_out_property", str(file), message, hint))
        return ExitCode.FAILED
    with_versions(found.document, registry).save(path)
    say(f"{file}: {len(found.notes)} changes.")
    return ExitCode.OK
