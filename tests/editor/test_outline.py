"""The outline as the second editor: everything is done with keys, without the canvas (G4)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur, document
from tests.site.browser import installed

pytestmark = pytest.mark.skipif(installed() is None, reason="needs a Chromium")

TREE = "document.querySelector('[role=tree]')"


class Keys:
    """A person with a keyboard and no pointer; counts the keys."""

    def __init__(self, page: EditorBrowser) -> None:
        self.page = page
        self.count = 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.key(key)
            self.count += 1

    def type(self, text: str) -> None:
        self.page.type(text)
        self.count += len(text)

    def outline(self) -> None:
        self.press("Ctrl+Shift+O")
        self.page.wait_for("document.activeElement?.matches('[role=tree], .outline .button')")

    def add(self, text: str, way: str) -> None:
        """Add the first node that fits a few letters, and come back to the outline."""
        is_empty = self.page.evaluate(f"!{TREE}")
        self.press("Enter" if is_empty else "A")
        self.page.wait_for("document.activeElement?.closest('dialog.palette')")
        self.type(text)
        self.page.wait_for("document.querySelector('dialog.palette [aria-selected=true]')")
        self.press(way)
        self.page.wait_for("!document.querySelector('dialog')")
        self.outline()

    def to(self, row: str) -> None:
        """Go down until a row is the current one."""
        self.press("Home")
        for _ in range(60):
            now = self.page.evaluate(
                "document.getElementById("
                f"{TREE}.getAttribute('aria-activedescendant'))?.textContent ?? ''"
            )
            if row in now:
                return
            self.press("ArrowDown")
        raise AssertionError(f"the outline has no row {row}")


def test_a_graph_is_built_run_and_saved_in_the_outline(
    browser: EditorBrowser, editor: LiveEditor
) -> None:
    """4: three nodes, a wire cut and made again, a value set, a run, a file: within 90 keys."""
    (editor.graphs / "blank.json").write_text('{"schema_version": 1, "graph": {}}')
    browser.start(editor.address())
    browser.go(f"{editor.url}/editor/#/g/blank")
    keys = Keys(browser)
    keys.outline()
    keys.add("gaussian no", "Enter")
    keys.add("blur", "Ctrl+Enter")
    keys.add("output", "Ctrl+Enter")
    browser.wait_for(f"{TREE}.querySelectorAll('[role=treeitem]').length === 3")
    keys.to("Blur")
    keys.press("ArrowRight", "ArrowDown")
    joined = f"[...{TREE}.querySelectorAll('[role=treeitem]')].some(one => "
    joined += "one.textContent.includes('from Gaussian'))"
    browser.wait_for(joined)
    keys.press("D")
    browser.wait_for(f"!({joined})")
    keys.press("C")
    browser.wait_for(
        "document.activeElement?.closest('dialog')"
        " && document.querySelector('dialog [aria-selected=true]')"
    )
    keys.press("Enter")
    browser.wait_for(f"!document.querySelector('dialog') && {joined}")
    keys.outline()
    keys.press("ArrowDown", "Enter")
    browser.wait_for("document.activeElement.matches('input')")
    browser.evaluate("document.activeElement.select()")
    keys.type("3.5")
    keys.press("Escape")
    keys.press("Ctrl+Enter")
    browser.wait_for("document.querySelector('[data-node=blur] .node-result img')?.naturalWidth")
    keys.press("Ctrl+S")
    browser.wait_for("document.querySelector('.save-state.saved')")
    saved = json.loads((editor.graphs / "blank.json").read_text("utf-8"))["graph"]
    by_id = {node["id"]: node for node in saved["nodes"]}
    assert by_id["blur"]["data"] == {"radius": 3.5}
    assert {(edge["target"], edge["targetHandle"]) for edge in saved["edges"]} == {
        ("blur", "image"), ("output", "value"),
    }  # fmt: skip
    assert keys.count <= 90
    assert browser.complaints() == []


def test_what_changes_in_an_inner_workflow_is_seen_outside(
    browser: EditorBrowser, editor: LiveEditor
) -> None:
    """24: a node that is a workflow has another result as soon as its file is another."""
    inner = editor.graphs / "inner.json"
    inner.write_bytes(blur(2.0).to_bytes())
    outer = document(
        {
            "photo": (
                "nodetool.input.ImageInput",
                {"name": "photo", "value": {"type": "image", "uri": "photo.png"}},
            ),
            "inner": (
                "nodetool.workflows.workflow_node.WorkflowNode",
                {"path": "inner.json"},
            ),
            "out": ("nodetool.output.Output", {"name": "result"}),
        },
        ["photo.output > inner.photo", "inner.result > out.value"],
    )
    Path(editor.graphs / "outer.json").write_bytes(outer.to_bytes())
    browser.start(editor.address())
    browser.go(f"{editor.url}/editor/#/g/outer")
    browser.wait_for("document.querySelector('.run .run-text')?.textContent.startsWith('Run ')")
    browser.key("Ctrl+Enter")
    browser.wait_for_run_text("All results are known")
    inner.write_bytes(blur(13.0).to_bytes())
    browser.wait_for("document.querySelector('.run .run-text')?.textContent.startsWith('Run ')")
    assert browser.complaints() == []


CURRENT = (
    f"document.getElementById({TREE}?.getAttribute('aria-activedescendant') ?? '')?.textContent"
)


def test_the_current_row_stays_whatever_becomes_of_the_graph(
    opened: Callable[..., EditorBrowser],
) -> None:
    """What is disconnected or connected goes to another place in the order of the data."""
    page = opened("rows", blur())
    hands = Keys(page)
    hands.outline()
    hands.to("Invert")
    hands.press("ArrowRight", "ArrowDown")
    page.wait_for(f"{CURRENT}.includes('Image')")
    hands.press("D")
    page.wait_for("!document.querySelector('[data-node=invert] .row.joined')")
    assert "Image" in page.evaluate(CURRENT)
    assert page.evaluate("document.querySelector('#inspector h2').textContent") == "Invert"
    hands.press("C")
    page.wait_for("document.activeElement?.closest('dialog.palette')")
    hands.press("Enter")
    page.wait_for("document.querySelector('[data-node=invert] .row.joined')")
    page.wait_for("document.activeElement.matches('[role=tree]')")
    assert "Image" in page.evaluate(CURRENT)
    hands.press("D")
    page.wait_for("!document.querySelector('[data-node=invert] .row.joined')")


def test_a_row_that_is_clicked_takes_keys(opened: Callable[..., EditorBrowser]) -> None:
    """A port, too: Enter, or a double click, edits its value."""
    page = opened("clicked", blur())
    hands = Keys(page)
    hands.outline()
    hands.to("Blur")
    hands.press("ArrowRight")
    page.click_text("←Image", "[role=treeitem]")
    page.wait_for("document.activeElement.matches('[role=tree]')")
    assert "Image" in page.evaluate(CURRENT)
    hands.press("D")
    page.wait_for("!document.querySelector('[data-node=blur] .row.joined')")
    page.click_text("←Radius", "[role=treeitem]")
    page.wait_for(f"{CURRENT}.includes('Radius')")
    assert page.evaluate("document.activeElement.matches('[role=tree]')")
    hands.press("Enter")
    page.wait_for("document.activeElement.id === 'i-radius'")
    hands.press("Escape")
    page.wait_for("document.activeElement.matches('[role=tree]')")
    assert "Radius" in page.evaluate(CURRENT)


def test_keys_are_about_the_node_whose_row_is_current(
    opened: Callable[..., EditorBrowser],
) -> None:
    """Also where the row is a port that was reached from the node below."""
    page = opened("ports", blur())
    hands = Keys(page)
    hands.outline()
    hands.to("Blur")
    hands.press("ArrowRight")
    hands.to("▸Invert")
    hands.press("ArrowUp")
    page.wait_for("document.querySelector('#inspector h2').textContent === 'Blur'")
    hands.press("M")
    page.wait_for("document.querySelector('[data-node=blur].bypassed, [data-node=blur] .bypassed')")
