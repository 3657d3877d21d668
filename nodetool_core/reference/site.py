"""What the pages of a reference know of each other."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodetool_core.reference import markdown
from nodetool_core.reference.names import heading

if TYPE_CHECKING:
    from nodetool_core.declaration import NodeSpec
    from nodetool_core.reference.related import Relations
    from nodetool_core.registry import Registry

MARK = (
    "<!-- Written by `nodetool docs build` from the node's class. Edits are lost: change the"
    " class. -->"
)
"""Stands at the end of every generated page and drawing; what lacks it is never deleted."""

MODELS_PAGE = "../models.md"
"""Where the table of models and the properties they honour lies, from the folder of all pages."""


@dataclass(frozen=True)
class Site:
    """One reference: its nodes, where each one's page lies, and what lies beside the pages."""

    registry: Registry
    relations: Relations
    paths: Mapping[str, str]
    """Path of each node's page, by type, from the folder of all pages."""
    images: frozenset[str] = frozenset()
    """Paths of the images of examples, as far as they have been made."""
    has_models_page: bool = False

    @property
    def mark(self) -> str:
        return MARK

    def link(self, source: str, target: str) -> str:
        """Return the way from one page to another."""
        return posixpath.relpath(target, posixpath.dirname(source) or ".")

    def to_node(self, spec: NodeSpec, source: str) -> str:
        """Return a link from a page to a node's."""
        return markdown.link(heading(spec.title), self.link(source, self.paths[spec.node_type]))


def drawing_path(page: str) -> str:
    """Return where the drawing of a node lies, beside its page."""
    return f"{page.removesuffix('.md')}.svg"


def image_path(page: str) -> str:
    """Return where the image of a node's example lies, beside its page."""
    return f"{page.removesuffix('.md')}.webp"


def summary(spec: NodeSpec) -> str:
    """Return the first sentence of a node's description."""
    import re

    text = " ".join(spec.description.split())
    end = re.search(r"[.!?](?=\s|$)", text)
    return text[: end.end()] if end else text


def catalog_entry(spec: NodeSpec, path: str) -> dict[str, object]:
    """Return a node in the catalogue that the search of the index page and other programs read."""
    from nodetool_core.types import type_name

    return {
        "type": spec.node_type,
        "title": heading(spec.title),
        "namespace": spec.namespace,
        "page": path,
        "summary": summary(spec),
        "tags": list(spec.tags),
        "synonyms": list(spec.synonyms),
        "use_cases": list(spec.use_cases),
        "properties": {prop.name: type_name(prop.annotation) for prop in spec.properties.values()},
        "outputs": {output.name: type_name(output.annotation) for output in spec.outputs.values()},
    }
