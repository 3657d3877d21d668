"""
The commands together, and how a command ends.

What a command needs is imported when it runs: `nodetool --help` reads no node, and nothing here
imports rich or torch.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from nodetool_core import DISTRIBUTION, __version__
from nodetool_core.cli import (
    cache,
    docs,
    examples,
    importing,
    messages,
    models,
    nodes,
    rerun,
    run,
    secrets,
    serve,
    worker,
    workflows,
)
from nodetool_core.cli.messages import ExitCode
from nodetool_core.errors import NodetoolError

app = typer.Typer(
    name="nodetool",
    help=f"A node-based workflow engine for image AI.\n\n{messages.EXIT_CODES}",
    epilog="Example: nodetool run example:image_to_image --set image=photo.jpg",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", context_settings=run.PASS_THROUGH)(run.run)
app.command("validate")(workflows.validate)
app.command("rerun")(rerun.rerun)
app.command("examples")(examples.examples)
app.command("graph")(workflows.graph)
app.command("import")(importing.import_)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.add_typer(nodes.app, name="nodes")
app.add_typer(docs.app, name="docs")
app.add_typer(cache.app, name="cache")
app.add_typer(models.app, name="models")
app.add_typer(secrets.app, name="secrets")


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"{DISTRIBUTION} {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options that stand before a command."""


def execute(arguments: Sequence[str]) -> int:
    """
    Run a command and give its exit code.

    Errors that the user can mend are shown as messages. Any other exception is a fault of this
    program and keeps its traceback.
    """
    _make_printable()
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except NodetoolError as error:
        messages.show_problems(error.problems)
        code = messages.exit_code_of(error)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough. What is still buffered goes nowhere, else Python
        # complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = ExitCode.FAILED
    return int(code)


def _invoke(arguments: Sequence[str]) -> int:
    try:
        app(args=list(arguments), prog_name="nodetool")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


def _make_printable() -> None:
    """A terminal that can't show a character gets its escape, not an exception."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
