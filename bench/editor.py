"""
Measure the editor's page in a browser, and print a table.

    nodetool edit FOLDER --no-browser      # prints an address, with a key
    python bench/editor.py ADDRESS FOLDER [--sizes 20,200,1000,5000]

Graphs of these sizes are written into FOLDER, as `bench_20.json` and so on, and removed again.
`ready` is the time from the request for the page until a node can be dragged. Each other figure is
the main thread's work for a frame, in milliseconds, as Chromium counts it over 60 frames: `pan`
with fields in view, `far` with everything in view, `zoom` in and out; each begins once the check
that follows the start has been answered. `check` is the time until the server says what a run
would do. `elements` is the most there were. `mistake` (G9) is the time from the last key of a value
that is out of bounds until its node says so, with the 80 milliseconds that the page waits for
another key. `begun` (G10) is the time from the press on Run until the page shows the run's place or
its progress; the run is cancelled then. With other work on the machine, compare sizes with each
other.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from PIL import Image

from tests.site.browser import Browser, installed

SIZES: Final = (20, 200, 1_000, 5_000)
FRAMES: Final = 60
PHOTO: Final = (3000, 2000)
"""Pixels of the image: its blur takes longer than a frame."""
COLUMNS: Final = ("ready", "pan", "far", "zoom", "check", "elements", "mistake", "begun")
STEPS: Final = (
    "lib.pillow.filter.Blur",
    "lib.pillow.enhance.Brightness",
    "huggingface.image_to_image.ImageToImage",
)
WHEEL: Final = """
new Promise(done => {
  const canvas = document.querySelector("%s");
  let frame = 0;
  requestAnimationFrame(function next() {
    if (frame++ === %d) { done(0); return; }
    const zoom = %s;
    const way = frame <= %d / 2 ? 1 : -1;
    canvas.dispatchEvent(new WheelEvent("wheel", {
      deltaX: zoom ? 0 : 17, deltaY: zoom ? 3 * way : 9, ctrlKey: zoom,
      clientX: 600, clientY: 400, bubbles: true, cancelable: true,
    }));
    requestAnimationFrame(next);
  });
})
"""
CHECKED: Final = """
performance.getEntriesByType("resource").findLast(one => one.name.endsWith("/v1/check")).duration
"""
CHOSEN: Final = 'document.querySelector(".node-place.chosen")'
MISTAKE: Final = """
new Promise(done => {
  const node = document.querySelector(".node-place.chosen");
  const field = node.querySelector("input[id$=-radius]");
  const write = text => {
    field.value = text;
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
  };
  const begun = performance.now();
  write("-1");
  (function look() {
    if (node.querySelector(".mark-mistake")) {
      const took = performance.now() - begun;
      write("2");
      done(took);
    } else requestAnimationFrame(look);
  })();
})
"""
BEGUN: Final = """
new Promise((done, fail) => {
  const begun = performance.now();
  document.querySelector("button.run").click();
  (function look() {
    const shown = document.querySelector(".mark-queued, .mark-running, .strip-queue progress");
    const took = performance.now() - begun;
    if (shown) done(took);
    else if (took > 60000) fail(new Error("the page shows no run"));
    else requestAnimationFrame(look);
  })();
})
"""
RIGHT: Final = "!document.querySelector('.mark-mistake, .mark-unchecked')"


def graph(size: int) -> dict[str, Any]:
    """Return a workflow of steps in rows, each fed by one before it."""
    chance = random.Random(size)
    columns = max(1, round(size**0.5 * 1.2))
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    for number in range(size):
        x, y = number % columns * 330, number // columns * 420
        kind = STEPS[number % len(STEPS)] if number else "nodetool.input.ImageInput"
        image = {"type": "image", "uri": f"bench_{size}.png"}
        data = {} if number else {"name": "image", "value": image}
        position = {"position": {"x": x, "y": y}}
        nodes.append({"id": f"n{number}", "type": kind, "data": data, "ui_properties": position})
        if number:
            source = max(0, number - chance.choice((1, 1, 2, columns)))
            edge = {"source": f"n{source}", "target": f"n{number}", "targetHandle": "image"}
            edges.append(edge)
    return {"schema_version": 1, "graph": {"nodes": nodes, "edges": edges}}


def work(browser: Browser, *, zoom: bool, canvas: str = "#canvas") -> float:
    """
    Return milliseconds of the main thread for a frame while the view moves.

    Args:
        zoom: Whether it zooms in and out, rather than pans.
        canvas: What the wheel turns over, as CSS selects it.
    """
    before = counted(browser)
    browser.evaluate(WHEEL % (canvas, FRAMES, str(zoom).lower(), FRAMES))
    return 1000 * (counted(browser) - before) / FRAMES


def counted(browser: Browser) -> float:
    """Return the seconds of script, style and layout so far."""
    found = browser.call("Performance.getMetrics")["metrics"]
    wanted = ("ScriptDuration", "RecalcStyleDuration", "LayoutDuration")
    return sum(one["value"] for one in found if one["name"] in wanted)


def measured(browser: Browser, page: str, name: str) -> dict[str, float]:
    browser.call("Performance.enable")
    browser.open("about:blank")
    browser.open(f"{page}#/g/{name}")
    browser.wait_for('performance.getEntriesByName("ready").length')
    ready = browser.evaluate('performance.getEntriesByName("ready")[0].startTime')
    browser.wait_for(
        "document.querySelector('.tree-row .mark') && !document.querySelector('.mark-unchecked')"
    )
    figures = {"ready": float(ready), "far": work(browser, zoom=False)}
    browser.evaluate('document.querySelector(".zoom-text").click()')
    figures["pan"] = work(browser, zoom=False)
    figures["zoom"] = work(browser, zoom=True)
    figures["elements"] = float(browser.evaluate('document.querySelectorAll("*").length'))
    figures["check"] = float(browser.evaluate(CHECKED))
    # The first step is shown and selected, so that the run is one up to there.
    browser.evaluate(
        "[...document.querySelectorAll('.tree-row')]"
        ".find(one => one.textContent.includes('Blur')).click()"
    )
    browser.wait_for(f"{CHOSEN}?.querySelector('input[id$=-radius]') && true")
    figures["mistake"] = float(browser.evaluate(MISTAKE))
    browser.wait_for(RIGHT)
    figures["begun"] = float(browser.evaluate(BEGUN))
    browser.evaluate("document.querySelector('.run-group .stop')?.click()")
    browser.wait_for("!document.querySelector('.strip-queue progress')")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("address", help="what `nodetool edit` prints")
    parser.add_argument("folder", type=Path, help="the folder that it serves")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    given = parser.parse_args()
    program = installed()
    if program is None:
        raise SystemExit("needs a Chromium on PATH")
    sizes = [int(size) for size in given.sizes.split(",")]
    written = [given.folder / f"bench_{size}.json" for size in sizes]
    page = given.address.partition("#")[0]
    print(f"load {os.getloadavg()[0]:.1f}")
    print("".join(f"{name:>9}" for name in ("nodes", *COLUMNS)))
    try:
        with Browser(program) as browser:
            browser.be_new(width=1440, height=900)
            browser.open(given.address)  # The key becomes the session's cookie.
            for size, path in zip(sizes, written, strict=True):
                path.write_text(json.dumps(graph(size)), encoding="utf-8")
                # Noise that no run has seen: what the cache has is there before it can be shown.
                Image.effect_noise(PHOTO, 64).save(path.with_suffix(".png"))
                found = measured(browser, page, path.stem)
                row = "".join(f"{found[name]:9.1f}" for name in COLUMNS)
                print(f"{size:>9}{row}", flush=True)
    finally:
        for path in written:
            path.unlink(missing_ok=True)
            path.with_suffix(".png").unlink(missing_ok=True)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
