"""
Everything in a documentation folder that is generated, and whether it is up to date.

    <docs>/nodes/               the node reference (pages.py)
    <docs>/gallery/             the workflows of graphs/ (gallery.py)
    <docs>/troubleshooting.md   the error codes (troubleshooting.py)
    <docs>/…                    pages that packs write of themselves (`Pack.pages`): models.md
    <docs>/llms.txt             all pages, a line each (llms.py)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core.reference import llms, pages
from nodetool_core.reference.gallery import gallery, images
from nodetool_core.reference.links import broken_links
from nodetool_core.reference.troubleshooting import PAGE, troubleshooting_page

if TYPE_CHECKING:
    from nodetool_core.registry import Registry

NODES = "nodes"
GALLERY = "gallery"


def build(registry: Registry, docs: Path, graphs: Path) -> list[Path]:
    """Write what is generated below `docs`; return the paths that changed."""
    from nodetool_core.assets.files import atomic_write

    changed = []
    for path, text in _beside_nodes(registry, docs, graphs):
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, text.encode())
            changed.append(path)
    return changed + pages.build(registry, docs / NODES)


def stale(registry: Registry, docs: Path, graphs: Path) -> list[str]:
    """Return what `build` would change, a line each."""
    found = pages.stale(registry, docs / NODES)
    for path, text in _beside_nodes(registry, docs, graphs):
        if not path.exists():
            found.append(f"{path}: is missing")
        elif path.read_text(encoding="utf-8") != text:
            found.append(f"{path}: is out of date")
    return found


def missing_images(registry: Registry, docs: Path, graphs: Path) -> list[str]:
    """Images that no page shows because they were not made, a line each."""
    nodes = [docs / NODES / path for path in pages.missing_images(registry, docs / NODES)]
    shown = images(graphs, registry, docs / GALLERY) if graphs.is_dir() else ()
    return [f"{path}: is missing" for path in dict.fromkeys([*nodes, *shown]) if not path.exists()]


def dead_links(docs: Path) -> list[str]:
    """Links in the folder, and in the pages beside it, that lead nowhere."""
    return broken_links([*docs.rglob("*.md"), *docs.absolute().parent.glob("*.md")])


def _beside_nodes(registry: Registry, docs: Path, graphs: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file and its text; the list of all pages last, when the others are written."""
    shown = gallery(graphs, registry, docs / GALLERY) if graphs.is_dir() else {}
    of_packs = registry.pages()
    yield from ((docs / GALLERY / name, text) for name, text in shown.items())
    yield from ((docs / name, text) for name, text in of_packs.items())
    yield docs / PAGE, troubleshooting_page()
    if (docs / "index.md").exists():
        yield docs / llms.PAGE, llms.llms_text(docs, registry, [PAGE, *of_packs])
