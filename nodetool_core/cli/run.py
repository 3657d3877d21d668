"""`nodetool run`: a workflow from the command line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodetool_core.cli.messages import (
    ExitCode,
    WrongUseError,
    exit_code_of,
    show_problem,
    show_problems,
)
from nodetool_core.cli.model_options import ModelsDir
from nodetool_core.cli.run_options import NoCache, Out, Quiet, ReportJson
from nodetool_core.errors import NodetoolError, Problem, nearest

if TYPE_CHECKING:
    from nodetool_core.api import Workflow
    from nodetool_core.batch import Item
    from nodetool_core.cli.foreground import ForegroundRun
    from nodetool_core.cli.results import Saved
    from nodetool_core.engine.engine import Engine
    from nodetool_core.engine.options import RunOptions
    from nodetool_core.engine.result import RunResult
    from nodetool_core.jobs.executor import JobExecutor

LISTED_PROBLEMS = 20


class OnError(StrEnum):
    """What becomes of the other branches when a node fails."""

    STOP = "stop"
    CONTINUE = "continue"


WorkflowFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A workflow file, example:NAME, or - for standard input.",
        show_default=False,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help=(
            "Value of an input, or of any property as node.property. For an image: a file, or -"
            " for standard input. Repeatable."
        ),
    ),
]
Outputs = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        metavar="NAME",
        help="Only this output, or the result of this node. Repeatable.",
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        "--inputs",
        metavar="FILE",
        help="A table of inputs, CSV or JSON lines: a run for each row.",
        dir_okay=False,
    ),
]
Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="BROKER",
        help="Send the runs of a batch to workers: redis://HOST, or their configuration file.",
    ),
]
AfterFailure = Annotated[
    OnError, typer.Option(help="After a failure: stop, or finish what still can.")
]
Timeout = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", min=0.0, help="Give up a node that takes longer than this."),
]
Attempts = Annotated[
    int, typer.Option(metavar="N", min=1, help="Try a node that fails this often in all.")
]
NoInfotext = Annotated[
    bool,
    typer.Option("--no-infotext", help="Leave out of images the text that web UIs read (PNG)."),
]
Device = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Where models run: cpu, mps, or cuda:0,cuda:1."),
]
DeviceMemory = Annotated[
    str, typer.Option(metavar="SIZE", help="Memory of each device for models, such as 8GB.")
]
HostMemory = Annotated[
    str, typer.Option(metavar="SIZE", help="Main memory for weights that wait for a device.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of a node that failed.")]


def run(
    context: typer.Context,
    file: WorkflowFile,
    settings: Settings = None,
    out: Out = Path("out"),
    outputs: Outputs = None,
    table: Table = None,
    workers: Workers = None,
    on_error: AfterFailure = OnError.STOP,
    timeout: Timeout = None,
    attempts: Attempts = 1,
    no_cache: NoCache = False,
    no_infotext: NoInfotext = False,
    device: Device = None,
    device_memory: DeviceMemory = "auto",
    host_memory: HostMemory = "auto",
    models_dir: ModelsDir = None,
    as_json: ReportJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """
    Run a workflow.

    Images are saved as DIR/NAME.png, NAME being the output's; their paths are printed.

    A file that exists is never replaced: NAME-2.png comes next. With --out night.png, the image is
    called so. Other results are printed as NAME: value.

    A pattern for an image, or a table of inputs, makes a batch: one run after the other, recorded
    in DIR/manifest.jsonl. A batch that was stopped continues when the same command is given
    again. With --workers, its runs are jobs that `nodetool worker` processes do, many at once.

    For an image, `-` is standard input. What the image of the result records then holds it, so that
    `nodetool rerun` needs no file; --no-infotext records nothing.

    \b
    Examples:
      nodetool run graphs/image_to_image.json
      nodetool run graphs/image_to_image.json --set image=photo.jpg --out images/night.png
      nodetool run graphs/image_to_image.json --set image='photos/*.jpg' --set prompt="a night"
      nodetool run example:photo_mood --set image=- < photo.jpg
    """
    from nodetool_core.cli import command_engine
    from nodetool_core.cli.files import output_place

    if context.args:
        raise WrongUseError(
            _out_of_place(
                context.args[0], [name for option in context.command.params for name in option.opts]
            )
        )
    request = Request(
        file,
        settings or [],
        table,
        output_place(out),
        _options(outputs, on_error, not no_cache, not no_infotext, timeout, attempts),
        workers,
    )
    models = command_engine.models(device, device_memory, host_memory, models_dir or ())
    with command_engine.engine(models) as engine:
        raise typer.Exit(_run(request, engine, quiet=quiet, as_json=as_json, debug=debug))


def _out_of_place(argument: str, options: list[str]) -> Problem:
    """Return what to say of an argument that the command does not take."""
    if not argument.startswith("-"):
        return Problem(
            "wrong_use",
            argument,
            "is one argument too many.",
            f"The value of an input is set by name: --set image={argument}",
        )
    option = argument.partition("=")[0]
    name = option.lstrip("-")
    meant = nearest(name, [known.lstrip("-") for known in options])
    hint = (
        f"Did you mean '--{meant}'?"
        if meant
        else f"The value of an input is set by name: --set {name}=VALUE"
    )
    return Problem("wrong_use", option, "is no option of this command.", hint)


def _run(request: Request, engine: Engine, *, quiet: bool, as_json: bool, debug: bool) -> ExitCode:
    from nodetool_core.cli import report

    try:
        workflow, values, items = request.read(engine)
        if items is not None:
            from nodetool_core.cli.batch import BatchRun

            batch = BatchRun(
                workflow, items, request.options, request.out, quiet=quiet, as_json=as_json
            )
            if request.workers is None:
                return batch.run()
            with request.open_workers(engine) as workers:
                return batch.run_on(workers)
        foreground = request.start(workflow, values, quiet)
    except NodetoolError as error:
        show_problems(
            error.problems,
            at_most=LISTED_PROBLEMS,
            more=f"See them all: nodetool validate {request.file}",
        )
        if as_json:
            report.print_json(report.refused(error.problems))
        return exit_code_of(error)
    result = foreground.wait()
    saved = _save(result, request.out)
    if as_json:
        report.print_json(report.report(result, saved, debug=debug))
    else:
        for line in saved.lines:
            typer.echo(line)
    foreground.sum_up(result, saved, debug)
    return _exit_code(result, saved)


def _save(result: RunResult, out: Path) -> Saved:
    from nodetool_core.cli.results import save

    return save(result.outputs, out)


def _exit_code(result: RunResult, saved: Saved) -> ExitCode:
    if result.status == "cancelled":
        return ExitCode.INTERRUPTED
    return ExitCode.FAILED if result.status != "completed" or saved.problems else ExitCode.OK


def _options(
    outputs: list[str] | None,
    on_error: OnError,
    use_cache: bool,
    infotext: bool,
    timeout: float | None,
    attempts: int,
) -> RunOptions:
    from nodetool_core.engine.options import NodePolicy, RunOptions

    policies = (
        {"*": NodePolicy(timeout=timeout, attempts=attempts)}
        if timeout is not None or attempts > 1
        else {}
    )
    return RunOptions(
        outputs=outputs,
        on_error=on_error.value,
        use_cache=use_cache,
        infotext=infotext,
        policies=policies,
    )


@dataclass(frozen=True)
class Request:
    """What the command line requests."""

    file: Path
    settings: list[str]
    table: Path | None
    out: Path
    options: RunOptions
    workers: str | None = None

    def open_workers(self, engine: Engine) -> JobExecutor:
        """Return the workers that runs are sent to. Raises WrongUseError, JobsError."""
        from nodetool_core.cli.batch_workers import open_workers

        return open_workers(self.workers or "", self.options, engine.registry)

    def read(self, engine: Engine) -> tuple[Workflow, dict[str, str], list[Item] | None]:
        """
        Return the workflow, the values that are set, and the items where it is a batch.

        Raises NodetoolError.
        """
        from nodetool_core.batch import batch_items
        from nodetool_core.cli.files import STDIN, load_workflow
        from nodetool_core.cli.results import check_place, may_hold_image, names_file
        from nodetool_core.cli.settings import read_settings, with_standard_input

        texts = read_settings(self.settings)
        workflow = load_workflow(self.file, engine.registry, engine)
        for note in workflow.graph.notes:
            show_problem(note)
        values = with_standard_input(texts, workflow.graph, taken=str(self.file) == STDIN)
        items = batch_items(workflow.graph, workflow.document.to_json(), values, self.table)
        if items is None and self.workers is not None:
            hint = "Give a pattern for an image, or a table with --inputs; or use nodetool call."
            raise WrongUseError(
                Problem("wrong_use", "--workers", "is for batches, and this is one run.", hint)
            )
        if items is not None and names_file(self.out):
            message = f"--out names a file, and a batch of {len(items)} runs writes more."
            raise WrongUseError(
                Problem(
                    "unwritable_file",
                    str(self.out),
                    message,
                    f"Name a folder: --out {self.out.with_suffix('')}",
                )
            )
        if items is not None or may_hold_image(workflow.graph, self.options.outputs):
            check_place(self.out)
        return workflow, values, items

    def start(self, workflow: Workflow, values: dict[str, str], quiet: bool) -> ForegroundRun:
        """
        Begin a single run.

        Raises NodetoolError for everything that is known to be wrong before the first node runs.
        """
        from nodetool_core.cli.foreground import ForegroundRun
        from nodetool_core.cli.progress import listener

        progress = listener(quiet)
        started = workflow.start(values, options=self.options, on_event=progress, texts=True)
        return ForegroundRun(started, workflow.graph, progress)
