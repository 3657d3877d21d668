"""`nodetool validate` and `nodetool graph`: workflow files checked and drawn."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nodetool_core.cli.messages import ExitCode, say, show_problem, show_problems

if TYPE_CHECKING:
    from nodetool_core.graph import Graph, GraphNode
    from nodetool_core.registry import Registry

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A workflow file, example:NAME, or - for standard input.",
        show_default=False,
    ),
]


class Format(StrEnum):
    """How a graph is drawn."""

    MERMAID = "mermaid"
    SVG = "svg"


_FORMATS = {".svg": Format.SVG, ".mmd": Format.MERMAID, ".mermaid": Format.MERMAID}


def validate(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Workflow files.", show_default=False)
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; of several files, a list.")
    ] = False,
) -> None:
    """
    Check workflow files and show every problem in them.

    \b
    Examples:
      nodetool validate graphs/image_to_image.json
      nodetool validate graphs/*.json
    """
    from nodetool_core.registry import Registry

    registry = Registry.installed()
    checked = [_checked(file, registry, quiet=as_json) for file in files]
    if as_json:
        _echo_json(checked if len(checked) > 1 else checked[0])
    if not all(found["valid"] for found in checked):
        raise typer.Exit(ExitCode.WRONG_USE)


def _checked(file: Path, registry: Registry, *, quiet: bool) -> dict[str, object]:
    """
    Return what is found in one file, as JSON.

    Its problems are shown, and unless `quiet`, a line about it.
    """
    from nodetool_core.cli.files import load_workflow
    from nodetool_core.errors import WorkflowError

    try:
        graph = load_workflow(file, registry).graph
    except WorkflowError as error:
        show_problems(error.problems)
        if not quiet:
            say(f"{file}: {_counted(len(error.problems), 'problem')}.")
        return {
            "file": str(file),
            "valid": False,
            "errors": [problem.to_json() for problem in error.problems],
        }
    for note in graph.notes:
        show_problem(note)
    if not quiet:
        typer.echo(_summary(file, graph))
    return {"file": str(file), "valid": True} | _described(graph) | {"errors": []}


def graph(
    file: File,
    form: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="How to draw; by the suffix of --out unless given."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write, instead of stdout.", dir_okay=False),
    ] = None,
) -> None:
    """
    Draw a workflow as Mermaid text or as SVG.

    \b
    Examples:
      nodetool graph graphs/image_to_image.json
      nodetool graph graphs/image_to_image.json --out graph.svg
    """
    from nodetool_core import drawing
    from nodetool_core.cli.files import load_workflow
    from nodetool_core.registry import Registry

    workflow = load_workflow(file, Registry.installed())
    form = form or (_FORMATS.get(out.suffix.lower(), Format.MERMAID) if out else Format.MERMAID)
    if form is Format.SVG:
        text = drawing.graph_svg(workflow.graph, title=workflow.document.name or file.stem)
    else:
        text = drawing.graph_mermaid(workflow.graph)
    if out is None:
        typer.echo(text, nl=False)
        return
    _write(out, text)
    typer.echo(out)


def _write(path: Path, text: str) -> None:
    from nodetool_core.assets.files import atomic_write, write_problem
    from nodetool_core.errors import NodetoolError

    try:
        atomic_write(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise NodetoolError(write_problem(path, error)) from error


def _echo_json(content: object) -> None:
    import json

    typer.echo(json.dumps(content, indent=2))


def _described(graph: Graph) -> dict[str, object]:
    return {
        "nodes": len(graph.nodes),
        "inputs": {name: _input_type(node) for name, node in graph.inputs().items()},
        "outputs": {name: _output_type(node, graph) for name, node in graph.outputs().items()},
        "notes": [note.to_json() for note in graph.notes],
    }


def _summary(file: Path, graph: Graph) -> str:
    inputs = ", ".join(f"{name} ({_input_type(node)})" for name, node in graph.inputs().items())
    outputs = ", ".join(
        f"{name} ({_output_type(node, graph)})" for name, node in graph.outputs().items()
    )
    count = _counted(len(graph.nodes), "node")
    return f"{file}: valid, {count}; inputs: {inputs or 'none'}; outputs: {outputs or 'none'}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _input_type(node: GraphNode) -> str:
    from nodetool_core.types import type_name

    prop = node.spec.properties.get("value")
    return "any" if prop is None else type_name(prop.annotation)


def _output_type(node: GraphNode, graph: Graph) -> str:
    from nodetool_core.types import type_name

    return type_name(result_annotation(node, graph))


def result_annotation(node: GraphNode, graph: Graph) -> Any:
    """Return the type of what comes into an output node."""
    for edge in node.inputs:
        if edge.property == "value":
            return list(graph.nodes[edge.source].spec.outputs.values())[edge.output].annotation
    return Any
