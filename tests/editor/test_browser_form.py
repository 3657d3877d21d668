"""The form view and dialogs in a browser, on a screen and on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.editor.browser import FIRST_SEEN, EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur, document


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


def test_a_dialog_takes_keys_from_when_it_is_in_the_page(page: EditorBrowser) -> None:
    page.evaluate(FIRST_SEEN % ("'dialog'", "document.querySelector('dialog').open"))
    page.evaluate(
        "document.querySelector('#canvas').dispatchEvent(new KeyboardEvent('keydown',"
        " {key: '?', bubbles: true, cancelable: true}))"
    )
    page.wait_for("document.querySelector('dialog.keys kbd')")
    assert page.evaluate("firstSeen[0]")
    page.key("Escape")
    page.wait_for("!document.querySelector('dialog')")


@pytest.mark.parametrize("width", [360, 2560])
def test_a_long_name_and_a_long_prompt_stay_in_the_form(
    opened: Callable[..., EditorBrowser], editor: LiveEditor, width: int
) -> None:
    content = document(
        {
            "prompt": ("nodetool.input.StringInput", {"name": "prompt", "value": "lake " * 600}),
            "out": ("nodetool.output.Output", {"name": "result"}),
        },
        ["prompt.output > out.value"],
    )
    page = opened("a_name_that_does_not_end_" * 3, content, "f")
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=740, deviceScaleFactor=1, mobile=False,
    )  # fmt: skip
    page.wait_for("document.querySelector('.form-view textarea')")
    inside = "document.querySelector('.form-view textarea').getBoundingClientRect().right"
    edge = "document.querySelector('.form-scroll').getBoundingClientRect().right"
    page.wait_for(f"{inside} < {edge} && {edge} <= innerWidth")


def test_two_hundred_images_are_a_grid_that_scrolls(opened: Callable[..., EditorBrowser]) -> None:
    images = [{"type": "image", "uri": "photo.png"}] * 200
    content = document(
        {
            "images": ("nodetool.input.ImageListInput", {"name": "images", "value": images}),
            "out": ("nodetool.output.Output", {"name": "result"}),
        },
        ["images.output > out.value"],
    )
    page = opened("many", content, "f")
    page.wait_for("document.querySelector('.image-item img')?.naturalWidth")
    boxes = page.evaluate(
        "[...document.querySelectorAll('.image-item')].map(one => one.getBoundingClientRect())"
        ".map(box => [box.left, box.top, box.right, box.bottom])"
    )
    assert len({(box[2] - box[0], box[3] - box[1]) for box in boxes}) == 1
    below = next(box for box in boxes if box[1] > boxes[0][1])
    assert below[1] >= boxes[0][3]
    assert below[0] == boxes[0][0]
    assert page.evaluate("document.querySelector('.image-list').clientHeight") < 400
