"""`nodetool nodes list`, `show` and `new`: the nodes there are, and a start for one more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodetool_core.cli.listing import columns
from nodetool_core.cli.messages import WrongUseError, say, show_problems
from nodetool_core.errors import Problem

if TYPE_CHECKING:
    from nodetool_core.cli.node_index import NodeSummary
    from nodetool_core.node_base import Node
    from nodetool_core.registry import Registry

app = typer.Typer(
    help="List nodes, show one, or start a new one.", no_args_is_help=True, rich_markup_mode=None
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("list")
def list_nodes(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILTER]...", help="Only nodes that all these words fit."),
    ] = None,
    as_json: Json = False,
) -> None:
    """
    List the nodes of all installed packs, by namespace.

    A filter looks at types, descriptions, tags, use cases and the names of other programs.

    \b
    Examples:
      nodetool nodes list
      nodetool nodes list image crop
    """
    from nodetool_core.cli.node_index import matching, node_summaries

    nodes, problems = node_summaries()
    chosen = matching(nodes, words or [])
    if as_json:
        from nodetool_core.cli.node_form import node_json
        from nodetool_core.registry import Registry

        classes = {node.spec.node_type: node for node in Registry.installed()}
        _echo_json([node_json(classes[node.node_type]) for node in chosen])
    else:
        _echo_listing(chosen)
    show_problems(problems)
    if not chosen:
        say(
            f"No node fits {' '.join(words)!r}; `nodetool nodes list` shows all."
            if words
            else "No node pack is installed."
        )


def _types(incomplete: str) -> list[str]:
    """Return the types and class names that begin so, for the completion of shells."""
    from nodetool_core.cli.node_index import node_summaries

    nodes, _ = node_summaries()
    names = {node.node_type for node in nodes} | {node.title for node in nodes}
    return sorted(name for name in names if name.lower().startswith(incomplete.lower()))


@app.command()
def show(
    node_type: Annotated[
        str,
        typer.Argument(
            metavar="TYPE",
            help="Type of a node; the class name alone where only one has it.",
            autocompletion=_types,
        ),
    ],
    as_json: Json = False,
) -> None:
    """
    Show what a node does, its properties and its outputs.

    \b
    Examples:
      nodetool nodes show huggingface.image_to_image.ImageToImage
      nodetool nodes show Crop --json
    """
    from nodetool_core.cli.node_form import node_json, node_text
    from nodetool_core.registry import Registry

    node = _find(node_type, Registry.installed())
    if as_json:
        _echo_json(node_json(node))
    else:
        typer.echo(node_text(node))


@app.command()
def new(
    node_type: Annotated[
        str,
        typer.Argument(metavar="TYPE", help="Type of the new node, such as studio.filters.Soften."),
    ],
    folder: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Where to start from.", file_okay=False)
    ] = Path(),
) -> None:
    """
    Write a new node with a test that passes, to be changed into what you want.

    In a copy of this project's repository, the node goes into nodes/. Elsewhere, the first part of
    TYPE is the package of your own pack, which is made if needed. Nothing is overwritten.

    \b
    Examples:
      nodetool nodes new lib.tone.Sepia
      nodetool nodes new studio.filters.Soften --dir ~/studio
    """
    from nodetool_core.assets.files import write_problem
    from nodetool_core.cli.skeleton import plan_skeleton
    from nodetool_core.errors import NodetoolError

    skeleton = plan_skeleton(node_type, folder)
    try:
        written = skeleton.write()
    except OSError as error:
        raise NodetoolError(write_problem(Path(error.filename or folder), error)) from error
    for path in written:
        typer.echo(path)
    say("\n".join(["", "Next:", *(f"  {step}" for step in skeleton.next_steps)]))


def _find(name: str, registry: Registry) -> type[Node]:
    """
    Return a node by its type, by the type it had once, or by its class name. Raises WrongUseError.
    """
    alias = registry.alias(name)
    node = registry.get(alias.type if alias else name)
    if node is None and "." not in name:
        from nodetool_core.cli.node_index import node_summaries

        nodes, _ = node_summaries()
        named = [node.node_type for node in nodes if node.title.lower() == name.lower()]
        if len(named) > 1:
            types = ", ".join(named)
            raise WrongUseError(
                Problem(
                    "ambiguous_type",
                    "",
                    f"Several nodes are called {name!r}.",
                    f"Name one of {types}.",
                )
            )
        # A type need not say which module its class is in.
        node = next((registry.get(one) or _class_of(one, registry) for one in named), None)
    if node is None:
        hint = registry.suggest(name) or "All there are: nodetool nodes list"
        # A module that could not be imported may hold it.
        lost = registry.problems if "." not in name else []
        raise WrongUseError(
            [Problem("unknown_type", "", f"There is no node type {name!r}.", hint), *lost]
        )
    if alias is not None:
        say(f"{name} is read as {alias.type}.")
    return node


def _class_of(node_type: str, registry: Registry) -> type[Node]:
    return next(node for node in registry if node.spec.node_type == node_type)


def _echo_listing(chosen: list[NodeSummary]) -> None:
    """Print a line per node, with an empty line between namespaces."""
    namespaces: dict[str, list[tuple[str, str]]] = {}
    for node in chosen:
        namespaces.setdefault(node.namespace, []).append((node.node_type, node.description))
    if namespaces:
        typer.echo("\n\n".join(map(columns, namespaces.values())))


def _echo_json(content: object) -> None:
    import json

    typer.echo(json.dumps(content, indent=2))
