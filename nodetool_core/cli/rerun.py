"""`nodetool rerun`: an image made again from what is written in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nodetool_core.cli import command_engine
from nodetool_core.cli.messages import ExitCode, say
from nodetool_core.cli.run_options import Quiet

MadeImage = Annotated[
    Path,
    typer.Argument(metavar="IMAGE", help="An image that nodetool has made.", show_default=False),
]
Files = Annotated[
    Path | None,
    typer.Option(
        "--files",
        metavar="DIR",
        help="Find images that have moved below it, by content.",
        exists=True,
        file_okay=False,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Another value for an input, or any property as node.property. Repeatable.",
    ),
]
Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the image, or its file.")
]


def rerun(
    image: MadeImage,
    files: Files = None,
    settings: Settings = None,
    out: Out = Path("out"),
    quiet: Quiet = False,
) -> None:
    """
    Make an image again, bit for bit on the same machine.

    Where that is not possible, what differs is shown.

    Exit code 0 where the new image is identical, 1 where it differs. With --set it is meant to
    differ, and the code is 0.

    \b
    Examples:
      nodetool rerun out/image.png
      nodetool rerun out/image.png --files ~/photos
      nodetool rerun out/image.png --set prompt="a winter night"
    """
    from nodetool_core.cli.files import output_place
    from nodetool_core.cli.progress import listener
    from nodetool_core.cli.results import check_place, save
    from nodetool_core.cli.settings import read_settings
    from nodetool_core.replay import replay

    out = output_place(out)
    check_place(out)
    with command_engine.engine() as engine, listener(quiet) as progress:
        values = read_settings(settings or [])
        again = replay(
            image, engine.registry, files=files, settings=values, engine=engine, on_event=progress
        )
    saved = save({f"{image.stem}-again{image.suffix}": again.image}, out)
    for line in saved.lines:
        typer.echo(line)
    for change in again.changed:
        say(f"changed: {change}")
    if values:
        return
    if again.is_identical:
        say("Identical, pixel for pixel.")
        return
    say(f"It differs from the file by up to {again.largest_difference} of 255 per channel.")
    if not again.changed:
        say(
            "Nothing that was recorded has changed: another machine or another device gives other"
            " last digits."
        )
    raise typer.Exit(ExitCode.FAILED)
