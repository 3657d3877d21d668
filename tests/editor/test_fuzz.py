"""
2,000 random actions through the table of actions, by their keys, as a hurried person presses them.

Afterwards nothing was complained of, the document is one, and undoing everything brings back the
file as it was, byte for byte.
"""

from __future__ import annotations

import json

import pytest

from nodetool_core.workflow import WorkflowDocument
from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur
from tests.editor.screens import CANVAS
from tests.site.browser import installed
from tests.waiting import eventually

pytestmark = [
    pytest.mark.skipif(installed() is None, reason="needs a Chromium"),
    pytest.mark.slow,
]

ACTIONS, STEP = 2000, 25
NOT_PRESSED = {
    "Ctrl+Enter", "Ctrl+Shift+Enter",  # A run of each state would take hours.
    "Ctrl+S", "Ctrl+Shift+S", "Ctrl+O",  # The file is to be compared with what it was.
    "Ctrl+V", "Ctrl+Shift+V",  # The clipboard is the machine's.
}  # fmt: skip

ACT = """
(async () => {
  let seed = %d;
  const random = most => (seed = (seed * 1103515245 + 12345) %% 2147483648, seed %% most);
  const press = (target, text) => {
    const held = text === "+" ? ["+"] : text.split("+").filter(Boolean);
    const key = held.at(-1) === "Space" ? " " : held.at(-1);
    target.dispatchEvent(new KeyboardEvent("keydown", {
      key: key.length === 1 && !held.includes("Shift") ? key.toLowerCase() : key, bubbles: true,
      cancelable: true, ctrlKey: held.includes("Ctrl"), altKey: held.includes("Alt"),
      shiftKey: held.includes("Shift") }));
  };
  const words = ["blur", "noise", "resize", "text", "output", "image input", "#filter", "zz"];
  const frame = () => new Promise(requestAnimationFrame);
  for (let count = 0; count < %d; count++) {
    const dialog = document.querySelector("dialog[open]");
    if (dialog) {
      const input = dialog.querySelector("input:not([type=range])");
      if (input && random(2)) {
        input.value = words[random(words.length)];
        input.dispatchEvent(new InputEvent("input", { bubbles: true }));
        await frame();
      }
      const way = random(4);
      if (way && input) press(input, ["Enter", "Ctrl+Enter", "ArrowDown"][way - 1]);
      const send = dialog.querySelector("button[type=submit]:not(:disabled)");
      if (!way && send) send.click();
      await frame();
      document.querySelector("dialog[open]")?.dispatchEvent(new Event("cancel", {
        cancelable: true }));
    } else if (random(3) === 0) {
      const nodes = document.querySelectorAll("[role=treeitem]");
      nodes[random(nodes.length)]?.click();
    } else {
      const keys = %s;
      document.querySelector("#canvas")?.focus();
      press(document.querySelector("#canvas") ?? document.body, keys[random(keys.length)]);
    }
    if (count %% 5 === 0) await frame();
  }
  return seed;
})()
"""


def keys_of(page: EditorBrowser) -> list[str]:
    """Return every key of the table of actions, as the page itself lists them."""
    page.evaluate(CANVAS)
    page.evaluate(
        "document.querySelector('#canvas').dispatchEvent(new KeyboardEvent('keydown',"
        " {key: '?', bubbles: true, cancelable: true}))"
    )
    page.wait_for("document.querySelector('dialog.keys kbd')")
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('dialog.keys kbd')].map(one => one.textContent)"
    )
    page.key("Escape")
    page.wait_for("!document.querySelector('dialog')")
    arrows = [
        f"{held}Arrow{way}" for held in ("", "Shift+", "Ctrl+", "Alt+")
        for way in ("Left", "Right", "Up", "Down")
    ]  # fmt: skip
    return sorted({*found, *arrows} - NOT_PRESSED)


@pytest.mark.parametrize("seed", [1, 20])
def test_random_actions_are_undone_to_the_byte(
    browser: EditorBrowser, editor: LiveEditor, seed: int
) -> None:
    path = editor.graphs / "blur.json"
    path.write_bytes(blur().to_bytes())
    start = path.read_bytes()
    browser.start(editor.address())
    browser.wait_for("document.querySelector('[data-node=blur]')")
    keys = keys_of(browser)
    assert len(keys) > 40
    at = seed
    for _ in range(ACTIONS // STEP):
        at = browser.evaluate(ACT % (at, STEP, json.dumps(keys)))
    # One may still be on its way: what a dialog needs is fetched when it is first opened.
    browser.wait_for(
        "(() => { document.querySelector('dialog[open]')?.dispatchEvent("
        "new Event('cancel', {cancelable: true})); return !document.querySelector('dialog'); })()"
    )
    if browser.evaluate("location.hash") != "#/g/blur":
        browser.evaluate("location.hash = '#/g/blur'")
    browser.wait_for("document.querySelector('#canvas')")
    draft = "fetch('/v1/workflows/blur/draft').then(answer => answer.text())"
    kept = json.loads(browser.evaluate(draft))
    if kept is not None:
        WorkflowDocument.from_json(kept["document"])
    undone = browser.evaluate(
        "(async () => { const undo = () => document.querySelector('[aria-label=Undo]');"
        " let count = 0; while (undo() && !undo().disabled && count < 5000) { undo().click();"
        " count++; if (count % 10 === 0) await new Promise(requestAnimationFrame); }"
        " return count; })()"
    )
    assert undone, "the actions did something"
    # A draft is kept once nothing has changed for a while; its request is heard of with an answer.
    drafts = ("PUT", "/v1/workflows/blur/draft")
    eventually(lambda: browser.evaluate("1") and browser.asked(*drafts))
    browser.evaluate(CANVAS)
    browser.key("Ctrl+S")
    browser.wait_for("document.querySelector('.save-state.saved')")
    browser.wait_for("fetch('/v1/workflows/blur/draft').then(() => true)")
    assert path.read_bytes() == start
    assert browser.complaints() == []
