"""Graphs of ComfyUI's clients, and the classes that its server would describe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nodes.importers.comfyui.class_table import CLASSES
from nodes.importers.comfyui.rules import RULES
from nodetool_core import Registry
from nodetool_core.importing.graphs import WHOLE, GraphReader, reader_of
from nodetool_core.node_base import Role

FILES = Path(__file__).parent / "files"
REGISTRY = Registry.installed()
LISTED = {"checkpoints": ["nodetool/tiny-landscapes"], "input": ["lake.png"]}


@pytest.fixture
def reader() -> GraphReader:
    found = reader_of("comfyui", REGISTRY)
    assert found is not None
    return found


def content_of(name: str) -> Any:
    return json.loads((FILES / f"{name}.json").read_text("utf-8"))


def test_no_pack_reads_the_graphs_of_an_unknown_protocol() -> None:
    assert reader_of("nothing", REGISTRY) is None


def test_every_class_with_a_rule_is_described(reader: GraphReader) -> None:
    found = reader.classes(LISTED)
    assert set(found) == RULES.keys() - {"Reroute", "Note", "MarkdownNote"}
    assert CLASSES.keys() <= found.keys(), "nothing is described that has no rule"
    for name, info in found.items():
        assert info["name"] == name
        lists = [info[part] for part in ("output", "output_is_list", "output_name")]
        assert len({len(one) for one in lists if isinstance(one, list)}) == 1


def test_files_are_those_that_the_server_has(reader: GraphReader) -> None:
    found: Any = reader.classes(LISTED)
    checkpoint = found["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"]
    assert checkpoint[0] == ["nodetool/tiny-landscapes"]
    assert found["LoadImage"]["input"]["required"]["image"] == [
        ["lake.png"],
        {"image_upload": True},
    ]
    assert found["VAELoader"]["input"]["required"]["vae_name"][0] == []


GRAPHS = ["text_to_image", "image_to_image", "inpainting", "upscaling"]


@pytest.mark.parametrize("name", GRAPHS)
def test_the_standard_graphs_say_what_is_described(reader: GraphReader, name: str) -> None:
    found: Any = reader.classes(LISTED)
    for node in content_of(name).values():
        inputs = found[node["class_type"]]["input"]
        assert inputs["required"].keys() <= node["inputs"].keys()
        described = {*inputs["required"], *inputs.get("optional", {}), "upload"}
        assert node["inputs"].keys() <= described


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_is_a_workflow(reader: GraphReader, name: str) -> None:
    read = reader.read(content_of(name), REGISTRY)
    assert not read.problems
    assert read.document is not None
    kinds = [REGISTRY.get(node.type) for node in read.document.graph.nodes]
    assert any(kind is not None and kind.role is Role.OUTPUT for kind in kinds)
    assert set(read.origins) == {node.id for node in read.document.graph.nodes}
    assert set(read.origins.values()) <= content_of(name).keys()


def test_what_is_wrong_stands_by_the_node(reader: GraphReader) -> None:
    read = reader.read(content_of("two_passes"), REGISTRY)
    assert read.document is not None, "its other output can be made"
    assert list(read.problems) == ["17", "18", "19"]
    assert "no counterpart" in read.problems["17"][0].message
    assert "FaceRestore (17)" in read.problems["18"][0].message
    assert "count everywhere alike" in read.notes["11"][0].message
    assert "out of its bounds" in "".join(note.message for note in read.notes["9"])


def test_a_graph_of_which_nothing_is_left(reader: GraphReader) -> None:
    graph = content_of("text_to_image")
    graph["6"]["class_type"] = "VAEDecodeAudio"
    read = reader.read(graph, REGISTRY)
    assert read.document is None
    assert {"6", "7", WHOLE} == read.problems.keys()
    circle = content_of("text_to_image")
    circle["5"]["inputs"]["latent_image"] = ["5", 0]
    assert "circle" in reader.read(circle, REGISTRY).problems[WHOLE][0].message
    assert reader.read({}, REGISTRY).problems.keys() == {WHOLE}
