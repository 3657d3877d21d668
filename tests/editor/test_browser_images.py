"""Images in a browser: looked at, compared, and painted over."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest
from PIL import Image

from tests.editor.acting import CANVAS, KNOWN, ROOT, run, set_radius
from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor


def test_two_results_are_compared(page: EditorBrowser) -> None:
    set_radius(page, "12")
    run(page)
    page.click("[data-node=blur] .node-title")
    page.wait_for("document.querySelector('[data-node=blur] img')?.complete")
    page.evaluate(CANVAS)
    page.key(" ")
    page.wait_for("document.querySelector('dialog.viewer .stage img')?.complete")
    page.key("C")
    page.wait_for("document.querySelectorAll('dialog.viewer .stage img').length === 2")
    before = page.evaluate("document.querySelector('.wipe').ariaValueNow")
    page.evaluate("document.querySelector('.wipe').focus()")
    page.key("ArrowRight")
    page.wait_for(f"document.querySelector('.wipe').ariaValueNow !== {json.dumps(before)}")
    page.key("Escape")
    page.wait_for("!document.querySelector('dialog')")


def test_a_mask_is_painted_beside_the_photo(page: EditorBrowser, editor: LiveEditor) -> None:
    """The photo is untouched; the strokes are there again when the mask is opened anew."""
    page.click("[data-node=photo] .node-title")
    page.click_text("Paint a mask", "#inspector button")
    x, y = page.place(".mask-stage canvas")
    page.wait_for("!document.querySelector('dialog .button.primary').disabled")
    page.drag((x - 40, y), (x + 40, y))
    page.wait_for("document.querySelector('.mask-tools').textContent.includes('1 stroke')")
    page.click_text("Done", "dialog button")
    page.wait_for("!document.querySelector('dialog')")
    page.wait_for("document.querySelector('[data-node=mask] .image-field img')?.naturalWidth")
    page.evaluate(CANVAS)
    page.key("Ctrl+S")
    page.wait_for("document.querySelector('.save-state.saved')")
    nodes = json.loads((editor.graphs / "blur.json").read_text("utf-8"))["graph"]["nodes"]
    assert nodes[0]["data"]["value"] == {"type": "image", "uri": "photo.png"}
    with editor.owner() as client:
        mask = client.get(f"/v1/files/{nodes[-1]['data']['value']['asset_id']}")
    (editor.graphs / "mask.png").write_bytes(mask.content)
    with Image.open(editor.graphs / "mask.png") as image:
        assert image.size == (48, 32)
        grey = image.convert("L")
        assert grey.getpixel((24, 16)) == 255 and grey.getpixel((1, 1)) == 0
    page.click("[data-node=photo] .node-title")
    page.click_text("Paint a mask", "#inspector button")
    page.wait_for("document.querySelector('.mask-tools')?.textContent.includes('1 stroke')")
    page.key("Escape")


@pytest.mark.slow
def test_fill_in_runs_with_a_painted_mask(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    shutil.copytree(ROOT / "graphs" / "assets", editor.graphs / "assets", dirs_exist_ok=True)
    fill_in = json.loads((ROOT / "graphs" / "fill_in.json").read_text("utf-8"))
    page = opened("fill_in", fill_in)
    page.wait_for(
        "document.querySelector('.run .run-text.wide-only').textContent.startsWith('Run')"
    )
    page.evaluate(CANVAS)
    page.key("Ctrl+Enter")
    page.wait_for_run_text(KNOWN)
