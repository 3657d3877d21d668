"""
All pages of the node reference: one per node, an index per namespace, and one index of all.

    <out>/index.md                                      all nodes
    <out>/huggingface/image_to_image/index.md           one namespace
    <out>/huggingface/image_to_image/image_to_image.md  one node

Pages are a function of the registry: the same classes give the same bytes, so a stale page is one that differs.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core.reference import markdown
from nodetool_core.reference.names import file_names, heading
from nodetool_core.reference.node_page import MARK, Site, node_page
from nodetool_core.reference.related import Relations

if TYPE_CHECKING:
    from nodetool_core.declaration import NodeSpec
    from nodetool_core.registry import Registry


def build(registry: Registry, out: Path) -> list[Path]:
    """
    Write the pages below `out` (such as `docs/nodes`) and delete generated pages of nodes that are gone.

    Gives the paths that were written or deleted; a page that is up to date is left alone. Nothing is deleted while a module
    of a pack can't be imported, because its nodes are not gone.
    """
    from nodetool_core.assets.files import atomic_write

    wanted = pages(registry)
    changed = []
    for path, text in wanted.items():
        if _read(out / path) != text:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            atomic_write(out / path, text.encode())
            changed.append(out / path)
    if not registry.problems:
        for left_over in _left_over(out, wanted):
            if MARK in (_read(left_over) or ""):
                left_over.unlink()
                changed.append(left_over)
    return changed


def stale(registry: Registry, out: Path) -> list[str]:
    """What is not as `build` would write it, a line each: pages that differ, are missing or are left over."""
    wanted = pages(registry)
    found = [f"{problem.where}: {problem.message}" for problem in registry.problems]
    for path, text in wanted.items():
        existing = _read(out / path)
        if existing != text:
            found.append(f"{out / path}: {'is missing' if existing is None else 'differs from what its node declares'}")
    for left_over in _left_over(out, wanted):
        known = MARK in (_read(left_over) or "")
        found.append(f"{left_over}: {'belongs to no node any more' if known else 'is no generated page'}")
    return found


def pages(registry: Registry) -> dict[str, str]:
    """Every page: its path below the folder of all pages, and its text."""
    nodes = {node.spec.node_type: node for node in registry}
    namespaces: dict[str, list[NodeSpec]] = defaultdict(list)
    for node in nodes.values():
        namespaces[node.spec.namespace].append(node.spec)
    paths: dict[str, str] = {}
    for namespace, specs in namespaces.items():
        files = file_names(spec.title for spec in specs)
        paths |= {spec.node_type: f"{_folder(namespace)}/{files[spec.title]}" for spec in specs}
    site = Site(registry, Relations(nodes.values()), paths)
    written = {paths[node_type]: node_page(node, site) for node_type, node in nodes.items()}
    for namespace, specs in namespaces.items():
        written[f"{_folder(namespace)}/index.md"] = _namespace_page(namespace, specs, site)
    written["index.md"] = _index_page(namespaces, site)
    return dict(sorted(written.items()))


def _folder(namespace: str) -> str:
    return namespace.replace(".", "/")


def _namespace_page(namespace: str, specs: list[NodeSpec], site: Site) -> str:
    path = f"{_folder(namespace)}/index.md"
    parts = [
        markdown.front_matter(layout="page", title=namespace, namespace=namespace),
        f"# {markdown.text(namespace)}",
        _listing(specs, path, site),
        f"All nodes: {markdown.link('node reference', site.link(path, 'index.md'))}.",
        MARK,
    ]
    return "\n\n".join(parts) + "\n"


def _index_page(namespaces: dict[str, list[NodeSpec]], site: Site) -> str:
    count = sum(map(len, namespaces.values()))
    parts = [
        markdown.front_matter(layout="page", title="Node reference"),
        "# Node reference",
        f"{count} nodes in {len(namespaces)} namespaces, by namespace and {markdown.link('by tag', '#tags')}.",
    ]
    for namespace, specs in sorted(namespaces.items()):
        parts.append(f"## {markdown.link(markdown.text(namespace), f'{_folder(namespace)}/index.md')}")
        parts.append(_listing(specs, "index.md", site))
    parts += ["## Tags", _tags(namespaces.values(), site), MARK]
    return "\n\n".join(parts) + "\n"


def _listing(specs: Iterable[NodeSpec], path: str, site: Site) -> str:
    rows = [[_link(spec, path, site), markdown.prose(_summary(spec))] for spec in sorted(specs, key=lambda spec: spec.title)]
    return markdown.table(["Node", "What it does"], rows)


def _link(spec: NodeSpec, path: str, site: Site) -> str:
    return markdown.link(heading(spec.title), site.link(path, site.paths[spec.node_type]))


def _summary(spec: NodeSpec) -> str:
    """The first sentence of the description."""
    text = " ".join(spec.description.split())
    end = re.search(r"[.!?](?=\s|$)", text)
    return text[: end.end()] if end else text


def _tags(groups: Iterable[list[NodeSpec]], site: Site) -> str:
    by_tag: dict[str, list[NodeSpec]] = defaultdict(list)
    for specs in groups:
        for spec in specs:
            for tag in set(spec.tags):
                by_tag[tag].append(spec)
    lines = []
    for tag, specs in sorted(by_tag.items(), key=lambda entry: entry[0].lower()):
        links = ", ".join(_link(spec, "index.md", site) for spec in sorted(specs, key=lambda spec: (spec.title, spec.node_type)))
        lines.append(f"- **{markdown.text(tag)}:** {links}")
    return "\n".join(lines)


def _left_over(out: Path, wanted: dict[str, str]) -> list[Path]:
    return sorted(path for path in out.rglob("*.md") if path.relative_to(out).as_posix() not in wanted)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
