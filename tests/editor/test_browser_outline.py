"""The outline in a browser, narrow pages, and what comes or goes outside of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.editor.acting import KNOWN, save
from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import document

CURRENT = (
    "document.getElementById(document.querySelector('[role=tree]')"
    "?.getAttribute('aria-activedescendant') ?? '')?.textContent"
)


def test_a_graph_is_built_in_the_outline(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    """Nodes are added, each connected to the one before it, and run, by keys alone."""
    photo = {"name": "photo", "value": {"type": "image", "uri": "photo.png"}}
    page = opened("tree", document({"photo": ("nodetool.input.ImageInput", photo)}, []))
    page.key("Ctrl+Shift+O")
    page.wait_for("document.activeElement.matches('[role=tree]')")
    page.key("Home")
    page.wait_for(f"({CURRENT})?.includes('Photo')")
    for text, keys in (("blur", "Ctrl+Enter"), ("output", "Ctrl+Enter")):
        page.key("A")
        page.wait_for("document.querySelector('dialog.palette input') === document.activeElement")
        page.type(text)
        page.wait_for("document.querySelector('dialog.palette [role=option]')")
        page.key(keys)
        page.wait_for("!document.querySelector('dialog')")
        page.wait_for("document.activeElement.matches('[role=tree]')")
    page.wait_for("document.querySelectorAll('[role=treeitem]').length === 3")
    page.wait_for_run_text("Run 1 of 1")
    page.key("Ctrl+Enter")
    page.wait_for_run_text(KNOWN)
    save(page)
    edges = json.loads((editor.graphs / "tree.json").read_text("utf-8"))["graph"]["edges"]
    assert [(edge["source"], edge["target"]) for edge in edges] == [
        ("photo", "blur"),
        ("blur", "output"),
    ]


def test_at_320_pixels_all_is_reached_without_scrolling_sideways(
    browser: EditorBrowser, page: EditorBrowser, editor: LiveEditor
) -> None:
    """What 400 % of 1,280 pixels shows: each region by a tab at the bottom."""
    page.start(editor.address(), width=320, height=640)
    page.go(f"{editor.url}/editor/#/g/blur")
    for name, there in (
        ("Outline", "[role=tree]"),
        ("Inspector", "#inspector"),
        ("Workflows", ".workflows, .start"),
        ("Gallery", ".gallery"),
        ("Form", ".form-view"),
        ("Graph", "#canvas"),
    ):
        page.click_text(name, ".narrow-tabs button")
        found = f"[...document.querySelectorAll('{there}')]"
        page.wait_for(f"{found}.some(one => one.getClientRects().length)")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, name


def test_an_import_says_what_became_of_each_node(page: EditorBrowser, tmp_path: Path) -> None:
    """What was left out is listed, and the nodes that stand for others are shown from there."""
    prompt: dict[str, Any] = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "photo.png"}},
        "2": {
            "class_type": "ImageBlur",
            "inputs": {"image": ["1", 0], "blur_radius": 3, "sigma": 1.0},
        },
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
        "4": {"class_type": "FancyUnknown", "inputs": {"images": ["2", 0]}},
    }
    path = tmp_path / "made.json"
    path.write_text(json.dumps(prompt), "utf-8")
    page.drop(path, page.place("#canvas"))
    page.wait_for("document.querySelector('dialog.report')?.textContent.includes('FancyUnknown')")
    page.wait_for("document.querySelectorAll('.open-tab').length === 2")
    page.click_text("Close", "dialog button")
    page.wait_for("!document.querySelector('dialog')")
    page.key("Ctrl+K")
    page.wait_for("document.querySelector('dialog input')")
    page.type("imported file")
    page.key("Enter")
    page.wait_for("document.querySelector('dialog.report .report-list')")
    page.key("Escape")
    del prompt["3"], prompt["4"]
    path.write_text(json.dumps(prompt), "utf-8")
    page.drop(path, page.place("#canvas"))
    page.wait_for("document.querySelector('dialog.report .problem.bad')")


def test_edits_go_on_while_the_server_is_away(
    page: EditorBrowser, editor: LiveEditor, complaints: list[str]
) -> None:
    """They are kept here, and saved when it is there again."""
    complaints += ["ERR_INTERNET_DISCONNECTED", "ERR_FAILED"]
    page.call(
        "Network.emulateNetworkConditions",
        offline=True, latency=0, downloadThroughput=0, uploadThroughput=0,
    )  # fmt: skip
    page.set_field("#n-blur-radius", "4.125")
    page.wait_for("document.querySelector('.save-state.offline, .banner')")
    page.call(
        "Network.emulateNetworkConditions",
        offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1,
    )  # fmt: skip
    page.wait_for("!document.querySelector('.save-state.offline')")
    save(page)
    saved = json.loads((editor.graphs / "blur.json").read_text("utf-8"))
    assert saved["graph"]["nodes"][1]["data"] == {"radius": 4.125}
