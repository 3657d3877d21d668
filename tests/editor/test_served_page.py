"""
The page of `nodetool serve` in a browser: what a visitor sees and does without any rights.

Every text of how programs call a workflow is run as it stands.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.editor.browser import FIRST_SEEN, EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur
from tests.site.browser import installed

pytestmark = pytest.mark.skipif(installed() is None, reason="needs a Chromium")

TOKEN = "token-of-a-client"
OWNER_TOKEN = "token-of-the-owner"
RESULT = "document.querySelector('.form-results .output .one-image img')"
CAPTION = "A caption that says in many words what is to be written here, for whom, and why at all"


@pytest.fixture(scope="module")
def browser() -> Iterator[EditorBrowser]:
    program = installed()
    assert program is not None
    with EditorBrowser(program) as found:
        yield found


@pytest.fixture(scope="module")
def opened(
    tmp_path_factory: pytest.TempPathFactory, browser: EditorBrowser
) -> Iterator[LiveEditor]:
    """Return `nodetool serve` on loopback, where everybody may ask."""
    with LiveEditor(tmp_path_factory.mktemp("open"), is_open=True) as live:
        (live.graphs / "it's").mkdir()
        (live.graphs / "it's" / "a “long” name.json").write_bytes(blur(1.5).to_bytes())
        live.state.catalog.refresh()
        yield live
        browser.be_new(width=400, height=400)


@pytest.fixture(scope="module")
def closed(
    tmp_path_factory: pytest.TempPathFactory, browser: EditorBrowser
) -> Iterator[LiveEditor]:
    """Return `nodetool serve` with tokens."""
    folder = tmp_path_factory.mktemp("closed")
    with LiveEditor(folder, token=TOKEN, owner_token=OWNER_TOKEN) as live:
        yield live
        browser.be_new(width=400, height=400)


@pytest.fixture
def visit(browser: EditorBrowser) -> Iterator[Callable[..., EditorBrowser]]:
    """Yield a function that opens an address as a new visitor; nothing may be complained of."""
    hosts = []

    def visit_(live: LiveEditor, path: str = "/", **more: bool) -> EditorBrowser:
        hosts.append(live.url.removeprefix("http://"))
        width, height = (360, 740) if more.get("phone") else (1280, 800)
        browser.be_new(width=width, height=height, **more)
        browser.open(live.url + path)
        return browser

    yield visit_
    assert browser.complaints() == []
    assert browser.hosts() == {*hosts}


def test_a_browser_is_shown_what_is_served(
    visit: Callable[..., EditorBrowser], opened: LiveEditor
) -> None:
    page = visit(opened)
    page.ready()
    page.wait_for("document.querySelectorAll('.card').length === 2")
    page.wait_for("[...document.querySelectorAll('.card img')].every(one => one.naturalWidth)")
    assert page.evaluate("location.hash") == "#/start"
    text = page.evaluate("document.querySelector('main').textContent")
    assert opened.url in text and "a “long” name" in text
    assert page.evaluate("document.querySelector('#canvas, .run, .side')") is None
    page.evaluate(
        FIRST_SEEN % ("'.form-view .text-button'", "!!document.querySelector('#f-photo')")
    )
    page.click_text("Form: blur")
    page.wait_for("document.querySelector('.form-view #f-photo img')?.naturalWidth")
    assert page.evaluate("firstSeen[0]"), "what is below the fields moves when they come"


def test_an_example_that_has_gone_is_a_sign(
    visit: Callable[..., EditorBrowser], opened: LiveEditor
) -> None:
    """As while examples are drawn anew; nothing may be complained of."""
    example = opened.graphs / "blur.webp"
    Image.new("RGB", (8, 8)).save(example)
    photo = (opened.graphs / "photo.png").rename(opened.graphs / "away.png")
    page = visit(opened)
    page.wait_for("document.querySelector('.card img')?.naturalWidth === 8")
    example.unlink()
    image = page.evaluate("document.querySelector('.card img').src")
    page.evaluate(f"document.querySelector('.card img').src = {json.dumps(image + '&again')}")
    page.wait_for("document.querySelectorAll('.card .no-image').length === 2")
    photo.rename(opened.graphs / "photo.png")
    name = "/v1/workflows/blur"
    with opened.stranger() as client:
        assert client.get(f"{name}/example", params={"quiet": True}).status_code == 200
        answer = client.get(f"{name}/inputs/none", params={"quiet": True})
        assert (answer.status_code, answer.content) == (204, b"")
        assert client.get(f"{name}/inputs/none").status_code == 404
        asked = {"quiet": True, "side": 64}
        assert client.get(f"/v1/files/{'0' * 64}", params=asked).status_code == 204


def test_a_form_is_arranged_as_its_document_says(
    visit: Callable[..., EditorBrowser], opened: LiveEditor
) -> None:
    """To visitors, too: order, labels, headings, and what is behind "More"."""
    content = blur(2.5).to_json()
    content["graph"]["nodes"].append(
        {"id": "n", "type": "nodetool.input.StringInput", "data": {"name": "title", "value": "x"}}
    )
    content["editor"] = {
        "form": [
            {"name": "title", "label": CAPTION, "group": "Words"},
            {"name": "photo", "more": True},
            {"no": "name"},
        ]
    }
    (opened.graphs / "arranged.json").write_text(json.dumps(content), "utf-8")
    opened.state.catalog.refresh()
    page = visit(opened)
    page.ready()
    page.go(f"{opened.url}/editor/#/f/arranged")
    page.wait_for("document.querySelector('.form-view details')")
    shown = page.evaluate(
        "[...document.querySelectorAll('.form-scroll :is(h2, label, summary)')]"
        ".map(one => one.textContent)"
    )
    assert shown == ["Words", CAPTION, "MorePhoto", "Photo"]
    beyond = "(one => one.scrollWidth - one.clientWidth)(document.querySelector('.form-scroll'))"
    assert page.evaluate(beyond) == 0, "a long label makes its column wider than the form"
    (opened.graphs / "arranged.json").unlink()
    opened.state.catalog.refresh()


@pytest.mark.parametrize("phone", [False, True])
def test_a_visitor_runs_a_workflow_with_an_image_of_their_own(
    visit: Callable[..., EditorBrowser], opened: LiveEditor, tmp_path: Path, phone: bool
) -> None:
    photo = tmp_path / "own.png"
    Image.new("RGB", (64, 40), "red").save(photo)
    page = visit(opened, "/editor/#/f/blur", phone=phone)
    page.ready()
    page.wait_for("document.querySelector('.form-view #f-photo img')?.naturalWidth")
    page.drop(photo, page.place(".form-view h1"))
    page.wait_for("document.querySelector('#f-photo img')?.naturalWidth === 64")
    assert page.evaluate("document.documentElement.scrollWidth") <= (360 if phone else 1280)
    tap = page.touch if phone else page.click_at
    tap(*page.place(".form-foot .primary"))
    page.wait_for(f"{RESULT}?.naturalWidth === 64")
    tap(*page.place(".output-head button"))
    page.wait_for("document.querySelector('.before-after img.is-before')?.naturalWidth === 64")
    page.evaluate("document.querySelector('.before-after input').focus()")
    page.key("ArrowRight")
    page.wait_for("document.querySelector('.before-after input').value === '51'")
    page.go(f"{opened.url}/editor/#/f/blur")
    page.wait_for("document.querySelector('.earlier .thumb img')")
    page.evaluate("document.querySelector('.earlier .thumb').click()")
    page.wait_for(f"{RESULT}?.naturalWidth === 64")


def samples(page: EditorBrowser, url: str, name: str) -> dict[str, str]:
    """Return the texts that the page shows of how a workflow is called."""
    page.go(f"{url}/editor/#/f/{name}")
    page.click_text("Call this from a program")
    page.wait_for("document.querySelector('.sample')")
    found: dict[str, str] = {}
    dialects = page.evaluate("document.querySelectorAll('.calls .segmented button').length")
    for number in range(dialects or 1):
        if dialects:
            page.evaluate(
                f"document.querySelectorAll('.calls .segmented button')[{number}].click()"
            )
            page.wait_for(
                f"document.querySelectorAll('.calls .segmented button')[{number}]"
                ".ariaPressed === 'true'"
            )
        found |= page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('.sample pre')].map(one =>"
            " [one.dataset.sample, one.textContent]))"
        )
    return found


@pytest.mark.parametrize(
    ("name", "with_token"),
    [("blur", False), ("blur", True), ("it's/a%20%E2%80%9Clong%E2%80%9D%20name", False)],
)
def test_the_texts_for_programs_do_what_they_say(
    visit: Callable[..., EditorBrowser],
    opened: LiveEditor,
    closed: LiveEditor,
    tmp_path: Path,
    name: str,
    with_token: bool,
) -> None:
    live = closed if with_token else opened
    page = visit(live, "/editor/")
    if with_token:
        sign_in(page, TOKEN)
    page.ready()
    found = samples(page, live.url, name)
    assert {"nodetool curl", "nodetool Python", "nodetool JavaScript"} <= found.keys()
    assert {"huggingface curl", "huggingface Python", "huggingface JavaScript"} <= found.keys()
    Image.new("RGB", (20, 10), "blue").save(tmp_path / "photo.png")
    environment = {
        name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE",)
    } | {"NODETOOL_TOKEN": TOKEN if with_token else ""}
    programs = {
        "curl": ["bash", "-euo", "pipefail", "-c"],
        "Python": [sys.executable, "-c"],
        "JavaScript": ["node", "--input-type=module", "-e"],
    }
    for what, text in found.items():
        language = what.partition(" ")[2]
        if not language:
            continue  # What the dialect says of itself in general.
        program = programs[language]
        if shutil.which(program[0]) is None or what == "huggingface JavaScript":
            continue  # The package of the latter is not installed here.
        done = subprocess.run(
            [*program, text], cwd=tmp_path, env=environment, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (what, text, done.stderr)
        if what == "nodetool curl":
            assert json.loads(done.stdout)["outputs"]["result"]["width"] == 20
        else:
            with Image.open(tmp_path / "result.png") as image:
                assert image.size == (20, 10), what
            (tmp_path / "result.png").unlink()


def sign_in(page: EditorBrowser, token: str) -> None:
    page.wait_for("document.querySelector('#token')")
    page.click("#token")
    page.type(token)
    page.key("Enter")
    page.ready()


def test_a_server_with_tokens_says_what_one_is_for_and_no_more(
    browser: EditorBrowser, closed: LiveEditor
) -> None:
    browser.be_new(width=1280, height=800)
    browser.open(f"{closed.url}/")
    browser.wait_for("document.querySelector('#token')")
    text = browser.evaluate("document.body.textContent")
    assert "token" in text and "Authorization: Bearer" in text and "blur" not in text
    browser.click("#token")
    browser.type("guessed")
    browser.key("Enter")
    browser.wait_for("document.querySelector('[role=alert]')")
    browser.evaluate("document.querySelector('#token').select()")
    browser.type(TOKEN)
    browser.key("Enter")
    browser.wait_for("document.querySelector('.card')")
    asked = browser.complaints()
    browser.events.clear()
    browser.click_text("Sign out")
    browser.wait_for_load()
    browser.wait_for("document.querySelector('#token')")
    assert all("401" in one for one in asked + browser.complaints())


def test_an_owner_of_a_served_folder_edits_its_workflows(
    browser: EditorBrowser, closed: LiveEditor
) -> None:
    browser.be_new(width=1280, height=800)
    browser.open(f"{closed.url}/editor/#key={closed.sessions.new_key()}")
    browser.ready()
    assert "key" not in browser.evaluate("location.href")
    browser.go(f"{closed.url}/editor/#/start")
    browser.click_text("Edit: blur")
    browser.wait_for("document.querySelector('[data-node=blur]')")
    browser.wait_for_run_text("Run 2 of 2")
    browser.key("Ctrl+Enter")
    browser.wait_for_run_text("All results are known")
    assert browser.complaints() == []
