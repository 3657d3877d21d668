"""`nodetool mcp`: workflows as tools of a language model, over stdin and stdout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nodetool_core.cli.messages import WrongUseError
from nodetool_core.errors import missing_package


def mcp(
    graphs: Annotated[
        Path | None,
        typer.Option("--graphs", metavar="DIR", help="Folder of the workflows. Default: graphs."),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="ID",
            help="A model that is a tool as well. Repeatable. Default: the one that ships.",
        ),
    ] = None,
    roots: Annotated[
        list[Path] | None,
        typer.Option(
            "--root", metavar="DIR", help="Folder below which images may be read. Repeatable."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Folder for images. Default: nodetool-data."),
    ] = None,
) -> None:
    """
    Offer workflows as tools by the Model Context Protocol, over stdin and stdout.

    For hosts that start their tools themselves, such as Claude Desktop or an editor; other hosts
    use the address of `nodetool serve`. Needs the extra `mcp`.

    \b
    Examples:
      nodetool mcp
      nodetool mcp --graphs workflows --root ~/photos
    """
    try:
        from nodetool_core.server.mcp.stdio import serve_stdio
        from nodetool_core.server.settings import Settings
    except ModuleNotFoundError as error:
        raise WrongUseError(missing_package("nodetool mcp", error, "mcp")) from error
    settings = Settings.read(
        graphs=graphs, models=None if models is None else tuple(models), data=data
    )
    serve_stdio(settings, roots or ())
