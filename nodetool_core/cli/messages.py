"""
What the command line prints on stderr, and the exit codes it ends with.

Results go to stdout and nothing else does; problems, warnings and hints go to stderr, one message
each: what, where, what to do. Texts that come from files are shown without control characters, so
that none of them can steer the terminal.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from enum import IntEnum

import typer

from nodetool_core.errors import NodetoolError, Problem

EXIT_CODES = (
    "Exit codes: 0, 1 a run failed, 2 wrong use or an invalid workflow, 3 imported with notes,"
    " 130 interrupted."
)

_COLOURS = {"error": typer.colors.RED, "warning": typer.colors.YELLOW, "note": typer.colors.CYAN}
_CONTROL = {
    code: f"\\x{code:02x}" for code in [*range(0x20), *range(0x7F, 0xA0)] if chr(code) not in "\n\t"
}


_MOST_CODES = 4


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1
    """A run failed, a result could not be written, or a check found something."""
    WRONG_USE = 2
    """Wrong use, or an invalid workflow."""
    NOTES = 3
    """A file was imported or exported, and some of it does only about the same."""
    INTERRUPTED = 130


class WrongUseError(NodetoolError):
    """The command was called in a way that can't work."""


def exit_code_of(error: NodetoolError) -> ExitCode:
    """Invalid workflows and wrong use are the caller's to mend; all else failed on the way."""
    from nodetool_core.errors import WorkflowError

    return (
        ExitCode.WRONG_USE if isinstance(error, (WrongUseError, WorkflowError)) else ExitCode.FAILED
    )


def plain(text: str) -> str:
    """Return a text without what would steer the terminal."""
    return text.translate(_CONTROL)


def say(text: str = "", *, colour: str | None = None) -> None:
    """Print a line on stderr."""
    typer.secho(text, err=True, fg=colour, color=_coloured())


def show_problem(problem: Problem) -> None:
    """Print a problem on stderr: kind, place and message; the hint on a line of its own."""
    label = (
        f"{problem.level}[{problem.code}]"
        if problem.code not in ("", problem.level)
        else problem.level
    )
    styled = typer.style(label, fg=_COLOURS[problem.level], bold=True)
    place = f"{problem.where}: " if problem.where else ""
    typer.secho(f"{styled}: {plain(place + problem.message)}", err=True, color=_coloured())
    if problem.hint:
        say(f"  {plain(problem.hint)}")


def show_problems(
    problems: Sequence[Problem], *, at_most: int | None = None, more: str = ""
) -> None:
    """
    Print problems on stderr, and where errors are explained.

    From `at_most` on, how many more there are, and `more`, the way to see them.
    """
    for problem in problems[:at_most]:
        show_problem(problem)
    point_to_explanations(
        problem.code for problem in problems[:at_most] if problem.level == "error"
    )
    if at_most is not None and len(problems) > at_most:
        say(f"… and {len(problems) - at_most} more. {more}".rstrip())


def point_to_explanations(codes: Iterable[str]) -> None:
    """Print where the codes are explained, if they are."""
    found = list(codes)
    if not found:
        # The table of codes takes long to read.
        return
    from nodetool_core.reference.troubleshooting import explained

    if known := explained(found):
        say(f"Explained: nodetool docs explain {' '.join(known[:_MOST_CODES])}")


def _coloured() -> bool | None:
    """Return whether to colour; None where that depends on whether stderr is a terminal."""
    return False if os.environ.get("NO_COLOR") else None
