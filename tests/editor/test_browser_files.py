"""Files, drafts, drops and the gallery in a browser: nothing the user made is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tests.editor.acting import RADIUS, run, set_radius, shown_radius
from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur, document


def test_what_is_saved_is_in_the_file(page: EditorBrowser, editor: LiveEditor) -> None:
    assert page.evaluate("document.querySelector('.save-state').textContent") == "Saved"
    set_radius(page, "9")
    page.wait_for("document.querySelector('.save-state.unsaved')")
    page.key("Ctrl+S")
    page.wait_for("document.querySelector('.save-state.saved')")
    assert page.evaluate("document.querySelector('.save-state').textContent") == "Saved just now"
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


def test_the_gallery_keeps_a_result_and_opens_its_workflow(
    page: EditorBrowser, editor: LiveEditor
) -> None:
    with editor.owner() as client:
        body = {"workflow": blur(1.25).to_json(), "name": "blur"}
        job = client.post("/v1/runs", json=body).json()["id"]
        assert client.get(f"/v1/jobs/{job}?wait=60").json()["state"] == "done"
    page.go(f"{editor.url}/editor/#/gallery")
    page.wait_for("document.querySelector('.gallery .day:first-of-type > h2')")
    day = page.evaluate("document.querySelector('.gallery .day:first-of-type > h2').textContent")
    assert day in ("today", "yesterday"), "the newest day comes first"
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


def test_the_gallery_finds_what_is_older_than_what_it_shows(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    """By the words of a prompt; what lies between is read page by page."""
    with editor.owner() as client:
        for number in range(60):
            told = {"name": "prompt", "value": f"{number} boats" if number else "an old lighthouse"}
            words = document(
                {
                    "text": ("nodetool.input.StringInput", told),
                    "out": ("nodetool.output.Output", {"name": "said"}),
                },
                ["text.output > out.value"],
            )
            job = client.post("/v1/runs", json={"workflow": words.to_json(), "name": "words"})
        assert client.get(f"/v1/jobs/{job.json()['id']}?wait=60").json()["state"] == "done"
    page = opened("blur", blur())
    page.go(f"{editor.url}/editor/#/gallery")
    page.wait_for("document.querySelectorAll('.gallery .job').length === 40")
    page.set_field(".gallery .filter", "lighthouse old")
    page.wait_for("document.querySelectorAll('.gallery .job').length === 1")
    assert (
        page.evaluate("document.querySelector('.job .prompt').textContent") == "an old lighthouse"
    )
    page.set_field(".gallery .filter", "boats")
    page.wait_for("document.querySelectorAll('.gallery .job').length > 40")
    page.set_field(".gallery .filter", "no such words")
    page.wait_for("document.querySelector('.gallery .empty')")


def test_an_image_that_a_workflow_made_is_dropped(
    page: EditorBrowser, editor: LiveEditor, tmp_path: Path
) -> None:
    """It is used as an image, or its workflow is opened, by the half it is dropped on."""
    set_radius(page, "2.5")
    run(page)
    with editor.owner() as client:
        (job,) = client.get("/v1/jobs?limit=1").json()["jobs"]
        made = tmp_path / "made.png"
        made.write_bytes(client.get(job["outputs"]["result"]["url"]).content)
    page.hold(made, page.half("#canvas", "left"))
    page.wait_for("document.querySelector('.drop-zones .over')?.textContent.includes('Use')")
    page.drop(made, page.half("#canvas", "left"))
    page.wait_for("document.querySelectorAll('[data-node]').length === 5")
    assert page.evaluate("document.querySelector('.drop-zones, dialog')") is None
    page.drop(made, page.half("#canvas", "right"))
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === '2.5'")
    page.wait_for("document.querySelectorAll('[data-node]').length === 4")


def test_a_plain_photo_is_dropped(page: EditorBrowser, tmp_path: Path) -> None:
    photo = tmp_path / "plain.png"
    Image.new("RGB", (20, 20), "red").save(photo)
    page.drop(photo, page.half("#canvas", "right"))
    page.wait_for("document.querySelector('.toast')?.textContent.includes('no workflow')")
    page.drop(photo, page.half("#canvas", "left"))
    page.wait_for("document.querySelectorAll('[data-node]').length === 5")
    page.wait_for("document.querySelector('[data-node=image_input] .image-field img')?.complete")


def test_a_file_is_let_go_over_a_new_element(page: EditorBrowser, tmp_path: Path) -> None:
    """The browser asks a new element by `dragenter` alone; refused, it opens the file in a tab."""
    photo = tmp_path / "plain.png"
    Image.new("RGB", (20, 20), "red").save(photo)
    page.drop(photo, page.place("#canvas"), over=page.place("header"))
    page.wait_for("document.querySelectorAll('[data-node]').length === 5")


def test_a_file_that_is_changed_elsewhere_is_loaded_again(
    page: EditorBrowser, editor: LiveEditor
) -> None:
    """Where there are edits, the page asks instead."""
    (editor.graphs / "blur.json").write_bytes(blur(4.5).to_bytes())
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === '4.5'")
    set_radius(page, "5.5")
    (editor.graphs / "blur.json").write_bytes(blur(6.5).to_bytes())
    page.wait_for("document.querySelector('dialog')?.textContent.includes('changed')")
    assert shown_radius(page) == "5.5"
    page.click_text("Compare", "dialog button")
    page.wait_for(
        "document.querySelector('.differences')?.textContent.replace(/\\s+/g, ' ')"
        " === 'Blur Radius'"
    )
    page.click_text("Reload", "dialog button")
    page.wait_for(f"document.querySelector('{RADIUS}')?.value === '6.5'")
