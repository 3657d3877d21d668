"""`nodetool doctor`: whether an installation is well, and what a report of a fault needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nodetool_core.cli.messages import ExitCode, plain

if TYPE_CHECKING:
    from nodetool_core.cli.diagnosis import Diagnosis
    from nodetool_core.errors import Problem


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """
    Check the installation: versions, devices, memory, folders, packs, and what is wrong.

    Each problem comes with what to do. Nothing secret is shown, so the text can go into a report.
    The exit code is 1 where something is broken.

    \b
    Examples:
      nodetool doctor
      nodetool doctor --json
    """
    from nodetool_core.cli.diagnosis import diagnose

    found = diagnose()
    if as_json:
        import json

        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        typer.echo(plain(text(found)))
    raise typer.Exit(ExitCode.OK if found.is_well else ExitCode.FAILED)


def text(found: Diagnosis) -> str:
    """Return the diagnosis as people read it."""
    from nodetool_core.cli.sizes import size_text

    devices = [
        f"{device.name}: {device.model}, {device.number_format}, {_memory(device.bytes)},"
        f" {_memory(device.budget)} for models"
        for device in found.devices
    ]
    folders = [
        f"{name}: {folder.path}, {size_text(folder.bytes)} used, {size_text(folder.free)} free"
        for name, folder in found.folders.items()
    ]
    sections = {
        "Versions": [f"{name} {version}" for name, version in found.versions.items()],
        "Devices": [f"torch build: {found.torch_build or 'none'}", *devices],
        "Memory": [_memory(found.memory)],
        "Folders": folders,
        "Models": found.models,
        "Packs": [
            f"{name}: {count} node{'s' * (count != 1)}" for name, count in found.packs.items()
        ],
        "Extras": [
            f"{name}: {'missing ' + ', '.join(missing) if missing else 'installed'}"
            for name, missing in found.extras.items()
        ],
        "Variables set": found.variables,
        "Keys set": found.secrets,
        "Problems": [_problem(problem) for problem in found.problems] or ["none found"],
    }
    return "\n".join(
        "\n".join([title, *(f"  {line}" for line in lines or ["none"])])
        for title, lines in sections.items()
    )


def _memory(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _problem(problem: Problem) -> str:
    hint = f"\n    {problem.hint}" if problem.hint else ""
    place = f"{problem.where}: " if problem.where else ""
    return f"{problem.level}[{problem.code}]: {place}{problem.message}{hint}"
