"""`nodetool serve`: workflows behind HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nodetool_core.cli.messages import WrongUseError
from nodetool_core.cli.model_options import ModelsDir
from nodetool_core.errors import Problem, missing_package

Graphs = Annotated[
    Path | None,
    typer.Option("--graphs", metavar="DIR", help="Folder of the workflows. Default: graphs."),
]
Host = Annotated[
    str | None, typer.Option("--host", help="Address to listen on. Default: 127.0.0.1.")
]
Port = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, help="Port to listen on. Default: 8188."),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token", help="Bearer token that clients must send; better in NODETOOL_SERVE_TOKEN."
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="ID",
        help="A model that clients may name. Repeatable. Default: the one that ships.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Folder for jobs, uploads and results."),
]
InsecureWithoutToken = Annotated[
    bool,
    typer.Option(
        "--insecure-without-token",
        help="Let everybody who reaches the address use this machine.",
    ),
]
Editor = Annotated[
    bool,
    typer.Option("--editor", help="Print an address that opens the editor with all rights, once."),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="TOML",
        help="Configuration file; --show-settings lists what it takes.",
    ),
]
ShowSettings = Annotated[
    bool, typer.Option("--show-settings", help="Print the table of settings and exit.")
]


def serve(
    graphs: Graphs = None,
    host: Host = None,
    port: Port = None,
    token: Token = None,
    models: Models = None,
    models_dir: ModelsDir = None,
    data: Data = None,
    insecure_without_token: InsecureWithoutToken = False,
    editor: Editor = False,
    config: Config = None,
    show_settings: ShowSettings = False,
) -> None:
    """
    Serve workflows over HTTP: to browsers, and to clients of the APIs that they know.

    These are the APIs of OpenAI's images, Replicate, Hugging Face, ComfyUI, the AUTOMATIC1111 web
    UI, Qolaba and MCP, and nodetool's own under /v1. The page at / has a form for each workflow,
    and shows how programs call it.

    Needs the extra `serve`; MCP needs `mcp`. A file or the environment sets everything else;
    --show-settings lists it.

    \b
    Examples:
      nodetool serve
      NODETOOL_SERVE_TOKEN=… nodetool serve --graphs workflows --host 0.0.0.0
      curl -f --data-binary @in.png 127.0.0.1:8188/models/image_to_image --output out.png
    """
    try:
        from nodetool_core.server.settings import Settings
        from nodetool_core.server.settings_checks import check_address
        from nodetool_core.server.settings_page import settings_table

        if show_settings:
            typer.echo(settings_table(), nl=False)
            raise typer.Exit
        settings = Settings.read(
            config,
            graphs=graphs,
            host=host,
            port=port,
            token=token,
            models=None if models is None else tuple(models),
            models_dir=None if models_dir is None else tuple(map(str, models_dir)),
            data=data,
            insecure_without_token=insecure_without_token or None,
        )
        check_address(settings)
        _check_graphs(settings.graphs, Settings.model_fields["graphs"].default)
        from nodetool_core.editor.launch import pages
        from nodetool_core.server import launch
    except ModuleNotFoundError as error:
        raise WrongUseError(missing_package("nodetool serve", error, "serve")) from error
    launch.serve(settings, pages(with_key=editor))


def _check_graphs(folder: Path, default: Path) -> None:
    """
    Raise WrongUseError where a folder of workflows was named that is not there.

    Without one of the default name, models alone are served.
    """
    if not folder.is_dir() and folder != default:
        hint = "Give the folder of your workflow files with --graphs."
        raise WrongUseError(
            Problem("missing_file", str(folder), "There is no such folder of workflows.", hint)
        )
