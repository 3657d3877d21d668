"""How a notebook shows the result of a run: its outputs, its images among them, as HTML."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

from nodetool_core.assets.image_data import ImageData
from nodetool_core.type_forms import forms_of
from nodetool_core.values import leaves

IMAGES: Final = 24
"""How many images of an output are shown."""
SIDE: Final = 256
"""Pixels of the longer side of each, where there are several."""
_TEXT: Final = 500
"""Characters of a value that are shown."""


def result_html(outputs: Mapping[str, object], notes: Iterable[str]) -> str:
    """
    Return the outputs of a run as HTML, and below them what is to be said of it.

    Texts are escaped.
    """
    rows = [
        f"<tr><th style='vertical-align:top;text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{_shown(value)}</td></tr>"
        for name, value in outputs.items()
    ]
    lines = [f"<div><small>{escape(note)}</small></div>" for note in notes]
    return f"<table>{''.join(rows)}</table>{''.join(lines)}"


def _shown(value: object) -> str:
    images = [
        found for leaf in leaves(value, object) if isinstance(found := previewed(leaf), ImageData)
    ]
    if not images:
        text = str(previewed(value))
        shown = text if len(text) <= _TEXT else f"{text[:_TEXT]} …"
        return f"<pre style='white-space:pre-wrap'>{escape(shown)}</pre>"
    names = list(value) if isinstance(value, Mapping) and len(value) == len(images) else []
    side = SIDE if len(images) > 1 else 2 * SIDE
    parts = [
        _figure(image, side, str(names[number]) if names else "")
        for number, image in enumerate(images[:IMAGES])
    ]
    if len(images) > IMAGES:
        parts.append(f"<span>… and {len(images) - IMAGES} more images</span>")
    return "".join(parts)


def previewed(value: object) -> object:
    """Return what is shown of a value of a registered type; any other value as it is."""
    forms = forms_of(type(value))
    if forms is None or forms.preview is None:
        return value
    preview = forms.preview(value)
    return preview if isinstance(preview, str) else ImageData.of(preview)


def _figure(image: ImageData, side: int, name: str) -> str:
    content = b64encode(image.preview(side)).decode("ascii")
    width, height = image.image.size
    title = escape(f"{name} {width}x{height}".strip(), quote=True)
    return f'<img src="data:image/png;base64,{content}" title="{title}" alt="{title}">'
