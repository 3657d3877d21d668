"""`nodetool models`: the weights on this machine, those of packs and those in the Hub's cache."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from nodetool_core.cli.messages import say
from nodetool_core.cli.model_files import folder_rows
from nodetool_core.cli.model_options import ModelsDir
from nodetool_core.cli.sizes import size_text
from nodetool_core.cli.weight_inspection import inspect
from nodetool_core.errors import NodetoolError, Problem, near_miss

if TYPE_CHECKING:
    from pathlib import Path

    from nodetool_core.models.sources.local_models import LocalModel
    from nodetool_core.models.sources.repository_layout import Layout

_TOLD_EVERY = 2**30
"""Bytes after which reading files reports how far it is."""

_Part = TypedDict("_Part", {"name": str, "class": str, "bytes": int})


class _Description(TypedDict):
    pipeline: str | None
    components: list[_Part]


app = typer.Typer(
    help="List, inspect, download and remove model weights on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command()(inspect)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Name = Annotated[
    str, typer.Argument(metavar="MODEL", help="Hub id such as owner/name.", show_default=False)
]
Revision = Annotated[
    str | None, typer.Option("--revision", metavar="NAME", help="Branch, tag or commit.")
]


@app.command("list")
def list_(models_dir: ModelsDir = None, as_json: AsJson = False) -> None:
    """
    List the models on this machine, and what incomplete ones lack.

    With folders of models, list also their files and what each is.

    \b
    Examples:
      nodetool models list
      nodetool models list --models-dir ~/ComfyUI
    """
    rows, files = _rows(), list(folder_rows(models_dir or ()))
    if as_json:
        typer.echo(json.dumps([*map(asdict, rows), *files]))
        return
    for file in files:
        typer.echo(f"{file['category']}/{file['name']}  {size_text(file['bytes'])}  {file['what']}")
    width = max((len(row.name) for row in rows), default=0)
    for row in rows:
        state = "".join(f"  incomplete: {gap}" for gap in row.gaps[:1])
        revisions = ", ".join(one[:12] for one in row.revisions)
        typer.echo(
            f"{row.name:<{width}}  {size_text(row.bytes):>10}  {row.source:<4}"
            f"  {revisions}{state}".rstrip()
        )
    if not rows and not files:
        say("No models are on this machine. Fetch one: nodetool models pull owner/name")


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """
    Show what a model is made of: its pipeline, its components and their bytes.

    \b
    Example:
      nodetool models show nodetool/tiny-landscapes
    """
    row = _row(name)
    described = _describe(row)
    if as_json:
        typer.echo(json.dumps(asdict(row) | described))
        return
    typer.echo(
        f"{row.name}: {described['pipeline'] or 'no pipeline in diffusers form'},"
        f" {size_text(row.bytes)} on disk, from {row.source}"
    )
    typer.echo(f"  path      {row.path}")
    for revision in row.revisions:
        typer.echo(f"  revision  {revision}")
    for gap in row.gaps:
        typer.echo(f"  incomplete: {gap}")
    for part in described["components"]:
        typer.echo(f"  {part['name']:<18} {size_text(part['bytes']):>10}  {part['class']}")


@app.command()
def pull(
    name: Name,
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="Weight variant such as fp16.")
    ] = None,
    path: Annotated[
        str | None, typer.Option("--path", metavar="FILE", help="A single file of the repository.")
    ] = None,
    revision: Revision = None,
    as_json: AsJson = False,
) -> None:
    """
    Download a model from the Hub: only the safetensors and settings that a pipeline reads.

    With a decoder comes its prior. A stopped download continues where it was.

    \b
    Examples:
      nodetool models pull stabilityai/sd-turbo --variant fp16
      nodetool models pull owner/name --path model.safetensors
    """
    import threading

    from nodetool_core.context import Context, Reporter
    from nodetool_core.models.sources.local_models import ref_of
    from nodetool_core.models.sources.resolver import Resolver
    from nodetool_core.registry import Registry

    stopped = threading.Event()
    shown = -1

    class Tenths(Reporter):
        def progress(self, step: int, total: int, message: str) -> None:
            nonlocal shown
            if (tenth := 10 * step // max(1, total)) != shown:
                shown = tenth
                say(f"{message}: {size_text(step)} of {size_text(total)}")

    context = Context(
        "models pull",
        reporter=Tenths(),
        cancelled=stopped,
        images=None,  # type: ignore[arg-type]
        models=None,  # type: ignore[arg-type]
    )
    ref = ref_of(name, variant=variant, path=path, revision=revision)
    found = Resolver(Registry.installed().weights()).resolve(ref, context)
    if as_json:
        typer.echo(
            json.dumps(
                {"name": found.name, "path": str(found.path), "revision": found.own_revision}
            )
        )
        return
    typer.echo(str(found.path))
    for one in (found, found.prior):
        if one is not None:
            say(f"{one.name}: here, at {one.own_revision}.")


@app.command()
def verify(
    name: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Hub id such as owner/name, or a path.", show_default=False
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """
    Check the files of a model against their recorded hashes and their headers.

    This reads every byte. The exit code is 1 where something is wrong.

    \b
    Examples:
      nodetool models verify nodetool/tiny-landscapes
      nodetool models verify ./my-model
    """
    from pathlib import Path

    from nodetool_core.models.sources.verification import verify as verified

    place = Path(name).expanduser()
    row = None if place.exists() else _row(name)
    directories = [place] if row is None else row.directories
    shown = [0]

    def report(done: int) -> None:
        if done - shown[0] >= _TOLD_EVERY:
            shown[0] = done
            say(f"{name}: {size_text(done)} read")

    found = verified(directories, report)
    if row is not None and not directories:
        found.findings += [("", gap) for gap in row.gaps]
    if as_json:
        typer.echo(json.dumps({"name": name} | asdict(found)))
    else:
        for file, what in found.findings:
            typer.echo(f"{file} {what}".strip())
        without = found.files - found.hashed
        typer.echo(
            f"{name}: {found.files} files, {size_text(found.bytes)}; {found.hashed} compared with"
            f" recorded hashes, {without} without."
        )
        if found.findings:
            say(
                f"Remove it with `nodetool models rm {name}`, and fetch it again with `nodetool"
                f" models pull {name}`."
            )
    if found.findings:
        raise typer.Exit(1)


@app.command()
def rm(
    name: Name,
    revision: Revision = None,
    is_sure: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """
    Remove a model from the Hub's cache; files that other revisions share stay.

    \b
    Example:
      nodetool models rm owner/name --yes
    """
    from nodetool_core.models.sources.local_models import removal

    row = _row(name)
    if row.source == "pack":
        problem = Problem(
            "model_ships",
            name,
            "ships with a pack, and is not in the cache.",
            "Uninstall the pack to remove it.",
        )
        raise NodetoolError(problem)
    revisions = [one for one in row.revisions if revision is None or one.startswith(revision)]
    if not revisions and revision is not None:
        hint = f"It has {', '.join(row.revisions)}."
        raise NodetoolError(
            Problem(
                "model_revision_missing", name, f"has no revision {revision!r} in the cache.", hint
            )
        )
    size, remove = removal(row, revisions, _cache_dir())
    if not is_sure and not typer.confirm(f"Remove {name} ({size_text(size)}) from {row.path}?"):
        say("Nothing was removed.")
        return
    remove()
    if as_json:
        typer.echo(json.dumps({"name": name, "revisions": revisions, "bytes": size}))
        return
    say(f"Removed {name}: {size_text(size)}.")


@app.command()
def du(as_json: AsJson = False) -> None:
    """
    Show how much of the disk models take, the largest first.

    \b
    Example:
      nodetool models du
    """
    rows = sorted(_rows(), key=lambda row: -row.bytes)
    total = sum(row.bytes for row in rows)
    if as_json:
        typer.echo(
            json.dumps(
                {"bytes": total, "models": [{"name": row.name, "bytes": row.bytes} for row in rows]}
            )
        )
        return
    for row in rows:
        typer.echo(f"{size_text(row.bytes):>10}  {row.name}")
    typer.echo(f"{size_text(total):>10}  in all")


def _rows() -> list[LocalModel]:
    from nodetool_core.models.sources.local_models import local_models
    from nodetool_core.registry import Registry

    return local_models(Registry.installed().weights(), _cache_dir())


def _cache_dir() -> Path:
    from pathlib import Path

    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _row(name: str) -> LocalModel:
    from nodetool_core.models.sources.local_models import ref_of

    rows, name = _rows(), ref_of(name).repo_id
    found = next((row for row in rows if row.name == name), None)
    if found is None:
        hint = (
            near_miss(name, [row.name for row in rows])
            or f"`nodetool models list` shows what is; `nodetool models pull {name}` fetches it."
        )
        raise NodetoolError(Problem("model_not_here", name, "is not on this machine.", hint))
    return found


def _describe(row: LocalModel) -> _Description:
    """
    Return the pipeline of a model and its components, by its `model_index.json`; nothing is loaded.
    """
    directory = row.directories[-1] if row.directories else None
    if directory is None:
        return {"pipeline": None, "components": []}
    layout = _layout(directory, row.name, None) or _layout(directory, row.name, "fp16")
    if layout is None:
        return {"pipeline": None, "components": []}
    parts: list[_Part] = [
        {
            "name": part,
            "class": f"{library}.{cls}",
            "bytes": sum(file.stat().st_size for file in (directory / part).glob("*.safetensors")),
        }
        for part, (library, cls) in layout.components.items()
    ]
    return {"pipeline": layout.class_name, "components": parts}


def _layout(directory: Path, name: str, variant: str | None) -> Layout | None:
    from nodetool_core.errors import ModelError
    from nodetool_core.models.sources.repository_layout import read_layout

    try:
        return read_layout(directory, name, variant)
    except ModelError:
        return None
