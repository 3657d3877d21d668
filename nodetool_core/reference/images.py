"""
The images that examples and workflows give, made by running them.

Small WebP files, because there is one beside nearly every page: the shorter side has at most 256
pixels (in the gallery 512), a few kilobytes each. They are made once and kept; `docs check` wants
them there, not that they are the same bytes, which another machine would not give.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core.errors import NodetoolError
from nodetool_core.reference.examples import FILE, example
from nodetool_core.reference.pages import documented, missing_images, page_paths
from nodetool_core.reference.site import image_path

if TYPE_CHECKING:
    from PIL.Image import Image

    from nodetool_core.api import RunResult
    from nodetool_core.declaration import NodeSpec
    from nodetool_core.engine.engine import Engine
    from nodetool_core.registry import Registry

SIDE = 256
QUALITY = 80
AT_MOST = 4
"""So many images are shown side by side."""
LONGEST = 5
"""The longer side of an image is at most so many times the limit of its shorter one."""


def make(
    registry: Registry,
    out: Path,
    root: Path,
    *,
    package: str = "",
    only: str = "",
    again: bool = False,
) -> Iterator[tuple[Path, str]]:
    """
    Run the examples whose images are missing and save what they give.

    Each path with why it failed, or an empty string.

    Args:
        out: Folder of the pages.
        root: Folder that the paths of examples start from. Where it has no `graphs`, the examples
            of the installed packs stand in for it.
        only: Type of the one node whose image is wanted.
        again: Make all of them, not the missing ones alone.
    """
    from nodetool_core.engine.engine import Engine

    nodes = documented(registry, package)
    namespaces: dict[str, list[NodeSpec]] = {}
    for node in nodes.values():
        namespaces.setdefault(node.spec.namespace, []).append(node.spec)
    paths = page_paths(namespaces)
    missing = set(missing_images(registry, out, package))
    with Engine(registry=registry) as engine:
        for node_type, node in nodes.items():
            path, shown = image_path(paths[node_type]), example(node, registry)
            if shown.gives_image and only in ("", node_type) and (again or path in missing):
                yield (
                    out / path,
                    _saved(out / path, partial(run_text, shown.to_json(), root, registry, engine)),
                )


def _saved(path: Path, run: Callable[[], RunResult]) -> str:
    try:
        image = shown_image(run())
    except NodetoolError as error:
        return str(error.problem)
    if image is None:
        return "returned no image."
    save_small(image, path)
    return ""


def run_text(text: str, root: Path, registry: Registry, engine: Engine) -> RunResult:
    """
    Run a workflow's text in a folder of its own that looks like the root.

    Nothing is written into the root itself.
    """
    from nodetool_core.api import Workflow

    with tempfile.TemporaryDirectory() as folder:
        graphs = root / "graphs"
        for source in (
            [graphs]
            if graphs.is_dir()
            else filter(None, (pack.examples_directory() for pack in registry.packs))
        ):
            shutil.copytree(source, Path(folder) / "graphs", dirs_exist_ok=True)
        file = Path(folder) / FILE
        file.write_text(text, encoding="utf-8")
        return Workflow.load(file, registry, engine=engine).run()


def shown_image(result: RunResult, side: int = SIDE) -> Image | None:
    """
    Return the images among the results, side by side where there are several.

    Of many, the first few. The shorter side of each has at most `side` pixels.
    """
    found = [
        item.image for value in result.values() for item in _items(value) if hasattr(item, "image")
    ]
    return _side_by_side([_small(image, side) for image in found[:AT_MOST]]) if found else None


def save_small(image: Image, path: Path, side: int = SIDE) -> None:
    """Write an image in the size that pages show."""
    import io

    from nodetool_core.assets.files import atomic_write

    encoded = io.BytesIO()
    _small(image, side).save(encoded, "WEBP", quality=QUALITY, method=6)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, encoded.getvalue())


def _items(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _small(image: Image, side: int) -> Image:
    """Return it with a shorter side of at most `side`, in a mode that WebP has."""
    made = image.convert("RGBA" if "A" in image.getbands() or image.mode == "P" else "RGB")
    longest = min(max(made.size) * side / min(made.size), side * LONGEST)
    made.thumbnail((longest, longest))
    return made


def _side_by_side(images: list[Image]) -> Image:
    from PIL import Image as Images

    if len(images) == 1:
        return images[0]
    gap = 4
    width = sum(image.width for image in images) + gap * (len(images) - 1)
    sheet = Images.new("RGBA", (width, max(image.height for image in images)))
    x = 0
    for image in images:
        sheet.paste(image, (x, 0))
        x += image.width + gap
    return sheet
