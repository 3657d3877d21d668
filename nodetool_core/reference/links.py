"""
Check that every link in a folder of Markdown leads to a file, and to a heading in it.

Links outside (with a scheme) are not followed: a check must not depend on somebody else's server.
Anchors are made from headings as GitHub and MkDocs make them; `{#name}` and `id="name"` count as
well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?^ {0,3}\1`*[ \t]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(
    r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|(?:src|href)=\"([^\"]+)\"|^\[[^\]]+\]:\s*(\S+)",
    re.MULTILINE,
)
_HEADING = re.compile(r"^(?:#{1,6})[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)
_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*:|^//")


def broken_links(pages: Iterable[Path]) -> list[str]:
    """Return a line for each link that leads nowhere: `page: target: why`."""
    found: list[str] = []
    for page in sorted(pages):
        targets = links(page.read_text(encoding="utf-8"))
        found += [
            f"{page}: {target}: {reason}" for target in targets if (reason := _reason(page, target))
        ]
    return found


def links(text: str) -> Iterator[str]:
    """Yield the targets of the links of a page that stay on this machine, code left aside."""
    for match in _LINK.finditer(_CODE.sub("", _FENCE.sub("", text))):
        target = next(group for group in match.groups() if group is not None)
        if not _SCHEME.match(target):
            yield target


def _reason(page: Path, target: str) -> str:
    """Return why a link leads nowhere, or an empty string."""
    place, _, anchor = target.partition("#")
    file = page if not place else page.parent / unquote(place)
    if not file.exists():
        return "there is no such file."
    if anchor and file.suffix == ".md" and unquote(anchor) not in anchors(file):
        return f"{file.name} has no heading of that name."
    return ""


@lru_cache(maxsize=1024)
def _anchors(file: Path, changed: int) -> frozenset[str]:
    text = _FENCE.sub("", file.read_text(encoding="utf-8"))
    known: set[str] = set(re.findall(r"(?:\bid|\bname)=\"([^\"]+)\"", text)) | set(
        re.findall(r"\{#([\w-]+)\}", text)
    )
    for heading in _HEADING.findall(text):
        known.add(_numbered(slug(heading), known))
    return frozenset(known)


def anchors(file: Path) -> frozenset[str]:
    """Return the names that a link into a page may use."""
    return _anchors(file, file.stat().st_mtime_ns)


def slug(heading: str) -> str:
    """
    Return a heading's anchor: letters, digits, `_` and `-`, with a `-` for each space.

    Markup left out.
    """
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"\s*\{#[\w-]+\}\s*$", "", heading))
    plain = re.sub(r"\\(.)", r"\1", plain).replace("`", "").replace("*", "")
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def _numbered(name: str, known: set[str]) -> str:
    number, candidate = 0, name
    while candidate in known:
        number += 1
        candidate = f"{name}-{number}"
    return candidate
