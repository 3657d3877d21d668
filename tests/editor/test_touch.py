"""G12: a phone and its fingers: the canvas is panned, pinched and wired, the queue is there."""

from __future__ import annotations

import json

from tests.editor.acting import RADIUS
from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur, document

ZOOM = "parseInt(document.querySelector('.zoom-text').textContent)"
VIEW = "getComputedStyle(document.querySelector('.layer')).transform"


def test_the_canvas_is_panned_pinched_and_wired_by_fingers(
    page: EditorBrowser, editor: LiveEditor
) -> None:
    """A tap takes a wire from a port, the next one lets go of it at another."""
    loose = blur().to_json()
    loose["graph"]["edges"] = loose["graph"]["edges"][1:]
    loose["graph"]["nodes"][0]["ui_properties"]["position"] = {"x": 320, "y": -190}
    (editor.graphs / "touched.json").write_text(json.dumps(loose), "utf-8")
    page.start(editor.address(), width=360, height=740, phone=True)
    page.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
    page.go(f"{editor.url}/editor/#/g/touched")
    page.wait_for("!document.querySelector('.mark-unchecked')")
    page.evaluate("document.querySelector('.zoom-text').click()")
    page.click_text("Outline", ".narrow-tabs button")
    page.click_text("Blur", ".tree-row")
    page.click_text("Graph", ".narrow-tabs button")
    page.touch(*page.place("[data-node=photo] .port.out"))
    page.wait_for("document.querySelector('[data-node=blur] .port.fits')")
    page.touch(*page.place("[data-node=blur] .port.in"))
    page.wait_for("document.querySelector('[data-node=blur] .row.joined')")
    x, y = page.place("#canvas")
    before = page.evaluate(VIEW)
    page.fingers([[(x, y + 200)], [(x + 20, y + 220)], [(x + 40, y + 260)]])
    page.wait_for(f"{VIEW} !== {json.dumps(before)}")
    zoom = page.evaluate(ZOOM)
    page.fingers([[(x - d, y + 200), (x + d, y + 200)] for d in (30, 60, 90, 120)])
    page.wait_for(f"{ZOOM} > {zoom + 20}")
    page.touch(*page.place(".run-group .run"))
    page.wait_for(f"document.querySelector('{RADIUS}') && document.querySelector('.mark-known')")
    page.click_text("Gallery", ".narrow-tabs button")
    page.wait_for("document.querySelector('.gallery .job .thumb img')")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_queue_is_on_a_phone(page: EditorBrowser, editor: LiveEditor) -> None:
    """Its jobs are above the gallery, where one is cancelled."""
    drawing = {"prompt": "a lake", "num_inference_steps": 100, "seed": -1}
    slow = document({"draw": ("huggingface.text_to_image.TextToImage", drawing)}, [])
    with editor.owner() as owner:
        for label in ("first", "second"):
            body = {"workflow": slow.to_json(), "label": label, "targets": ["draw"]}
            assert owner.post("/v1/runs", json=body).status_code == 202
    page.start(editor.address(), width=360, height=740, phone=True)
    page.go(f"{editor.url}/editor/#/gallery")
    page.wait_for("document.querySelector('.gallery-queue .queue-number')")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.touch(*page.place(".gallery-queue [aria-label=Cancel]"))
    page.wait_for("!document.querySelector('.gallery-queue .queue-number')")
    page.touch(*page.place(".gallery-queue [aria-label='Cancel the run']"))
    # A run that reads its libraries for the first time ends only once it has them.
    page.wait_for("!document.querySelector('.gallery-queue [aria-label^=Cancel]:not(:disabled)')")
