"""
Pages, help texts, messages and descriptions use plain words, and the field's.

Only prose is looked at: code, names in backquotes and addresses are left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodetool_core import Registry
from nodetool_core.cli.app import make_app

ROOT = Path(__file__).parents[1]
PACKAGES = ("nodetool_core", "nodes")

INSTEAD = {
    r"anew": "again",
    r"whoever|whatsoever|thereof": "who, the one who",
    r"mend(?:s|ed|ing)?": "fix",
    r"let(?:s|ting)? go of": "release, evict",
    r"tell(?:s|ing)?|told": "report, show, state",
    r"(?:asset|model|own|this|each|that) rooms?|rooms": "module, package",
    r"(?:stands?|stood)(?! out\b)": "is, is written",
    r"hangs? (?:on|upon)": "depends on",
    r"sees to": "handles",
    r"in silence": "without a warning",
    r"(?:is|are) none": "is not one, are not",
    r"go(?:es)? on": "continue",
    r"utiliz\w+|leverag\w+": "use",
    r"simply|easily|obviously|of course": "leave it out",
    r"seamless\w*|powerful|blazing\w*|robust": "say what it does, with the figure",
    r"in order to": "to",
    r"please": "leave it out",
}
"""Words that give way to others, as patterns of whole words, and what is written instead."""

MESSAGES = {"Problem", "NodeError", "ModelError", "ImageError", "say", "warn", "Field", "Option"}
"""Callables whose texts are read by users."""


def pages() -> Iterator[tuple[str, str]]:
    """Yield each paragraph of the pages that are written by hand, without code."""
    paths = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs/guides").glob("*.md"),
    ]
    for path in sorted(paths):
        text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        text = re.sub(r"\]\([^)]*\)|<[^>]+>|“[^”]*”", "]", text)
        for paragraph in text.split("\n\n"):
            yield path.relative_to(ROOT).as_posix(), paragraph


def helps() -> Iterator[tuple[str, str]]:
    """Yield the help of every command and of its options."""
    import typer

    pending: list[tuple[str, Any]] = [("nodetool", typer.main.get_command(make_app()))]
    while pending:
        name, command = pending.pop()
        yield name, command.help or ""
        for parameter in command.params:
            yield f"{name} {parameter.name}", getattr(parameter, "help", None) or ""
        pending += [
            (f"{name} {word}", one) for word, one in getattr(command, "commands", {}).items()
        ]


def messages() -> Iterator[tuple[str, str]]:
    """Yield the texts of problems, warnings and settings in the sources."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for call in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(call, ast.Call):
                    continue
                name = getattr(call.func, "attr", None) or getattr(call.func, "id", "")
                if name in MESSAGES:
                    yield f"{path.relative_to(ROOT)}:{call.lineno}", " ".join(_texts(call))


def _texts(call: ast.Call) -> Iterator[str]:
    """Yield the texts among the arguments, those in f-strings and choices too; no inner calls."""
    pending: list[ast.AST] = [*call.args, *(keyword.value for keyword in call.keywords)]
    while pending:
        part = pending.pop(0)
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, (ast.JoinedStr, ast.BinOp, ast.IfExp)):
            pending = [*ast.iter_child_nodes(part), *pending]


def nodes() -> Iterator[tuple[str, str]]:
    """Yield what the reference shows of each node."""
    for node in Registry.installed():
        spec = node.spec
        texts = [spec.description, *spec.use_cases]
        texts += [prop.description for prop in spec.properties.values()]
        yield spec.node_type, "\n".join(texts)


@pytest.mark.parametrize("texts", [pages, helps, messages, nodes], ids=lambda one: one.__name__)
def test_words_that_give_way_to_others_are_not_used(texts: Any) -> None:
    pattern = re.compile(
        "|".join(f"(?P<w{index}>\\b(?:{word})\\b)" for index, word in enumerate(INSTEAD)),
        re.IGNORECASE,
    )
    instead = list(INSTEAD.values())
    found = [
        f"{place}: “{match[0]}” ({instead[int(match.lastgroup[1:])]}): "
        + " ".join(text[max(0, match.start() - 40) : match.end() + 40].split())
        for place, text in texts()
        for match in pattern.finditer(re.sub(r"`[^`]*`", "``", text))
        if match.lastgroup
    ]
    assert found == [], "\n".join(found)
