"""The screens of the page, each shown by what a person would do: for tests and for screenshots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur

Show = Callable[[EditorBrowser, str], None]
"""Takes a browser that has a session, and the address of the server."""

CANVAS: Final = 'document.querySelector("#canvas").focus()'


def make_results(editor: LiveEditor, count: int = 3) -> None:
    """Run a workflow a few times, so that galleries have something to show."""
    with editor.owner() as owner:
        for number in range(count):
            body = {"workflow": blur(1.0 + 4 * number).to_json(), "name": "blur"}
            job = owner.post("/v1/runs", json=body).json()["id"]
            owner.get(f"/v1/jobs/{job}?wait=60")


def at(page: EditorBrowser, url: str, hash_: str, shown: str) -> None:
    page.go(f"{url}/editor/{hash_}")
    page.wait_for(f"document.querySelector({shown!r})")


def graph(page: EditorBrowser, url: str) -> None:
    at(page, url, "#/g/blur", "[data-node=blur]")
    page.wait_for("!document.querySelector('.mark-unchecked')")


def chosen(page: EditorBrowser, url: str) -> None:
    graph(page, url)
    page.click("[data-node=blur] .node-title")
    page.wait_for("document.querySelector('#inspector-pane .field')")


def palette(page: EditorBrowser, url: str) -> None:
    graph(page, url)
    page.evaluate(CANVAS)
    page.key("A")
    page.wait_for("document.querySelector('dialog.palette [role=option]')")


def connect(page: EditorBrowser, url: str) -> None:
    chosen(page, url)
    page.evaluate(CANVAS)
    page.key("C")
    page.wait_for("document.querySelector('dialog[open]')")


def keys(page: EditorBrowser, url: str) -> None:
    graph(page, url)
    page.evaluate(CANVAS)
    page.evaluate("dispatchEvent(new KeyboardEvent('keydown', {key: '?', bubbles: true}))")
    page.wait_for("document.querySelector('dialog[open]')")


def save_as(page: EditorBrowser, url: str) -> None:
    graph(page, url)
    page.key("Ctrl+Shift+S")
    page.wait_for("document.querySelector('dialog[open] .places .list')")


def form(page: EditorBrowser, url: str) -> None:
    at(page, url, "#/f/blur", ".form-view #f-photo img")
    page.wait_for("document.querySelector('.earlier .thumb img')")
    page.evaluate("document.querySelector('.earlier .thumb').click()")
    page.wait_for("document.querySelector('.form-results .output img')?.naturalWidth")


def calls(page: EditorBrowser, url: str) -> None:
    form(page, url)
    page.click_text("Call this from a program")
    page.wait_for("document.querySelector('.sample')")


def start(page: EditorBrowser, url: str) -> None:
    at(page, url, "#/start", ".card img")


def gallery(page: EditorBrowser, url: str) -> None:
    at(page, url, "#/gallery", ".gallery .thumb img")


def models(page: EditorBrowser, url: str) -> None:
    at(page, url, "#/models", ".model-list li")


def viewer(page: EditorBrowser, url: str) -> None:
    gallery(page, url)
    page.evaluate("document.querySelector('.gallery .thumb').click()")
    page.wait_for("document.querySelector('dialog.viewer .stage img')?.complete")
    page.key("C")
    page.wait_for("document.querySelectorAll('dialog.viewer .stage img').length === 2")


def mask(page: EditorBrowser, url: str) -> None:
    graph(page, url)
    page.click("[data-node=photo] .node-title")
    page.click_text("Paint a mask", "#inspector button")
    page.wait_for("document.querySelector('.mask-stage canvas')")


def session(page: EditorBrowser, url: str) -> None:
    """Show what somebody without a session sees; the next screen needs a new one."""
    page.call("Network.clearBrowserCookies")
    page.open("about:blank")
    page.open(f"{url}/editor/")
    page.wait_for("document.querySelector('#token')")


SCREENS: Final[dict[str, Show]] = {
    "start": start, "form": form, "calls": calls, "graph": graph, "chosen": chosen,
    "palette": palette, "connect": connect, "save_as": save_as, "gallery": gallery,
    "models": models, "viewer": viewer, "mask": mask, "session": session,
}  # fmt: skip
