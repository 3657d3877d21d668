"""
All pages of the node reference.

One per node with a drawing, indexes, the types, and the same as JSON.

    <out>/index.md                            all nodes, by namespace
    <out>/tags.md                             all nodes, by tag and use case
    <out>/types.md                            all types, with the nodes that give and take them
    <out>/nodes.json                          the catalogue
    <out>/workflow.schema.json                the schema of workflow files
    <out>/huggingface/<module>/index.md       one namespace
    <out>/huggingface/<module>/<node>.md      one node, with a drawing beside it (.svg)
    <out>/huggingface/<module>/<node>.webp    the image of its example, made by `images.make`

Files are a function of the registry: the same classes give the same bytes, so a stale page is one
that differs. Images are not: they take models and minutes, and their bytes depend on the machine. A
page shows the one that lies beside it.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core.drawing import node_svg
from nodetool_core.reference import index_pages
from nodetool_core.reference.examples import example
from nodetool_core.reference.names import file_names
from nodetool_core.reference.node_page import node_page
from nodetool_core.reference.related import Relations
from nodetool_core.reference.schema import schema_text
from nodetool_core.reference.site import MARK, MODELS_PAGE, Site, drawing_path, image_path
from nodetool_core.reference.type_page import PATH as TYPES
from nodetool_core.reference.type_page import type_page

if TYPE_CHECKING:
    from nodetool_core.declaration import NodeSpec
    from nodetool_core.node_base import Node
    from nodetool_core.registry import Registry

SCHEMA = "workflow.schema.json"
_GENERATED = ("*.md", "*.svg", "*.webp")


def build(registry: Registry, out: Path, package: str = "") -> list[Path]:
    """
    Write the pages below `out`, such as `docs/nodes`, and delete those of nodes that are gone.

    Return the paths that were written or deleted; a page that is up to date is left alone. Nothing
    is deleted while a module of a pack can't be imported, because its nodes are not gone. With the
    package of a pack, its nodes alone.
    """
    from nodetool_core.assets.files import atomic_write

    wanted = pages(registry, out, package)
    changed = []
    for path, text in wanted.items():
        if _read(out / path) != text:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            atomic_write(out / path, text.encode())
            changed.append(out / path)
    if not registry.problems:
        for left_over in _left_over(out, wanted):
            if _is_generated(left_over):
                left_over.unlink()
                changed.append(left_over)
    return changed


def stale(registry: Registry, out: Path, package: str = "") -> list[str]:
    """
    Return what is not as `build` would write it, a line each.

    Files that differ, are missing or are left over.
    """
    wanted = pages(registry, out, package)
    found = [f"{problem.where}: {problem.message}" for problem in registry.problems]
    for path, text in wanted.items():
        existing = _read(out / path)
        if existing != text:
            found.append(
                f"{out / path}:"
                f" {'is missing' if existing is None else 'differs from what its node declares'}"
            )
    told = {True: "belongs to no node any more", False: "is no generated page"}
    return found + [
        f"{left_over}: {told[_is_generated(left_over)]}" for left_over in _left_over(out, wanted)
    ]


def pages(registry: Registry, out: Path | None = None, package: str = "") -> dict[str, str]:
    """
    Return every file: its path below the folder of all pages, and its text.

    Images that lie in `out` already are shown.
    """
    nodes = documented(registry, package)
    namespaces: dict[str, list[NodeSpec]] = defaultdict(list)
    for node in nodes.values():
        namespaces[node.spec.namespace].append(node.spec)
    paths = page_paths(namespaces)
    has_models = out is not None and (out / MODELS_PAGE).exists()
    site = Site(registry, Relations(nodes.values()), paths, _images(out, paths), has_models)
    written = {paths[node_type]: node_page(node, site) for node_type, node in nodes.items()}
    for node_type, node in nodes.items():
        written[drawing_path(paths[node_type])] = (
            f"{node_svg(node.spec, node.role).rstrip()}\n{MARK}\n"
        )
    for namespace, specs in namespaces.items():
        written[f"{index_pages.folder(namespace)}/{index_pages.INDEX}"] = (
            index_pages.namespace_page(namespace, specs, site)
        )
    written[index_pages.INDEX] = index_pages.index_page(namespaces, site)
    written[index_pages.TAGS] = index_pages.tags_page(namespaces, site)
    written[index_pages.CATALOG] = index_pages.catalog(namespaces, site)
    written[TYPES] = type_page(nodes.values(), site)
    written[SCHEMA] = schema_text(nodes.values(), registry.renamed_types())
    return dict(sorted(written.items()))


def documented(registry: Registry, package: str = "") -> dict[str, type[Node]]:
    """Return the nodes that get pages, by type: all, or those of one pack."""
    return {
        node.spec.node_type: node
        for node in registry
        if not package or f"{node.__module__}.".startswith(f"{package}.")
    }


def page_paths(namespaces: index_pages.Namespaces) -> dict[str, str]:
    """Return where each node's page lies, by type."""
    paths: dict[str, str] = {}
    for namespace, specs in namespaces.items():
        files = file_names(spec.title for spec in specs)
        paths |= {
            spec.node_type: f"{index_pages.folder(namespace)}/{files[spec.title]}" for spec in specs
        }
    return paths


def _images(out: Path | None, paths: dict[str, str]) -> frozenset[str]:
    return frozenset(
        image for page in paths.values() if out and (out / (image := image_path(page))).exists()
    )


def missing_images(registry: Registry, out: Path, package: str = "") -> list[str]:
    """Return which examples give an image that is not there yet, as paths below `out`."""
    nodes = documented(registry, package)
    namespaces: dict[str, list[NodeSpec]] = defaultdict(list)
    for node in nodes.values():
        namespaces[node.spec.namespace].append(node.spec)
    paths = page_paths(namespaces)
    wanted = [paths[name] for name, node in nodes.items() if example(node, registry).gives_image]
    return [image_path(page) for page in wanted if not (out / image_path(page)).exists()]


def _left_over(out: Path, wanted: dict[str, str]) -> list[Path]:
    kept = set(wanted) | {image_path(path) for path in wanted if path.endswith(".md")}
    return sorted(
        path
        for kind in _GENERATED
        for path in out.rglob(kind)
        if path.relative_to(out).as_posix() not in kept
    )


def _is_generated(path: Path) -> bool:
    return path.suffix == ".webp" or MARK in (_read(path) or "")


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
