"""
`nodetool secrets list`, `set` and `rm`: keys of hosted services on this machine.

No command shows a value.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from nodetool_core.cli.messages import say

app = typer.Typer(
    help="Keep keys of hosted services on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Such as HF_TOKEN.", show_default=False)]


@app.command("list")
def list_secrets(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """
    Show the names in the settings file, never their values.

    An environment variable of the same name comes first.

    \b
    Example:
      nodetool secrets list
    """
    from nodetool_core.secrets import Secrets

    secrets = Secrets()
    places = secrets.places()
    if as_json:
        typer.echo(json.dumps({"file": str(secrets.path), "secrets": places}))
        return
    say(f"{secrets.path}: {len(places)} set" if places else f"{secrets.path}: nothing is set")
    for name, place in places.items():
        typer.echo(name if place == "file" else f"{name} (the environment variable counts)")


@app.command("set")
def set_secret(name: Name) -> None:
    """
    Write a key into the settings file.

    It is asked for, or read from stdin: the shell keeps what is written in a command.

    \b
    Examples:
      nodetool secrets set HF_TOKEN
      nodetool secrets set HF_TOKEN < token.txt
    """
    from nodetool_core.secrets import Secrets

    value: str = (
        typer.prompt(f"Value of {name}", hide_input=True, err=True)
        if sys.stdin.isatty()
        else sys.stdin.readline()
    )
    path = Secrets().set(name, value)
    say(f"Set {name} in {path}.")


@app.command("rm")
def remove(name: Name) -> None:
    """
    Remove a key from the settings file.

    \b
    Example:
      nodetool secrets rm HF_TOKEN
    """
    from nodetool_core.secrets import Secrets

    path = Secrets().remove(name)
    say(f"Removed {name} from {path}.")
