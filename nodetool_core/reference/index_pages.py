"""
The pages that lead to nodes.

An index of all, one per namespace, one by tag and use case, and the catalogue as JSON.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping

from nodetool_core.declaration import NodeSpec
from nodetool_core.reference import markdown
from nodetool_core.reference.site import MARK, Site, catalog_entry, summary

INDEX = "index.md"
TAGS = "tags.md"
CATALOG = "nodes.json"

Namespaces = Mapping[str, list[NodeSpec]]


def folder(namespace: str) -> str:
    """Return where the pages of a namespace lie."""
    return namespace.replace(".", "/")


def namespace_page(namespace: str, specs: list[NodeSpec], site: Site) -> str:
    """Return the index of one namespace."""
    path = f"{folder(namespace)}/{INDEX}"
    parts = [
        markdown.front_matter(layout="page", title=namespace, namespace=namespace),
        f"# {markdown.text(namespace)}",
        _listing(specs, path, site),
        f"All nodes: {markdown.link('node reference', site.link(path, INDEX))}.",
        MARK,
    ]
    return "\n\n".join(parts) + "\n"


def index_page(namespaces: Namespaces, site: Site) -> str:
    """
    Return the index of all nodes, by namespace.

    On a site, a search stands in the element `node-search`.
    """
    count = sum(map(len, namespaces.values()))
    ways = [markdown.link("by tag and use case", TAGS), markdown.link("by type", "types.md")]
    parts = [
        markdown.front_matter(layout="page", title="Node reference"),
        "# Node reference",
        (
            f"{_counted(count, 'node')} in {_counted(len(namespaces), 'namespace')}. Besides this"
            f" list there are others: {' and '.join(ways)}. On the command line, `nodetool nodes"
            " list sharpen` searches types, descriptions, tags and use cases; programs read"
            f" {markdown.link('nodes.json', CATALOG)}."
        ),
        f'<div id="node-search" data-catalog="{CATALOG}"></div>',
        " · ".join(
            markdown.link(markdown.text(name), f"{folder(name)}/{INDEX}") + f" {len(specs)}"
            for name, specs in sorted(namespaces.items())
        ),
    ]
    for namespace, specs in sorted(namespaces.items()):
        parts.append(
            f"## {markdown.link(markdown.text(namespace), f'{folder(namespace)}/{INDEX}')}"
        )
        parts.append(_listing(specs, INDEX, site))
    return "\n\n".join([*parts, MARK]) + "\n"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def tags_page(namespaces: Namespaces, site: Site) -> str:
    """Return every tag with its nodes, and every use case with the node that serves it."""
    specs = [spec for found in namespaces.values() for spec in found]
    parts = [
        markdown.front_matter(layout="page", title="Tags and use cases"),
        "# Tags and use cases",
        f"All nodes: {markdown.link('node reference', INDEX)}.",
        "## Use cases",
        _use_cases(specs, site),
        "## Tags",
        _tags(specs, site),
        MARK,
    ]
    return "\n\n".join(parts) + "\n"


def catalog(namespaces: Namespaces, site: Site) -> str:
    """Return what the index knows, as JSON: a list of nodes, by type."""
    specs = sorted(
        (spec for found in namespaces.values() for spec in found), key=lambda spec: spec.node_type
    )
    lines = [
        json.dumps(catalog_entry(spec, site.paths[spec.node_type]), ensure_ascii=False)
        for spec in specs
    ]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _listing(specs: Iterable[NodeSpec], path: str, site: Site) -> str:
    rows = [
        [site.to_node(spec, path), markdown.prose(summary(spec))]
        for spec in sorted(specs, key=lambda spec: spec.title)
    ]
    return markdown.table(["Node", "What it does"], rows)


def _tags(specs: Iterable[NodeSpec], site: Site) -> str:
    by_tag: dict[str, list[NodeSpec]] = defaultdict(list)
    for spec in specs:
        for tag in set(spec.tags):
            by_tag[tag].append(spec)
    lines = []
    for tag, found in sorted(by_tag.items(), key=lambda entry: (entry[0].lower(), entry[0])):
        links = ", ".join(
            site.to_node(spec, TAGS)
            for spec in sorted(found, key=lambda spec: (spec.title, spec.node_type))
        )
        lines.append(f"- **{markdown.text(tag)}:** {links}")
    return "\n".join(lines)


def _use_cases(specs: Iterable[NodeSpec], site: Site) -> str:
    rows = sorted(
        (case.lower(), spec.node_type, case, spec) for spec in specs for case in spec.use_cases
    )
    return "\n".join(
        f"- {markdown.prose(case)}: {site.to_node(spec, TAGS)}" for _, _, case, spec in rows
    )
