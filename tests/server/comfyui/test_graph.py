"""What a graph may say, checked as ComfyUI's server does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nodetool_core import Registry
from nodetool_core.importing.graphs import reader_of
from nodetool_core.server.comfyui.classes import ClassInfo
from nodetool_core.server.comfyui.errors import PromptRefused
from nodetool_core.server.comfyui.graph import PromptGraph
from tests.server.comfyui.conftest import TINY, colour, lake

READER = reader_of("comfyui", Registry.installed())
assert READER is not None
FILES = {"checkpoints": [TINY], "input": ["a.png"]}
INFOS = {name: ClassInfo.of(info) for name, info in READER.classes(FILES).items()}

Change = Callable[[dict[str, Any]], object]


def checked(change: Change) -> tuple[PromptGraph, dict[str, list[str]]]:
    """Return a graph, and the kinds of what is wrong with each node."""
    content = lake()
    change(content)
    graph = PromptGraph.of(content, INFOS)
    entries: Any = graph.check()
    return graph, {
        node: [error["type"] for error in entry["errors"]] for node, entry in entries.items()
    }


def given(node: str, **inputs: Any) -> Change:
    return lambda graph: graph[node]["inputs"].update(inputs)


def without(node: str, name: str) -> Change:
    return lambda graph: graph[node]["inputs"].pop(name)


TABLE: list[tuple[str, Change, dict[str, list[str]]]] = [
    ("as it is", lambda graph: None, {}),
    ("a link is missing", without("5", "model"), {"5": ["required_input_missing"]}),
    ("a file is missing", without("1", "ckpt_name"), {"1": ["required_input_missing"]}),
    ("a value with a default is missing", without("5", "denoise"), {}),
    ("too small", given("5", steps=0), {"5": ["value_smaller_than_min"]}),
    ("too big", given("5", denoise=1.5), {"5": ["value_bigger_than_max"]}),
    ("the largest seed", given("5", seed=2**64 - 1), {}),
    ("beyond it", given("5", seed=2**64), {"5": ["value_bigger_than_max"]}),
    ("another model", given("1", ckpt_name="x.ckpt"), {"1": ["value_not_in_list"]}),
    ("another sampler", given("5", sampler_name="no"), {"5": ["value_not_in_list"]}),
    ("a text for a number", given("5", steps="many"), {"5": ["invalid_input_type"]}),
    ("an object for a number", given("5", cfg={}), {"5": ["invalid_input_type"]}),
    ("a number that is none", given("5", cfg="nan"), {"5": ["invalid_input_type"]}),
    ("nothing for a text", given("2", text=None), {"2": ["invalid_input_type"]}),
    ("several at once", given("5", steps=0, cfg="x"), {
        "5": ["value_smaller_than_min", "invalid_input_type"]}),
    ("a link to nobody", given("5", model=["77", 0]), {"5": ["bad_linked_input"]}),
    ("a link of three", given("5", model=["1", 0, 0]), {"5": ["bad_linked_input"]}),
    ("a link of another type", given("5", model=["1", 1]), {"5": ["return_type_mismatch"]}),
    ("an output that there is not", given("5", model=["1", 9]), {"5": ["return_type_mismatch"]}),
    ("a node that nothing needs", lambda graph: graph.update(
        {"44": {"class_type": "KSampler", "inputs": {}}}), {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_what_is_wrong(change: Change, expected: dict[str, list[str]]) -> None:
    assert checked(change)[1] == expected


def test_values_are_converted() -> None:
    graph, errors = checked(given("5", steps="7", cfg=3, seed=5.0))
    assert not errors
    inputs = graph.nodes["5"].inputs
    assert (inputs["steps"], inputs["cfg"], inputs["seed"]) == (7, 3.0, 5)
    assert isinstance(inputs["cfg"], float) and isinstance(inputs["seed"], int)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({}, "prompt_no_outputs"),
        ({"1": colour()["1"]}, "prompt_no_outputs"),
        ({"1": 5}, "invalid_prompt"),
        ({"1": {"class_type": "SaveImage", "inputs": []}}, "invalid_prompt"),
        ({"1": {"class_type": 5, "inputs": {}}}, "invalid_prompt"),
        ({"1": {"class_type": "Nothing", "inputs": {}}}, "missing_node_type"),
    ],
)
def test_what_is_no_graph(content: dict[str, Any], kind: str) -> None:
    with pytest.raises(PromptRefused) as refused:
        PromptGraph.of(content, INFOS)
    assert refused.value.error["type"] == kind


def test_every_unknown_class_is_named_with_what_is_near() -> None:
    content = lake() | {
        "20": {"class_type": "KSamplr", "inputs": {}},
        "21": {"class_type": "Nothing", "inputs": {}},
    }
    with pytest.raises(PromptRefused) as refused:
        PromptGraph.of(content, INFOS)
    assert list(refused.value.node_errors) == ["20", "21"]
    assert "KSampler" in str(refused.value.error["details"])


def test_outputs_that_need_nothing_wrong_are_left() -> None:
    content = lake(steps=0) | {
        "30": colour()["1"],
        "31": {"class_type": "PreviewImage", "inputs": {"images": ["30", 0]}},
    }
    graph = PromptGraph.of(content, INFOS)
    wrong: Any = graph.check()
    assert wrong["5"]["dependent_outputs"] == ["9"]
    assert graph.good_outputs(wrong) == ["31"]
    assert graph.part(["31"]).keys() == {"30", "31"}
    del graph.nodes["31"]  # type: ignore[attr-defined]
    graph.outputs = ["9"]
    with pytest.raises(PromptRefused) as refused:
        graph.good_outputs(wrong)
    assert refused.value.error["type"] == "prompt_outputs_failed_validation"
    assert "steps" in str(refused.value.error["details"])


def test_a_circle_ends() -> None:
    graph, errors = checked(given("4", width=["5", 0]))
    assert errors == {"4": ["return_type_mismatch"]}
    assert graph.needed_by("9") >= {"4", "5"}
