"""The first five minutes: a photo, a prompt, a run, a mask that is filled in, found again."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.editor.acting import KNOWN, ROOT, save
from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.site.browser import installed

PROMPT = "A snowy landscape with mountains and a frozen lake at night"


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[LiveEditor]:
    """Return an editor on two of the examples, as `nodetool edit graphs` serves them."""
    with LiveEditor(tmp_path, opens="image_to_image") as live:
        for name in ("image_to_image.json", "fill_in.json"):
            shutil.copy(ROOT / "graphs" / name, live.graphs / name)
        shutil.copytree(ROOT / "graphs" / "assets", live.graphs / "assets")
        yield live


@pytest.mark.slow
def test_the_first_five_minutes(editor: LiveEditor, tmp_path: Path) -> None:
    program = installed()
    if program is None:
        pytest.skip("needs a Chromium")
    importlib.import_module("diffusers.pipelines.auto_pipeline")
    photo = tmp_path / "holiday.jpg"
    with Image.open(ROOT / "graphs" / "assets" / "lake_at_noon.png") as image:
        image.convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(photo)
    with EditorBrowser(program) as page:
        page.start(editor.address())
        # A photo and another prompt.
        page.wait_for("document.querySelector('.tree-row')")
        show(page, "Image")
        page.drop(photo, page.place("#inspector-pane .image-field"))
        page.wait_for("document.querySelector('#i-value img')?.naturalWidth")
        show(page, "Prompt")
        page.set_field("#i-value", PROMPT)
        nothing_selected(page)
        page.click(".run-group .run")
        page.wait_for_run_text(KNOWN)
        # Before and after.
        show(page, "Image to image")
        page.click("#tab-result")
        page.wait_for("document.querySelector('#inspector-pane .thumb img')?.naturalWidth")
        page.click("#inspector-pane .thumb")
        page.click_text("Compare", "dialog button")
        page.wait_for("document.querySelectorAll('dialog.viewer .stage img').length === 2")
        page.key("Escape")
        page.wait_for("!document.querySelector('dialog')")
        save(page)
        # A mask, filled in.
        page.click_text("Workflows", "[role=tab]")
        page.click_text("Fill in", ".files .list-button")
        page.wait_for("document.querySelectorAll('.open-tab').length === 2")
        page.click_text("Outline", "[role=tab]")
        show(page, "Image")
        page.click("#tab-values")
        page.drop(photo, page.place("#inspector-pane .image-field"))
        page.wait_for("document.querySelector('#i-value img')?.naturalWidth")
        page.click_text("Paint a mask", "#inspector button")
        x, y = page.place(".mask-stage canvas")
        page.wait_for("!document.querySelector('dialog .button.primary').disabled")
        page.drag((x - 60, y), (x + 60, y))
        page.wait_for("document.querySelector('.mask-tools').textContent.includes('1 stroke')")
        page.click_text("Done", "dialog button")
        page.wait_for("!document.querySelector('dialog')")
        nothing_selected(page)
        page.click(".run-group .run")
        page.wait_for_run_text(KNOWN)
        save(page)
        # All of it is there again, what was made included.
        page.go(f"{editor.url}/editor/#/g/image_to_image")
        page.wait_for_run_text(KNOWN)
        show(page, "Prompt")
        page.wait_for(f"document.querySelector('#i-value')?.value === {json.dumps(PROMPT)}")
        page.go(f"{editor.url}/editor/#/gallery")
        page.wait_for("document.querySelectorAll('.gallery .job').length === 2")
        page.click(".gallery .job:last-of-type [aria-haspopup]")
        page.click_text("Open its workflow")
        page.wait_for("document.querySelector('.save-state.readOnly')")
        show(page, "Prompt")
        page.wait_for(f"document.querySelector('#i-value')?.value === {json.dumps(PROMPT)}")
        page.wait_for_run_text(KNOWN)
        assert page.complaints() == []


def show(page: EditorBrowser, name: str) -> None:
    """Select a node in the outline."""
    page.wait_for("document.querySelector('.tree-row')")
    page.wait_for(
        "(() => { const row = [...document.querySelectorAll('.tree-row')].find(one => "
        f"one.querySelector('.tree-name').textContent === {json.dumps(name)});"
        " if (!row) return false; document.querySelector('[data-shown]')"
        "?.removeAttribute('data-shown'); row.dataset.shown = '1'; return true; })()"
    )
    page.click("[data-shown]")
    page.wait_for(f"document.querySelector('#inspector h2')?.textContent === {json.dumps(name)}")


def nothing_selected(page: EditorBrowser) -> None:
    """Select nothing, so that a run is one of everything."""
    page.evaluate("document.querySelector('#canvas').focus()")
    page.key("Escape")
    page.wait_for("!document.querySelector('.node-place.chosen')")
