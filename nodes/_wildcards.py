r"""
Texts with choices: `a {red|green} lake` and `a __colour__ lake`.

The grammar is that of Dynamic Prompts and of the wildcards of other tools:

    text    = { plain | choice | wildcard | "\" sign }
    choice  = "{" [ count "$$" [ separator "$$" ] ] option { "|" option } "}"
    count   = number | number "-" number | number "-" | "-" number
    option  = [ weight "::" ] text
    wildcard = "__" name "__"

A wildcard is one line of the list of that name, read as a text again; `*` in its name means any
signs, and a name without its folder is found as well. A count draws several different options, put
together with the separator (a comma and a space). In a list, `#` begins a remark.

A text is read once, in time linear in its length. Whoever works it out draws at most MAX_DRAWS
options and MAX_LENGTH characters, and lists may name one another MAX_DEPTH deep, so that every text
comes to an end.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate, combinations, islice, product
from typing import Final

from nodetool_core import NodeError
from nodetool_core.errors import near_miss

MAX_DRAWS: Final = 10_000
MAX_LENGTH: Final = 10_000_000
MAX_DEPTH: Final = 20

_NAME: Final = re.compile(r"__((?:(?!__)[^\s{}|\\])+)__")
_COUNT: Final = re.compile(r"\s*(\d{0,6})(\s*-\s*)?(\d{0,6})\s*\$\$")
_SEPARATOR: Final = re.compile(r"((?:(?!\$\$)[^{}|\\])*)\$\$")
_WEIGHT: Final = re.compile(r"\s*(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})::")
_ESCAPED: Final = "{}|_\\$:#"


@dataclass(frozen=True)
class Wildcard:
    """One line of a list by name."""

    name: str


@dataclass(frozen=True)
class Choice:
    """Some of several options."""

    options: tuple[Option, ...]
    least: int = 1
    most: int = 1
    separator: str = ", "


Text = tuple["str | Choice | Wildcard", ...]
"""Parts that follow each other."""


@dataclass(frozen=True)
class Option:
    """A text that may be drawn, and how often beside the others."""

    text: Text
    weight: float = 1.0


Lists = Mapping[str, Sequence[str]]
"""Lines by the name of their wildcard."""


def read(text: str) -> Text:
    """Return the parts of a text. Raises NodeError where a brace is not closed."""
    return _Reader(text).parts("")


def drawn(text: str, lists: Lists, seed: int) -> str:
    """Return the text with every choice made by chance. Raises NodeError."""
    return _Drawer(_Options(lists), random.Random(seed)).text(read(text), 0)


def all_texts(text: str, lists: Lists, limit: int) -> list[str]:
    """
    Return every text that can be drawn, the last choice changing first; at most so many.

    Raises NodeError.
    """
    return _Lister(_Options(lists)).texts(read(text), limit, 0)


class _Reader:
    """Reads a text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._depth = 0

    def parts(self, ends: str) -> Text:
        """Return what stands before the next of these signs, or before the end."""
        parts: list[str | Choice | Wildcard] = []
        plain: list[str] = []
        while self._place < len(self._text) and self._text[self._place] not in ends:
            part = self._part()
            if isinstance(part, str):
                plain.append(part)
                continue
            parts += ["".join(plain), part] if plain else [part]
            plain = []
        return tuple([*parts, "".join(plain)] if plain else parts)

    def _part(self) -> str | Choice | Wildcard:
        sign = self._text[self._place]
        if sign == "\\" and self._text[self._place + 1 : self._place + 2] in tuple(_ESCAPED):
            self._place += 2
            return self._text[self._place - 1]
        if sign == "_" and (found := _NAME.match(self._text, self._place)):
            self._place = found.end()
            return Wildcard(found[1])
        self._place += 1
        return self._choice() if sign == "{" else sign

    def _choice(self) -> Choice:
        start = self._place
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _too_deep()
        least, most, separator = self._count()
        options = [self._option()]
        while self._next_is("|"):
            options.append(self._option())
        if not self._next_is("}"):
            raise NodeError(
                f"The brace at character {start} of the text is not closed.",
                r"Write {a|b}, or \{ for a brace that means itself.",
                where="text",
            )
        self._depth -= 1
        bounds = sorted(min(count, len(options)) for count in (least, most))
        return Choice(tuple(options), bounds[0], bounds[1], separator)

    def _next_is(self, sign: str) -> bool:
        if self._text[self._place : self._place + 1] != sign:
            return False
        self._place += 1
        return True

    def _count(self) -> tuple[int, int, str]:
        """Return the fewest and most options that are drawn, and what is between them."""
        found = _COUNT.match(self._text, self._place)
        if not found or not (found[1] or found[3]):
            return 1, 1, ", "
        self._place = found.end()
        separator = ", "
        if found_separator := _SEPARATOR.match(self._text, self._place):
            separator = found_separator[1]
            self._place = found_separator.end()
        if not found[2]:
            return int(found[1] or found[3]), int(found[1] or found[3]), separator
        return int(found[1] or 0), int(found[3] or MAX_DRAWS), separator

    def _option(self) -> Option:
        weight = 1.0
        if found := _WEIGHT.match(self._text, self._place):
            weight, self._place = float(found[1]), found.end()
        return Option(self.parts("|}"), weight)


class _Options:
    """The options behind choices and wildcards, each list read once."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._read: dict[str, tuple[Option, ...]] = {}
        self._sums: dict[str, list[float]] = {}
        self._left = MAX_DRAWS

    def of(self, part: Choice | Wildcard, depth: int) -> tuple[Option, ...]:
        """Return the options. Raises NodeError where there are none, or too many are asked for."""
        self._left -= 1
        if self._left < 0:
            raise NodeError(
                f"The text draws more than {MAX_DRAWS:,} options.", "Give a shorter text."
            )
        if depth > MAX_DEPTH:
            raise _too_deep()
        if isinstance(part, Choice):
            return part.options
        if part.name not in self._read:
            self._read[part.name] = tuple(self._lines(part.name))
        return self._read[part.name]

    def sums(self, part: Wildcard) -> list[float]:
        """Return the weights of the lines of a list, added up from the first."""
        if part.name not in self._sums:
            weights = [option.weight for option in self._read[part.name]]
            self._sums[part.name] = list(
                accumulate(weights if any(weights) else [1.0] * len(weights))
            )
        return self._sums[part.name]

    def _names(self, name: str) -> list[str]:
        """
        Return the lists that a name means: as it is written, in other capitals, or in any folder.

        Other tools find lists so as well.
        """
        for pattern, fold in ((name, str), (name, str.lower), (f"*/{name}", str.lower)):
            found = [one for one in sorted(self._lists) if fnmatchcase(fold(one), fold(pattern))]
            if found:
                return found
        return []

    def _lines(self, name: str) -> Iterator[Option]:
        names = self._names(name)
        if not names:
            hint = near_miss(name, self._lists) or (
                f"There are {', '.join(sorted(self._lists)[:20])}."
                if self._lists
                else "Connect the lists of a LoadWildcards, or a dictionary of lists."
            )
            raise NodeError(f"There is no list for __{name}__.", hint, where="text")
        found = False
        for one in names:
            for line in self._lists[one]:
                option = _option_of(line)
                if option is not None:
                    found = True
                    yield option
        if not found:
            raise NodeError(f"The list for __{name}__ is empty.", "Write a line into it.")


def _option_of(line: str) -> Option | None:
    """Return what a line of a list says; None for an empty one, or a remark."""
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    weight = 1.0
    if found := _WEIGHT.match(line):
        weight, line = float(found[1]), line[found.end() :].strip()
    return Option(read(line), weight)


class _Drawer:
    """Makes every choice by chance."""

    def __init__(self, options: _Options, generator: random.Random) -> None:
        self._options = options
        self._random = generator
        self._length = 0

    def text(self, text: Text, depth: int) -> str:
        parts = []
        for part in text:
            written = part if isinstance(part, str) else self._drawn(part, depth)
            if isinstance(part, str):
                self._length += len(part)
                if self._length > MAX_LENGTH:
                    raise _too_long()
            parts.append(written)
        return "".join(parts)

    def _drawn(self, part: Choice | Wildcard, depth: int) -> str:
        options = self._options.of(part, depth)
        if isinstance(part, Wildcard):
            sums = self._options.sums(part)
            return self.text(self._random.choices(options, cum_weights=sums)[0].text, depth + 1)
        count = self._random.randint(part.least, part.most)
        # Times until an event of each weight happens: the first ones are those that are drawn.
        times = [
            self._random.expovariate(option.weight) if option.weight else math.inf
            for option in options
        ]
        first = sorted(range(len(options)), key=times.__getitem__)[:count]
        return part.separator.join(self.text(options[index].text, depth + 1) for index in first)


class _Lister:
    """Makes every choice in every way, as far as texts are asked for."""

    def __init__(self, options: _Options) -> None:
        self._options = options
        self._length = 0

    def texts(self, text: Text, limit: int, depth: int) -> list[str]:
        """Return the first of the texts, the last choice changing first."""
        ways, needed = [], limit
        for part in reversed(text):
            found = [part] if isinstance(part, str) else self._ways(part, needed, depth)
            ways.append(found)
            # What is in front changes only when all of these are through.
            needed = -(-needed // len(found))
        return self._joined(reversed(ways), "", limit)

    def _ways(self, part: Choice | Wildcard, limit: int, depth: int) -> list[str]:
        options = self._options.of(part, depth)
        texts: list[str] = []
        if isinstance(part, Wildcard):
            for option in options:
                if len(texts) >= limit:
                    break
                texts += self.texts(option.text, limit - len(texts), depth + 1)
            return texts
        for count in range(part.least, part.most + 1):
            for chosen in combinations(options, count):
                left = limit - len(texts)
                if left <= 0:
                    return texts
                ways = [self.texts(option.text, left, depth + 1) for option in chosen]
                texts += self._joined(ways, part.separator, left)
        return texts

    def _joined(self, ways: Iterable[list[str]], separator: str, limit: int) -> list[str]:
        texts = []
        for parts in islice(product(*ways), limit):
            texts.append(separator.join(parts))
            self._length += len(texts[-1])
            if self._length > MAX_LENGTH:
                raise _too_long()
        return texts


def _too_long() -> NodeError:
    return NodeError(
        f"There would be more than {MAX_LENGTH:,} characters of text.", "Give a shorter text."
    )


def _too_deep() -> NodeError:
    return NodeError(
        f"The choices are nested more than {MAX_DEPTH} deep.",
        "Look for a list that names itself.",
    )
