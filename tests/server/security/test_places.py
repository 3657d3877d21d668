"""
A property whose value leads a node out of the workflow says so: no client of a server sets it.

Which ones do is not read off their names but watched: each text property of each installed node is
given names of a file, a folder and an address that nobody else uses, the node is run, and Python's
audit events tell whether one of them was opened, made, listed, looked up or connected to.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, get_args

import pytest

from nodes.nodetool.input import ImageInput, StringInput
from nodes.nodetool.output import Output
from nodes.nodetool.text import FormatText
from nodetool_core import Field, Lane, Node, Registry, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import RunOptions
from nodetool_core.errors import DeclarationError, NodetoolError
from nodetool_core.properties import Property
from nodetool_core.reference.examples import FILE, example
from nodetool_core.reference.values import SAMPLE_WORKFLOW
from nodetool_core.server.catalog import Catalog
from tests.server.live import png

ROOT = Path(__file__).parents[3]
REGISTRY = Registry.installed()
CANARY = "canary7f"
"""In no path, name or address but those that the tests give to nodes."""

KNOWN = {
    "nodetool.image.LoadImageFile": {"path"},
    "nodetool.image.LoadImageFolder": {"folder"},
    "nodetool.image.SaveImageFile": {"folder", "filename"},
    "nodetool.text.LoadTextFolder": {"folder"},
    "nodetool.text.SaveTextFile": {"folder", "name"},
    "nodetool.workflows.workflow_node.WorkflowNode": {"path"},
    "huggingface.inference.ImageToImage": {"endpoint"},
    "huggingface.inference.TextToImage": {"endpoint"},
}
"""What is seen of the built-in nodes: where less is, the watch has gone blind."""


class _Watch:
    """Notes audit events that name the canary, or the port behind its address."""

    def __init__(self, port: int) -> None:
        self.is_on = False
        self.seen: list[str] = []
        self._port = port
        sys.addaudithook(self._note)  # for good: a hook can't be taken off again

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.is_on and any(self._is_canary(argument) for argument in arguments):
            self.seen.append(event)

    def _is_canary(self, argument: Any) -> bool:
        if isinstance(argument, tuple):
            return any(map(self._is_canary, argument))
        if isinstance(argument, bytes):
            return CANARY.encode() in argument
        if isinstance(argument, int):
            return argument == self._port
        return isinstance(argument, (str, Path)) and CANARY in str(argument)

    @contextmanager
    def on(self) -> Iterator[list[str]]:
        self.seen = []
        self.is_on = True
        try:
            yield self.seen
        finally:
            self.is_on = False


class _Nothing(BaseHTTPRequestHandler):
    """Has nothing at any address."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_error(404)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Nothing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def watch(port: int) -> _Watch:
    return _Watch(port)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(registry=REGISTRY) as shared:
        yield shared


@pytest.fixture
def places(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of things that are there, each of another kind, and one of nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INFERENCE_TOKEN_LOCALHOST", "a-token")
    shutil.copytree(ROOT / "graphs", tmp_path / "graphs")
    file = tmp_path / f"{CANARY}.png"
    file.write_bytes(png(64, 64))
    workflow = tmp_path / f"{CANARY}.json"
    small = Workflow(Output(name="image", value=ImageInput(name="image").output))
    for path in (workflow, tmp_path / SAMPLE_WORKFLOW):
        small.save(path)
    folder = tmp_path / CANARY
    folder.mkdir()
    (folder / "a.png").write_bytes(png(64, 64))
    (folder / "a.txt").write_text("text")
    address = f"http://localhost:{port}/{CANARY}"
    return [str(file), str(workflow), str(folder), f"{CANARY}-name", address]


def takes_text(annotation: Any) -> bool:
    return annotation in (str, Any) or any(map(takes_text, get_args(annotation)))


def text_properties(node: type[Node]) -> list[Property]:
    return [prop for prop in node.spec.properties.values() if takes_text(prop.annotation)]


def forms(prop: Property, text: str) -> Iterator[Any]:
    """Yield a text as a value of the property."""
    for value in (text, [text], {CANARY: text}):
        if prop.accepts(value):
            yield value
            return


def reaches_out(
    node: type[Node], prop: Property, places: list[str], engine: Engine, watch: _Watch
) -> list[str]:
    """Return the audit events of runs in which the property names each of the places."""
    document = json.loads(example(node, engine.registry).to_json())
    graph = document["graph"]
    step = next(one for one in graph["nodes"] if one["type"] == node.spec.node_type)
    graph["edges"] = [
        edge
        for edge in graph.get("edges", ())
        if (edge["target"], edge.get("targetHandle")) != (step["id"], prop.name)
    ]
    seen: list[str] = []
    for text in places:
        for value in forms(prop, text):
            step["data"] = {**step.get("data", {}), prop.name: value}
            if "num_inference_steps" in node.spec.properties:
                step["data"]["num_inference_steps"] = 1
            Path(FILE).write_text(json.dumps(document))
            # What is no value of it, or leads to nothing, fails.
            with watch.on() as events, suppress(NodetoolError):
                workflow = Workflow.load(FILE, engine.registry, engine=engine)
                workflow.run(options=RunOptions(use_cache=False))
            seen += events
    return seen


class Elsewhere(Node):
    """
    Reaches out by properties with names of their own.

    test, place
    """

    save_to: str = ""
    host: str = Field(default="", place="address")
    label_text: str = ""

    def process(self) -> str:
        if self.save_to:
            Path(self.save_to).with_suffix(".new").write_text(self.label_text)
        if self.host:
            with suppress(OSError):
                socket.create_connection((self.host, 1), timeout=0.1)
        return self.label_text


def test_the_watch_sees_what_names_do_not_tell(
    places: list[str], engine: Engine, watch: _Watch
) -> None:
    engine.registry.add(Elsewhere)
    found = {
        prop.name: bool(reaches_out(Elsewhere, prop, places, engine, watch))
        for prop in text_properties(Elsewhere)
    }
    assert found == {"save_to": True, "host": True, "label_text": False}


@pytest.mark.parametrize(("name", "is_open"), [("save_to", True), ("host", False)])
def test_a_mark_and_no_spelling_closes_a_property_to_clients(
    name: str, is_open: bool, tmp_path: Path
) -> None:
    """An author who forgets the mark is found by the test above, in the pack's own tests."""
    registry = Registry.installed()
    registry.add(Elsewhere)
    text = StringInput(name="text")
    node = Elsewhere(**{name: FormatText(template="{{ text }}.txt", text=text.output).output})
    Workflow(Output(name="same", value=node.output)).save(tmp_path / "workflow.json")
    served = Catalog(registry, tmp_path).workflow("workflow")
    assert ("text" in served.inputs) == is_open


def test_a_place_is_stated_and_checked() -> None:
    assert Elsewhere.spec.properties["host"].json_schema()["place"] == "address"
    assert "place" not in Elsewhere.spec.properties["label_text"].json_schema()
    with pytest.raises(DeclarationError, match="none of address, file, folder"):

        class Astray(Node):
            """Names a place that there is not."""

            path: str = Field(default="", place="disk")  # type: ignore[arg-type]

            def process(self) -> str:
                return self.path


def marked(node: type[Node]) -> Any:
    slow = [pytest.mark.slow] if node.lane is Lane.DEVICE else []
    return pytest.param(node, id=node.spec.node_type, marks=slow)


@pytest.mark.parametrize("node", [marked(node) for node in REGISTRY if text_properties(node)])
def test_what_leads_out_of_the_workflow_is_marked(
    node: type[Node], places: list[str], engine: Engine, watch: _Watch
) -> None:
    found = {
        prop.name: events
        for prop in text_properties(node)
        if (events := reaches_out(node, prop, places, engine, watch))
    }
    assert found.keys() >= KNOWN.get(node.spec.node_type, set())
    unmarked = {name for name in found if node.spec.properties[name].place is None}
    assert unmarked == set(), f"say Field(place=…): {found}"
