"""
The pages around the canvas in a browser: files, queue, tabs, drafts, other tools' images, models.

As in `test_browser.py`, whatever the browser complains of fails the test.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur, document
from tests.editor.screens import CANVAS, SCREENS, make_results
from tests.site.browser import installed

RADIUS = "#n-blur-radius"
SAVED = "document.querySelector('.save-state.saved')"

pytestmark = pytest.mark.skipif(installed() is None, reason="needs a Chromium")


def radius(page: EditorBrowser, value: str) -> None:
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === {json.dumps(value)}")


def test_a_workflow_is_saved_into_a_folder_and_opened_from_it(
    page: EditorBrowser, editor: LiveEditor
) -> None:
    (editor.graphs / "nights").mkdir(exist_ok=True)
    page.click("[data-node=photo] .node-title")
    page.evaluate(CANVAS)
    page.key("Delete")  # Its image is beside the file, and would not be beside the new one.
    page.key("Ctrl+Shift+S")
    page.click_text("nights", "dialog .list-button")
    page.wait_for("document.querySelector('#one-line').value === 'nights/blur'")
    page.set_field("#one-line", "nights/deep/first")
    page.key("Enter")
    page.wait_for(f"{SAVED} && location.hash === '#/g/nights/deep/first'")
    assert (editor.graphs / "nights" / "deep" / "first.json").is_file()
    page.key("Ctrl+O")
    for folder in ("nights/deep", "nights"):
        page.wait_for(f"document.querySelector('.places-path')?.textContent === '{folder}'")
        page.click_text("Folder above", "dialog .list-button")
    page.click_text("blur.json", "dialog .list-button")
    page.wait_for("location.hash === '#/g/blur'")


SLOW = document(
    {
        "draw": (
            "huggingface.text_to_image.TextToImage",
            {"prompt": "a lake", "num_inference_steps": 100, "seed": 1},
        ),
        "out": ("nodetool.output.Output", {"name": "result"}),
    },
    ["draw.output > out.value"],
)
WAITING = "[...document.querySelectorAll('.queue-panel .queue-name')].map(one => one.textContent)"


def test_the_queue_is_reordered_and_cancelled(page: EditorBrowser, editor: LiveEditor) -> None:
    """20: one is brought forward, one cancelled, then all that wait."""
    # A run that reads its libraries is cancelled only once it has them.
    importlib.import_module("diffusers.pipelines.auto_pipeline")
    with editor.owner() as owner:
        for label in ("now", "a", "b", "c", "d"):
            body = {"workflow": SLOW.to_json(), "label": label, "use_cache": False}
            assert owner.post("/v1/runs", json=body).status_code == 202
    page.click(".strip-queue")
    page.wait_for(f"{WAITING}.join().match(/now.*,a,b,c,d$/)")
    page.evaluate(
        "[...document.querySelectorAll('.queue-panel li')].at(-1)"
        ".querySelector('[aria-label=Sooner]').click()"
    )
    page.wait_for(f"{WAITING}.join().match(/,a,b,d,c$/)")
    page.evaluate(
        "[...document.querySelectorAll('.queue-panel li')].at(1)"
        ".querySelector('[aria-label=Cancel]').click()"
    )
    page.wait_for(f"{WAITING}.join().match(/now[^,]*,b,d,c$/)")
    page.click("[aria-label='Runs to cancel']")
    page.click_text("Cancel b, which waits", "[role=menuitem]")
    page.wait_for(f"{WAITING}.join().match(/now[^,]*,d,c$/)")
    page.click_text("Cancel all waiting", ".queue-panel button")
    page.wait_for(f"{WAITING}.length === 1")
    page.click_text("Cancel the run", ".queue-panel button")
    page.wait_for("document.querySelector('.queue-panel')?.textContent === 'Nothing is running'")
    page.go(f"{editor.url}/editor/#/gallery")
    page.wait_for("document.querySelectorAll('.job.is-cancelled').length >= 5")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_image_of_comfyui_brings_its_workflow(
    page: EditorBrowser, editor: LiveEditor, tmp_path: Path, kind: str
) -> None:
    """15: it is imported, or used as an image."""
    Image.new("RGB", (24, 16), "blue").save(editor.graphs / "a.png")
    prompt = json.dumps({
        "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
    })  # fmt: skip
    path = tmp_path / f"made.{kind.lower()}"
    image = Image.new("RGB", (24, 16), "red")
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("prompt", prompt)
        image.save(path, pnginfo=info)
    else:
        exif = Image.Exif()
        exif[0x010F] = "workflow:{}"
        exif[0x0110] = f"prompt:{prompt}"
        image.save(path, kind, exif=exif)
    page.drop(path, page.half("#canvas", "right"))
    page.wait_for("document.querySelector('[role=tree]')?.textContent.includes('Invert')")


def test_results_of_yesterday_are_had_again(page: EditorBrowser, editor: LiveEditor) -> None:
    make_results(editor, 2)
    page.go(f"{editor.url}/editor/#/gallery")
    page.wait_for("document.querySelectorAll('.gallery .job').length >= 2")
    page.set_field(".gallery .filter", "nothing of that name")
    page.wait_for("document.querySelector('.gallery .empty')")
    page.set_field(".gallery .filter", "blur")
    page.wait_for("document.querySelector('.gallery .job .thumb img')")


def test_a_card_shows_what_the_workflow_made_last(page: EditorBrowser, editor: LiveEditor) -> None:
    make_results(editor, 1)
    page.go(f"{editor.url}/editor/#/start")
    page.wait_for("document.querySelector('.card img')?.getAttribute('src').includes('/files/')")


def test_models_are_listed_with_what_they_do(page: EditorBrowser, editor: LiveEditor) -> None:
    SCREENS["models"](page, editor.url)
    text = page.evaluate("document.querySelector('.model-list').textContent")
    assert "nodetool/tiny-landscapes" in text and "image-to-image" in text
    assert page.evaluate("document.querySelector('.model-list [aria-label^=Delete]')") is None


@pytest.mark.parametrize(("width", "height"), [(320, 640), (640, 400)])
@pytest.mark.parametrize("name", ["start", "form", "gallery", "models", "session"])
def test_what_is_narrow_or_twice_as_large_has_no_second_scrollbar(
    page: EditorBrowser,
    editor: LiveEditor,
    complaints: list[str],
    name: str,
    width: int,
    height: int,
) -> None:
    """26: 320 pixels, and 1280 by 800 at 200 %: pages reflow, nothing lies beside."""
    complaints += ["401"] if name == "session" else []
    make_results(editor, 1)
    page.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=height,
        deviceScaleFactor=1 if width == 320 else 2, mobile=False,
    )  # fmt: skip
    SCREENS[name](page, editor.url)
    beside = page.evaluate(
        "[...document.querySelectorAll('main *, header *')].filter(one => {"
        " const box = one.getBoundingClientRect(); return box.width && box.right > innerWidth + 1"
        " && !one.closest('.places .list, pre, .film, .unseen, .thumb, summary'); })"
        ".map(one => one.outerHTML.slice(0, 80))"
    )
    assert beside == []


def test_whoever_wants_no_motion_gets_none(page: EditorBrowser, editor: LiveEditor) -> None:
    """27: no animation and no transition runs."""
    page.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-reduced-motion", "value": "reduce"}],
    )
    for name in ("form", "graph", "gallery"):
        SCREENS[name](page, editor.url)
        moving = page.evaluate(
            "document.getAnimations().filter(one => one.playState === 'running').length"
        )
        assert moving == 0, name


def names_of(page: EditorBrowser) -> list[tuple[str, str]]:
    """Return role and name of everything in the accessibility tree that can be operated."""
    nodes: list[dict[str, Any]] = page.call("Accessibility.getFullAXTree")["nodes"]
    wanted = {"button", "link", "textbox", "checkbox", "switch", "slider", "spinbutton", "tab",
              "treeitem", "menuitem", "combobox", "searchbox", "option", "listbox"}  # fmt: skip
    return [
        (one["role"]["value"], one.get("name", {}).get("value", ""))
        for one in nodes
        if not one.get("ignored") and one.get("role", {}).get("value") in wanted
    ]


@pytest.mark.parametrize("name", SCREENS)
def test_everything_has_a_name_and_the_focus_is_never_trapped(
    page: EditorBrowser, editor: LiveEditor, complaints: list[str], name: str
) -> None:
    """25: each control has a name; Tab leads through all and comes back to the beginning."""
    complaints += ["401"] if name == "session" else []
    make_results(editor, 2)
    SCREENS[name](page, editor.url)
    unnamed = [role for role, text in names_of(page) if not text.strip()]
    assert unnamed == []
    focused = "document.activeElement.outerHTML.slice(0, 200)"
    page.evaluate("document.activeElement.blur()")
    seen: list[str] = []
    for _ in range(150):
        page.key("Tab")
        now = page.evaluate(focused)
        if name in ("graph", "chosen") and page.evaluate("!!document.querySelector('dialog')"):
            break  # On the canvas Tab adds a node.
        if now in seen[:1] or now.startswith("<body"):
            break
        seen.append(now)
    assert len(seen) < 150, "the focus came back"


def test_edits_outlive_the_browser(page: EditorBrowser, editor: LiveEditor) -> None:
    """13, G7: the browser is killed; another one is offered what was typed a second before."""
    program = installed()
    assert program is not None
    with EditorBrowser(program) as killed:
        killed.start(editor.address())
        killed.set_field(RADIUS, "8.25")
        began = time.monotonic()
        with editor.owner() as owner:
            kept = 0.0
            while kept != 8.25:
                draft = owner.get("/v1/workflows/blur/draft").json()
                kept = draft and draft["document"]["graph"]["nodes"][1]["data"]["radius"]
                assert time.monotonic() - began < 20, "it is not kept"
    page.go(f"{editor.url}/editor/#/g/blur")
    page.click_text("Take them")
    radius(page, "8.25")


@pytest.mark.slow
def test_edits_outlive_the_server(browser: EditorBrowser, tmp_path: Path) -> None:
    """12: the server is killed; what is edited meanwhile is saved once it is there again."""
    graphs = tmp_path / "graphs"
    graphs.mkdir()
    (graphs / "blur.json").write_bytes(blur().to_bytes())

    def serve(port: int) -> tuple[subprocess.Popen[str], str]:
        command = (
            "from nodetool_core.editor.launch import edit; from pathlib import Path;"
            f" edit(Path({str(graphs)!r}), 'blur', port={port}, browser=False)"
        )
        program = subprocess.Popen(
            [sys.executable, "-c", command], stderr=subprocess.PIPE, text=True,
            env=os.environ | {"NODETOOL_DATA_DIR": str(tmp_path / "data")},
        )  # fmt: skip
        assert program.stderr is not None
        for line in program.stderr:
            if "http://" in line:
                return program, line.partition("at ")[2].strip()
        raise AssertionError("it does not say where it is")

    program, address = serve(0)
    port = int(address.partition("127.0.0.1:")[2].partition("/")[0])
    try:
        browser.start(address)
        browser.wait_for("document.querySelector('[data-node=blur]')")
        program.kill()
        program.wait(20)
        browser.wait_for("document.querySelector('.save-state.offline')")
        browser.set_field(RADIUS, "8.5")
        browser.wait_for("document.querySelector('.save-state')?.textContent.includes('1 change')")
        program, _ = serve(port)
        browser.wait_for("document.querySelector('.save-state.unsaved')")
        browser.evaluate(CANVAS)
        browser.key("Ctrl+S")
        browser.wait_for(SAVED)
        saved = json.loads((graphs / "blur.json").read_text("utf-8"))
        assert saved["graph"]["nodes"][1]["data"] == {"radius": 8.5}
    finally:
        program.kill()
        program.wait(20)
