"""
The nodes of the nearest tool.

Which of them a workflow file finds here, and that every value that it may hold is accepted.

`catalog.tsv` lists that tool's node types with their properties and outputs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from nodetool_core import Node, Registry
from nodetool_core.packs import Alias
from nodetool_core.types import type_name

REGISTRY = Registry.installed()

LEFT_OUT = {
    "huggingface.image_to_image.OmniGen": (
        "a family of its own that the pipelines by task don't cover"
    ),
    "huggingface.image_to_image.StableDiffusionLatentUpscaler": (
        "DiffusionUpscale takes latents and gives the image"
    ),
    "nodetool.constant.Constant": "base class of the constants, without properties or outputs",
    "nodetool.text.CountTokens": (
        "counts what text models are billed for, which no image workflow needs"
    ),
    "nodetool.text.HtmlToText": "web pages are no image work",
}
"""Types without a counterpart, and why."""

_NO_GUIDANCE = "without guidance is 1; below it nothing changes any more"

NOT_ACCEPTED = {
    **{
        (node_type, "guidance_scale", 0): _NO_GUIDANCE
        for node_type in (
            "huggingface.image_to_image.StableDiffusionXLControlNetImg2Img",
            "huggingface.image_to_image.StableDiffusionXLImg2Img",
            "nodetool.image.ImageToImage",
        )
    },
    ("nodetool.image.ImageToImage", "guidance_scale", 30): "images break above 20",
    ("nodetool.image.Resize", "width", 0): "no image is 0 pixels wide",
    ("nodetool.image.Resize", "height", 0): "no image is 0 pixels high",
    ("nodetool.image.Scale", "scale", 0): "a factor of 0 leaves no image",
}
"""Values of the catalog that are refused, and why."""

JSON_FORMS: dict[str, Any] = {
    "any": 3,
    "bool": True,
    "color": {"type": "color", "value": "#ff8800"},
    "date": "2026-06-21",
    "dict": {"season": "winter"},
    "float": 0.5,
    "folder": {"type": "folder", "uri": "", "asset_id": "a1", "data": None, "metadata": None},
    "font": {"type": "font", "name": "DejaVuSans.ttf"},
    "hf.image_to_image": {
        "type": "hf.image_to_image",
        "repo_id": "a/b",
        "path": None,
        "variant": None,
        "allow_patterns": None,
    },
    "hf.model": {
        "type": "hf.model",
        "repo_id": "a/b",
        "path": None,
        "variant": None,
        "allow_patterns": None,
        "ignore_patterns": None,
    },
    "image": {"type": "image", "uri": "a.png", "asset_id": None, "data": None, "metadata": None},
    "image_model": {
        "type": "image_model",
        "provider": "huggingface",
        "id": "a/b",
        "name": "B",
        "path": None,
        "supported_tasks": [],
    },
    "image_size": {"type": "image_size", "width": 64, "height": 32, "preset": ""},
    "int": 1,
    "json": {"a": [1, None]},
    "list": [],
    "str": "a",
    "torch_tensor": None,
    "union": 1.5,
}
"""A value of each type, as that tool writes it."""


@dataclass(frozen=True)
class Entry:
    """One line of the catalog."""

    type: str
    properties: dict[str, tuple[str, tuple[Any, ...]]]
    """Type of each property, and values that it may have: its default, its bounds, its choices."""
    outputs: dict[str, str]


_PROPERTY = re.compile(r"(?:^|; )(?P<name>\w+):(?P<type>[a-z_]+(?:\.[a-z_]+)?)")
_BOUNDS = re.compile(r"\s*\[([^,\]]+),([^\]]+)\]")
_CHOICES = re.compile(r"\s*\{([^}]*)\}")


def read_properties(text: str) -> dict[str, tuple[str, tuple[Any, ...]]]:
    """
    `name:type=default [min,max] {choices}; …`.

    Defaults that the catalog cuts off count for nothing.
    """
    found: dict[str, tuple[str, tuple[Any, ...]]] = {}
    while match := _PROPERTY.search(text):
        text, samples = text[match.end() :], []
        if text.startswith("="):
            try:
                value, end = json.JSONDecoder().raw_decode(text[1:])
            except ValueError:
                value, end = "", 0
            samples.append(value)
            text = text[1 + end :]
        if bounds := _BOUNDS.match(text):
            samples += [json.loads(bound) for bound in bounds.groups() if bound != "None"]
            text = text[bounds.end() :]
        if choices := _CHOICES.match(text):
            samples += choices[1].split("|")
            text = text[choices.end() :]
        found[match["name"]] = (match["type"], tuple(samples))
    return found


@cache
def catalog() -> dict[str, Entry]:
    """Return the catalog by type."""
    entries = {}
    for line in (Path(__file__).parent / "catalog.tsv").read_text().splitlines()[1:]:
        node_type, properties, outputs = line.split("\t")
        pairs = [output.split(":") for output in outputs.split(", ") if output]
        entries[node_type] = Entry(node_type, read_properties(properties), dict(pairs))
    return entries


def counterpart(node_type: str) -> tuple[type[Node] | None, Alias]:
    """Our node for a type, and how it is read as that."""
    alias = REGISTRY.alias(node_type) or Alias(node_type)
    return REGISTRY.get(alias.type), alias


def _json_form(kind: str) -> Any:
    if kind.startswith("hf."):
        return {**JSON_FORMS["hf.model"], "type": kind}
    # The catalog cuts some texts off in the middle of a line.
    return JSON_FORMS["str" if kind.startswith("str") else kind]


HERE = [name for name in catalog() if name not in LEFT_OUT]


def test_every_type_is_here_or_left_out_for_a_reason() -> None:
    assert [name for name in HERE if counterpart(name)[0] is None] == []
    assert [
        name for name in LEFT_OUT if name not in catalog() or counterpart(name)[0] is not None
    ] == []
    aliased = [name for name in HERE if REGISTRY.alias(name)]
    assert (
        len(HERE) >= 175
        and len([name for name in aliased if not name.startswith("huggingface.")]) <= 18
    )


@pytest.mark.parametrize("node_type", HERE)
def test_every_value_that_a_file_may_hold_is_accepted(node_type: str) -> None:
    node, alias = counterpart(node_type)
    assert node is not None
    for name, (kind, samples) in catalog()[node_type].properties.items():
        target = alias.properties.get(name, name)
        if target is None:
            continue
        assert target in node.spec.properties, f"{node_type} has no {name}"
        for value in (
            samples
            if kind in ("int", "float", "enum") and samples
            else (*samples, _json_form(kind))
        ):
            _, problems = node.spec.properties[target].validate(value, name)
            refused = (
                not isinstance(value, (dict, list)) and (node_type, name, value) in NOT_ACCEPTED
            )
            assert refused or not problems, f"{name}={value!r}: {problems}"


@pytest.mark.parametrize("node_type", HERE)
def test_every_output_is_there_with_its_type(node_type: str) -> None:
    node, alias = counterpart(node_type)
    assert node is not None
    for name, kind in catalog()[node_type].outputs.items():
        ours = node.spec.outputs.get(alias.outputs.get(name, name))
        assert ours is not None, f"{node_type} has no output {name}"
        found = type_name(ours.annotation)
        assert re.split(r"\[| \| ", found)[0] == TYPES.get(kind, kind) or "any" in (
            found,
            kind,
        ), f"{name} is {found}, not {kind}"


TYPES = {"image_model": "hf.model", "json": "any", "text": "str", "torch_tensor": "latents"}
"""Types that are called otherwise here. Texts in files are texts."""
