"""
Measure the editor's page in a browser, by turns with @xyflow/react, and print a table.

    nodetool edit FOLDER --no-browser      # prints an address, with a key
    python bench/editor.py ADDRESS FOLDER [--sizes 20,200,1000,5000] [--turns 1]

Graphs of these sizes are written into FOLDER, as `bench_20.json` and so on, and removed again.
`ready` is the time from the request for the page until a node can be dragged. Each other figure is
the main thread's work for a frame, in milliseconds, as Chromium counts it over 60 frames: `pan`
with fields in view, `far` with everything in view, `zoom` in and out; each begins once the check
that follows the start has been answered. `check` is the time until the server says what a run
would do. `elements` is the most there were. `mistake` (G9) is the time from the last key of a value
that is out of bounds until its node says so, with the 80 milliseconds that the page waits for
another key. `begun` (G10) is the time from the press on Run until the page shows the run's place or
its progress; the run is cancelled then. With other work on the machine, compare rows with each
other.

Below our rows are those of @xyflow/react with the same graph in the same browser, which draws and
does nothing else (`bench/xyflow`, its own lock file, no part of ours), and of the same with
`onlyRenderVisibleElements`. Where npm or the packages are not at hand, a sentence says so.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from PIL import Image

from bench.editor_xyflow import served
from tests.site import browser as driver
from tests.site.browser import Browser, installed

SIZES: Final = (20, 200, 1_000, 5_000)
FRAMES: Final = 60
PATIENCE: Final = 300.0
"""Seconds that a page may be busy: pages that draw all nodes are, with thousands of them."""
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
CANVAS: Final = "#canvas"
PANE: Final = ".react-flow__pane"
STARTED: Final = """
new Promise(done => (function look() {
  const ready = performance.getEntriesByName("ready")[0];
  if (ready) done(ready.startTime);
  else setTimeout(look, 20);
})())
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


def work(browser: Browser, *, zoom: bool, canvas: str = CANVAS) -> float:
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


def opened(browser: Browser, address: str) -> float:
    """Open a page anew. Returns the milliseconds until it could be used."""
    browser.call("Performance.enable")
    browser.open("about:blank")
    browser.open(address)
    return float(browser.evaluate(STARTED))


def looked(browser: Browser, canvas: str, closer: str) -> dict[str, float]:
    """
    Return the figures of looking around.

    Args:
        canvas: What the wheel turns over, as CSS selects it.
        closer: What leads from everything in view to fields in view.
    """
    figures = {"far": work(browser, zoom=False, canvas=canvas)}
    browser.evaluate(closer)
    figures["pan"] = work(browser, zoom=False, canvas=canvas)
    figures["zoom"] = work(browser, zoom=True, canvas=canvas)
    figures["elements"] = float(browser.evaluate('document.querySelectorAll("*").length'))
    return figures


def ours(browser: Browser, address: str) -> dict[str, float]:
    """Return the figures of our page."""
    figures = {"ready": opened(browser, address)}
    browser.wait_for(
        "document.querySelector('.tree-row .mark') && !document.querySelector('.mark-unchecked')"
    )
    figures |= looked(browser, CANVAS, 'document.querySelector(".zoom-text").click()')
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


def theirs(browser: Browser, address: str) -> dict[str, float]:
    """Return the figures of a page of @xyflow/react."""
    ready = opened(browser, address)
    return {"ready": ready} | looked(browser, PANE, "flow.setViewport({x: 0, y: 0, zoom: 1})")


@contextmanager
def other_page() -> Iterator[tuple[str, Path] | None]:
    """Yield where @xyflow/react is served; None, and a sentence, where it can't be."""
    try:
        with served() as found:
            yield found
    except OSError as error:
        print(f"Without @xyflow/react: {error}.")
        yield None


def rows(
    browser: Browser, page: str, other: tuple[str, Path] | None, path: Path
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what was measured of one graph, by the name of the page."""
    # Noise that no run has seen: what the cache has is there before it can be shown.
    Image.effect_noise(PHOTO, 64).save(path.with_suffix(".png"))
    yield "ours", ours(browser, f"{page}#/g/{path.stem}")
    if other is not None:
        address, folder = other
        (folder / path.name).write_bytes(path.read_bytes())
        yield "xyflow", theirs(browser, f"{address}?graph={path.name}")
        yield "xyflow, in view", theirs(browser, f"{address}?graph={path.name}&visible=1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("address", help="what `nodetool edit` prints")
    parser.add_argument("folder", type=Path, help="the folder that it serves")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--turns", type=int, default=1)
    given = parser.parse_args()
    program = installed()
    if program is None:
        raise SystemExit("needs a Chromium on PATH")
    driver.PATIENCE = PATIENCE
    page = given.address.partition("#")[0]
    with other_page() as other, Browser(program) as browser:
        browser.be_new(width=1440, height=900)
        browser.open(given.address)  # The key becomes the session's cookie.
        print(f"load {os.getloadavg()[0]:.1f}")
        print(f"{'nodes':>6} {'page':<16}" + "".join(f"{name:>9}" for name in COLUMNS))
        for size in map(int, given.sizes.split(",")):
            path = given.folder / f"bench_{size}.json"
            try:
                path.write_text(json.dumps(graph(size)), encoding="utf-8")
                for _ in range(given.turns):
                    for name, found in rows(browser, page, other, path):
                        cells = (f"{found[one]:9.1f}" if one in found else "" for one in COLUMNS)
                        print(f"{size:>6} {name:<16}{''.join(cells)}", flush=True)
            finally:
                path.unlink(missing_ok=True)
                path.with_suffix(".png").unlink(missing_ok=True)
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
