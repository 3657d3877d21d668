"""
Prompts that change while an image is made, in the syntax of the AUTOMATIC1111 web UI.

    [lake:hill:0.5]    a lake for half of the steps, then a hill
    [lake:hill:8]      a lake for 8 steps, then a hill
    [lake:0.5]         nothing, then a lake          [lake::0.5]    a lake, then nothing
    [lake|hill]        a lake and a hill by turns, step by step

A number with a point is a share of the steps, a whole one is a number of steps. Other brackets are
left as they are: they are weights, which `prompt_syntax` reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Union

from nodetool_core.models.diffusers.prompt_syntax import PromptError

_DEEPEST: Final = 20
"""Changes that stand in one another at most."""

_TOKEN = re.compile(r"\\.|[\[\](){}:|]|[^\\\[\](){}:|]+|\\", re.DOTALL)
_NUMBER = re.compile(r"\s*(\d*\.\d+|\d+\.?)\s*")


@dataclass(frozen=True, slots=True)
class Change:
    """A place in a prompt whose text depends on the step."""

    options: tuple[Parts, ...]
    when: str
    """When the second follows the first; empty where all follow one another by turns."""

    def at(self, step: int, total: int) -> Parts:
        """Return what stands there in a step of so many, counted from 0."""
        if not self.when:
            return self.options[step % len(self.options)]
        number = float(self.when)
        ends = int(number * total) if "." in self.when else int(number)
        return self.options[0 if step < ends else 1]


Parts = tuple[Union[str, Change], ...]  # noqa: UP007 - Change is a name that is not there yet
"""A prompt: texts, and places that change."""


@dataclass(slots=True)
class _Frame:
    """A bracket that is open, with what stands in it so far."""

    bracket: str
    pieces: list[list[str | Change]] = field(default_factory=lambda: [[]])
    separators: list[str] = field(default_factory=list)
    depth: int = 0
    """How deep changes stand in one another in it."""

    def add(self, parts: Parts, depth: int = 0) -> None:
        piece = self.pieces[-1]
        for part in parts:
            if isinstance(part, str) and piece and isinstance(piece[-1], str):
                piece[-1] += part
            else:
                piece.append(part)
        self.depth = max(self.depth, depth)

    def as_text(self, closing: str = "") -> Parts:
        """Return it with its bracket as text."""
        made: list[str | Change] = [self.bracket, *self.pieces[0]]
        for separator, piece in zip(self.separators, self.pieces[1:], strict=True):
            made += [separator, *piece]
        return (*made, closing)

    def as_change(self) -> Change | None:
        """Return what changes; None where the bracket is a weight or a text."""
        options = tuple(tuple(piece) for piece in self.pieces)
        kinds = set(self.separators)
        if kinds == {"|"}:
            return Change(options, "")
        number = _NUMBER.fullmatch("".join(map(str, options[-1])))
        if kinds != {":"} or len(options) > 3 or number is None:
            return None
        return Change(((), *options[:-1])[-2:], number[1])


def parse_changes(text: str) -> Parts:
    """
    Return a prompt with the places that change.

    Raises PromptError where more than 20 stand in one another.
    """
    stack = [_Frame("")]
    for token in _TOKEN.findall(text):
        top = stack[-1]
        if token in "[(":
            stack.append(_Frame(token))
        elif token in ":|" and top.bracket == "[":
            top.separators.append(token)
            top.pieces.append([])
        elif (token, top.bracket) in (("]", "["), (")", "(")):
            stack.pop()
            change = top.as_change() if token == "]" else None
            if change is None:
                stack[-1].add(top.as_text(token), top.depth)
            elif top.depth >= _DEEPEST:
                raise PromptError(f"has more than {_DEEPEST} changes in one another")
            else:
                stack[-1].add((change,), top.depth + 1)
        else:
            top.add((token,))
    while len(stack) > 1:
        top = stack.pop()
        stack[-1].add(top.as_text(), top.depth)
    return tuple(stack[0].pieces[0])


def text_at(parts: Parts, step: int, total: int) -> str:
    """Return the text of a prompt in a step of so many, counted from 0."""
    return "".join(
        part if isinstance(part, str) else text_at(part.at(step, total), step, total)
        for part in parts
    )


def texts_of_steps(text: str, total: int) -> list[str]:
    """
    Return the text of a prompt for each of so many steps.

    Raises PromptError where it can't be read.
    """
    parts = parse_changes(text)
    return [text_at(parts, step, total) for step in range(total)]
