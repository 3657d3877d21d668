"""
Measure @xyflow/react on the graphs of `bench/editor.py`, by turns with our page in one browser.

    nodetool edit FOLDER --no-browser      # prints an address, with a key
    python bench/editor_xyflow.py ADDRESS FOLDER [--sizes 20,200,1000] [--turns 2]

Needs npm: the package is installed into a temporary folder, and is no part of ours. Its nodes have
the same titles, as many fields as ours show, and a port for each; only what is in view is rendered
where it says `visible`. Columns are those of `bench/editor.py`.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.editor import graph, measured, work
from tests.site.browser import Browser, installed

PACKAGES: Final = ("@xyflow/react@12.12.1", "react@19", "react-dom@19", "esbuild@0.25")
COLUMNS: Final = ("ready", "pan", "far", "zoom", "elements")
PANE: Final = ".react-flow__pane"
SOURCE: Final = """
import { createRoot } from "react-dom/client";
import { createElement as h, memo } from "react";
import { ReactFlow, Handle, Position } from "@xyflow/react";
import "@xyflow/react/dist/style.css";

const ROWS = { Blur: ["image", "radius"], Brightness: ["image", "factor"],
  ImageToImage: ["image", "prompt", "model", "strength", "guidance_scale", "seed"],
  ImageInput: ["value"] };
const Step = memo(({ data }) => h("div", { className: "step" }, h("header", null, data.title),
  data.rows.map(name => h("label", { key: name },
    h(Handle, { type: "target", position: Position.Left, id: name, style: { top: "auto" } }),
    name, h("input", { defaultValue: "1.0" }))),
  h(Handle, { type: "source", position: Position.Right, id: "output" })));
const query = new URLSearchParams(location.search);
fetch(query.get("graph")).then(answer => answer.json()).then(({ graph }) => {
  const nodes = graph.nodes.map(node => {
    const title = node.type.split(".").at(-1);
    return { id: node.id, type: "step", position: node.ui_properties.position,
      data: { title, rows: ROWS[title] } };
  });
  const edges = graph.edges.map((edge, index) => ({ id: `e${index}`, source: edge.source,
    target: edge.target, sourceHandle: "output",
    targetHandle: edge.target === "n0" ? "value" : "image" }));
  createRoot(document.getElementById("root")).render(h(ReactFlow, {
    defaultNodes: nodes, defaultEdges: edges, nodeTypes: { step: Step }, fitView: true,
    panOnScroll: true, minZoom: 0.02, onlyRenderVisibleElements: query.has("visible"),
    onInit: flow => {
      window.flow = flow;
      requestAnimationFrame(() => setTimeout(() => performance.mark("ready")));
    },
  }));
});
"""
HTML: Final = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="main.css">
<style>html, body, #root { height: 100%; margin: 0 } .step { width: 240px; background: #fff;
border: 1px solid #ccc; border-radius: 8px; font: 12px sans-serif } .step label { display: flex;
position: relative; height: 28px } .step input { width: 80px }</style>
<div id="root"></div><script src="main.js"></script>"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_message(self, format: str, *args: object) -> None:
        return


def built(folder: Path) -> None:
    """Install the package into a folder and bundle its page there."""
    run = functools.partial(subprocess.run, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    run(["npm", "install", "--no-audit", "--no-fund", *PACKAGES])
    (folder / "source.js").write_text(SOURCE, "utf-8")
    (folder / "index.html").write_text(HTML, "utf-8")
    options = ["--bundle", "--minify", '--define:process.env.NODE_ENV="production"']
    run(["npx", "esbuild", "source.js", *options, "--outfile=main.js", "--log-level=error"])


def theirs(browser: Browser, address: str) -> dict[str, float]:
    """Return the figures of a page of @xyflow/react."""
    browser.call("Performance.enable")
    browser.open("about:blank")
    browser.open(address)
    browser.wait_for('performance.getEntriesByName("ready").length')
    ready = browser.evaluate('performance.getEntriesByName("ready")[0].startTime')
    figures = {"ready": float(ready), "far": work(browser, zoom=False, canvas=PANE)}
    browser.evaluate("flow.setViewport({x: 0, y: 0, zoom: 1})")
    figures["pan"] = work(browser, zoom=False, canvas=PANE)
    figures["zoom"] = work(browser, zoom=True, canvas=PANE)
    figures["elements"] = float(browser.evaluate('document.querySelectorAll("*").length'))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("address", help="what `nodetool edit` prints")
    parser.add_argument("folder", type=Path, help="the folder that it serves")
    parser.add_argument("--sizes", default="20,200,1000")
    parser.add_argument("--turns", type=int, default=2)
    given = parser.parse_args()
    program = installed()
    if program is None:
        raise SystemExit("needs a Chromium on PATH")
    page = given.address.partition("#")[0]
    with tempfile.TemporaryDirectory() as made, Browser(program) as browser:
        built(Path(made))
        serve = functools.partial(Quiet, directory=made)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        other = f"http://127.0.0.1:{server.server_port}/index.html?graph="
        browser.be_new(width=1440, height=900)
        browser.open(given.address)
        print(f"load {os.getloadavg()[0]:.1f}")
        print(f"{'nodes':>6} {'page':<16}" + "".join(f"{name:>9}" for name in COLUMNS))
        for size in map(int, given.sizes.split(",")):
            text = json.dumps(graph(size))
            path = given.folder / f"bench_{size}.json"
            path.write_text(text, "utf-8")
            (Path(made) / f"{size}.json").write_text(text, "utf-8")
            for _ in range(given.turns):
                found = {
                    "ours": measured(browser, page, path.stem),
                    "xyflow": theirs(browser, f"{other}{size}.json"),
                    "xyflow visible": theirs(browser, f"{other}{size}.json&visible=1"),
                }
                for name, row in found.items():
                    shown = "".join(f"{row[column]:9.1f}" for column in COLUMNS)
                    print(f"{size:>6} {name:<16}{shown}", flush=True)
            path.unlink()
        server.shutdown()
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
