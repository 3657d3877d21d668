"""`nodetool call`: a workflow that a server runs, from the command line."""

from __future__ import annotations

import secrets
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodetool_core.cli.messages import (
    ExitCode,
    WrongUseError,
    exit_code_of,
    plain,
    say,
    show_problems,
)
from nodetool_core.cli.run_options import NoCache, Out, Quiet, ReportJson
from nodetool_core.errors import NodetoolError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodetool_core.cli.progress import Progress
    from nodetool_core.cli.remote import RemoteServer
    from nodetool_core.cli.remote_run import RemoteResult
    from nodetool_core.cli.results import Saved
    from nodetool_core.json_types import JsonObject


class ImageFormat(StrEnum):
    """What the server encodes images as."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


ServerUrl = Annotated[
    str, typer.Argument(metavar="URL", help="Address of the server.", show_default=False)
]
WorkflowName = Annotated[
    str,
    typer.Argument(
        metavar="WORKFLOW", help="Name of a workflow, or id of a model.", show_default=False
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Value of an input; an image is a file here, which is sent. Repeatable.",
    ),
]
Outputs = Annotated[
    list[str] | None,
    typer.Option("--output", metavar="NAME", help="Only this output. Repeatable."),
]
Token = Annotated[
    str,
    typer.Option(
        envvar="NODETOOL_TOKEN",
        metavar="TOKEN",
        help="The server's token. In the environment it is seen by nobody else.",
        show_default=False,
    ),
]
Format = Annotated[
    ImageFormat | None,
    typer.Option("--format", help="Format of the images. Default: that of --out, or png."),
]


def call(
    url: ServerUrl,
    workflow: WorkflowName,
    settings: Settings = None,
    out: Out = Path("out"),
    outputs: Outputs = None,
    token: Token = "",
    image_format: Format = None,
    no_cache: NoCache = False,
    as_json: ReportJson = False,
    quiet: Quiet = False,
) -> None:
    """
    Run a workflow on a server.

    Files of images are sent to it; its images are saved as DIR/NAME.png, NAME being the output's,
    and their paths printed. A file that exists is never replaced. Other results are printed as
    NAME: value.

    The run is a job: a connection that breaks off is made again, and Ctrl-C cancels the job.

    \b
    Examples:
      nodetool call http://127.0.0.1:8188 image_to_image --set image=photo.jpg
      nodetool call studio.lan:8188 restyle_landscape --set prompt="a night" --out night.png
    """
    from nodetool_core.cli.files import output_place
    from nodetool_core.cli.remote import RemoteServer
    from nodetool_core.cli.results import check_place
    from nodetool_core.cli.settings import read_settings

    texts, place = read_settings(settings or []), output_place(out)
    check_place(place)
    chosen = image_format or _format_of(place)
    body: JsonObject = {
        "wait": False,
        "outputs": list(outputs) if outputs else None,
        "use_cache": not no_cache,
        "image_format": chosen.name,
        "idempotency_key": secrets.token_hex(16),
    }
    with RemoteServer(url, token, lambda line: None if quiet else say(line)) as server:
        try:
            result = _called(server, workflow, texts, body, quiet=quiet)
        except NodetoolError as error:
            show_problems(error.problems)
            if as_json:
                _print_json(_refused(error.problems))
            raise typer.Exit(exit_code_of(error)) from None
    raise typer.Exit(_shown(result, place, quiet=quiet, as_json=as_json))


def _called(
    server: RemoteServer, workflow: str, texts: dict[str, str], body: JsonObject, *, quiet: bool
) -> RemoteResult:
    """Return how a run on a server ended. Raises NodetoolError."""
    from nodetool_core.cli.progress import listener
    from nodetool_core.cli.remote_run import read_inputs, result_of, watch

    schema = server.workflow(workflow).get("inputs")
    inputs = read_inputs(schema if isinstance(schema, dict) else {}, texts, server.upload)
    job = server.submit(workflow, body | {"inputs": inputs})
    progress: Progress = listener(quiet)
    with progress:
        try:
            return watch(server, job, progress)
        except KeyboardInterrupt:
            progress.say(f"Interrupted: the job {job} is cancelled.")
            server.cancel(job)
            return result_of(server, job)


def _shown(result: RemoteResult, out: Path, *, quiet: bool, as_json: bool) -> ExitCode:
    """Save and print what came of a run, and return how the command ends."""
    from nodetool_core.cli.results import save

    saved = save(result.outputs, out)
    if as_json:
        _print_json(_report(result, saved))
    else:
        for line in saved.lines:
            typer.echo(line)
    show_problems([*result.problems, *saved.problems])
    seconds = result.report.get("seconds")
    after = f" after {seconds:.1f} s" if isinstance(seconds, (int, float)) else ""
    if not quiet or result.state != "done":
        say(plain(f"{result.state.capitalize()}{after}: job {result.job}."))
    if result.state in ("running", "queued", "cancelled"):
        return ExitCode.INTERRUPTED
    return ExitCode.OK if result.state == "done" and not saved.problems else ExitCode.FAILED


def _format_of(place: Path) -> ImageFormat:
    """Return the format that the name of the file for an image says."""
    from nodetool_core.assets.encode import format_of
    from nodetool_core.cli.results import names_file

    if not names_file(place):
        return ImageFormat.PNG
    name = format_of(place)
    if name not in ImageFormat.__members__:
        known = ", ".join(one.value for one in ImageFormat)
        message = f"names a {name}, and a server sends {known}."
        hint = "Give another suffix, or say with --format what it is to be."
        raise WrongUseError(Problem("unknown_format", f"--out {place}", message, hint))
    return ImageFormat[name]


def _report(result: RemoteResult, saved: Saved) -> dict[str, object]:
    """Return the JSON document about a run that took place."""
    errors = [problem.to_json() for problem in (*result.problems, *saved.problems)]
    return {
        "status": result.state,
        "job": result.job,
        "outputs": saved.values,
        "report": dict(result.report),
        "errors": errors,
    }


def _refused(problems: Sequence[Problem]) -> dict[str, object]:
    errors = [problem.to_json() for problem in problems]
    return {"status": "refused", "job": None, "outputs": {}, "report": {}, "errors": errors}


def _print_json(document: dict[str, object]) -> None:
    from nodetool_core.cli.report import print_json

    print_json(document)
