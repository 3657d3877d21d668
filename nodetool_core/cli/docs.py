"""`nodetool docs`: the generated documentation, and what error codes mean."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodetool_core.cli.listing import columns
from nodetool_core.cli.messages import ExitCode, WrongUseError, say, show_problems

if TYPE_CHECKING:
    from nodetool_core.registry import Registry

app = typer.Typer(
    help="Write the documentation, check it, or look an error up.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

DOCS = Path("docs")
GRAPHS = Path("graphs")

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Folder for the node reference alone, instead of everything in docs/.",
        file_okay=False,
    ),
]
PackName = Annotated[
    str,
    typer.Option("--pack", metavar="PACKAGE", help="Only the nodes of one pack, by its package."),
]


@app.command()
def build(
    out: Out = None,
    pack: PackName = "",
    images: Annotated[
        bool,
        typer.Option("--images", help="Run the examples and workflows whose images are missing."),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="With --images: make all of them again.")
    ] = False,
) -> None:
    """
    Write the pages that are generated.

    A page per node with a drawing, the indexes, the types, the gallery of graphs/ and the list of
    error codes.

    \b
    Examples:
      nodetool docs build
      nodetool docs build --images
      nodetool docs build --pack studio --out docs/nodes
    """
    from nodetool_core.assets.files import write_problem
    from nodetool_core.errors import NodetoolError
    from nodetool_core.reference import documentation, pages

    registry = _registry(pack, out)
    try:
        if images:
            _make_images(registry, out, pack, again=again)
        changed = (
            pages.build(registry, out, pack) if out else documentation.build(registry, DOCS, GRAPHS)
        )
    except OSError as error:
        raise NodetoolError(write_problem(Path(error.filename or out or DOCS), error)) from error
    for path in changed:
        typer.echo(path if path.exists() else f"{path} (removed)")
    show_problems(registry.problems)
    say(
        f"{len(changed)} files changed."
        if changed
        else f"Everything in {out or DOCS} is up to date."
    )


@app.command()
def check(
    out: Out = None,
    pack: PackName = "",
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="Whether a missing image counts.")
    ] = True,
) -> None:
    """
    Fail where the documentation is out of date.

    A page is not what `docs build` would write, an image is missing, or a link leads nowhere.

    \b
    Example:
      nodetool docs check
    """
    from nodetool_core.reference import documentation, pages
    from nodetool_core.reference.links import broken_links

    registry = _registry(pack, out)
    missing: Iterable[str] = []
    if out:
        stale, dead = pages.stale(registry, out, pack), broken_links(out.rglob("*.md"))
    else:
        stale, dead = documentation.stale(registry, DOCS, GRAPHS), documentation.dead_links(DOCS)
        missing = documentation.missing_images(registry, DOCS, GRAPHS) if images else []
    for line in [*stale, *missing, *dead]:
        typer.echo(line)
    options = "".join(
        [
            f" --pack {pack}" if pack else "",
            f" --out {out}" if out else "",
            " --images" if missing else "",
        ]
    )
    if stale or missing:
        say(f"Bring them up to date: nodetool docs build{options}")
    if stale or missing or dead:
        raise typer.Exit(ExitCode.FAILED)
    say(f"Everything in {out or DOCS} is up to date, and every link leads somewhere.")


@app.command()
def schema(
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write, instead of stdout.", dir_okay=False),
    ] = None,
    pack: PackName = "",
) -> None:
    """
    Print the JSON Schema of workflow files with the nodes of all installed packs, for editors.

    \b
    Example:
      nodetool docs schema --out workflow.schema.json
    """
    from nodetool_core.assets.files import atomic_write, write_problem
    from nodetool_core.errors import NodetoolError
    from nodetool_core.reference.pages import documented
    from nodetool_core.reference.schema import schema_text

    registry = _registry(pack, out)
    text = schema_text(documented(registry, pack).values(), registry.renamed_types())
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        atomic_write(out, text.encode())
    except OSError as error:
        raise NodetoolError(write_problem(out, error)) from error
    typer.echo(out)


def _codes(incomplete: str) -> list[str]:
    """Return the codes for the completion of shells."""
    from nodetool_core.reference.troubleshooting import explanations

    return [code for code in sorted(explanations()) if code.startswith(incomplete)]


@app.command()
def explain(
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CODE]...",
            help="The word in brackets after `error`.",
            autocompletion=_codes,
        ),
    ] = None,
) -> None:
    """
    Say what an error code means and what to do. Without a code, list them all with what they mean.

    \b
    Example:
      nodetool docs explain missing_image
    """
    from nodetool_core.errors import Problem, near_miss
    from nodetool_core.reference.troubleshooting import explanations, sections

    known = explanations()
    if not codes:
        blocks = [
            f"{title}:\n{columns([(entry.code, entry.means) for entry in entries])}"
            for title, entries in sections().items()
        ]
        typer.echo("\n\n".join(blocks))
        return
    unknown = [code for code in codes if code not in known]
    if unknown:
        every = "All there are: nodetool docs explain"
        raise WrongUseError(
            [
                Problem(
                    "unknown_code",
                    "",
                    f"There is no error code {code!r}.",
                    near_miss(code, known) or every,
                )
                for code in unknown
            ]
        )
    typer.echo("\n\n".join(str(known[code]) for code in codes))


def _registry(pack: str, out: Path | None) -> Registry:
    """
    Return the installed packs.

    Raises WrongUseError for a pack that is none of them, or that would overwrite the whole of
    docs/.
    """
    from nodetool_core.errors import Problem, near_miss
    from nodetool_core.registry import Registry

    registry = Registry.installed()
    packages = [known.package for known in registry.packs]
    if pack and pack not in packages:
        hint = near_miss(pack, packages) or f"Installed are {', '.join(packages)}."
        raise WrongUseError(Problem("unknown_pack", "", f"There is no pack {pack!r}.", hint))
    return registry


def _make_images(registry: Registry, out: Path | None, pack: str, *, again: bool) -> None:
    from nodetool_core.reference import documentation, gallery
    from nodetool_core.reference import images as makers

    nodes = out or DOCS / documentation.NODES
    made = list(makers.make(registry, nodes, Path(), package=pack, again=again))
    if out is None:
        made += gallery.make_images(GRAPHS, registry, DOCS / documentation.GALLERY, again=again)
    for path, complaint in made:
        if complaint:
            say(f"{path}: {complaint}", colour=typer.colors.YELLOW)
        else:
            typer.echo(path)
