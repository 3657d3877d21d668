"""The few forms of Markdown that pages are made of, with their escapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\*\[\]<>`|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
"""What Markdown reads as markup; an underscore inside a word is none."""


def text(content: str) -> str:
    """Plain text on one line, with nothing in it read as markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(content.split()))


def prose(content: str) -> str:
    """
    Text whose author may write `code` and emphasis, as docstrings do.

    Only what breaks a table or a page is escaped.
    """
    return " ".join(content.split()).replace("|", r"\|").replace("<", "&lt;")


def code(content: str) -> str:
    """Return a code span of any content, for use in a table as well."""
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if content.startswith("`") or content.endswith("`") or not content.strip() else ""
    return f"{fence}{pad}{content}{pad}{fence}".replace("|", r"\|")


def link(label: str, target: str) -> str:
    return f"[{label}]({target})"


def image(label: str, target: str) -> str:
    return f"![{label}]({target})"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["-" * max(3, len(name)) for name in header], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def block(language: str, content: str) -> str:
    """Return a fenced block of code."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", content)), 3)
    return f"{fence}{language}\n{content.rstrip()}\n{fence}"


def front_matter(**values: str) -> str:
    """
    Return the YAML head of a page; texts are quoted as JSON texts are, which YAML reads the same.
    """
    import json

    lines = [
        f"{name}: {value if name == 'layout' else json.dumps(value, ensure_ascii=False)}"
        for name, value in values.items()
    ]
    return "\n".join(["---", *lines, "---"])
