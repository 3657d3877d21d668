"""Bytes as people read them."""

from __future__ import annotations


def size_text(size: float) -> str:
    """Return the bytes as people read them: `3.4 GB`."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
