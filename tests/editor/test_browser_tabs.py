"""Several workflows open at once: in tabs of the page, and in tabs of the browser."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.editor.acting import CANVAS, RADIUS, save, set_radius
from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur, document

WORKFLOW_NODE = "nodetool.workflows.workflow_node.WorkflowNode"
TABS = "[...document.querySelectorAll('.open-tab [role=tab]')].map(tab => tab.title)"


def test_a_workflow_node_opens_its_file_and_shows_its_edits(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    """What was edited in the outer workflow is still there, with its undo."""
    (editor.graphs / "inner.json").write_bytes(blur().to_bytes())
    outer = document({"call": (WORKFLOW_NODE, {"path": "inner.json"})}, [])
    page = opened("outer", outer)
    port = "document.querySelector('[data-node=call] [data-port=\"out result\"]')"
    page.wait_for(port)
    page.evaluate(CANVAS)
    page.key("N")
    page.wait_for("document.activeElement.matches('.note-text')")
    page.type("mine")
    page.click("[data-node=call] .node-title")
    page.evaluate(CANVAS)
    page.key("O")
    page.wait_for("document.querySelector('[data-node=invert]')")
    page.wait_for("document.querySelectorAll('.open-tab').length === 2")
    assert page.evaluate(TABS) == ["outer", "inner"]
    page.click("[data-node=out] .node-title")
    page.wait_for("document.querySelector('#i-name')")
    page.set_field("#i-name", "soft")
    save(page)
    page.click_text("outer", "[role=tab]")
    page.wait_for("document.querySelector('[data-node=call] [data-port=\"out soft\"]')")
    assert page.evaluate("document.querySelector('.note-text').value") == "mine"
    page.evaluate(CANVAS)
    page.key("Ctrl+Z")
    page.key("Ctrl+Z")
    page.wait_for("!document.querySelector('.note-text')")
    page.key("Alt+PageDown")
    page.wait_for("document.querySelector('[data-node=invert]')")
    page.click_text("Close outer", ".close-tab")
    page.wait_for("!document.querySelector('.open-tabs')")


def test_closed_edits_can_be_opened_again(page: EditorBrowser, editor: LiveEditor) -> None:
    (editor.graphs / "other.json").write_bytes(blur(1.0).to_bytes())
    set_radius(page, "7.5")
    page.evaluate("location.hash = '#/g/other'")
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === '1.0'")
    page.click_text("Close blur", ".close-tab")
    page.click_text("Open again")
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === '7.5'")


def test_a_second_tab_of_the_browser_looks_on_until_it_takes_over(
    page: EditorBrowser, editor: LiveEditor
) -> None:
    first = page.another()
    page.open(f"{editor.url}/editor/#/g/blur")
    page.ready()
    page.wait_for("document.querySelector('.save-state.readOnly')")
    page.click_text("Edit here")
    page.wait_for("document.querySelector('.save-state:not(.readOnly)')")
    set_radius(page, "6.5")
    save(page)
    page.turn_to(first)
    page.wait_for("document.querySelector('.save-state.readOnly')")
    saved = json.loads((editor.graphs / "blur.json").read_text("utf-8"))
    assert saved["graph"]["nodes"][1]["data"] == {"radius": 6.5}


def test_each_workflow_keeps_its_view(page: EditorBrowser, editor: LiveEditor) -> None:
    (editor.graphs / "other.json").write_bytes(blur(1.0).to_bytes())
    page.evaluate(CANVAS)
    page.key("0")
    page.wait_for("document.querySelector('.zoom-text').textContent === '100 %'")
    page.evaluate("location.hash = '#/g/other'")
    page.wait_for("document.querySelectorAll('.open-tab').length === 2")
    page.wait_for("document.querySelector('.zoom-text').textContent !== '100 %'")
    page.click_text("blur", "[role=tab]")
    page.wait_for("document.querySelector('.zoom-text').textContent === '100 %'")


ZOOM = "document.querySelector('.zoom-text').textContent"


def test_the_view_stays_where_a_file_is_read_again(page: EditorBrowser, editor: LiveEditor) -> None:
    """Somebody else writes the file; where the user looks is the user's."""
    page.evaluate(CANVAS)
    page.key("0")
    page.key("+")
    page.wait_for(f"{ZOOM} === '125 %'")
    page.click("[data-node=blur] .node-title")
    (editor.graphs / "blur.json").write_bytes(blur(6.25).to_bytes())
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === '6.25'")
    assert page.evaluate(ZOOM) == "125 %"
    assert page.evaluate("document.querySelector('#inspector h2').textContent") == "Blur"


def test_the_view_stays_where_a_draft_is_taken(page: EditorBrowser, editor: LiveEditor) -> None:
    set_radius(page, "5.5")
    page.evaluate(
        "(async () => { const end = performance.now() + 20000;"
        " while (!(await (await fetch('/v1/workflows/blur/draft')).json()))"
        " if (performance.now() > end) throw new Error('no draft is kept'); })()"
    )
    page.go(f"{editor.url}/editor/#/g/blur")
    page.wait_for("[...document.querySelectorAll('.toast button')].length")
    page.evaluate(CANVAS)
    page.key("0")
    page.wait_for(f"{ZOOM} === '100 %'")
    page.click_text("Take")
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === '5.5'")
    assert page.evaluate(ZOOM) == "100 %"


ZOOM_AT_ONCE = """
new MutationObserver((_, observer) => {
  const canvas = document.querySelector("#canvas");
  if (!canvas || !canvas.clientWidth) return;
  observer.disconnect();
  for (let turn = 0; turn < 4; turn++) canvas.dispatchEvent(new WheelEvent("wheel", {
    deltaY: -40, ctrlKey: true, clientX: 600, clientY: 400, bubbles: true, cancelable: true }));
  const zoom = () => document.querySelector(".zoom-text").textContent;
  requestAnimationFrame(() => { window.zoomed = zoom(); });
}).observe(document, {childList: true, subtree: true});
"""


def test_a_view_that_was_chosen_at_once_is_kept(page: EditorBrowser, editor: LiveEditor) -> None:
    """Before anything of the page is painted, and long before its check is answered."""
    page.call("Page.addScriptToEvaluateOnNewDocument", source=ZOOM_AT_ONCE)
    page.go(f"{editor.url}/editor/#/g/blur")
    page.wait_for_run_text("Run 2 of 2")
    page.wait_for("window.zoomed")
    assert page.evaluate(ZOOM) == page.evaluate("window.zoomed")


def test_a_workflow_inside_of_a_node_is_edited_in_a_tab_and_put_back(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    """Its paths start from the file around it; the node's change can be undone."""
    (editor.graphs / "deep").mkdir()
    (editor.graphs / "photo.png").rename(editor.graphs / "deep/photo.png")
    inner = {"workflow_json": blur(2.0).to_json()}
    outer = document(
        {"call": (WORKFLOW_NODE, inner), "out": ("nodetool.output.Output", {"name": "x"})},
        ["call.result > out.value"],
    )
    page = opened("deep/outer", outer)
    page.wait_for_run_text("Run 1 of 1")
    page.click("[data-node=call] .node-title", count=2)
    page.wait_for("document.querySelector('[data-node=invert]')")
    assert page.evaluate(TABS) == ["deep/outer", "deep/outer \u203a Workflow node"]
    page.wait_for_run_text("Run 2 of 2")
    set_radius(page, "6.5")
    save(page)
    page.click_text("outer", "[role=tab]")
    page.wait_for("document.querySelector('.save-state.unsaved')")
    page.wait_for_run_text("Run 1 of 1")
    page.click("[data-node=call] .node-title", count=2)
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === '6.5'")
    page.click_text("outer", "[role=tab]")
    page.wait_for("document.querySelector('[data-node=call]')")
    save(page)
    stored = json.loads((editor.graphs / "deep/outer.json").read_text())
    (call, _) = stored["graph"]["nodes"]
    (soft,) = (
        one for one in call["data"]["workflow_json"]["graph"]["nodes"] if one["id"] == "blur"
    )
    assert soft["data"]["radius"] == 6.5
    page.evaluate(CANVAS)
    page.key("Ctrl+Z")
    page.wait_for("document.querySelector('.save-state.unsaved')")
    page.click("[data-node=call] .node-title", count=2)
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === '2.0'")


def test_a_workflow_whose_node_is_gone_is_saved_as_a_file(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    page = opened("around", document({"call": (WORKFLOW_NODE, {})}, []))
    page.click("[data-node=call] .node-title", count=2)
    page.wait_for(f"{TABS}.length === 2")
    page.evaluate(CANVAS)
    page.key("N")
    page.wait_for("document.activeElement.matches('.note-text')")
    page.type("mine")
    page.click_text("Close around", ".close-tab")
    page.evaluate(CANVAS)
    page.key("Ctrl+S")
    page.wait_for("document.querySelector('dialog[open] input')")
