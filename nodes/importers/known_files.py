"""
Files of weights whose place on the Hub is known by their names.

`known_files.json` is made of the `models` entries of ComfyUI's templates by `bench/known_files.py`,
with the files of the first releases of the best known models, which have them in their own
repositories.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path, PurePosixPath


def known_file(name: str) -> tuple[str, str] | None:
    """
    Return the repository of a file and its path there; None where it is not known.

    Args:
        name: Of the file, with or without folders before it.
    """
    found = _table().get(PurePosixPath(name.replace("\\", "/")).name)
    return None if found is None else (found[0], found[1])


@cache
def _table() -> dict[str, list[str]]:
    table: dict[str, list[str]] = json.loads(
        Path(__file__).with_name("known_files.json").read_text("utf-8")
    )
    return table
