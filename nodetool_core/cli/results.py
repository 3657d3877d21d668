"""
Results of a run on disk: images as files, everything else as text.

Every image becomes `DIR/NAME.png`, those of a list `NAME_1.png`, `NAME_2.png` … with as many digits
as the last needs. A name that ends in another format's suffix (`poster.jpg`) is written in that
format. Where `--out` names a file, the one image becomes that file, and several begin with its
name. No file is ever replaced.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core.errors import ImageError, NodetoolError, Problem

if TYPE_CHECKING:
    from nodetool_core.assets.image_data import ImageData
    from nodetool_core.graph import Graph

_TEXT_TYPES = (str, int, float, bool)
_LONGEST_NAME = 100


@dataclass(frozen=True)
class ImageFile:
    """An image that came as a file, and is written as it is."""

    content: bytes
    suffix: str
    """That of its format, such as `.png`."""
    size: tuple[int, int]


@dataclass
class Saved:
    """What became of a run's outputs."""

    values: dict[str, object] = field(default_factory=dict)
    """JSON forms by output name; an image as its path and size."""
    lines: list[str] = field(default_factory=list)
    """What is printed: the paths of images, and `name: value` for all else."""
    paths: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def may_hold_image(graph: Graph, wanted: Sequence[str] | None) -> bool:
    """Return whether a run may have to write images, as far as types show."""
    from nodetool_core.cli.workflows import result_annotation

    outputs = graph.outputs()
    chosen = [outputs.get(name) for name in (outputs if wanted is None else wanted)]
    return not chosen or any(
        node is None or result_annotation(node, graph) not in _TEXT_TYPES for node in chosen
    )


def names_file(out: Path) -> bool:
    """Return whether `--out` names an image's file, and not a folder."""
    from nodetool_core.assets.encode import SUFFIXES

    return out.suffix.lower() in SUFFIXES and not out.is_dir()


def check_place(out: Path) -> None:
    """
    Raise ImageError where nothing can be written to `--out`.

    This is checked before hours of work.
    """
    from nodetool_core.assets.files import write_problem

    folder = out.parent if names_file(out) else out
    above = folder.absolute()
    while not above.exists() and above != above.parent:
        above = above.parent
    reason = 0
    if not above.is_dir():
        reason = errno.ENOTDIR
    elif not os.access(above, os.W_OK | os.X_OK):
        reason = errno.EACCES
    if reason:
        raise ImageError(write_problem(folder, OSError(reason, os.strerror(reason), str(above))))


def save(outputs: Mapping[str, object], out: Path) -> Saved:
    """
    Write the images among the outputs and describe everything.

    Stops writing at the first image that can't be.
    """
    from nodetool_core.assets.image_data import ImageData

    folder, called = (out.parent, _called(outputs, out)) if names_file(out) else (out, {})
    saved = Saved()
    for name, value in outputs.items():
        files: dict[str, Path] = {}
        for key, image in _images(value, called.get(name, name)):
            if not saved.problems:
                _write(image, folder, key, files, saved)
        saved.values[name] = _described(value, called.get(name, name), files)
        saved.lines += [str(path) for path in files.values()]
        saved.paths += files.values()
        is_image = isinstance(value, (ImageData, ImageFile))
        if not is_image and not (files and isinstance(value, (list, tuple))):
            saved.lines.append(f"{name}: {_text(saved.values[name])}")
    return saved


def _called(outputs: Mapping[str, object], file: Path) -> dict[str, str]:
    """
    Return what the outputs that hold images are called where a file is named.

    The file's name, and where there are several, after it.
    """
    holding = [name for name, value in outputs.items() if next(_images(value, name), None)]
    if len(holding) == 1:
        return {holding[0]: file.name}
    return {
        name: f"{file.stem}_{name}{'' if file_name(name) == name else file.suffix}"
        for name in holding
    }


def _write(
    image: ImageData | ImageFile, folder: Path, key: str, files: dict[str, Path], saved: Saved
) -> None:
    from nodetool_core.assets.encode import encode_image, format_of
    from nodetool_core.assets.files import write_new, write_problem

    name = file_name(key)
    if isinstance(image, ImageFile) and format_of(name) != format_of(f"x{image.suffix}"):
        name = f"{name.removesuffix(Path(name).suffix)}{image.suffix}"
    try:
        data = (
            image.content
            if isinstance(image, ImageFile)
            else encode_image(image.image, format_of(name), image.provenance, where=name)
        )
        files[key] = write_new(folder, name, data)
    except NodetoolError as error:
        saved.problems.extend(error.problems)
    except OSError as error:
        saved.problems.append(write_problem(folder / name, error))


def file_name(output: str) -> str:
    """
    Return a file name for an output.

    Its own name as far as it can stand in one, with `.png` unless it names a format.
    """
    from nodetool_core.assets.encode import SUFFIXES

    name = re.sub(r"[^\w.,()+ -]+", "_", output).strip(" .")[:_LONGEST_NAME].strip(" .") or "output"
    return name if Path(name).suffix.lower() in SUFFIXES else f"{name}.png"


def _images(value: object, key: str) -> Iterator[tuple[str, ImageData | ImageFile]]:
    """Yield the images in a value, each under the name that its file gets."""
    from nodetool_core.assets.image_data import ImageData

    if isinstance(value, (ImageData, ImageFile)):
        yield key, value
    elif isinstance(value, (list, tuple, Mapping)):
        for inner, item in _items(value, key):
            yield from _images(item, inner)


def _items(value: Sequence[object] | Mapping[str, object], key: str) -> list[tuple[str, object]]:
    """
    Return the items of a list or mapping with their names.

    Numbers before the suffix, padded so that files sort as the list does.
    """
    from nodetool_core.assets.encode import SUFFIXES

    suffix = Path(key).suffix
    stem, suffix = (key.removesuffix(suffix), suffix) if suffix.lower() in SUFFIXES else (key, "")
    if isinstance(value, Mapping):
        return [(f"{stem}_{name}{suffix}", item) for name, item in value.items()]
    digits = len(str(len(value)))
    return [(f"{stem}_{number:0{digits}}{suffix}", item) for number, item in enumerate(value, 1)]


def _described(value: object, key: str, files: Mapping[str, Path]) -> object:
    """Return the JSON form of a value."""
    from nodetool_core.assets.image_data import ImageData

    if isinstance(value, (ImageData, ImageFile)):
        path = files.get(key)
        width, height = value.size if isinstance(value, ImageFile) else value.image.size
        return {
            "type": "image",
            "path": str(path) if path else None,
            "width": width,
            "height": height,
        }
    if isinstance(value, Mapping):
        items = _items(value, key)
        return {
            str(own): _described(item, name, files)
            for own, (name, item) in zip(value, items, strict=True)
        }
    if isinstance(value, (list, tuple)):
        return [_described(item, name, files) for name, item in _items(value, key)]
    return _plain_json(value)


def _plain_json(value: object) -> object:
    import math

    from nodetool_core.properties import jsonable

    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        return jsonable(value)
    except TypeError:
        return {"type": type(value).__name__, "text": str(value)[:1000]}


def _text(described: object) -> str:
    import json

    from nodetool_core.cli.messages import plain

    return plain(
        described if isinstance(described, str) else json.dumps(described, ensure_ascii=False)
    )
