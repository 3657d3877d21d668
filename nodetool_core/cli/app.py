"""
The commands together, and how a command ends.

What a command needs is imported when it runs: `nodetool validate` reads no other command,
`nodetool --help` reads no node, and nothing here imports rich or torch.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Final

import typer

from nodetool_core import DISTRIBUTION, __version__
from nodetool_core.cli import messages
from nodetool_core.cli.messages import ExitCode
from nodetool_core.errors import NodetoolError
from nodetool_core.garbage_collection import collection_paused

_COMMANDS: Final = {
    "run": "run:run",
    "validate": "workflows:validate",
    "rerun": "rerun:rerun",
    "examples": "examples:examples",
    "graph": "workflows:graph",
    "migrate": "migrate:migrate",
    "import": "importing:import_",
    "export": "exporting:export_",
    "edit": "edit:edit",
    "serve": "serve:serve",
    "call": "call:call",
    "mcp": "mcp:mcp",
    "worker": "worker:worker",
    "nodes": "nodes:app",
    "docs": "docs:app",
    "stubs": "stubs:stubs",
    "cache": "cache:app",
    "models": "models:app",
    "secrets": "secrets:app",
    "doctor": "doctor:doctor",
}
"""Each command, or group of commands, and the module and object behind it."""

_SHORT: Final = frozenset({"validate", "graph", "examples", "nodes"})
"""Commands that read, print and end: what the collector could free goes with the process."""

PASS_THROUGH: Final = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Settings of `run`, so that it refuses by itself what it can't place, with the way to say it."""


def make_app(command: str = "") -> typer.Typer:
    """Return the program: with one of its commands, or with all where `command` names none."""
    app = typer.Typer(
        name="nodetool",
        help=f"A node-based workflow engine for image AI.\n\n{messages.EXIT_CODES}",
        epilog="Example: nodetool run example:photo_mood --set image=photo.jpg",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in [command] if command in _COMMANDS else _COMMANDS:
        module, _, member = _COMMANDS[name].partition(":")
        found: Any = getattr(import_module(f"nodetool_core.cli.{module}"), member)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name, context_settings=PASS_THROUGH if name == "run" else None)(found)
    return app


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"{DISTRIBUTION} {__version__}")
        raise typer.Exit


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
    command = arguments[0] if arguments else ""
    with collection_paused():
        app = make_app(command)
        if command in _SHORT:
            return _code_of(app, arguments)
    return _code_of(app, arguments)


def _code_of(app: typer.Typer, arguments: Sequence[str]) -> int:
    try:
        app(args=list(arguments), prog_name="nodetool")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


def _make_printable() -> None:
    """Show the escape of a character that the terminal can't show, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
