"""
`llms.txt`: the site for language models, one line per page, in the form of llmstxt.org.

Made from the pages themselves: the title of each, and the first sentence that it begins with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from nodetool_core.node_base import Node

PAGE = "llms.txt"

_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")
_NOT_TEXT = ("#", "|", "```", "<", "!", "- ", ">", "1.")


def llms_text(docs: Path, nodes: Iterable[type[Node]], generated: Iterable[str]) -> str:
    """
    Return the file for a folder of pages.

    Args:
        generated: Names of pages at the top of the folder that are generated.
    """
    index = (docs / "index.md").read_text(encoding="utf-8")
    lines = [f"# {_title(index)}", "", f"> {first_paragraph(index)}", ""]
    pages = {path.name for path in docs.glob("*.md")} | set(generated)
    guides = sorted((docs / "guides").glob("*.md"))
    lines += ["## Guides", "", *(_line(docs, path) for path in guides if path.stem != "index"), ""]
    lines += [
        "## Reference",
        "",
        *(_line(docs, docs / name) for name in sorted(pages) if name != "index.md"),
        "",
        "## Nodes",
        "",
        *(
            f"- `{node.spec.node_type}`: {_first_sentence(node.spec.description)}"
            for node in sorted(nodes, key=lambda node: node.spec.node_type)
        ),
    ]
    return "\n".join(lines) + "\n"


def _line(docs: Path, path: Path) -> str:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    address = path.relative_to(docs).with_suffix("").as_posix()
    return f"- [{_title(text) or path.stem}]({address}/): {_first_sentence(first_paragraph(text))}"


def _title(text: str) -> str:
    found = _TITLE.search(text)
    return found[1] if found else ""


def first_paragraph(text: str) -> str:
    """Return the first paragraph of a page that is text, without links; empty where none is."""
    for block in _FRONT_MATTER.sub("", text).split("\n\n"):
        if block.strip() and not block.lstrip().startswith(_NOT_TEXT):
            return _LINK.sub(r"\1", " ".join(block.split()))
    return ""


def _first_sentence(text: str) -> str:
    return _SENTENCE_END.split(" ".join(text.split()), maxsplit=1)[0].rstrip(":")
