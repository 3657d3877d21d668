"""G4: a whole example is built from a blank page, run, looked at and saved by keys alone."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.editor.acting import KNOWN, ROOT
from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.site.browser import installed

EXAMPLE = ROOT / "graphs" / "image_to_image.json"
TREE = "document.activeElement?.matches('[role=tree]')"
CURRENT = (
    "document.getElementById(document.activeElement"
    "?.getAttribute('aria-activedescendant') ?? '')?.textContent ?? ''"
)
FOUND = "document.querySelector('dialog.palette [aria-selected=true]')?.textContent ?? ''"


class Hands:
    """
    A person with a keyboard, who looks at the page and touches nothing else.

    Everything that happens in the page is an event of a key; scripts only look.
    """

    def __init__(self, page: EditorBrowser) -> None:
        self.page = page
        self.keys = 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.key(key)
            self.keys += 1

    def write(self, text: str) -> None:
        self.page.write(text)
        self.keys += len(text)

    def see(self, what: str) -> None:
        self.page.wait_for(what)

    def choose(self, text: str, wanted: str, way: str = "Enter") -> None:
        """Write a few letters into a list that finds, and take what is wanted."""
        self.see("document.activeElement?.matches('dialog.palette input')")
        self.write(text)
        self.see(f"({FOUND}).includes({json.dumps(wanted)})")
        self.press(way)

    def down_to(self, row: str) -> None:
        self.press("ArrowDown")
        self.see(f"({CURRENT}).includes({json.dumps(row)})")

    def enter_value(self, text: str) -> None:
        """Edit the property of the current row, and come back to it."""
        self.press("Enter")
        self.see("document.activeElement?.matches('#inspector-pane input')")
        self.write(text)
        self.press("Escape")
        self.see(TREE)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[EditorBrowser]:
    """Return a blank page of an editor whose folder has images and no workflow."""
    program = installed()
    if program is None:
        pytest.skip("needs a Chromium")
    # Reading the libraries takes most of the first run's time.
    importlib.import_module("diffusers.pipelines.auto_pipeline")
    with LiveEditor(tmp_path, opens=None) as editor, EditorBrowser(program) as browser:
        (editor.graphs / "blur.json").unlink()
        (editor.graphs / "assets").mkdir()
        for name in ("lake.jpg", "boat.jpg"):
            if (ROOT / "graphs" / "assets" / name).exists():
                shutil.copy(ROOT / "graphs" / "assets" / name, editor.graphs / "assets" / name)
        browser.start(f"{editor.address()}")
        yield browser
        assert browser.complaints() == []


def test_an_example_is_built_from_a_blank_page(page: EditorBrowser, tmp_path: Path) -> None:
    hands = Hands(page)
    hands.see("document.querySelector('.on-canvas')")
    hands.press("A")
    hands.choose("image to im", "Image to image")
    hands.see("document.querySelector('[data-node=image_to_image]')")
    hands.press("Ctrl+Shift+O")
    hands.see(f"{TREE} && ({CURRENT}).includes('Image to image')")
    hands.press("ArrowRight")
    for row in ("Model", "Prompt", "Negative prompt"):
        hands.down_to(row)
        hands.press("I")
    hands.down_to("Image")
    hands.press("Enter")
    hands.see("document.activeElement?.id === 'i-image'")
    hands.press("Tab", "Enter")
    hands.choose("as", "assets")
    hands.choose("lake", "lake.jpg")
    hands.see("document.activeElement?.closest('#inspector')")
    hands.press("Escape")
    hands.see(f"({CURRENT}).includes('lake.jpg')")
    hands.press("I")
    hands.down_to("Strength")
    hands.enter_value("0.5")
    hands.press("I")
    for row in ("Num inference steps", "Guidance scale"):
        hands.down_to(row)
        hands.press("I")
    hands.down_to("Seed")
    hands.enter_value("3")
    hands.press("I", "ArrowLeft", "A")
    hands.choose("out", "Output", "Ctrl+Enter")
    hands.see(f"{TREE} && ({CURRENT}).includes('Result')")
    hands.press("ArrowRight")
    hands.down_to("Name")
    hands.enter_value("image")
    hands.press("Ctrl+Enter")
    page.wait_for_run_text(KNOWN)
    hands.press(" ")
    hands.see("document.querySelector('dialog.viewer .stage img')?.naturalWidth")
    hands.press("Z")
    hands.see("document.querySelector('dialog.viewer').textContent.includes('· 100 %')")
    hands.press("Escape")
    hands.press("Ctrl+S")
    hands.see("document.activeElement?.id === 'one-line'")
    hands.write("night")
    hands.press("Enter")
    hands.see("document.querySelector('.save-state.saved')")
    assert made_of(tmp_path / "graphs" / "night.json") == made_of(EXAMPLE)
    assert hands.keys <= 90


def made_of(path: Path) -> tuple[dict[str, Any], set[tuple[str, str, str]]]:
    """Return the inputs, outputs and nodes of a workflow by name, and what feeds what."""
    graph = json.loads(path.read_text("utf-8"))["graph"]
    names = {
        node["id"]: node["data"].get("name") or node["type"].rpartition(".")[2]
        for node in graph["nodes"]
    }
    values = {}
    for node in graph["nodes"]:
        value = node["data"].get("value")
        if node["type"].endswith(("ModelInput", ".ImageToImage")):
            value = None
        values[f"{node['type']} {names[node['id']]}"] = value
    edges = {
        (names[edge["source"]], names[edge["target"]], edge["targetHandle"])
        for edge in graph["edges"]
    }
    return values, edges
