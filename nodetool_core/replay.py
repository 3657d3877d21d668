"""Make an image again from what is written in it, and report what differs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodetool_core.api import Workflow
from nodetool_core.assets.decode import decode_file
from nodetool_core.assets.image_data import ImageData
from nodetool_core.assets.loader import ImageLoader
from nodetool_core.assets.provenance import read_provenance
from nodetool_core.engine.options import RunOptions
from nodetool_core.engine.provenance import FORMAT
from nodetool_core.engine.result import RunError
from nodetool_core.engine.versions import versions
from nodetool_core.errors import ImageError, NodetoolError, Problem
from nodetool_core.references import ImageRef
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.engine.engine import Engine
    from nodetool_core.engine.events import Listener
    from nodetool_core.registry import Registry


@dataclass
class Replay:
    """An image made again."""

    image: ImageData
    is_identical: bool
    """Whether every pixel is the same as when the file was written."""
    largest_difference: int
    """
    From the file, of any channel of any pixel, 0 to 255; 255 where sizes differ.

    A lossy format differs by itself.
    """
    changed: list[str] = field(default_factory=list)
    """What is not as it was: versions, model revisions, files."""


def replay(
    path: Path,
    registry: Registry,
    *,
    files: Path | None = None,
    settings: Mapping[str, str] | None = None,
    engine: Engine | None = None,
    on_event: Listener | None = None,
) -> Replay:
    """
    Make an image again, computing everything anew.

    Args:
        files: A folder. A recorded file that is not at its place any more is looked for below it,
            by the content that was recorded.
        settings: Texts that replace recorded values, by input or as `node.property`.

    Raises ImageError where the file has no provenance, one that nodetool has not written so, or
    where a file that it was made from is missing; WorkflowError where its workflow can't be built
    here, RunError where a node fails.
    """
    made = read_provenance(path)
    if made is None or made.get("format") != FORMAT or not made.get("workflow"):
        hint = (
            "Images that nodetool writes as PNG, JPEG, WEBP or TIFF have one, unless another"
            " program has removed it."
        )
        raise ImageError(
            Problem("no_provenance", str(path), "The image does not state what made it.", hint)
        )
    with _checked(path):
        missing, moved = _locate_files(made, files)
        changed = (
            _changed_versions(made.get("versions", {}))
            + [str(problem) for problem in missing]
            + moved
        )
        changed += [
            f"{place}: a value that could not be recorded" for place in made.get("unrecorded", [])
        ]
        options = RunOptions(
            outputs=[str(made["output"])], use_cache=False, seeds=dict(made.get("seeds", {}))
        )
    workflow = Workflow.from_document(
        WorkflowDocument.from_json(made["workflow"], str(path)),
        registry,
        base=Path.cwd(),
        engine=engine,
    )
    try:
        result = workflow.start(settings, options=options, on_event=on_event, texts=True).result()
    except RunError as error:
        # What the run failed for is most likely what is missing, and that is what the user can
        # mend.
        if missing:
            raise ImageError(missing) from error
        raise
    with _checked(path):
        for model, revision in made.get("models", {}).items():
            if result.models.get(model) != revision:
                changed.append(f"model {model}: was {revision}, is {result.models.get(model)}")
        value: Any = result[made["output"]]
        for place in made.get("item", []):
            value = value[place]
        image: ImageData = value
        is_identical = image.digest == made.get("pixels")
    return Replay(image, is_identical, _difference(decode_file(path), image.image), changed)


@contextmanager
def _checked(path: Path) -> Iterator[None]:
    """Anybody can write anything into a file: what is not of our form is refused."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        message = (
            "holds a record of its making that nodetool has not written so"
            f" ({type(error).__name__}: {error})."
        )
        raise ImageError(
            Problem(
                "broken_provenance", str(path), message, "Use the image as it was first written."
            )
        ) from error


def _changed_versions(before: dict[str, str]) -> list[str]:
    now = versions()
    names = sorted(before.keys() | now.keys())
    return [
        f"{name}: was {before.get(name, 'absent')}, is {now.get(name, 'absent')}"
        for name in names
        if before.get(name) != now.get(name)
    ]


def _locate_files(made: dict[str, Any], folder: Path | None) -> tuple[list[Problem], list[str]]:
    """
    Compare the recorded files with what is there.

    The record then names those that are found below the folder.

    Returns the files that are missing, and what to report of those whose content is another one
    now.
    """
    loader, missing, changed = ImageLoader(base=Path.cwd()), [], []
    for place, digest, value in _recorded_files(made):
        name = value.get("uri") or "the file"
        try:
            now, complaint = loader.digest(ImageRef.model_validate(value)), ""
        except (NodetoolError, ValueError) as error:
            now, complaint = "", str(error)
        if now == digest:
            continue
        found = (
            _by_content(digest, Path(name).name, folder, loader)
            if folder is not None and digest
            else None
        )
        if found is not None:
            value["uri"] = str(found.absolute())
        elif complaint:
            hint = (
                f"No file below {folder} has its content."
                if folder
                else "Name a folder that has it, under any name: --files DIR"
            )
            missing.append(Problem("missing_file", place, complaint, hint))
        else:
            changed.append(f"{place}: the content of {name} is another one")
    return missing, changed


def _recorded_files(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each recorded file: its place, its digest, and the recorded value that names it."""
    data = {node["id"]: node["data"] for node in made["workflow"]["graph"]["nodes"]}
    for place, digest in made.get("files", {}).items():
        node_id, _, place_in_node = place.rpartition(".")
        name, *numbers = re.findall(r"[^][]+", place_in_node)
        value = data[node_id][name]
        for number in numbers:
            value = value[int(number)]
        yield place, digest, value


def _by_content(digest: str, name: str, folder: Path, loader: ImageLoader) -> Path | None:
    """
    Return the file below a folder that has a content.

    Looked for under its own name first, then among files of its kind, then among all.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    suffix = Path(name).suffix.lower()
    files.sort(key=lambda path: (path.name != name, path.suffix.lower() != suffix))
    return next((path for path in files if _digest(path, loader) == digest), None)


def _digest(path: Path, loader: ImageLoader) -> str:
    try:
        return loader.digest(ImageRef(uri=str(path.absolute())))
    except NodetoolError:
        # Unreadable, or larger than any image may be: not the one that is looked for.
        return ""


def _difference(before: Any, after: Any) -> int:
    from PIL import ImageChops

    if before.size != after.size:
        return 255
    mode = after.mode if before.mode == after.mode else "RGBA"
    extrema: Any = ImageChops.difference(before.convert(mode), after.convert(mode)).getextrema()
    return int(max(high for _, high in (extrema if isinstance(extrema[0], tuple) else [extrema])))
