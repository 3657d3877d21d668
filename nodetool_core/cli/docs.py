"""`nodetool docs build` and `docs check`: the generated node reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nodetool_core.cli.messages import ExitCode, say, show_problems

app = typer.Typer(help="Write the node reference, or check that it is up to date.", no_args_is_help=True, rich_markup_mode=None)

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the pages.", file_okay=False)]


@app.command()
def build(out: Out = Path("docs/nodes")) -> None:
    """
    Write a page per node, and the indexes, from what the nodes declare.

    \b
    Example:
      nodetool docs build
    """
    from nodetool_core.assets.files import write_problem
    from nodetool_core.errors import NodetoolError
    from nodetool_core.reference import pages
    from nodetool_core.registry import Registry

    registry = Registry.installed()
    try:
        changed = pages.build(registry, out)
    except OSError as error:
        raise NodetoolError(write_problem(Path(error.filename or out), error)) from error
    for path in changed:
        typer.echo(path if path.exists() else f"{path} (removed)")
    show_problems(registry.problems)
    say(f"{len(changed)} pages changed." if changed else f"Every page in {out} is up to date.")


@app.command()
def check(out: Out = Path("docs/nodes")) -> None:
    """
    Fail where a page is not what `docs build` would write.

    \b
    Example:
      nodetool docs check
    """
    from nodetool_core.reference import pages
    from nodetool_core.registry import Registry

    stale = pages.stale(Registry.installed(), out)
    for line in stale:
        typer.echo(line)
    if stale:
        say("Bring them up to date: nodetool docs build" + ("" if out == Path("docs/nodes") else f" --out {out}"))
        raise typer.Exit(ExitCode.FAILED)
    say(f"Every page in {out} is up to date.")
