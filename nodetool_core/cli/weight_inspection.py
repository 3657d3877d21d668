"""`nodetool models inspect`: what files of weights are, by their headers alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodetool_core.cli.messages import ExitCode, plain, say
from nodetool_core.cli.sizes import size_text
from nodetool_core.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodetool_core.json_types import JsonObject
    from nodetool_core.models.sources.inspection import FileDescription


def inspect(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Files of weights: safetensors or GGUF.", show_default=False
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """
    Say what files of weights are, by their headers alone.

    A checkpoint, and of which family; a LoRA, and for which; a VAE, a text encoder, and so on.

    The exit code is 1 where one can't be read.

    \b
    Examples:
      nodetool models inspect juggernaut.safetensors
      nodetool models inspect loras/*.safetensors --json
    """
    from nodetool_core.models.sources.inspection import inspect_file

    rows: list[JsonObject] = []
    failed = False
    for file in files:
        try:
            described = inspect_file(file.expanduser(), str(file))
        except ModelError as error:
            failed = True
            rows.append({"file": str(file), "problem": dict(error.problem.to_json())})
            if not as_json:
                say(plain(str(error)))
            continue
        rows.append({"file": str(file)} | row_of(described))
        if not as_json:
            for line in _lines(str(file), described):
                typer.echo(plain(line))
    if as_json:
        typer.echo(json.dumps(rows))
    if failed:
        raise typer.Exit(ExitCode.FAILED)


def row_of(described: FileDescription) -> JsonObject:
    """Return what a file is, as JSON."""
    written = asdict(described)
    del written["first_names"], written["stated"]
    return {"name": described.name, "hint": described.hint} | written


def _lines(file: str, described: FileDescription) -> Iterator[str]:
    from nodetool_core.models.sources.inspection import named

    yield f"{file}: {described.name}, {size_text(described.bytes)}, {described.format}"
    numbers = ", ".join(f"{count} {kind}" for kind, count in described.number_formats.items())
    yield f"  {described.tensors} tensors: {numbers}" if numbers else "  no tensors"
    if described.lora is not None:
        lora = described.lora
        said = [lora.method, lora.layout and f"in the layout of {lora.layout}"]
        said += [lora.trainer and f"made by {lora.trainer}"]
        said += ["with a text encoder" if lora.changes_text_encoder else None]
        yield f"  {', '.join(one for one in said if one)}"
    if len(described.components) > 1:
        for one in described.components:
            yield f"  {named(one.kind, one.family)}, under {one.prefix or 'names without a prefix'}"
    yield f"  {described.hint}"
