"""Marks, checks and runs in a browser: what the page says before, during and after a run."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.editor.acting import (
    CANVAS,
    IMAGE,
    KNOWN,
    image_source,
    run,
    save,
    set_radius,
    shown_radius,
)
from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur, document


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
    said = "document.querySelector('[data-node={}] .node-header').title"
    for node, why in (("blur", "Radius changed."), ("invert", "Blur will run.")):
        page.wait_for(f"{said.format(node)} === 'will run: {why}'")
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
    page.evaluate(CANVAS)
    page.key("Escape")
    page.click("#inspector .mistake")
    page.wait_for("document.querySelector('[data-node=blur].chosen, .chosen [data-node=blur]')")
    set_radius(page, "2")
    page.wait_for('!document.querySelector(".mark-mistake, .run .badge")')


def test_near_misses_are_taken_by_a_key(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    """Of a property and of a type; the button says which key."""
    near = blur().to_json()
    near["graph"]["nodes"][1]["data"] = {"radiu": 3.0}
    near["graph"]["nodes"][2]["type"] = "lib.pillow.filter.Invrt"
    page = opened("near", near)
    page.wait_for('document.querySelector(".run .badge")?.textContent === "2"')
    page.click("[data-node=invert] .node-title")
    page.wait_for("document.querySelector('.problem .text-button')?.textContent.includes('Alt')")
    page.evaluate(CANVAS)
    page.key("Alt+Enter")
    page.wait_for('document.querySelector(".run .badge")?.textContent === "1"')
    page.key("Escape")
    page.key("Alt+Enter")
    page.wait_for("!document.querySelector('.run .badge')")
    page.wait_for_run_text("Run 1 of 1")
    save(page)
    nodes = json.loads((editor.graphs / "near.json").read_text("utf-8"))["graph"]["nodes"]
    assert nodes[1]["data"] == {"radius": 3.0}
    assert nodes[2]["type"] == "lib.pillow.filter.Invert"


AT_ONCE = """
new MutationObserver((_, observer) => {
  const run = document.querySelector(".run");
  if (!run) return;
  observer.disconnect();
  document.body.dispatchEvent(
    new KeyboardEvent("keydown", {key: "Enter", ctrlKey: true, bubbles: true}));
  window.pressed = true;
}).observe(document, {childList: true, subtree: true});
"""


def test_a_run_that_is_wanted_at_once_waits_for_the_first_check(
    page: EditorBrowser, editor: LiveEditor
) -> None:
    """Of a workflow with a mistake nothing is sent, and the mistake is shown."""
    (editor.graphs / "wrong.json").write_bytes(blur(-1.0).to_bytes())
    page.call("Page.addScriptToEvaluateOnNewDocument", source=AT_ONCE)
    page.go(f"{editor.url}/editor/#/g/wrong")
    page.wait_for("window.pressed && document.querySelector('.toast.error')")
    page.wait_for('document.querySelector("[data-node=blur] .mark-mistake")')
    assert page.asked("POST", "/v1/runs") == 0


def test_a_model_is_set_by_fields_for_all_that_its_reference_can_have(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    draw = ("huggingface.text_to_image.TextToImage", {"prompt": "a lake", "seed": 1})
    page = opened("model", document({"draw": draw}, []))
    page.click("[data-node=draw] .node-title")
    page.click(".model-more summary")
    page.evaluate(
        "(field => { field.value = '1'; field.dispatchEvent(new Event('change',"
        " {bubbles: true})); })(document.querySelector('#i-model-quantization'))"
    )
    page.set_field("#i-model-vae", "owner/vae")
    save(page)
    (node,) = json.loads((editor.graphs / "model.json").read_text("utf-8"))["graph"]["nodes"]
    model = node["data"]["model"]
    assert (model["quantization"], model["vae"]["repo_id"]) == ("fp8", "owner/vae")
    page.wait_for("!document.querySelector('.mark-mistake, .mark-unchecked')")


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


def test_a_result_is_shown_while_the_run_goes_on(opened: Callable[..., EditorBrowser]) -> None:
    """The event of a node names its result: nothing is checked before the run has ended."""
    # Reading the libraries takes most of the first run's time.
    importlib.import_module("diffusers.pipelines.auto_pipeline")
    both = blur(7.75).to_json()
    drawing = {"prompt": "a lake", "num_inference_steps": 100, "seed": 4}
    draw = ("huggingface.text_to_image.TextToImage", drawing)
    more = document({"draw": draw, "end": ("nodetool.output.Output", {"name": "drawn"})}, [])
    edges = [{"source": "draw", "sourceHandle": "output", "target": "end", "targetHandle": "value"}]
    both["graph"]["nodes"] += more.to_json()["graph"]["nodes"]
    both["graph"]["edges"] += edges
    page = opened("both", both)
    page.wait_for_run_text("Run 3 of 3")
    checks = page.asked("POST", "/v1/check")
    page.evaluate(CANVAS)
    page.key("Ctrl+Enter")
    page.wait_for("document.querySelector('[data-node=draw] .mark-running')")
    page.wait_for("document.querySelector('[data-node=draw] img.preview')")
    image_source(page)
    assert page.marks()["invert"] == "known"
    assert page.asked("POST", "/v1/check") == checks
    page.key("Ctrl+.")
    page.wait_for("!document.querySelector('.run.active')")


def test_a_page_that_is_loaded_during_a_run_goes_on_with_it(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    """G8: the marks are right after a reload, and become known when the run is done."""
    drawn = document(
        {
            "draw": (
                "huggingface.text_to_image.TextToImage",
                {"prompt": "a lake", "num_inference_steps": 48, "seed": 2},
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


def test_a_drawn_seed_is_shown_and_can_be_kept(opened: Callable[..., EditorBrowser]) -> None:
    """Its result is that of the last run; with the seed kept, nothing is left to compute."""
    noise = document(
        {
            "noise": ("lib.pillow.draw.GaussianNoise", {"width": 16, "height": 16, "seed": -1}),
            "out": ("nodetool.output.Output", {"name": "result"}),
        },
        ["noise.output > out.value"],
    )
    page = opened("noise", noise)
    page.wait_for_run_text("Run 1 of 1")
    page.evaluate(CANVAS)
    page.key("Ctrl+Enter")
    shown = "document.querySelector('[data-node=noise] .node-result img')"
    first = page.wait_for(f"{shown}?.naturalWidth && {shown}.src")
    assert page.marks()["noise"] == "volatile"
    page.click("[data-node=noise] .node-title")
    page.evaluate(CANVAS)
    page.key("P")
    page.wait_for_run_text(KNOWN)
    assert page.wait_for(f"{shown}?.src") == first
    page.key("Ctrl+Z")
    page.wait_for_run_text("Run 1 of 1")


def test_a_bypassed_node_is_passed_by(page: EditorBrowser) -> None:
    page.click("[data-node=invert] .node-title")
    page.evaluate(CANVAS)
    page.key("M")
    page.wait_for("document.querySelector('[data-node=invert] .node.bypassed')")
    page.key("Escape")
    page.wait_for_run_text("Run 1 of 1")
    run(page)
    assert page.marks() == {"photo": "known", "blur": "known", "invert": "unneeded", "out": "known"}


def test_a_workflow_runs_once_for_each_row(
    opened: Callable[..., EditorBrowser], editor: LiveEditor, tmp_path: Path
) -> None:
    """A column that is no input is told before anything runs."""
    made = document(
        {
            "season": ("nodetool.input.StringInput", {"name": "season", "value": "winter"}),
            "text": ("nodetool.text.FormatText", {"template": "a lake in {{ season }}"}),
            "out": ("nodetool.output.Output", {"name": "result"}),
        },
        ["season.output > text.season", "text.output > out.value"],
    )
    page = opened("rows", made)
    page.click(".run-more .menu-button")
    page.click_text("Run for each row", "[role=menuitem]")
    page.wait_for("document.querySelector('#rows-file')")
    table = tmp_path / "rows.csv"
    table.write_text("saeson\nspring\n", "utf-8")
    page.choose("#rows-file", table)
    page.wait_for("document.querySelector('.batch .problem')?.textContent.includes('saeson')")
    table.write_text('season\nspring\n"late, late summer"\n', "utf-8")
    page.choose("#rows-file", table)
    page.click_text("Run 2 times", "dialog button")
    page.wait_for("!document.querySelector('dialog')")
    with editor.owner() as client:
        jobs = client.get("/v1/jobs?limit=2&with=outputs").json()["jobs"]
        for job in jobs:
            client.get(f"/v1/jobs/{job['id']}?wait=30")
        jobs = client.get("/v1/jobs?limit=2&with=outputs").json()["jobs"]
    found = {job["label"]: job["outputs"]["result"] for job in jobs}
    assert found == {"1/2": "a lake in spring", "2/2": "a lake in late, late summer"}
