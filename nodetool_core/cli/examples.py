"""`nodetool examples`, and `example:NAME` where a command takes a workflow file: the workflows that ship with packs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodetool_core.cli.listing import columns
from nodetool_core.cli.messages import WrongUseError, say
from nodetool_core.errors import NodetoolError, Problem, near_miss

if TYPE_CHECKING:
    from nodetool_core.registry import Registry

SCHEME = "example:"
_ALL = "All there are: nodetool examples"


def examples(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these.", show_default=False, autocompletion=lambda: _names())
    ] = None,
    copy: Annotated[
        Path | None, typer.Option("--copy", metavar="DIR", help="Copy them, with the images they start from, to a folder.", file_okay=False)
    ] = None,
) -> None:
    """
    List the workflows that ship with the installed packs, or copy them to a folder where they can be changed.

    `nodetool run example:NAME` runs one as it is.

    \b
    Examples:
      nodetool examples
      nodetool run example:enlarge --set image=photo.jpg
      nodetool examples image_to_image --copy my-workflows
    """
    from nodetool_core.registry import Registry

    registry = Registry.installed()
    known = registry.examples()
    chosen = {name: find(name, registry) for name in names} if names else known
    if not chosen:
        say("No installed pack ships an example.")
    elif copy is None:
        typer.echo(columns([(f"{SCHEME}{name}", _description(path)) for name, path in chosen.items()]))
    else:
        for path in _copied(chosen, copy, registry):
            typer.echo(path)


def workflow_file(named: Path, registry: Registry) -> Path:
    """Returns the path of a workflow file, which `example:NAME` may stand for. Raises WrongUseError for an unknown example."""
    text = str(named)
    return find(text.removeprefix(SCHEME), registry) if text.startswith(SCHEME) else named


def find(name: str, registry: Registry) -> Path:
    """Returns the file of an example. Raises WrongUseError where no installed pack ships one of that name."""
    known = registry.examples()
    if name not in known:
        raise WrongUseError(Problem("unknown_example", "", f"There is no example {name!r}.", near_miss(name, known) or _ALL))
    return known[name]


def _names() -> list[str]:
    """For the completion of shells."""
    from nodetool_core.registry import Registry

    return list(Registry.installed().examples())


def _description(path: Path) -> str:
    from nodetool_core.workflow import WorkflowDocument

    document = WorkflowDocument.load(path)
    return document.description or document.name


def _copied(chosen: dict[str, Path], folder: Path, registry: Registry) -> list[Path]:
    """Copies workflows and the files that their values name. Raises WrongUseError, before the first copy, for what would be overwritten."""
    from nodetool_core.assets.files import atomic_write, write_problem

    wanted: dict[Path, Path] = {}
    for path in chosen.values():
        wanted |= {folder / file.relative_to(path.parent): file for file in [path, *_files_of(path, registry)]}
    message = "exists already with another content, and is not overwritten."
    taken = [target for target, source in wanted.items() if target.exists() and not _is_same(target, source)]
    if taken:
        raise WrongUseError([Problem("exists", str(target), message, "Name another folder.") for target in taken])
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
    """The files below a workflow's folder that its nodes' values refer to."""
    from nodetool_core.api import Workflow
    from nodetool_core.references import ImageRef

    values = [value for node in Workflow.load(path, registry).graph.nodes for value in node.values.values()]
    named = [path.parent / value.uri for value in values if isinstance(value, ImageRef) and value.uri]
    return [file for file in named if file.is_file() and file.is_relative_to(path.parent)]
