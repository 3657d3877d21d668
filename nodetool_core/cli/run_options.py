"""Options of the commands that run a workflow, here or on a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="DIR", help="Folder for the images, or the file for one."),
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Compute everything; use no cached results.")
]
ReportJson = Annotated[bool, typer.Option("--json", help="Print one JSON document about the run.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
