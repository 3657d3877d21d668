"""Images in a browser: looked at, compared, and painted over."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable

import pytest
from PIL import Image

from tests.editor.acting import CANVAS, IMAGE, KNOWN, ROOT, image_source, run, save, set_radius
from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import document


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
    page.wait_for("!document.querySelector('dialog .button.primary').disabled")
    for key, count in (("Ctrl+Z", "0 strokes"), ("Ctrl+Shift+Z", "1 stroke")):
        page.key(key)
        page.wait_for(f"document.querySelector('.mask-tools').textContent.includes('{count}')")
    page.key("E")
    page.drag((x - 40, y), (x + 40, y))
    page.wait_for("document.querySelector('.mask-tools').textContent.includes('2 strokes')")
    page.click_text("Done", "dialog button")
    page.wait_for("!document.querySelector('dialog')")
    save(page)
    nodes = json.loads((editor.graphs / "blur.json").read_text("utf-8"))["graph"]["nodes"]
    with editor.owner() as client:
        mask = client.get(f"/v1/files/{nodes[-1]['data']['value']['asset_id']}")
    with Image.open(io.BytesIO(mask.content)) as image:
        assert image.convert("L").getpixel((24, 16)) == 0, "what was painted is erased"


def test_a_result_becomes_an_input_that_is_painted_over(page: EditorBrowser) -> None:
    """From the viewer: of a result by key, which no file has."""
    set_radius(page, "11")
    run(page)
    page.click("[data-node=blur] .node-title")
    for name, nodes in (("Use as input", 5), ("Paint a mask", 6)):
        page.wait_for(f"{IMAGE}?.complete")
        page.evaluate(CANVAS)
        page.key(" ")
        page.wait_for("document.querySelector('dialog.viewer .stage img')?.complete")
        page.click_text(name, "dialog button")
        page.wait_for(f"document.querySelectorAll('.tree-row').length === {nodes}")
        if nodes == 5:
            page.click("[data-node=blur] .node-title")
    page.wait_for("document.querySelector('.mask-stage canvas')")
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


def test_a_result_is_kept_in_a_slot_and_compared_with_a_later_one(page: EditorBrowser) -> None:
    """Slots hold results by key: the same node before and after a change."""
    set_radius(page, "3.25")
    run(page)
    page.click("[data-node=blur] .node-title")
    first = image_source(page)
    page.evaluate(CANVAS)
    page.key("2")
    page.wait_for(
        "[...document.querySelectorAll('.toast')].some(one => one.textContent.includes('slot 2'))"
    )
    set_radius(page, "13.25")
    run(page)
    page.click("[data-node=blur] .node-title")
    page.wait_for(f"{IMAGE}?.complete && {IMAGE}.src !== {json.dumps(first)}")
    page.evaluate(CANVAS)
    page.key(" ")
    page.wait_for("document.querySelector('dialog.viewer .stage img')?.complete")
    page.key("2")
    page.wait_for("document.querySelectorAll('dialog.viewer .stage img').length === 2")
    other = page.evaluate("document.querySelector('dialog.viewer .stage img').src")
    assert other.partition("?")[0] == first.partition("?")[0]


def test_a_crop_is_set_on_the_image(
    opened: Callable[..., EditorBrowser], editor: LiveEditor
) -> None:
    """With the pointer and with keys; one step of undo takes it back."""
    photo = {"name": "photo", "value": {"type": "image", "uri": "photo.png"}}
    made = document(
        {
            "photo": ("nodetool.input.ImageInput", photo),
            "crop": ("nodetool.image.Crop", {"right": 48, "bottom": 32}),
            "out": ("nodetool.output.Output", {"name": "result"}),
        },
        ["photo.output > crop.image", "crop.output > out.value"],
    )
    page = opened("crop", made)
    page.click("[data-node=crop] .node-title")
    page.click_text("Crop on the image", "#inspector button")
    x, y = page.place(".crop-handle.x1.y1")
    page.drag((x, y), (x - 80, y - 80))
    page.evaluate("document.querySelector('.crop-handle.x-1.y0').focus()")
    page.key("Shift+ArrowRight")
    page.click_text("Done", "dialog button")
    page.wait_for("!document.querySelector('dialog')")
    save(page)
    data = json.loads((editor.graphs / "crop.json").read_text("utf-8"))["graph"]["nodes"][1]["data"]
    assert data == {"left": 10, "top": 0, "right": 38, "bottom": 22}
    page.key("Ctrl+Z")
    save(page)
    data = json.loads((editor.graphs / "crop.json").read_text("utf-8"))["graph"]["nodes"][1]["data"]
    assert data == {"right": 48, "bottom": 32}


def test_a_long_list_says_what_is_left_out_and_is_seen_as_a_grid(
    opened: Callable[..., EditorBrowser],
) -> None:
    """G shows all images of a list beside each other, A where an image is opaque."""
    photo = {"name": "photo", "value": {"type": "image", "uri": "photo.png"}}
    content = document(
        {
            "photo": ("nodetool.input.ImageInput", photo),
            "list": ("nodetool.image.ImagesToList", {}),
            "out": ("nodetool.output.Output", {"name": "result"}),
        },
        [
            *(f"photo.output > list.image_{number:03}" for number in range(230)),
            "list.output > out.value",
        ],
    )
    page = opened("many", content)
    page.key("Ctrl+Enter")
    page.wait_for_run_text(KNOWN)
    page.click_text("Images to list", ".tree-row")
    page.click("#tab-result")
    page.wait_for("document.querySelector('#inspector-pane').textContent.includes('30 more')")
    page.evaluate(CANVAS)
    page.key(" ")
    page.wait_for("document.querySelector('dialog.viewer .stage img')?.naturalWidth")
    page.key("G")
    first = "document.querySelectorAll('.viewer-grid .thumb')[0]?.getBoundingClientRect()"
    last = "document.querySelectorAll('.viewer-grid .thumb')[199].getBoundingClientRect()"
    page.wait_for(f"{first}?.height > 50 && {last}.top > {first}.bottom * 4")
    page.key("G")
    page.key("A")
    page.wait_for("document.querySelector('.layer-image.alpha')")


def test_an_image_that_is_not_there_says_so(
    opened: Callable[..., EditorBrowser],
) -> None:
    photo = {"name": "photo", "value": {"type": "image", "uri": "deep/lost.png"}}
    page = opened("lost", document({"photo": ("nodetool.input.ImageInput", photo)}, []))
    page.wait_for(
        "document.querySelector('[data-node=photo] .image-field')"
        "?.textContent.includes('lost.png is not there')"
    )
    assert page.evaluate("document.querySelector('[data-node=photo] .image-field img')") is None
