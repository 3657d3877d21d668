"""`nodetool import`: workflow files of other tools, written as files of ours."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodetool_core.cli.messages import ExitCode, WrongUseError, plain, say, show_problem

if TYPE_CHECKING:
    from nodetool_core.importing.draft import Grade, Imported
    from nodetool_core.registry import Registry

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help=(
            "A workflow of ComfyUI (API or editor format), or an image that it, a web UI, InvokeAI,"
            " Fooocus, NovelAI or nodetool wrote. Or a folder."
        ),
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="File to write, instead of stdout; for a folder, a folder."),
]
Report = Annotated[
    bool,
    typer.Option("--report", help="Print what became of each node, instead of the workflow."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]

_SUFFIXES = frozenset({".json", ".png", ".jpg", ".jpeg", ".webp"})
"""Of files in a folder that may hold a workflow."""


def import_(file: File, out: Out = None, report: Report = False, as_json: AsJson = False) -> None:
    """
    Convert a workflow of another tool, or the settings in an image, to a workflow of nodetool.

    Notes on stderr name what was changed or has no counterpart, by node. The exit code is 0 where
    the workflow is whole, 3 where something is approximated, 1 where a node or a value is lost, and
    2 where there is nothing to import. For a folder, all its files are imported, with a table; the
    exit code is that of the worst.

    \b
    Examples:
      nodetool import comfyui.json --out workflow.json
      nodetool run workflow.json --set model=OWNER/NAME
      nodetool import comfyui.json --report
      nodetool import photo.png --out again.json
      nodetool import workflows/ --out imported/
    """
    from nodetool_core.errors import Problem
    from nodetool_core.importing import import_file
    from nodetool_core.registry import Registry

    registry = Registry.installed()
    if file.is_dir():
        _import_folder(file, out, registry, as_json)
        return
    if out is not None and out.exists() and out.samefile(file):
        message = "is the file to import, and would be lost."
        raise WrongUseError(Problem("unwritable_file", str(out), message, "Name another file."))
    imported = import_file(file, registry)
    if report or as_json:
        _print_report(imported, as_json)
    else:
        for note in imported.notes:
            show_problem(note)
    if out is not None:
        _write(imported, out, registry)
    elif not (report or as_json):
        typer.echo(json.dumps(imported.document.to_json(), indent=2, ensure_ascii=False))
    say(_summary(imported))
    end_by_grade([imported.grade])


def _write(imported: Imported, out: Path, registry: Registry) -> None:
    from nodetool_core.assets.files import write_problem
    from nodetool_core.errors import NodetoolError
    from nodetool_core.pack_versions import with_versions

    try:
        with_versions(imported.document, registry).save(out)
    except OSError as error:
        raise NodetoolError(write_problem(out, error)) from error
    typer.echo(out)


def _import_folder(folder: Path, out: Path | None, registry: Registry, as_json: bool) -> None:
    """Import the files of a folder and print a table: how much of each is kept."""
    from nodetool_core.errors import NodetoolError
    from nodetool_core.importing import import_file

    rows: list[dict[str, object]] = []
    grades: list[Grade | None] = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES):
        name = path.relative_to(folder)
        row: dict[str, object] = {"file": str(name)}
        rows.append(row)
        try:
            imported = import_file(path, registry)
        except NodetoolError as error:
            grades.append(None)
            row |= {"grade": "refused", "why": error.problems[-1].message}
            continue
        grades.append(imported.grade)
        lost = sorted({note.where for note in imported.notes if note.code.startswith("left_out")})
        row |= {"grade": str(imported.grade), "nodes": len(imported.document.graph.nodes)}
        row |= {"lost": lost}
        if out is not None:
            written = out / name.with_name(f"{name.name.removesuffix('.json')}.json")
            _write(imported, written, registry)
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _print_rows(
            [
                (str(row["file"]), str(row["grade"]), str(row.get("nodes", "")), _remark(row))
                for row in rows
            ]
        )
    counted = Counter(str(row["grade"]) for row in rows)
    say(", ".join(f"{count} {grade}" for grade, count in counted.most_common()) or "No files.")
    end_by_grade(grades)


def _remark(row: dict[str, object]) -> str:
    """Return why a file was refused, or the first things that were lost of it."""
    lost = row.get("lost")
    if not isinstance(lost, list):
        return str(row.get("why", ""))
    more = f", and {len(lost) - 3} more" if len(lost) > 3 else ""
    return ", ".join(lost[:3]) + more


def _print_report(imported: Imported, as_json: bool) -> None:
    from nodetool_core.importing.report import report

    entries = report(imported)
    if as_json:
        content = {"grade": imported.grade, "nodes": [entry.to_json() for entry in entries]}
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    _print_rows(
        [
            (entry.node, str(entry.fate), ", ".join(entry.nodes), " ".join(entry.messages))
            for entry in entries
        ]
    )
    other = {entry.node for entry in entries}
    for note in imported.notes:
        if note.where not in other:
            show_problem(note)


def _print_rows(rows: Sequence[tuple[str, ...]]) -> None:
    """Print lines on stdout, in columns; the last one as long as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1] if rows else []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        typer.echo(plain("  ".join([*cells, row[-1]]).rstrip()))


def end_by_grade(grades: Sequence[Grade | None]) -> None:
    """End with the exit code of the worst grade; None stands for a file that was refused."""
    from nodetool_core.importing.draft import Grade

    codes = (
        (Grade.LOSSES, ExitCode.FAILED),
        (None, ExitCode.WRONG_USE),
        (Grade.NOTES, ExitCode.NOTES),
    )
    for grade, code in codes:
        if grade in grades:
            raise typer.Exit(code)


def _summary(imported: Imported) -> str:
    """Return how it went, in a line."""
    written, left_out = len(imported.document.graph.nodes), len(imported.left_out)
    rest = f"; {left_out} of the file left out, listed above" if left_out else ""
    return f"{written} nodes written, {imported.grade}{rest}."
