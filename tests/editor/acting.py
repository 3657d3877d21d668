"""What the tests of the editor's page do again and again in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.editor.browser import EditorBrowser

ROOT: Final = Path(__file__).parents[2]
KNOWN: Final = "All results are known"
CANVAS: Final = 'document.querySelector("#canvas").focus()'
IMAGE: Final = 'document.querySelector("[data-node=blur] .node-result img")'
RADIUS: Final = "#n-blur-radius"


def shown_radius(page: EditorBrowser) -> str:
    return str(page.evaluate(f"document.querySelector('{RADIUS}').value"))


def image_source(page: EditorBrowser) -> str:
    """Return the address of the blurred image, once it is drawn."""
    return str(page.wait_for(f"{IMAGE}?.complete && {IMAGE}.naturalWidth && {IMAGE}.src"))


def set_radius(page: EditorBrowser, value: str) -> None:
    """Type a radius, and select nothing, so that a run is one of everything."""
    page.set_field(RADIUS, value)
    page.evaluate(CANVAS)
    page.key("Escape")
    page.wait_for("!document.querySelector('.node-place.chosen')")


def run(page: EditorBrowser) -> None:
    page.evaluate(CANVAS)
    page.key("Ctrl+Enter")
    page.wait_for_run_text(KNOWN)


def save(page: EditorBrowser) -> None:
    """Save the workflow that is open."""
    page.evaluate(CANVAS)
    page.key("Ctrl+S")
    page.wait_for("document.querySelector('.save-state.saved')")
