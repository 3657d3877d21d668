"""How a node is called on its page, in the name of its file, and as an id in an example."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+")
_SMALL = frozenset(
    {"A", "An", "And", "As", "At", "By", "For", "From", "In", "Of", "On", "Or", "The", "To", "With"}
)


def words(title: str) -> list[str]:
    """
    Return the words of a class name: `ImageToImage` → Image, To, Image; `HTTPGet` → HTTP, Get.
    """
    return _WORDS.findall(title) or [title]


def heading(title: str) -> str:
    """Return a class name as a title: `ImageToImage` → `Image to Image`."""
    first, *rest = words(title)
    return " ".join([first, *(word.lower() if word in _SMALL else word for word in rest)])


def snake_case(title: str) -> str:
    return "_".join(word.lower() for word in words(title))


def file_names(titles: Iterable[str]) -> dict[str, str]:
    """
    Return the page's file name for each class name of one namespace.

    Names depend on the titles alone, so they are stable.

    Two titles that differ in capitals only would share a file; the later in order gets a number.
    `index` is the index's.
    """
    names: dict[str, str] = {}
    taken = {"index"}
    for title in sorted(titles):
        name = candidate = snake_case(title)
        number = 2
        while candidate in taken:
            candidate, number = f"{name}_{number}", number + 1
        taken.add(candidate)
        names[title] = f"{candidate}.md"
    return names
