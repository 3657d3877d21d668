"""25: the colours of text and of what tells something, on what lies below: from the tokens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

TOKENS = Path(__file__).parents[2] / "editor" / "src" / "style" / "tokens.css"
SURFACES: Final = ("canvas", "panel", "raised", "node", "node-header", "field")
TEXT: Final = 4.5
"""The least contrast of text (WCAG 1.4.3); of marks and lines that tell something it is 3."""


def tokens() -> dict[str, tuple[str, str]]:
    """Return the colours of light and dark, by name."""
    pattern = r"--([\w-]+):\s*light-dark\((#[0-9a-f]{3,6}),\s*(#[0-9a-f]{3,6})\)"
    return {name: (light, dark) for name, light, dark in re.findall(pattern, TOKENS.read_text())}


def luminance(color: str) -> float:
    """Return the relative luminance of an sRGB colour, by WCAG 2.2's definition."""
    digits = color[1:] if len(color) == 7 else "".join(one * 2 for one in color[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_are_told_apart(theme: int) -> None:
    found = {name: pair[theme] for name, pair in tokens().items()}
    assert {*SURFACES, "text", "muted", "bad", "good", "warn", "accent"} <= found.keys()
    least = {"text": TEXT, "muted": TEXT, "bad": TEXT, "good": TEXT, "accent": 3.0, "warn": 3.0}
    low = {
        f"{name} on {under}": round(contrast(found[name], found[under]), 2)
        for name, wanted in least.items()
        for under in SURFACES
        if contrast(found[name], found[under]) < wanted
    }
    assert low == {}
    kinds = [name for name in found if name.startswith("kind-")]
    assert len(kinds) > 5
    assert all(contrast(found[name], found["node"]) >= 3.0 for name in kinds)
