"""Values of a pack's own types: the page shows what the pack previews of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO

import httpx2
import pytest
from PIL import Image

from nodetool_core import Node, register_type
from tests.editor.acting import KNOWN
from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.documents import document, ended


class Swatch:
    """A colour, as a library might have it."""

    def __init__(self, color: str) -> None:
        self.color = color


class Measure:
    """A length, of which a text is shown."""

    def __init__(self, metres: float) -> None:
        self.metres = metres


register_type(Swatch, preview=lambda swatch: Image.new("RGB", (40, 24), swatch.color))
register_type(Measure, preview=lambda measure: f"{measure.metres} m long")


class MixSwatch(Node):
    """Mixes a colour."""

    color: str = "teal"

    def process(self) -> Swatch:
        return Swatch(self.color)


class MixSwatches(Node):
    """Mixes several colours."""

    def process(self) -> list[Swatch]:
        return [Swatch("red"), Swatch("navy")]


class TakeMeasure(Node):
    """Measures."""

    def process(self) -> Measure:
        return Measure(2.5)


NODES = {"one": MixSwatch, "several": MixSwatches, "length": TakeMeasure}


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveEditor]:
    """Return an editor whose pack has types of its own."""
    live = LiveEditor(tmp_path_factory.mktemp("types"))
    for node_class in NODES.values():
        live.state.registry.add(node_class)
    with live:
        yield live


def test_the_canvas_and_the_viewer_show_previews_of_own_types(
    opened: Callable[..., EditorBrowser],
) -> None:
    types = {name: (node_class.spec.node_type, {}) for name, node_class in NODES.items()}
    page = opened("own", document(types, []))
    page.wait_for("document.querySelector('.tree-row .mark') && true")
    page.key("Ctrl+Enter")
    page.wait_for_run_text(KNOWN)
    page.wait_for("document.querySelector('[data-node=one] .node-result img')?.naturalWidth === 40")
    page.wait_for("document.querySelector('[data-node=several] .node-result img')?.naturalWidth")
    page.click("[data-node=one] .node-result")
    page.wait_for("document.querySelector('dialog.viewer .stage img')?.naturalWidth === 40")
    page.key("Escape")
    page.wait_for("!document.querySelector('dialog')")
    page.click("[data-node=length] .node-title")
    page.click("#tab-result")
    page.wait_for("document.querySelector('#inspector-pane')?.textContent.includes('2.5 m long')")


def test_items_and_sides_of_previews_have_addresses(
    editor: LiveEditor, owner: httpx2.Client
) -> None:
    edited = document({"several": (MixSwatches.spec.node_type, {})}, [])
    ended(owner, edited)
    answer = owner.post("/v1/check", json={"document": edited.to_json(), "name": "blur"})
    key = answer.json()["nodes"]["several"]["key"]
    shown = owner.get(f"/v1/results/{key}").json()["outputs"]["output"]
    assert [(one["width"], one["height"]) for one in shown] == [(40, 24), (40, 24)]
    for size, side in (((40, 24), {}), ((20, 12), {"side": 20})):
        answer = owner.get(shown[1]["url"], params=side)
        with Image.open(BytesIO(answer.content)) as image:
            assert image.size == size and image.convert("RGB").getpixel((0, 0))[2] > 100
