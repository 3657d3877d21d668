"""
Files and folders as a command line names them.

`example:NAME` and `-` for a workflow, `~` for the user's home, where results go.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core.cli.messages import WrongUseError
from nodetool_core.errors import Problem, near_miss

if TYPE_CHECKING:
    from nodetool_core.api import Workflow
    from nodetool_core.engine.engine import Engine
    from nodetool_core.registry import Registry

EXAMPLE = "example:"
STDIN = "-"
_ALL = "All there are: nodetool examples"


def load_workflow(named: Path, registry: Registry, engine: Engine | None = None) -> Workflow:
    """
    Return the workflow of a file, of an example, or of standard input.

    An example is named `example:NAME`, and writes to the current folder. `-` is standard input; its
    paths start from here.

    Raises WorkflowError where there is none, WrongUseError for an unknown example.
    """
    from nodetool_core.api import Workflow
    from nodetool_core.workflow import WorkflowDocument

    text = str(named)
    if text == STDIN:
        document = WorkflowDocument.from_text(sys.stdin.read(), "standard input")
        return Workflow.from_document(document, registry, engine=engine)
    if text.startswith(EXAMPLE):
        path = find_example(text.removeprefix(EXAMPLE), registry)
        return Workflow.load(path, registry, base=Path.cwd(), engine=engine)
    return Workflow.load(named.expanduser(), registry, engine=engine)


def find_example(name: str, registry: Registry) -> Path:
    """
    Return the file of an example.

    Raises WrongUseError where no installed pack ships one of that name.
    """
    known = registry.examples()
    if name not in known:
        raise WrongUseError(
            Problem(
                "unknown_example",
                "",
                f"There is no example {name!r}.",
                near_miss(name, known) or _ALL,
            )
        )
    return known[name]


def output_place(out: Path) -> Path:
    """
    Return the folder or image file that `--out` names.

    Raises WrongUseError for what can only be a slip.
    """
    from nodetool_core.assets.encode import SUFFIXES

    if str(out) == STDIN:
        hint = (
            "Name a folder or a file; --json describes the run on standard output, with the paths"
            " of its images."
        )
        raise WrongUseError(
            Problem(
                "unwritable_file",
                "--out -",
                "names standard output, and images are written to files.",
                hint,
            )
        )
    out = out.expanduser()
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES and not out.is_dir() and (hint := near_miss(suffix, SUFFIXES)):
        message = (
            f"ends in {suffix!r}, which is no format that can be written, and there is no such"
            " folder."
        )
        raise WrongUseError(Problem("unknown_format", f"--out {out}", message, hint))
    return out
