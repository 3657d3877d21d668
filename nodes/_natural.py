"""The order of names with numbers in them, as people read them."""

from __future__ import annotations

import re


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts `image_2` before `image_10`."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if index % 2 else (0, part) for index, part in enumerate(parts)], name
