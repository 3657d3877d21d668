"""
Make the screenshots of the guide: `python -m tests.editor.screenshots`, with a Chromium on PATH.

The workflow is run first, so that its image is shown.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image

from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.site.browser import installed

ROOT: Final = Path(__file__).parents[2]
IMAGES: Final = ROOT / "docs" / "images"
NAME: Final = "image_to_image"


def main() -> None:
    """Write `editor_canvas.webp`, `editor_form.webp` and `editor_start.webp`."""
    program = installed()
    if program is None:
        raise SystemExit("needs a Chromium on PATH")
    with tempfile.TemporaryDirectory() as folder, LiveEditor(Path(folder)) as editor:
        shutil.copytree(ROOT / "graphs", editor.graphs, dirs_exist_ok=True)
        with editor.owner() as owner:
            document = owner.get(f"/v1/workflows/{NAME}/document").json()
            body = {"workflow": document, "name": NAME}
            job = owner.post("/v1/runs", json=body).json()["id"]
            owner.get(f"/v1/jobs/{job}?wait=300", timeout=310)
        with EditorBrowser(program) as browser:
            browser.start(editor.address(), width=1440, height=900)
            browser.go(f"{editor.url}/editor/#/g/{NAME}")
            result = "document.querySelector('.node-result img')"
            browser.wait_for(f"{result}?.complete && {result}.naturalWidth")
            browser.click("[data-node=image_to_image] .node-title")
            browser.click("#tab-result")
            browser.wait_for("document.querySelector('#inspector-pane img')?.naturalWidth")
            shoot(browser, Path(folder), "editor_canvas")
            browser.go(f"{editor.url}/editor/#/f/{NAME}")
            browser.click_text("Run", ".form-foot button")
            shown = "document.querySelector('.form-results .output img')"
            browser.wait_for(f"{shown}?.complete && {shown}.naturalWidth")
            browser.wait_for("document.querySelector('#f-image img')?.naturalWidth")
            browser.click_text("Before and after")
            browser.wait_for("document.querySelector('.before-after .is-before')?.naturalWidth")
            shoot(browser, Path(folder), "editor_form")
            (editor.graphs / "blur.json").unlink()
            browser.go(f"{editor.url}/editor/#/start")
            browser.wait_for("document.querySelectorAll('.card img').length > 5")
            browser.wait_for(
                "[...document.querySelectorAll('.card img')].slice(0, 8)"
                ".every(one => one.complete && one.naturalWidth)"
            )
            shoot(browser, Path(folder), "editor_start")


def shoot(browser: EditorBrowser, folder: Path, name: str) -> None:
    """Write what the page shows."""
    browser.screenshot(folder / "shot.png")
    with Image.open(folder / "shot.png") as image:
        image.convert("RGB").save(IMAGES / f"{name}.webp", quality=85, method=6)


if __name__ == "__main__":
    main()
