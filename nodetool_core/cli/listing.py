"""Names and what they mean, in columns as wide as the terminal and no wider."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence


def columns(entries: Sequence[tuple[str, str]]) -> str:
    """
    Return a line for each name with the first sentence of its text, cut where the terminal ends.
    """
    width = shutil.get_terminal_size((140, 40)).columns
    longest = max(len(name) for name, _ in entries)
    lines = [f"{name:{longest}}  {_first_sentence(text)}" for name, text in entries]
    return "\n".join(
        line if len(line) <= width else f"{line[: max(width - 1, longest)].rstrip()}…"
        for line in lines
    )


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", " ".join(text.split()), maxsplit=1)[0]
