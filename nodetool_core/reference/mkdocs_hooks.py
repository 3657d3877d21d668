"""
Hooks of MkDocs.

The node reference comes into the navigation, a section per namespace, without a list that anybody
keeps by hand. Pages of the documentation folder that the navigation does not name are added to the
guides, so that a new page is never lost. In fences, the reason why a block is not run (`no-run: …`)
is for the tests, and is taken out. Names in tables and headings may break between their parts, so
that they fit. The images beside the workflows come into the site with the gallery, which shows
them. At the foot of each page is the version, which leads to the changelog. Generated pages have no
link to edit them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_NODES = "Nodes"
_GUIDES = "Guides"
_FIRST = ("index.md", "tags.md", "types.md")
_GALLERY = "gallery/"
_WORKFLOWS = "graphs"
_GENERATED = ("nodes/", _GALLERY, "troubleshooting.md", "models.md")
_NARROW = re.compile(r"<(t[hd]|h[1-6])\b.*?</\1>", re.DOTALL)
_JOINT = re.compile(r"(?:(?<=[A-Za-z][._/=(\[])(?=\w)|(?<=[a-z])(?=[A-Z]))(?=[^<>]*<)")
"""Between two parts of a name, in a text and not in a tag."""
_NOT_RUN = re.compile(r"^([ \t]*`{3,}\w+[^\n`]*?)[ \t]+no-run:[^\n]*$", re.MULTILINE)


def on_config(config: Any) -> object:
    """Complete the configuration; MkDocs calls this when it has read it."""
    if not config["repo_url"]:
        config["edit_uri"] = None
    docs = Path(config["docs_dir"])
    named = set(_named(config["nav"]))
    for entry in config["nav"]:
        if _NODES in entry:
            entry[_NODES] = _node_sections(docs)
        if _GUIDES in entry:
            entry[_GUIDES] += [path for path in _own_pages(docs) if path not in named]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the images beside the workflows; MkDocs calls this when it has found its own files."""
    from mkdocs.structure.files import File

    for path in sorted((Path(config["docs_dir"]).parent / _WORKFLOWS).glob("*.webp")):
        files.append(File.generated(config, f"{_GALLERY}{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Return the text of a page; MkDocs calls this for each."""
    if page.file.src_uri.startswith(_GALLERY):
        markdown = markdown.replace(f"](../../{_WORKFLOWS}/", "](")
    return _NOT_RUN.sub(r"\1", markdown)


def on_page_content(html: str, **_: object) -> str:
    """Return the HTML of a page; MkDocs calls this for each."""
    return _NARROW.sub(lambda part: _JOINT.sub("<wbr>", part[0]), html)


def on_page_context(context: Any, page: Any, config: Any, nav: object) -> object:
    """Return what a page is rendered with; MkDocs calls this for each."""
    from mkdocs.utils import get_relative_url

    from nodetool_core import DISTRIBUTION, __version__

    address = get_relative_url("changelog/", page.url)
    config["copyright"] = f'{DISTRIBUTION} <a href="{address}">{__version__}</a>'
    if page.file.src_uri.startswith(_GENERATED):
        page.edit_url = None
    return context


def _named(nav: Any) -> list[str]:
    """Return every path that a navigation names."""
    if isinstance(nav, str):
        return [nav]
    items = nav.values() if isinstance(nav, dict) else nav
    return [path for item in items for path in _named(item)]


def _own_pages(docs: Path) -> list[str]:
    """Pages by hand at the top and in the guides."""
    return [
        path.relative_to(docs).as_posix()
        for folder in (docs, docs / "guides")
        for path in sorted(folder.glob("*.md"))
    ]


def _node_sections(docs: Path) -> list[object]:
    nodes = docs / "nodes"
    sections: list[object] = [f"nodes/{name}" for name in _FIRST if (nodes / name).exists()]
    for index in sorted(nodes.rglob("index.md")):
        if index.parent != nodes:
            namespace = ".".join(index.parent.relative_to(nodes).parts)
            pages = sorted(page for page in index.parent.glob("*.md") if page != index)
            sections.append(
                {namespace: [path.relative_to(docs).as_posix() for path in (index, *pages)]}
            )
    return sections
