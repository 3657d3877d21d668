"""`nodetool edit`: the editor, for the person at this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nodetool_core.cli.messages import WrongUseError
from nodetool_core.cli.model_options import ModelsDir
from nodetool_core.errors import Problem, missing_package


def edit(
    place: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE|FOLDER]",
            help="A workflow, which need not exist yet, or the folder of workflows. Default:"
            " graphs, or the current folder.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; any free one for 0.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether a browser is opened.")
    ] = True,
    models_dir: ModelsDir = None,
) -> None:
    """
    Open the editor: build workflows, run them, look at what comes out.

    It listens on this machine alone, and the address that it prints holds a key for one session.
    Needs the extra `serve`. Ctrl+C ends it.

    \b
    Examples:
      nodetool edit
      nodetool edit graphs/image_to_image.json
    """
    folder, name = _folder_and_name(place)
    try:
        from nodetool_core.editor import launch
    except ModuleNotFoundError as error:
        raise WrongUseError(missing_package("nodetool edit", error, "serve")) from error
    launch.edit(folder, name, port=port, browser=browser, models_dir=models_dir or ())


def _folder_and_name(place: Path | None) -> tuple[Path, str | None]:
    """Return the folder of the workflows, and the name of the one to open, if any."""
    if place is None:
        return (Path("graphs") if Path("graphs").is_dir() else Path()), None
    if place.is_dir():
        return place, None
    if place.suffix.lower() != ".json":
        raise WrongUseError(
            Problem(
                "unreadable_file",
                str(place),
                "is neither a folder nor a workflow's JSON file.",
                "Name a .json file; one that does not exist is created.",
            )
        )
    if not place.parent.is_dir():
        raise WrongUseError(
            Problem("missing_file", str(place.parent), "There is no such folder.", "Make it first.")
        )
    return place.parent, place.stem
