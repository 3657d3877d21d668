"""
The editor in a browser, against its server: what a person does, and what is then to be seen.

Every test fails on whatever the browser complains of: messages of the console, requests that
failed, violations of the policy, other hosts.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur, document
from tests.site.browser import installed

ROOT = Path(__file__).parents[2]
KNOWN = "All results are known"
CANVAS = 'document.querySelector("#canvas").focus()'
IMAGE = 'document.querySelector("[data-node=blur] .node-result img")'
RADIUS = "#n-blur-radius"

pytestmark = pytest.mark.skipif(installed() is None, reason="needs a Chromium")


@pytest.fixture(scope="module")
def browser(editor: LiveEditor) -> Iterator[EditorBrowser]:
    """Return a browser; it ends before the server does, which waits for its streams."""
    program = installed()
    assert program is not None
    with EditorBrowser(program) as found:
        yield found


@pytest.fixture
def complaints() -> list[str]:
    """Return what a test expects the browser to complain of; none unless it says so."""
    return []


@pytest.fixture
def page(
    editor: LiveEditor, browser: EditorBrowser, complaints: list[str]
) -> Iterator[EditorBrowser]:
    """Return the page, with the workflow `blur` open; at the end nothing was complained of."""
    (editor.graphs / "blur.json").write_bytes(blur().to_bytes())
    browser.start(editor.address())
    browser.wait_for('document.querySelector("[data-node=blur]")')
    yield browser
    found = [one for one in browser.complaints() if not any(text in one for text in complaints)]
    assert found == []
    assert browser.hosts() == {editor.url.removeprefix("http://")}


@pytest.fixture
def opened(page: EditorBrowser, editor: LiveEditor) -> Callable[..., EditorBrowser]:
    """Return a function that opens another workflow."""

    def open_(name: str, content: Any, view: str = "g") -> EditorBrowser:
        text = content if isinstance(content, dict) else content.to_json()
        (editor.graphs / f"{name}.json").write_text(json.dumps(text), "utf-8")
        page.go(f"{editor.url}/editor/#/{view}/{name}")
        return page

    return open_


def shown_radius(page: EditorBrowser) -> str:
    return str(page.evaluate(f"document.querySelector('{RADIUS}').value"))


def image_source(page: EditorBrowser) -> str:
    """Return the address of the blurred image, once it is drawn."""
    return str(page.wait_for(f"{IMAGE}?.complete && {IMAGE}.naturalWidth && {IMAGE}.src"))


def set_radius(page: EditorBrowser, value: str) -> None:
    """Type a radius, and select nothing, so that a run is one of everything."""
    page.set_field(RADIUS, value)
    x, y = page.place("#canvas")
    page.click_at(x, y + 250)
    page.wait_for("!document.querySelector('[data-node].selected, .node.selected')")


def run(page: EditorBrowser) -> None:
    page.evaluate(CANVAS)
    page.key("Ctrl+Enter")
    page.wait_for_run_text(KNOWN)


def test_the_page_is_ready_soon(page: EditorBrowser, editor: LiveEditor) -> None:
    """G1, with room for a busy machine; the address keeps no key."""
    page.go(f"{editor.url}/editor/")
    ready = page.evaluate('performance.getEntriesByName("ready")[0].startTime')
    assert ready <= 3000
    assert page.evaluate("location.hash") == "#/g/blur"
    assert page.evaluate("document.title").startswith("blur ")


def test_marks_say_before_a_run_what_it_would_do(page: EditorBrowser) -> None:
    """Faults of a value far down cost what is above nothing; undo brings the old result back."""
    set_radius(page, "3.5")
    page.wait_for_run_text("Run 2 of 2")
    assert page.marks() == {
        "photo": "known", "blur": "will-run", "invert": "will-run", "out": "will-run",
    }  # fmt: skip
    run(page)
    assert set(page.marks().values()) == {"known"}
    before = image_source(page)
    set_radius(page, "7.5")
    page.wait_for_run_text("Run 2 of 2")
    run(page)
    assert image_source(page) != before
    runs = page.asked("POST", "/v1/runs")
    page.key("Ctrl+Z")
    page.wait_for_run_text(KNOWN)
    page.wait_for(f"{IMAGE}?.src === {json.dumps(before)}")
    assert shown_radius(page) == "3.5"
    assert page.asked("POST", "/v1/runs") == runs == 2


def test_the_page_asks_for_a_check_once_for_a_change(page: EditorBrowser) -> None:
    page.wait_for("!document.querySelector('.mark-unchecked')")
    before = page.asked("POST", "/v1/check")
    set_radius(page, "4.25")
    page.wait_for_run_text("Run 2 of 2")
    page.evaluate("new Promise(done => setTimeout(done, 600))")
    assert page.asked("POST", "/v1/check") - before <= 2


def test_a_run_to_the_selection_computes_no_more(page: EditorBrowser) -> None:
    set_radius(page, "5.75")
    page.click("[data-node=blur] .node-title")
    page.wait_for_run_text("Run 1 of 1")
    page.evaluate(CANVAS)
    page.key("Ctrl+Enter")
    page.wait_for_run_text(KNOWN)
    marks = page.marks()
    assert (marks["blur"], marks["invert"]) == ("known", "will-run")


def test_a_selected_input_is_no_end_of_a_run(page: EditorBrowser) -> None:
    """Who has just typed a prompt wants the image that it makes."""
    set_radius(page, "6.25")
    page.click("[data-node=photo] .node-title")
    page.wait_for_run_text("Run 2 of 2")
    run(page)
    assert page.marks()["invert"] == "known"


def test_a_mistake_is_shown_at_its_field_and_goes(page: EditorBrowser) -> None:
    set_radius(page, "-3")
    page.wait_for('document.querySelector("[data-node=blur] .mark-mistake")')
    page.wait_for('document.querySelector("[data-node=blur] .row.wrong #n-blur-radius")')
    page.wait_for('document.querySelector(".run .badge")?.textContent === "1"')
    set_radius(page, "2")
    page.wait_for('!document.querySelector(".mark-mistake, .run .badge")')


def test_what_is_saved_is_in_the_file(page: EditorBrowser, editor: LiveEditor) -> None:
    assert page.evaluate("document.querySelector('.save-state').textContent") == "Saved"
    set_radius(page, "9")
    page.wait_for("document.querySelector('.save-state.unsaved')")
    page.key("Ctrl+S")
    page.wait_for("document.querySelector('.save-state.saved')")
    saved = json.loads((editor.graphs / "blur.json").read_text("utf-8"))
    assert saved["graph"]["nodes"][1]["data"] == {"radius": 9}
    page.go(f"{editor.url}/editor/#/g/blur")
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === '9'")
    assert page.evaluate("document.querySelector('.toast')") is None, "no draft is left"


def test_a_draft_outlives_the_page(page: EditorBrowser, editor: LiveEditor) -> None:
    """Also the first edit of all, made in one stroke."""
    set_radius(page, "8.75")
    page.wait_for(
        "fetch('/v1/workflows/blur/draft').then(answer => answer.json())"
        ".then(draft => draft?.document.graph.nodes[1].data.radius === 8.75"
        " ? globalThis.isKept = true : 0) && globalThis.isKept"
    )
    page.go(f"{editor.url}/editor/#/g/blur")
    page.click_text("Take them")
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === '8.75'")
    assert page.evaluate("document.querySelector('.save-state').textContent") == "Unsaved changes"


def test_a_file_that_was_changed_elsewhere_is_not_written_over(
    page: EditorBrowser, editor: LiveEditor, complaints: list[str]
) -> None:
    complaints += ["412"]
    set_radius(page, "9.5")
    other = blur(1.0).to_bytes()
    (editor.graphs / "blur.json").write_bytes(other)
    page.key("Ctrl+S")
    page.wait_for("document.querySelector('dialog')?.textContent.includes('changed')")
    assert (editor.graphs / "blur.json").read_bytes() == other
    page.click_text("Keep mine")
    page.wait_for("document.querySelector('.save-state.saved')")
    saved = json.loads((editor.graphs / "blur.json").read_text("utf-8"))
    assert saved["graph"]["nodes"][1]["data"] == {"radius": 9.5}


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


@pytest.mark.slow
def test_a_run_is_cancelled_and_what_was_finished_stays(
    opened: Callable[..., EditorBrowser],
) -> None:
    slow = document(
        {
            "draw": (
                "huggingface.text_to_image.TextToImage",
                {"prompt": "a lake", "num_inference_steps": 100, "seed": 1},
            ),
            "out": ("nodetool.output.Output", {"name": "result"}),
        },
        ["draw.output > out.value"],
    )
    page = opened("slow", slow)
    page.wait_for_run_text("Run 1 of 1")
    page.evaluate(CANVAS)
    page.key("Ctrl+Enter")
    page.wait_for("document.querySelector('[data-node=draw] .mark-running')")
    page.key("Ctrl+.")
    page.wait_for("!document.querySelector('[data-node=draw] .mark-running, .run.active')")
    assert page.marks()["draw"] == "will-run"


def test_the_form_runs_a_workflow_and_shows_its_result(
    opened: Callable[..., EditorBrowser],
) -> None:
    page = opened("formed", blur(2.75), view="f")
    page.wait_for("document.querySelector('.form-view #f-photo')")
    page.click_text("Run", ".form-foot button")
    shown = "document.querySelector('.form-results .one-image img')"
    page.wait_for(f"{shown}?.complete && {shown}.naturalWidth === 48")


def test_a_phone_shows_the_form_within_its_width(
    browser: EditorBrowser, page: EditorBrowser, editor: LiveEditor
) -> None:
    """G12: nothing lies outside of 360 pixels, and a tap runs."""
    page.start(editor.address(), width=360, height=740, phone=True)
    page.go(f"{editor.url}/editor/#/f/blur")
    page.wait_for("document.querySelector('.form-view #f-photo')")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.touch(*page.place(".form-foot .primary"))
    page.wait_for("document.querySelector('.form-results .one-image img')?.naturalWidth === 48")


def test_the_gallery_keeps_a_result_and_opens_its_workflow(
    page: EditorBrowser, editor: LiveEditor
) -> None:
    with editor.owner() as client:
        body = {"workflow": blur(1.25).to_json(), "name": "blur"}
        job = client.post("/v1/runs", json=body).json()["id"]
        assert client.get(f"/v1/jobs/{job}?wait=60").json()["state"] == "done"
    page.go(f"{editor.url}/editor/#/gallery")
    star = "document.querySelector('.gallery .job .icon-button')"
    page.wait_for(star)
    page.click(".gallery .job .icon-button")
    page.wait_for(f"{star}.getAttribute('aria-pressed') === 'true'")
    page.click(".gallery .page-head input[type=checkbox]")
    page.wait_for("document.querySelectorAll('.gallery .job').length === 1")
    page.click(".gallery .job .menu-button, .gallery .job [aria-haspopup]")
    page.click_text("Open its workflow")
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === '1.25'")
    assert page.evaluate("document.querySelector('.save-state').textContent") == "Read only"


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


def test_an_image_that_a_workflow_made_is_dropped(
    page: EditorBrowser, editor: LiveEditor, tmp_path: Path
) -> None:
    """It is used as an image, or its workflow is opened."""
    set_radius(page, "2.5")
    run(page)
    with editor.owner() as client:
        (job,) = client.get("/v1/jobs?limit=1").json()["jobs"]
        made = tmp_path / "made.png"
        made.write_bytes(client.get(job["outputs"]["result"]["url"]).content)
    page.drop(made, page.place("#canvas"))
    page.click_text("Use as an image")
    page.wait_for("document.querySelectorAll('[data-node]').length === 5")
    page.drop(made, page.place("#canvas"))
    page.click_text("Open its workflow")
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === '2.5'")
    page.wait_for("document.querySelectorAll('[data-node]').length === 4")


def test_a_plain_photo_is_dropped(page: EditorBrowser, tmp_path: Path) -> None:
    photo = tmp_path / "plain.png"
    Image.new("RGB", (20, 20), "red").save(photo)
    page.drop(photo, page.place("#canvas"))
    page.wait_for("document.querySelectorAll('[data-node]').length === 5")
    page.wait_for("document.querySelector('[data-node=image_input] .image-field img')?.complete")


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


def test_a_page_that_is_loaded_during_a_run_goes_on_with_it(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    """G8: the marks are right after a reload, and become known when the run is done."""
    drawn = document(
        {
            "draw": (
                "huggingface.text_to_image.TextToImage",
                {"prompt": "a lake", "num_inference_steps": 16, "seed": 2},
            ),
            "out": ("nodetool.output.Output", {"name": "result"}),
        },
        ["draw.output > out.value"],
    )
    page = opened("reload", drawn)
    page.wait_for_run_text("Run 1 of 1")
    page.evaluate(CANVAS)
    page.key("Ctrl+Enter")
    page.wait_for("document.querySelector('[data-node=draw] .mark-running')")
    page.go(f"{editor.url}/editor/#/g/reload")
    page.wait_for("document.querySelector('[data-node=draw] .mark-running, .run.active')")
    page.wait_for_run_text(KNOWN)


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
