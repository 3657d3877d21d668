"""The canvas in a browser, with keys and with the pointer."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.editor.acting import CANVAS
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
    page.click(".zoom-text")
    page.wait_for("document.querySelectorAll('[data-node]').length")
    assert page.evaluate("document.querySelectorAll('*').length") <= 3000
