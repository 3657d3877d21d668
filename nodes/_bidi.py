"""
The direction that a line of text is written in.

Letters of Hebrew, Arabic and their relatives run from right to left. Pillow orders and joins them
with Raqm, which its wheels for Linux, macOS and Windows hold. Without Raqm they stand unjoined,
from left to right.
"""

from __future__ import annotations

import unicodedata
from typing import Final, Literal

Direction = Literal["auto", "ltr", "rtl"]
DIRECTION: Final = (
    "Where lines begin: `ltr` at the left, `rtl` at the right (Hebrew, Arabic), `auto` as the first"
    " letter of each line says."
)
"""What nodes say of their property `direction`."""

_LEFT_TO_RIGHT: Final = ("L",)
_RIGHT_TO_LEFT: Final = ("R", "AL")


def has_raqm() -> bool:
    """Return whether this Pillow can order and join letters that run from right to left."""
    from PIL import features

    return bool(features.check("raqm"))


def runs_right_to_left(text: str) -> bool:
    """Return whether a text has a letter of a script that runs from right to left."""
    return not text.isascii() and any(
        unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in text
    )


def base_direction(line: str, wanted: Direction) -> Literal["ltr", "rtl"]:
    """Return the direction of a whole line: that of its first letter, unless one is wanted."""
    if wanted != "auto":
        return wanted
    if line.isascii():
        return "ltr"
    for sign in line:
        kind = unicodedata.bidirectional(sign)
        if kind in _LEFT_TO_RIGHT:
            return "ltr"
        if kind in _RIGHT_TO_LEFT:
            return "rtl"
    return "ltr"
