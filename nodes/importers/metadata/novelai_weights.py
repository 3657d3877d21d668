"""
Weights in the prompts of NovelAI, in the syntax of our nodes.

There, braces make a text count 1.05 times as much and square brackets as much less, each time;
`1.5::text::` states the weight. Round brackets are text.
"""

from __future__ import annotations

import re
from typing import Final

_STEP: Final = 1.05
_SIGN: Final = re.compile(r"(-?\d+(?:\.\d+)?)::|::|[{}\[\]]")
_TEXT: Final = re.compile(r"[()\[\]\\]")


def with_our_weights(text: str) -> str:
    """Return a prompt with its weights as `(text:1.05)`; one without any stays as it is."""
    if not _SIGN.search(text):
        return text
    made, depth, stated, at = [], 0, 1.0, 0
    for sign in _SIGN.finditer(text):
        made.append(_weighted(text[at : sign.start()], stated * _STEP**depth))
        at = sign.end()
        if sign[0] in ("{", "]"):
            depth += 1
        elif sign[0] in ("}", "["):
            depth -= 1
        else:
            stated = float(sign[1]) if sign[1] else 1.0
    return "".join([*made, _weighted(text[at:], stated * _STEP**depth)])


def _weighted(text: str, weight: float) -> str:
    escaped = _TEXT.sub(r"\\\g<0>", text)
    inner = escaped.strip()
    if not inner or round(weight, 3) == 1:
        return escaped
    before, after = escaped.split(inner, 1)
    return f"{before}({inner}:{weight:.4g}){after}"
