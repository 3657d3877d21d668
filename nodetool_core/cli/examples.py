"""`nodetool examples`: the workflows that ship with packs, listed and copied."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodetool_core.cli.files import EXAMPLE, find_example
from nodetool_core.cli.listing import columns
from nodetool_core.cli.messages import WrongUseError, say
from nodetool_core.errors import NodetoolError, Problem

if TYPE_CHECKING:
    from nodetool_core.registry import Registry


def examples(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Only these.",
            show_default=False,
            autocompletion=lambda: _names(),
        ),
    ] = None,
    copy_to: Annotated[
        Path | None,
        typer.Option(
            "--copy",
            metavar="DIR",
            help="Copy them, with the images they start from, to a folder.",
            file_okay=False,
        ),
    ] = None,
) -> None:
    """
    List the workflows that ship with the installed packs, or copy them.

    A copy can be changed. `nodetool run example:NAME` runs one as it is.

    \b
    Examples:
      nodetool examples
      nodetool run example:enlarge --set image=photo.jpg
      nodetool examples image_to_image --copy my-workflows
    """
    from nodetool_core.registry import Registry

    registry = Registry.installed()
    known = registry.examples()
    chosen = {name: find_example(name, registry) for name in names} if names else known
    if not chosen:
        say("No installed pack ships an example.")
    elif copy_to is None:
        typer.echo(
            columns([(f"{EXAMPLE}{name}", _description(path)) for name, path in chosen.items()])
        )
    else:
        for path in _copied(chosen, copy_to.expanduser(), registry):
            typer.echo(path)


def _names() -> list[str]:
    """Return the names for the completion of shells."""
    from nodetool_core.registry import Registry

    return list(Registry.installed().examples())


def _description(path: Path) -> str:
    from nodetool_core.workflow import WorkflowDocument

    document = WorkflowDocument.load(path)
    return document.description or document.name


def _copied(chosen: dict[str, Path], folder: Path, registry: Registry) -> list[Path]:
    """
    Copy workflows and the files that their values name.

    Raises WrongUseError, before the first copy, for what would be overwritten.
    """
    from nodetool_core.assets.files import atomic_write, write_problem

    wanted: dict[Path, Path] = {}
    for path in chosen.values():
        wanted |= {
            folder / file.relative_to(path.parent): file
            for file in [path, *_files_of(path, registry)]
        }
    message = "exists already with another content, and is not overwritten."
    taken = [
        target
        for target, source in wanted.items()
        if target.exists() and not _is_same(target, source)
    ]
    if taken:
        raise WrongUseError(
            [Problem("exists", str(target), message, "Name another folder.") for target in taken]
        )
    try:
        for target, source in wanted.items():
            if not target.exists():
                atomic_write(target, source.read_bytes(), overwrite=False)
    except OSError as error:
        raise NodetoolError(write_problem(Path(error.filename or folder), error)) from error
    return list(wanted)


def _is_same(path: Path, other: Path) -> bool:
    return path.is_file() and path.read_bytes() == other.read_bytes()


def _files_of(path: Path, registry: Registry) -> list[Path]:
    """Return the files below a workflow's folder that its nodes' values refer to."""
    from nodetool_core.api import Workflow
    from nodetool_core.references import ImageRef

    values = [
        value
        for node in Workflow.load(path, registry).graph.nodes
        for value in node.values.values()
    ]
    named = [
        path.parent / value.uri for value in values if isinstance(value, ImageRef) and value.uri
    ]
    return [file for file in named if file.is_file() and file.is_relative_to(path.parent)]
