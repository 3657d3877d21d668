"""How classes of ComfyUI are described to its clients."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.importers.comfyui.class_table import CLASSES as TABLE
from nodes.importers.comfyui.rules import OUTPUTS, RULES
from nodes.importers.comfyui.served import reader
from nodes.importers.comfyui.widgets import CONTROL, WIDGETS
from nodetool_core.server.comfyui.classes import ClassInfo
from nodetool_core.server.comfyui.graph import PromptGraph

CLASSES: Any = reader().classes({"checkpoints": ["a"], "diffusion_models": ["b"]})


def test_every_class_with_a_rule_says_what_it_takes_and_gives() -> None:
    assert RULES.keys() - CLASSES.keys() == {"Reroute", "Note", "MarkdownNote"}
    for name, info in CLASSES.items():
        groups = info["input"]
        described = groups["required"].keys() | groups.get("optional", {}).keys()
        assert described or info["output"], name
        assert info["output_node"] is (name in OUTPUTS), name
        if name not in TABLE:
            assert {*WIDGETS[name]} - {CONTROL} <= described, name


@pytest.mark.parametrize("name", sorted(OUTPUTS))
def test_every_output_is_one(name: str) -> None:
    infos = {one: ClassInfo.of(info) for one, info in CLASSES.items()}
    links = {one: ["1", 0] for one in infos[name].required}
    graph: Any = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1}},
        "2": {"class_type": name, "inputs": links},
    }
    assert PromptGraph.of(graph, infos).outputs == ["2"]


def test_shares_of_an_area_stay_as_they_are() -> None:
    infos = {one: ClassInfo.of(info) for one, info in CLASSES.items()}
    area = infos["ConditioningSetAreaPercentage"].inputs
    assert [area[name].kind for name in ("width", "x", "strength")] == ["FLOAT"] * 3
    assert infos["ImageStitch"].inputs["match_image_size"].kind == "BOOLEAN"


def test_loaders_of_models_have_folders_of_their_own() -> None:
    found = [
        CLASSES[name]["input"]["required"][field][0]
        for name, field in (("CheckpointLoaderSimple", "ckpt_name"), ("UNETLoader", "unet_name"))
    ]
    assert found == [["a"], ["b"]]
