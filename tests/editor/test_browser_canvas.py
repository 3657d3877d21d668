"""The canvas in a browser, with keys and with the pointer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bench.editor import work
from nodetool_core import Workflow
from nodetool_core.workflow import WorkflowDocument
from tests.editor.acting import CANVAS, save
from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur


def test_a_graph_is_built_with_keys_alone(opened: Callable[..., EditorBrowser]) -> None:
    """G4: from an empty canvas to a saved workflow without a pointer."""
    page = opened("keys", {"schema_version": 1, "graph": {"nodes": [], "edges": []}})
    page.evaluate(CANVAS)
    for text, keys in (("noise image", "Enter"), ("blur", "Ctrl+Enter")):
        page.key("A")
        page.wait_for("document.querySelector('dialog.palette input') === document.activeElement")
        page.type(text)
        page.wait_for("document.querySelector('dialog.palette [role=option]')")
        page.key(keys)
        page.wait_for("!document.querySelector('dialog')")
    page.wait_for("document.querySelectorAll('[data-node]').length === 2")
    page.wait_for("document.querySelector('[data-node=blur] .row.joined')")
    page.key("Ctrl+S")
    page.wait_for("document.querySelector('.save-state.saved')")


def choose(page: EditorBrowser, text: str) -> None:
    """Click on the first of what the palette finds."""
    page.wait_for("document.querySelector('dialog.palette input') === document.activeElement")
    page.type(text)
    page.click(".combo-item")
    page.wait_for("!document.querySelector('dialog')")


def test_a_graph_is_built_with_the_pointer(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    """2: nodes by double click and by a wire that is dropped on nothing, a run, a file."""
    page = opened("drawn", {"schema_version": 1, "graph": {"nodes": [], "edges": []}})
    x, y = page.place("#canvas")
    page.click_at(x - 200, y - 100, count=2)
    choose(page, "gaussian noise")
    page.wait_for("document.querySelector('[data-node=gaussian_noise]')")
    for name in ("invert", "output"):
        start = page.place(".node-place.chosen .port.out")
        page.drag(start, (start[0] + 120, start[1] + 90))
        choose(page, name)
    page.wait_for("document.querySelectorAll('[data-node] .row.joined').length === 2")
    page.click_at(x - 300, y + 200)
    page.click(".run-group .run")
    page.wait_for("document.querySelector('[data-node=invert] .node-result img')?.naturalWidth")
    page.click(".doc-menu .menu-button")
    page.click_text("Save", "[role=menuitem]")
    page.wait_for("document.querySelector('.save-state.saved')")
    edges = json.loads((editor.graphs / "drawn.json").read_text("utf-8"))["graph"]["edges"]
    assert [(one["source"], one["target"]) for one in edges] == [
        ("gaussian_noise", "invert"),
        ("invert", "output"),
    ]


def test_nodes_are_moved_and_connected_with_the_pointer(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    loose = blur().to_json()
    loose["graph"]["edges"] = loose["graph"]["edges"][1:]
    page = opened("pointer", loose)
    page.drag(page.place("[data-node=photo] .port.out"), page.place("[data-node=blur] .port.in"))
    page.wait_for("document.querySelector('[data-node=blur] .row.joined')")
    x, y = page.place("[data-node=out] .node-title")
    page.drag((x, y), (x, y + 120))
    page.evaluate(CANVAS)
    page.key("Ctrl+S")
    page.wait_for("document.querySelector('.save-state.saved')")
    saved = json.loads((editor.graphs / "pointer.json").read_text("utf-8"))["graph"]
    made = saved["edges"][-1]
    assert (made["source"], made["target"], made["targetHandle"]) == ("photo", "blur", "image")
    assert saved["nodes"][3]["ui_properties"]["position"]["y"] > 60


def test_a_thousand_nodes_are_a_matter_of_what_is_in_view(
    opened: Callable[..., EditorBrowser],
) -> None:
    """G2: elements do not grow with the graph."""
    nodes = [
        {
            "id": f"n{number}", "type": "lib.pillow.filter.Blur", "data": {},
            "ui_properties": {"position": {"x": number % 40 * 320, "y": number // 40 * 240}},
        }
        for number in range(1000)
    ]  # fmt: skip
    page = opened("thousand", {"schema_version": 1, "graph": {"nodes": nodes, "edges": []}})
    ready = page.evaluate('performance.getEntriesByName("ready")[0].startTime')
    assert ready <= 5000
    page.wait_for("!document.querySelector('.mark-unchecked')")
    # By itself: results of the check still move the button while the machine is busy.
    page.evaluate("document.querySelector('.zoom-text').click()")
    page.wait_for("document.querySelectorAll('[data-node]').length")
    assert page.evaluate("document.querySelectorAll('*').length") <= 3000
    page.evaluate(CANVAS)
    page.key("Home")
    page.call("Performance.enable")
    assert work(page, zoom=False) <= 8, "milliseconds of the main thread for a frame"


def canvas_state(editor: LiveEditor, page: EditorBrowser, name: str) -> dict[str, Any]:
    """Save, and return the file; the engine reads it without a problem."""
    save(page)
    text = (editor.graphs / f"{name}.json").read_text("utf-8")
    Workflow.from_document(WorkflowDocument.from_json(json.loads(text)), base=editor.graphs)
    return dict(json.loads(text))


def test_a_frame_is_made_named_moved_and_taken_back(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    page = opened("framed", blur())
    page.click("[data-node=blur] .node-title")
    page.click("[data-node=invert] .node-title", modifiers=8)
    page.evaluate(CANVAS)
    page.key("G")
    page.set_field("#frame-title", "Look")
    page.evaluate(CANVAS)
    saved = canvas_state(editor, page, "framed")
    (frame,) = saved["editor"]["frames"]
    assert (frame["title"], frame["nodes"]) == ("Look", ["blur", "invert"])
    x, y = page.place("[data-node=blur] .node-title")
    page.drag((x, y - 40), (x, y + 80))
    moved = canvas_state(editor, page, "framed")["graph"]["nodes"]
    places = [node["ui_properties"]["position"]["y"] for node in moved]
    assert places[0] == places[3] == 0 and places[1] == places[2] > 60
    page.go(f"{editor.url}/editor/#/g/framed")
    page.wait_for("document.querySelector('[data-node=blur]')")
    page.click("[data-node=blur] .node-title")
    page.click("[data-node=invert] .node-title", modifiers=8)
    page.evaluate(CANVAS)
    page.key("G")
    assert "frames" not in canvas_state(editor, page, "framed")["editor"]
    page.key("Ctrl+Z")
    assert canvas_state(editor, page, "framed")["editor"]["frames"] == [frame]


def test_a_note_is_written_with_keys(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    page = opened("noted", blur())
    page.evaluate(CANVAS)
    page.key("N")
    page.wait_for("document.activeElement.matches('.note-text')")
    page.type("Look at the sky.")
    page.key("Escape")
    page.wait_for("document.activeElement.id === 'canvas'")
    note = canvas_state(editor, page, "noted")["graph"]["nodes"][-1]
    assert note["data"] == {"comment": "Look at the sky."}
    page.wait_for_run_text("Run 2 of 2")


def test_a_wire_is_led_through_a_point(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    """A double click makes one and takes it away; the nodes at both ends take it along."""
    page = opened("led", blur())

    def points() -> list[dict[str, int]]:
        edge = canvas_state(editor, page, "led")["graph"]["edges"][0]
        return list(edge.get("ui_properties", {}).get("points", []))

    start = page.place("[data-node=photo] .port.out")
    end = page.place("[data-node=blur] .port.in")
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    page.click_at(x, y, count=2)
    (first,) = points()
    page.drag((x, y), (x, y + 90))
    (second,) = points()
    assert second["y"] > first["y"] + 60
    page.key("Ctrl+A")
    x0, y0 = page.place("[data-node=invert] .node-title")
    page.drag((x0, y0), (x0 + 80, y0))
    (third,) = points()
    assert third["x"] > second["x"] and third["y"] == second["y"]
    page.key("Ctrl+Z")
    assert points() == [second]
    page.click_at(x, y + 90, count=2)
    assert points() == []
