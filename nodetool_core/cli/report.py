"""What is said about a run once it is over: as JSON for programs, as a few lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

import typer

from nodetool_core.cli.messages import plain, point_to_explanations, say, show_problem
from nodetool_core.errors import NodetoolError, Problem

if TYPE_CHECKING:
    from nodetool_core.cli.results import Saved
    from nodetool_core.engine.result import NodeFailure, RunResult
    from nodetool_core.graph import Graph

_LISTED_SEEDS = 8
_LISTED_FAILURES = 20
_MISSING = frozenset({"missing_file", "model_path_missing"})


def report(result: RunResult, saved: Saved, *, debug: bool = False) -> dict[str, object]:
    """
    Return the JSON document about a run that took place.

    With `debug`, errors carry their traceback.
    """
    status = "failed" if saved.problems and result.status == "completed" else result.status
    errors = [_error(failure, debug) for failure in result.failures] + [
        problem.to_json() for problem in saved.problems
    ]
    return {
        "status": status,
        "outputs": saved.values,
        "seeds": result.seeds,
        "models": result.models,
        "warnings": [problem.to_json() for problem in result.warnings],
        "errors": errors,
        "seconds": round(result.seconds, 3),
        "computed": result.ran,
        "cached": result.hits,
        "not_needed": result.not_needed,
        "run_id": result.run_id,
    }


def refused(problems: Sequence[Problem]) -> dict[str, object]:
    """Return the JSON document where nothing ran."""
    nothing: dict[str, object] = {
        "outputs": {},
        "seeds": {},
        "models": {},
        "warnings": [],
        "computed": [],
        "cached": [],
        "not_needed": [],
    }
    errors = [problem.to_json() for problem in problems]
    return {"status": "invalid", **nothing, "errors": errors, "seconds": 0.0, "run_id": None}


def print_json(document: dict[str, object]) -> None:
    import json

    typer.echo(json.dumps(document, indent=2, allow_nan=False))


def show_failures(result: RunResult, graph: Graph, debug: bool) -> None:
    """Print each failure: node, message and what to do; the traceback only with --debug."""
    unexpected = False
    for failure in result.failures[:_LISTED_FAILURES]:
        show_problem(failure.problem)
        if name := _missing_value(failure, graph):
            say(plain(f"  The workflow names this file. Give yours: --set {name}=PATH"))
        if failure.exception is not None:
            unexpected = unexpected or not isinstance(failure.exception, NodetoolError)
            if debug:
                say(plain(_traceback(failure)))
    if len(result.failures) > _LISTED_FAILURES:
        say(f"… and {len(result.failures) - _LISTED_FAILURES} more.")
    if unexpected and not debug:
        say("  The traceback is shown with --debug.")
    point_to_explanations(failure.problem.code for failure in result.failures[:_LISTED_FAILURES])


def summary(result: RunResult, saved: Saved) -> str:
    """Return how it went, in a line or two."""
    computed = len(set(result.ran))
    counts = f"{computed} node{'s' * (computed != 1)} computed"
    if result.hits:
        counts += f", {len(set(result.hits))} from the cache"
    if result.not_needed:
        counts += f", {len(result.not_needed)} not needed"
    word = {
        "completed": "Not all saved" if saved.problems else "Done",
        "failed": "Failed",
        "cancelled": "Interrupted",
    }[result.status]
    lines = [f"{word} after {result.seconds:.1f} s: {counts}{_kept(result, saved)}."]
    if result.status == "completed" and not result.outputs:
        lines.append(
            "The workflow has no outputs; the result of a node is requested with --output NODE."
        )
    seeds = [
        f"{node}.{name}={seed}"
        for node, named in result.seeds.items()
        for name, seed in named.items()
    ]
    if seeds:
        shown = ", ".join(seeds[:_LISTED_SEEDS]) + (", …" if len(seeds) > _LISTED_SEEDS else "")
        lines.append(plain(f"Seeds: {shown}"))
    return "\n".join(lines)


def _kept(result: RunResult, saved: Saved) -> str:
    """Return what an unfinished run leaves behind."""
    if result.status == "completed":
        return ""
    if saved.paths:
        return f"; {len(saved.paths)} finished image{'s' * (len(saved.paths) > 1)} kept"
    return "; the finished outputs are shown" if saved.values else "; no output was finished"


def _missing_value(failure: NodeFailure, graph: Graph) -> str:
    """
    Return what `--set` calls the value of the workflow that names a file which is not there.

    Empty where none does, or nothing is missing.
    """
    if failure.problem.code not in _MISSING:
        return ""
    from nodetool_core.node_base import Role
    from nodetool_core.references import AssetRef, ModelRef

    # The message of a failure begins with the path or name that is wrong.
    missing = PurePath(failure.problem.message.partition(": ")[0]).name
    for node in graph.nodes:
        for name, value in node.values.items():
            named = (
                value.uri
                if isinstance(value, AssetRef)
                else value.repo_id
                if isinstance(value, ModelRef)
                else ""
            )
            if PurePath(named).name == missing:
                return (
                    node.name
                    if node.role is Role.INPUT and name == "value"
                    else f"{node.id}.{name}"
                )
    return ""


def _error(failure: NodeFailure, debug: bool) -> dict[str, object]:
    error: dict[str, object] = failure.problem.to_json() | {
        "node_id": failure.node_id,
        "node_type": failure.node_type,
        "item": list(failure.item),
    }
    if debug and failure.exception is not None:
        error["traceback"] = _traceback(failure)
    return error


def _traceback(failure: NodeFailure) -> str:
    import traceback

    return "".join(traceback.format_exception(failure.exception)).rstrip()
