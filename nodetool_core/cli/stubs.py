"""`nodetool stubs`: type stubs of node classes, for pyright and editors."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from nodetool_core.cli.messages import ExitCode, WrongUseError, say, show_problems
from nodetool_core.errors import Problem


def stubs(
    modules: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODULE", help="Modules with node classes of your own, besides the packs'."
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder of the stubs.", file_okay=False),
    ] = Path("typings"),
) -> None:
    """
    Write type stubs of all nodes, for pyright and editors.

    pyright and VS Code read the folder `typings` by default. Write them again after packs have
    changed. mypy has a plugin instead, which also knows the classes of a script itself.

    \b
    Examples:
      nodetool stubs
      nodetool stubs my_nodes more.nodes
    """
    from nodetool_core.reference.stubs import write_stubs
    from nodetool_core.registry import Registry

    registry = Registry.installed()
    names = {node_class.__module__ for node_class in registry}
    # Modules of one's own lie in the folder where the command is given.
    sys.path.insert(0, str(Path.cwd()))
    for name in modules or ():
        try:
            import_module(name)
        except ImportError as error:
            hint = "Give a name as in an import statement, in the folder that it is imported from."
            raise WrongUseError(
                Problem("wrong_use", name, f"can't be imported: {error}.", hint)
            ) from error
    show_problems(registry.problems)
    written = write_stubs([sys.modules[name] for name in sorted({*names, *(modules or ())})], out)
    say(f"{len(written)} stubs in {out}.")
    raise typer.Exit(ExitCode.OK)
