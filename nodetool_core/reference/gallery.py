"""
The gallery: a page for the workflows of a folder.

Each has its graph drawn, its inputs and outputs, and its result.

    <out>/index.md             all workflows
    <out>/contact_sheet.svg    the graph of graphs/contact_sheet.json
    <out>/given/lake.webp      an image that it starts from unless another is set, made small
    graphs/contact_sheet.webp  the results, made by `make_images`, beside the workflow

Texts and drawings are a function of the files and the registry. Images are made by running the
workflows, but not those whose models have to be downloaded: their entries name the models instead.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core import drawing
from nodetool_core.reference import markdown
from nodetool_core.reference.images import save_small, shown_image
from nodetool_core.references import ImageRef
from nodetool_core.types import type_name

if TYPE_CHECKING:
    from PIL.Image import Image

    from nodetool_core.api import Workflow
    from nodetool_core.registry import Registry

MARK = (
    "<!-- Written by `nodetool docs build` from the workflow files. Edits are lost: change the"
    " files. -->"
)
INDEX = "index.md"
GIVEN = "given"
SIDE, GIVEN_SIDE = 512, 256
"""Shorter side of the images that workflows give, and of those that they start from, in pixels."""


def gallery(folder: Path, registry: Registry, out: Path) -> dict[str, str]:
    """
    Return the files of the gallery, by their path below `out`.

    Raises WorkflowError for a workflow that is not valid.
    """
    written: dict[str, str] = {}
    parts = [
        "# Gallery",
        (
            f"The workflows of `{folder.name}/`. Each runs as it is, `nodetool run"
            f" {folder.name}/…json`, most of them with the model that ships. Where one needs"
            " weights from the Hub, it says which."
        ),
    ]
    for file, workflow in _workflows(folder, registry):
        title = workflow.document.name or file.stem
        written[f"{file.stem}.svg"] = (
            f"{drawing.graph_svg(workflow.graph, title=title).rstrip()}\n{MARK}\n"
        )
        parts += [f"## {markdown.text(title)}", *_entry(file, workflow, registry, out)]
    written[INDEX] = "\n\n".join([*parts, MARK]) + "\n"
    return written


def make_images(
    folder: Path, registry: Registry, out: Path, *, again: bool = False
) -> Iterator[tuple[Path, str]]:
    """
    Run the workflows whose images are missing; each path with why it failed, or an empty string.
    """
    from nodetool_core.assets.decode import decode_file
    from nodetool_core.errors import NodetoolError

    done: set[Path] = set()
    for file, workflow in _workflows(folder, registry):
        wanted: dict[Path, Callable[[], Image | None]] = {}
        if not _downloads(workflow, registry):
            wanted[_shown(file)] = partial(_result, file, registry)
        for source, path in _given(workflow, out).values():
            wanted[path] = partial(decode_file, source)
        for path, make in wanted.items():
            if path in done or (path.exists() and not again):
                continue
            done.add(path)
            try:
                image = make()
            except NodetoolError as error:
                yield path, str(error.problem)
                continue
            if image is not None:
                save_small(image, path, SIDE if path.parent == folder else GIVEN_SIDE)
            yield path, "" if image is not None else "returned no image."


def _result(file: Path, registry: Registry) -> Image | None:
    from nodetool_core.api import Workflow

    with tempfile.TemporaryDirectory() as folder:
        return shown_image(Workflow.load(file, registry, base=Path(folder)).run(), SIDE)


def images(folder: Path, registry: Registry, out: Path) -> Iterator[Path]:
    """Yield every image that the gallery shows, whether it was made or not."""
    for file, workflow in _workflows(folder, registry):
        yield from (path for _, path in _given(workflow, out).values())
        if not _downloads(workflow, registry):
            yield _shown(file)


def _shown(file: Path) -> Path:
    """Return where the image is that a workflow gives: beside it, where the editor shows it too."""
    return file.with_suffix(".webp")


def _downloads(workflow: Workflow, registry: Registry) -> list[str]:
    """Return the models that a workflow names and no installed pack ships, sorted."""
    from nodetool_core.references import ModelRef

    shipped = {name for pack in registry.packs for name in pack.weights}
    named = {
        value.repo_id
        for node in workflow.graph.nodes
        for value in node.values.values()
        if isinstance(value, ModelRef) and value.repo_id
    }
    return sorted(named - shipped)


def _given(workflow: Workflow, out: Path) -> dict[str, tuple[Path, Path]]:
    """
    Return the images that inputs have unless they are set.

    Each has its input, its file, and its place on the page.
    """
    values = {name: node.values.get("value") for name, node in workflow.graph.inputs().items()}
    files = {
        name: workflow.base / value.uri
        for name, value in values.items()
        if isinstance(value, ImageRef) and value.uri
    }
    return {
        name: (file, out / GIVEN / f"{file.stem}.webp")
        for name, file in files.items()
        if file.is_file()
    }


def _workflows(folder: Path, registry: Registry) -> Iterator[tuple[Path, Workflow]]:
    from nodetool_core.api import Workflow

    for file in sorted(folder.glob("*.json")):
        yield file, Workflow.load(file, registry)


def _entry(file: Path, workflow: Workflow, registry: Registry, out: Path) -> list[str]:
    graph, document = workflow.graph, workflow.document
    parts = [markdown.prose(document.description)] if document.description else []
    if _shown(file).exists():
        path = Path(os.path.relpath(_shown(file).absolute(), out.absolute())).as_posix()
        parts.append(markdown.image(f"What {file.name} gives", path))
    if downloads := _downloads(workflow, registry):
        parts.append(f"Models from the Hub: {', '.join(map(markdown.code, downloads))}.")
    command = f"$ nodetool run {file.parent.name}/{file.name}"
    parts.append(
        f"```console no-run: downloads a model\n{command}\n```"
        if downloads
        else markdown.block("console", command)
    )
    rows = []
    given = _given(workflow, out)
    for name, node in graph.inputs().items():
        prop = node.spec.properties.get("value")
        described = str(node.values.get("description") or "")
        value = (
            markdown.text(node.values["value"]) if isinstance(node.values.get("value"), str) else ""
        )
        if name in given and given[name][1].exists():
            value = markdown.image(given[name][0].name, f"{GIVEN}/{given[name][1].name}")
        rows.append(
            [
                markdown.code(name),
                markdown.code(type_name(prop.annotation) if prop else "any"),
                markdown.prose(described),
                value,
            ]
        )
    if rows:
        parts.append(markdown.table(["Input", "Type", "What it is", "Unless set"], rows))
    parts.append(
        f"Outputs: {', '.join(markdown.code(name) for name in graph.outputs()) or 'none'}."
    )
    parts.append(markdown.image(f"The graph of {file.name}", f"{file.stem}.svg"))
    return parts
