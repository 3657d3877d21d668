"""
Regular expressions of Python's `re`, written so that the package `regex` searches for the same.

`re` reads the pattern, and what it read is written out again with what the two understand
differently spelled out: `\\s`, `\\w` and `\\b` by their characters, sets without classes of POSIX,
and every character by itself, so that nothing else has a meaning.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

_SPACE: Final = r"\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What `str.isspace` says of characters."""
_WORD: Final = r"\p{L}\p{N}_"
"""What `str.isalnum` says, and the underscore."""
_SETS: Final[Mapping[bool, tuple[str, str, str]]] = {
    False: (r"\p{Nd}", _SPACE, _WORD),
    True: ("0-9", r"\t-\r ", "a-zA-Z0-9_"),
}
"""Digits, spaces and letters, by whether only ASCII counts."""
_KEPT_FLAGS: Final = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.ASCII
_LETTERS: Final = {
    re.IGNORECASE: "i",
    re.MULTILINE: "m",
    re.DOTALL: "s",
    re.ASCII: "a",
    re.UNICODE: "u",
}


def translated(pattern: str, flags: int) -> tuple[str, int]:
    """
    Return the pattern and flags with which `regex` matches what `re` matches with these.

    Raises re.error where `re` can't read the pattern.
    """
    # Some of what `re` refuses, such as looking behind by a varying length, it only finds when it
    # compiles.
    re.compile(pattern, flags)
    read = parser.parse(pattern, flags)
    found = int(read.state.flags)
    names = {number: name for name, number in read.state.groupdict.items()}
    return _Writer(names).sequence(read, bool(found & re.ASCII)), found & _KEPT_FLAGS


class _Writer:
    """Writes what `re` has read."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self._forms: dict[Any, Callable[[Any, bool], str]] = {
            ops.LITERAL: lambda code, _: _literal(code),
            ops.NOT_LITERAL: lambda code, _: f"[^{_literal(code)}]",
            ops.ANY: lambda *_: ".",
            ops.IN: _set,
            ops.AT: _place,
            ops.BRANCH: lambda parts, ascii_: (
                f"(?:{'|'.join(self.sequence(part, ascii_) for part in parts[1])})"
            ),
            ops.SUBPATTERN: self._group,
            ops.ATOMIC_GROUP: lambda part, ascii_: f"(?>{self.sequence(part, ascii_)})",
            ops.MAX_REPEAT: lambda parts, ascii_: self._repeat(parts, ascii_, ""),
            ops.MIN_REPEAT: lambda parts, ascii_: self._repeat(parts, ascii_, "?"),
            ops.POSSESSIVE_REPEAT: lambda parts, ascii_: self._repeat(parts, ascii_, "+"),
            ops.GROUPREF: lambda number, _: f"(?:\\{number})" if number < 100 else f"\\g<{number}>",
            ops.GROUPREF_EXISTS: self._choice,
            ops.ASSERT: lambda parts, ascii_: (
                f"(?{'=' if parts[0] > 0 else '<='}{self.sequence(parts[1], ascii_)})"
            ),
            ops.ASSERT_NOT: lambda parts, ascii_: (
                f"(?{'!' if parts[0] > 0 else '<!'}{self.sequence(parts[1], ascii_)})"
            ),
            ops.FAILURE: lambda *_: "(?!)",
        }

    def sequence(self, parts: Iterable[tuple[Any, Any]], ascii_: bool) -> str:
        return "".join(self._forms[kind](content, ascii_) for kind, content in parts)

    def _group(self, content: Any, ascii_: bool) -> str:
        number, added, removed, part = content
        if added & (re.ASCII | re.UNICODE):
            ascii_ = bool(added & re.ASCII)
        inner = self.sequence(part, ascii_)
        if number is not None:
            return f"(?P<{self._names[number]}>{inner})" if number in self._names else f"({inner})"
        on, off = (
            _letters(flags & (re.IGNORECASE | re.MULTILINE | re.DOTALL))
            for flags in (added, removed)
        )
        return f"(?{on}{'-' + off if off else ''}:{inner})"

    def _repeat(self, content: Any, ascii_: bool, kind: str) -> str:
        least, most, part = content
        end = "" if most == ops.MAXREPEAT else int(most)
        return f"(?:{self.sequence(part, ascii_)}){{{int(least)},{end}}}{kind}"

    def _choice(self, content: Any, ascii_: bool) -> str:
        number, yes, no = content
        otherwise = f"|{self.sequence(no, ascii_)}" if no else ""
        return f"(?({number}){self.sequence(yes, ascii_)}{otherwise})"


def _letters(flags: int) -> str:
    return "".join(letter for flag, letter in _LETTERS.items() if flags & flag)


def _literal(code: int) -> str:
    return chr(code) if chr(code).isalnum() and code < 128 else f"\\U{code:08x}"


def _set(items: Any, ascii_: bool) -> str:
    """
    Return a set of characters.

    What is in it as the opposite of a class is a set beside it, for a set can't hold one.
    """
    digit, space, word = _SETS[ascii_]
    classes = {ops.CATEGORY_DIGIT: digit, ops.CATEGORY_SPACE: space, ops.CATEGORY_WORD: word}
    opposites = {
        ops.CATEGORY_NOT_DIGIT: digit,
        ops.CATEGORY_NOT_SPACE: space,
        ops.CATEGORY_NOT_WORD: word,
    }
    inside, beside, is_negated = "", [], False
    for kind, content in items:
        if kind is ops.NEGATE:
            is_negated = True
        elif kind is ops.LITERAL:
            inside += _literal(content)
        elif kind is ops.RANGE:
            inside += f"{_literal(content[0])}-{_literal(content[1])}"
        elif content in classes:
            inside += classes[content]
        else:
            beside.append(f"[^{opposites[content]}]")
    if not beside:
        return f"[{'^' if is_negated else ''}{inside}]"
    either = "|".join([*beside, f"[{inside}]"] if inside else beside)
    return f"(?:(?!{either})(?s:.))" if is_negated else f"(?:{either})"


def _place(kind: Any, ascii_: bool) -> str:
    """Return a place between characters."""
    word = f"[{_SETS[ascii_][2]}]"
    edge = f"(?:(?<={word})(?!{word})|(?<!{word})(?={word}))"
    # Before Python 3.14, an empty text had no place that is no edge of a word.
    nowhere = "" if sys.version_info >= (3, 14) else r"(?!\A\Z)"
    inside = f"(?:(?<={word})(?={word})|{nowhere}(?<!{word})(?!{word}))"
    forms = {
        ops.AT_BEGINNING: "^",
        ops.AT_BEGINNING_STRING: r"\A",
        ops.AT_END: "$",
        ops.AT_END_STRING: r"\Z",
        ops.AT_BOUNDARY: edge,
        ops.AT_NON_BOUNDARY: inside,
    }
    return forms[kind]
