"""`nodetool models`: the weights on this machine, those that ship with packs and those in the cache of the Hub."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nodetool_core.cli.messages import say
from nodetool_core.errors import NodetoolError, Problem, near_miss

if TYPE_CHECKING:
    from pathlib import Path

    from huggingface_hub import HFCacheInfo

    from nodetool_core.models.layout import Layout

app = typer.Typer(help="Look at model weights on this machine, fetch them, remove them.", no_args_is_help=True, rich_markup_mode=None)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Name = Annotated[str, typer.Argument(metavar="MODEL", help="Hub id such as owner/name.", show_default=False)]
Revision = Annotated[str | None, typer.Option("--revision", metavar="NAME", help="Branch, tag or commit.")]


@dataclass(frozen=True)
class Row:
    """A model on this machine."""

    name: str
    source: str
    """`pack` for weights that ship with a pack, `hub` for the Hub's cache."""
    bytes: int
    revisions: list[str]
    path: str


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """
    List the models on this machine.

    \b
    Example:
      nodetool models list
    """
    rows = _rows()
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows]))
        return
    width = max((len(row.name) for row in rows), default=0)
    for row in rows:
        typer.echo(f"{row.name:<{width}}  {size_text(row.bytes):>10}  {row.source:<4}  {', '.join(one[:12] for one in row.revisions)}")
    if not rows:
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
    typer.echo(f"{row.name}: {described['pipeline'] or 'no pipeline in diffusers form'}, {size_text(row.bytes)} on disk, from {row.source}")
    typer.echo(f"  path      {row.path}")
    for revision in row.revisions:
        typer.echo(f"  revision  {revision}")
    for part in described["components"]:
        typer.echo(f"  {part['name']:<18} {size_text(part['bytes']):>10}  {part['class']}")


@app.command()
def pull(
    name: Name,
    variant: Annotated[str | None, typer.Option("--variant", metavar="NAME", help="Weight variant such as fp16.")] = None,
    path: Annotated[str | None, typer.Option("--path", metavar="FILE", help="A single file of the repository.")] = None,
    revision: Revision = None,
    as_json: AsJson = False,
) -> None:
    """
    Fetch a model from the Hub: safetensors and settings, what a pipeline reads and no more; of a decoder also its prior.

    A stopped fetch goes on where it was.

    \b
    Examples:
      nodetool models pull stabilityai/sd-turbo --variant fp16
      nodetool models pull owner/name --path model.safetensors
    """
    import threading

    from nodetool_core.context import Context
    from nodetool_core.models.resolve import Resolver
    from nodetool_core.references import ModelRef
    from nodetool_core.registry import Registry

    stopped = threading.Event()
    shown = [-1]

    def report(kind: str, details: dict[str, Any]) -> None:
        tenth = 10 * details.get("step", 0) // max(1, details.get("total", 1))
        if kind == "progress" and tenth != shown[0]:
            shown[0] = tenth
            say(f"{details['message']}: {size_text(details['step'])} of {size_text(details['total'])}")

    context = Context("models pull", report=report, cancelled=stopped, images=None, models=None)  # type: ignore[arg-type]
    ref = ModelRef(repo_id=name, variant=variant, path=path, revision=revision)
    found = Resolver(Registry.installed().weights()).resolve(ref, context)
    if as_json:
        typer.echo(json.dumps({"name": found.name, "path": str(found.path), "revision": found.own_revision}))
        return
    typer.echo(str(found.path))
    for one in (found, found.prior):
        if one is not None:
            say(f"{one.name}: here, at {one.own_revision}.")


@app.command()
def rm(
    name: Name,
    revision: Revision = None,
    is_sure: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """
    Remove a model from the Hub's cache. Files that other revisions share stay.

    \b
    Example:
      nodetool models rm owner/name --yes
    """
    row = _row(name)
    if row.source == "pack":
        problem = Problem("model_ships", name, "ships with a pack, and is not in the cache.", "Uninstall the pack to remove it.")
        raise NodetoolError(problem)
    cache = _scan()
    assert cache is not None
    revisions = [one for one in row.revisions if revision is None or one.startswith(revision)]
    if not revisions:
        hint = f"It has {', '.join(row.revisions)}."
        raise NodetoolError(Problem("model_revision_missing", name, f"has no revision {revision!r} in the cache.", hint))
    plan = cache.delete_revisions(*revisions)
    if not is_sure and not typer.confirm(f"Remove {name} ({plan.expected_freed_size_str}) from {row.path}?"):
        say("Nothing was removed.")
        return
    plan.execute()
    if as_json:
        typer.echo(json.dumps({"name": name, "revisions": revisions, "bytes": plan.expected_freed_size}))
        return
    say(f"Removed {name}: {size_text(plan.expected_freed_size)}.")


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
        typer.echo(json.dumps({"bytes": total, "models": [{"name": row.name, "bytes": row.bytes} for row in rows]}))
        return
    for row in rows:
        typer.echo(f"{size_text(row.bytes):>10}  {row.name}")
    typer.echo(f"{size_text(total):>10}  in all")


def size_text(size: float) -> str:
    """Bytes as people read them: `3.4 GB`."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _rows() -> list[Row]:
    from nodetool_core.registry import Registry

    shipped = [_shipped(name, path) for name, path in sorted(Registry.installed().weights().items()) if path.is_dir()]
    cache = _scan()
    fetched = [] if cache is None else [repo for repo in cache.repos if repo.repo_type == "model"]
    rows = [
        Row(repo.repo_id, "hub", repo.size_on_disk, sorted(one.commit_hash for one in repo.revisions), str(repo.repo_path))
        for repo in sorted(fetched, key=lambda repo: repo.repo_id)
    ]
    return [*shipped, *rows]


def _row(name: str) -> Row:
    rows = _rows()
    found = next((row for row in rows if row.name == name), None)
    if found is None:
        hint = (
            near_miss(name, [row.name for row in rows])
            or f"`nodetool models list` shows what is; `nodetool models pull {name}` fetches it."
        )
        raise NodetoolError(Problem("model_not_here", name, "is not on this machine.", hint))
    return found


def _shipped(name: str, path: Path) -> Row:
    return Row(name, "pack", sum(file.stat().st_size for file in path.rglob("*") if file.is_file()), [], str(path))


def _scan() -> HFCacheInfo | None:
    """The Hub's cache; None where there is none yet."""
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return scan_cache_dir(constants.HF_HUB_CACHE)
    except CacheNotFound:
        return None


def _describe(row: Row) -> dict[str, Any]:
    """The pipeline of a model and its components, by its `model_index.json`; nothing is loaded."""
    from pathlib import Path

    root = Path(row.path)
    directory = root / "snapshots" / row.revisions[-1] if row.source == "hub" else root
    layout = _layout(directory, row.name, None) or _layout(directory, row.name, "fp16")
    if layout is None:
        return {"pipeline": None, "components": []}
    parts = [
        {"name": part, "class": f"{library}.{cls}", "bytes": sum(file.stat().st_size for file in (directory / part).glob("*.safetensors"))}
        for part, (library, cls) in layout.components.items()
    ]
    return {"pipeline": layout.class_name, "components": parts}


def _layout(directory: Path, name: str, variant: str | None) -> Layout | None:
    from nodetool_core.errors import ModelError
    from nodetool_core.models.layout import read_layout

    try:
        return read_layout(directory, name, variant)
    except ModelError:
        return None
