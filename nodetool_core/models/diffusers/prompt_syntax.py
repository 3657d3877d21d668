"""
Prompts with weights, in the syntax of the AUTOMATIC1111 web UI, which ComfyUI reads as well.

    (a lake)        1.1 times as much         (a lake:1.3)    1.3 times as much
    [a lake]        1.1 times less            ((a lake))      1.1 · 1.1 times as much
    BREAK           begins a new section, which is read by itself
    \\( \\) \\[ \\]     brackets that are text
    embedding:name  an embedding (textual inversion)

A bracket that is not closed reaches to the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

STEP: Final = 1.1
"""By how much a pair of brackets without a number weighs."""

_LIMIT: Final = 10.0
"""Greatest weight, and least below 0: beyond it images are noise."""

_SHOWN: Final = 60

_BREAK = re.compile(r"\s*\bBREAK\b\s*")
_TOKEN = re.compile(
    r"\\(?P<escaped>[()\[\]\\])|(?P<open>[(\[])|:\s*(?P<weight>[+-]?\d*\.?\d+)\s*\)"
    r"|(?P<close>[)\]])|(?P<text>[^\\()\[\]:]+|[:\\])"
)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a prompt that has one weight."""

    text: str
    weight: float = 1.0


Section = tuple[Fragment, ...]


class PromptError(ValueError):
    """A prompt that can't be read; the message says why."""


def parse(text: str) -> tuple[Section, ...]:
    """
    Return the sections of a prompt, each in fragments of one weight.

    Raises PromptError for weights beyond 10 or below -10.
    """
    return tuple(_fragments(section) for section in _BREAK.split(text))


def shown(sections: tuple[Section, ...]) -> str:
    """Return how a prompt was read, in one line."""
    return " BREAK ".join(
        " ".join(
            one.text.strip() if one.weight == 1 else f"({one.text.strip()}:{one.weight:.4g})"
            for one in section
        )
        for section in sections
    )


def _fragments(text: str) -> Section:
    found: list[Fragment] = []
    opened: list[tuple[str, int]] = []
    """Brackets that are open, and how many fragments were before each."""
    for token in _TOKEN.finditer(text):
        bracket = token["open"]
        if bracket:
            opened.append((bracket, len(found)))
        elif token["weight"] and opened and opened[-1][0] == "(":
            _weigh(found, opened.pop()[1], float(token["weight"]))
        elif token["close"] and opened and opened[-1][0] == {")": "(", "]": "["}[token["close"]]:
            kind, start = opened.pop()
            _weigh(found, start, STEP if kind == "(" else 1 / STEP)
        else:
            found.append(Fragment(token["escaped"] or token[0]))
    for kind, start in reversed(opened):
        _weigh(found, start, STEP if kind == "(" else 1 / STEP)
    return _joined(found)


def _weigh(fragments: list[Fragment], start: int, weight: float) -> None:
    for place in range(start, len(fragments)):
        one = fragments[place]
        made = one.weight * weight
        if abs(made) > _LIMIT:
            message = f"weighs {one.text.strip()[:_SHOWN]!r} by {made:.4g}"
            raise PromptError(f"{message}; weights go from -{_LIMIT:g} to {_LIMIT:g}")
        fragments[place] = Fragment(one.text, made)


def _joined(fragments: list[Fragment]) -> Section:
    """Return fragments so that no two of one weight are side by side."""
    made: list[Fragment] = []
    for one in fragments:
        if made and made[-1].weight == one.weight:
            made[-1] = Fragment(made[-1].text + one.text, one.weight)
        else:
            made.append(one)
    return tuple(made)
