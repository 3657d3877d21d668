"""
What error codes mean: one table beside this file, shown by `nodetool docs explain` and as a page.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from nodetool_core.reference import markdown
from nodetool_core.reference.site import MARK

PAGE = "troubleshooting.md"

_SECTIONS = {
    "workflow": "Workflow files",
    "values": "Values",
    "images": "Images",
    "files": "Files, batches and results",
    "models": "Models",
    "run": "Runs",
    "packs": "Packs and node classes",
    "services": "Hosted services",
    "import": "Files of other tools",
    "server": "The server",
    "jobs": "Jobs and workers",
    "doctor": "The installation",
}


@dataclass(frozen=True)
class Explanation:
    """What an error code means, and what to do about it."""

    code: str
    means: str
    do: str

    def __str__(self) -> str:
        return f"{self.code}: {self.means}\n  {self.do}"


@cache
def _table() -> dict[str, dict[str, Explanation]]:
    text = files(__package__).joinpath("troubleshooting.toml").read_text(encoding="utf-8")
    return {
        section: {code: Explanation(code, **entry) for code, entry in found.items()}
        for section, found in tomllib.loads(text).items()
    }


def explanations() -> dict[str, Explanation]:
    """Return every explanation, by code."""
    return {code: entry for section in _table().values() for code, entry in section.items()}


def sections() -> dict[str, list[Explanation]]:
    """Return the explanations in the sections of the page, each sorted by code."""
    table = _table()
    return {
        title: [entry for _, entry in sorted(table[section].items())]
        for section, title in _SECTIONS.items()
        if section in table
    }


def explained(codes: Iterable[str]) -> list[str]:
    """Return those of the codes that there is an explanation for, each once."""
    known = explanations()
    return [code for code in dict.fromkeys(codes) if code in known]


def troubleshooting_page() -> str:
    """Return the page of all codes."""
    parts = [
        # The codes have the words of all subjects; the pages about these come first in a search.
        "---\nsearch:\n  boost: 0.5\n---",
        "# Troubleshooting",
        (
            "An error names a place, what was found, what was expected, and what to do. The word in"
            " brackets is its code, which programs find as `code` in JSON. `nodetool docs explain"
            " CODE` prints the entry of a code; `nodetool doctor` looks at the installation itself."
        ),
    ]
    for title, entries in sections().items():
        parts.append(f"## {title}")
        for entry in entries:
            parts += [
                f"### {markdown.code(entry.code)}",
                entry.means,
                f"**What to do:** {entry.do}",
            ]
    return (
        "\n\n".join(
            [
                *parts,
                MARK.replace(
                    "the node's class. Edits are lost: change the class",
                    "troubleshooting.toml. Edits are lost",
                ),
            ]
        )
        + "\n"
    )
