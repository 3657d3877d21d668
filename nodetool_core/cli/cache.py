"""`nodetool cache info` and `cache clear`: the results that are kept on disk."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from nodetool_core.cli.messages import say

app = typer.Typer(
    help="Look at the results kept on disk, or remove them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def info(as_json: AsJson = False) -> None:
    """
    Show where results are kept, how many, and how much of the disk they take.

    \b
    Example:
      nodetool cache info
    """
    from nodetool_core.engine.caching.tiered import default_disk_cache

    cache = default_disk_cache()
    if cache.directory.is_dir():
        found = cache.info
        entries, size = found.entries, found.bytes
    else:
        # Looking must not make the folder.
        entries = size = 0
    cache.close()
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "directory": str(cache.directory),
                    "entries": entries,
                    "bytes": size,
                    "bound": cache.bound,
                }
            )
        )
        return
    typer.echo(
        f"{cache.directory}: {_results(entries)}, {_bytes(size)} of at most {_bytes(cache.bound)}"
    )


@app.command()
def clear(as_json: AsJson = False) -> None:
    """
    Remove all results. Runs that are under way continue, and compute what they miss.

    \b
    Example:
      nodetool cache clear
    """
    from nodetool_core.engine.caching.tiered import default_disk_cache
    from nodetool_core.errors import NodetoolError, Problem

    cache = default_disk_cache()
    try:
        entries, size = cache.clear() if cache.directory.is_dir() else (0, 0)
    except OSError as error:
        message = f"can't be removed: {error.strerror or error}."
        problem = Problem(
            "cache_not_cleared",
            str(error.filename or cache.directory),
            message,
            "Check the permissions of the folder.",
        )
        raise NodetoolError(problem) from error
    finally:
        cache.close()
    if as_json:
        typer.echo(
            json.dumps({"directory": str(cache.directory), "entries": entries, "bytes": size})
        )
        return
    say(f"Removed {_results(entries)}, {_bytes(size)}, from {cache.directory}.")


def _results(count: int) -> str:
    return f"{count:,} result{'' if count == 1 else 's'}"


def _bytes(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
