"""`nodetool validate` and `nodetool graph`: workflow files checked and drawn."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nodetool_core.cli.messages import ExitCode, say, show_problem, show_problems

if TYPE_CHECKING:
    from nodetool_core.graph import Graph, GraphNode

File = Annotated[Path, typer.Argument(metavar="FILE", help="A workflow file.", show_default=False)]


class Format(StrEnum):
    """How a graph is drawn."""

    MERMAID = "mermaid"
    SVG = "svg"


_FORMATS = {".svg": Format.SVG, ".mmd": Format.MERMAID, ".mermaid": Format.MERMAID}


def validate(
    file: File,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """
    Check a workflow file and show every problem in it.

    \b
    Example:
      nodetool validate graphs/image_to_image.json
    """
    from nodetool_core.api import Workflow
    from nodetool_core.errors import WorkflowError

    try:
        graph = Workflow.load(file).graph
    except WorkflowError as error:
        show_problems(error.problems)
        if as_json:
            _echo_json({"file": str(file), "valid": False, "errors": [problem.to_json() for problem in error.problems]})
        else:
            say(f"{file}: {_counted(len(error.problems), 'problem')}.")
        raise typer.Exit(ExitCode.WRONG_USE) from error
    for note in graph.notes:
        show_problem(note)
    if as_json:
        _echo_json({"file": str(file), "valid": True} | _described(graph) | {"errors": []})
    else:
        typer.echo(_summary(file, graph))


def graph(
    file: File,
    form: Annotated[Format | None, typer.Option("--format", "-f", help="How to draw; by the suffix of --out unless given.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write, instead of stdout.", dir_okay=False)] = None,
) -> None:
    """
    Draw a workflow as Mermaid text or as SVG.

    \b
    Examples:
      nodetool graph graphs/image_to_image.json
      nodetool graph graphs/image_to_image.json --out graph.svg
    """
    from nodetool_core import drawing
    from nodetool_core.api import Workflow

    workflow = Workflow.load(file)
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


def _echo_json(content: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(content, indent=2))


def _described(graph: Graph) -> dict[str, Any]:
    return {
        "nodes": len(graph.nodes),
        "inputs": {name: _input_type(node) for name, node in graph.inputs().items()},
        "outputs": {name: _output_type(node, graph) for name, node in graph.outputs().items()},
        "notes": [note.to_json() for note in graph.notes],
    }


def _summary(file: Path, graph: Graph) -> str:
    inputs = ", ".join(f"{name} ({_input_type(node)})" for name, node in graph.inputs().items())
    outputs = ", ".join(f"{name} ({_output_type(node, graph)})" for name, node in graph.outputs().items())
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
    """The type of what comes into an output node."""
    for edge in node.inputs:
        if edge.property == "value":
            return list(graph.nodes[edge.source].spec.outputs.values())[edge.output].annotation
    return Any
