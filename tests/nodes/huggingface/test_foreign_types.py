"""
The model nodes of the nearest tool.

Each is read as a general node, property by property, with what it implied.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nodetool_core import Registry
from nodetool_core.errors import Problem
from nodetool_core.packs import Alias
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument

CATALOG = Path(__file__).parents[1] / "catalog.tsv"
REGISTRY = Registry.installed()

LEFT_OUT = {
    "huggingface.image_to_image.OmniGen": (
        "marks images inside of its prompt, as no model of diffusers' editors does"
    ),
    "huggingface.image_to_image.StableDiffusionLatentUpscaler": (
        "goes from latents to latents, which its pipeline does not show"
    ),
}
"""Types without a counterpart, and why."""

MODEL = {
    "repo_id": "a/b",
    "path": None,
    "variant": None,
    "allow_patterns": None,
    "ignore_patterns": None,
}
LORA = {"type": "hf.lora_sd_config", "lora": {"type": "hf.lora_sd", **MODEL}, "strength": 0.5}
IMAGE = {"type": "image", "uri": "a.png", "asset_id": None, "data": None, "metadata": None}
FORMS: dict[str, Any] = {
    "image": [IMAGE],
    "list": [[], [LORA]],
    "str": ["a", ""],
    "bool": [True],
    "torch_tensor": [],
}


def catalog() -> dict[str, tuple[dict[str, tuple[str, list[Any]]], dict[str, str]]]:
    """Type to its properties, each with its type and values that it may have, and its outputs."""
    found = {}
    for line in CATALOG.read_text().splitlines()[1:]:
        node_type, properties, outputs = line.split("\t")
        if node_type.startswith("huggingface."):
            parts = re.split(r";\s(?=\w+:)", properties)
            found[node_type] = (
                dict(map(read, parts)),
                dict(output.split(":") for output in outputs.split(", ")),
            )
    return found


def read(part: str) -> tuple[str, tuple[str, list[Any]]]:
    name, kind = part.split("=")[0].split()[0].split(":")[:2]
    bounds, choices = (
        re.search(r"\[([-\d.]+),([-\d.]+|None)\]", part),
        re.search(r"\{([\w/|.-]+)\}$", part),
    )
    values = [json.loads(bound) for bound in bounds.groups() if bound != "None"] if bounds else []
    values += choices[1].split("|") if choices else []
    if kind.startswith("hf."):
        values.append({"type": kind, **MODEL})
    return name, (kind, values + FORMS.get(kind, []))


ENTRIES = catalog()
HERE = [name for name in ENTRIES if name not in LEFT_OUT]


def alias_of(node_type: str) -> Alias:
    return REGISTRY.alias(node_type) or Alias(node_type)


def test_every_type_is_here_or_left_out_for_a_reason() -> None:
    assert len(ENTRIES) == 35
    assert [name for name in HERE if REGISTRY.get(alias_of(name).type) is None] == []
    assert [name for name in LEFT_OUT if REGISTRY.alias(name) or REGISTRY.get(name)] == []


@pytest.mark.parametrize("node_type", HERE)
def test_every_property_and_value_is_accepted_or_left_out(node_type: str) -> None:
    alias = alias_of(node_type)
    node = REGISTRY.get(alias.type)
    assert node is not None
    for name, value in alias.values.items():
        assert node.spec.properties[name].validate(value, name)[1] == []
    for name, (_, values) in ENTRIES[node_type][0].items():
        target = alias.properties.get(name, name)
        if target is None:
            continue
        assert target in node.spec.properties, f"{node_type} has no {name}"
        for value in values:
            problems = node.spec.properties[target].validate(value, name)[1]
            assert not problems, f"{name}={value!r}: {problems}"


@pytest.mark.parametrize("node_type", HERE)
def test_every_output_is_there(node_type: str) -> None:
    alias = alias_of(node_type)
    node = REGISTRY.get(alias.type)
    assert node is not None
    for name in ENTRIES[node_type][1]:
        assert alias.outputs.get(name, name) in node.spec.outputs


def test_a_file_is_read_and_says_what_was_mapped() -> None:
    nodes = [
        {"id": "photo", "type": "nodetool.constant.Image", "data": {"value": IMAGE}},
        {
            "id": "repaint",
            "type": "huggingface.image_to_image.StableDiffusionImg2Img",
            "data": {
                "model": {"type": "hf.stable_diffusion", **MODEL},
                "strength": 0.4,
                "enable_tiling": True,
                "loras": [LORA],
            },
        },
        {
            "id": "large",
            "type": "huggingface.image_to_image.RealESRGAN",
            "data": {"model": {"type": "hf.real_esrgan", **MODEL}},
        },
        {"id": "image", "type": "nodetool.output.Output", "data": {"name": "image"}},
    ]
    edges = [
        {
            "source": "photo",
            "sourceHandle": "output",
            "target": "repaint",
            "targetHandle": "init_image",
        },
        {"source": "repaint", "sourceHandle": "image", "target": "large", "targetHandle": "image"},
        {"source": "large", "sourceHandle": "output", "target": "image", "targetHandle": "value"},
    ]
    graph = build_graph(WorkflowDocument.from_json({"nodes": nodes, "edges": edges}), REGISTRY)
    repaint = next(node for node in graph.nodes if node.id == "repaint")
    assert repaint.spec.node_type == "huggingface.image_to_image.ImageToImage"
    assert (repaint.values["strength"], repaint.values["prompt"], repaint.values["scheduler"]) == (
        0.4,
        "",
        "EulerDiscreteScheduler",
    )
    assert repaint.values["loras"][0].scale == 0.5
    notes = {(note.code, note.where) for note in graph.notes if isinstance(note, Problem)}
    assert {
        ("mapped_type", "nodes[1].type"),
        ("left_out_property", "nodes[1].data.enable_tiling"),
        ("mapped_type", "nodes[2].type"),
    } <= notes
