"""Workflows that go into another folder, in a browser: what they name is still found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.editor.acting import CANVAS, KNOWN, RADIUS, run, set_radius
from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor

PHOTO = "[data-node=photo] .image-field img"
SHOWN = f"document.querySelector('{PHOTO}')?.naturalWidth"


def save_as(page: EditorBrowser, name: str) -> None:
    page.evaluate(CANVAS)
    page.key("Ctrl+Shift+S")
    page.wait_for("document.activeElement.id === 'one-line'")
    page.evaluate("document.activeElement.select()")
    page.type(name)
    page.key("Enter")
    page.wait_for("!document.querySelector('dialog')")
    page.wait_for("document.querySelector('.save-state.saved')")


def saved(editor: LiveEditor, name: str) -> list[dict[str, Any]]:
    content = json.loads((editor.graphs / f"{name}.json").read_text("utf-8"))
    nodes: list[dict[str, Any]] = content["graph"]["nodes"]
    return nodes


def test_a_workflow_is_saved_into_another_folder(page: EditorBrowser, editor: LiveEditor) -> None:
    """Its image is shown, its results stay known, and undo brings back no path of before."""
    set_radius(page, "2.75")
    run(page)
    save_as(page, "looks/night/soft")
    page.wait_for(f"location.hash === '#/g/looks/night/soft' && {SHOWN}")
    page.wait_for_run_text(KNOWN)
    assert saved(editor, "looks/night/soft")[0]["data"]["value"]["uri"] == "../../photo.png"
    page.key("Ctrl+Z")
    page.wait_for(f"document.querySelector('{RADIUS}').value === '2.0'")
    save_as(page, "soft")
    photo, blurred, *_ = saved(editor, "soft")
    assert (photo["data"]["value"]["uri"], blurred["data"]["radius"]) == ("photo.png", 2.0)
    page.key("Ctrl+Shift+Z")
    page.wait_for(f"document.querySelector('{RADIUS}').value === '2.75'")
    page.wait_for_run_text(KNOWN)


def test_a_workflow_that_is_open_is_renamed_into_another_folder(
    page: EditorBrowser, editor: LiveEditor
) -> None:
    """Its edits are kept, and saved under the new name, also where another tab is in sight."""
    set_radius(page, "3.75")
    page.click_text("Workflows", "[role=tab]")
    page.click_text("New workflow")
    page.wait_for("document.querySelectorAll('.open-tab').length === 2")
    page.wait_for("document.querySelector('.files [aria-haspopup]')")
    page.click_text("More", ".files li:has([title]) [aria-haspopup]")
    page.click_text("Rename")
    page.wait_for("document.activeElement.id === 'one-line'")
    page.evaluate("document.activeElement.select()")
    page.type("moved/blur")
    page.key("Enter")
    page.wait_for("document.querySelector('.open-tab [role=tab]').title === 'moved/blur'")
    page.click(".open-tab:first-child [role=tab]")
    page.wait_for(f"{SHOWN} && document.querySelector('{RADIUS}').value === '3.75'")
    page.evaluate(CANVAS)
    page.key("Ctrl+S")
    page.wait_for("document.querySelector('.save-state.saved')")
    photo, blurred, *_ = saved(editor, "moved/blur")
    assert (photo["data"]["value"]["uri"], blurred["data"]["radius"]) == ("../photo.png", 3.75)


@pytest.mark.parametrize("allowed", [True, False])
def test_nodes_are_pasted_into_a_workflow_of_another_folder(
    page: EditorBrowser, editor: LiveEditor, allowed: bool
) -> None:
    """Also where the page may not use the clipboard, as on another machine without TLS."""
    if allowed:
        page.allow("clipboardReadWrite", "clipboardSanitizedWrite")
    page.click("[data-node=photo] .node-title")
    page.evaluate(CANVAS)
    page.key("Ctrl+C")
    page.click_text("Workflows", "[role=tab]")
    page.click_text("New workflow")
    page.wait_for("document.querySelectorAll('.open-tab').length === 2")
    name = f"deep/er/pasted_{allowed}"
    save_as(page, name)
    page.evaluate(CANVAS)
    page.key("Ctrl+Shift+V")
    page.wait_for(SHOWN)
    page.key("Ctrl+S")
    page.wait_for("document.querySelector('.save-state.saved')")
    (photo,) = saved(editor, name)
    assert photo["data"]["value"]["uri"] == "../../photo.png"
