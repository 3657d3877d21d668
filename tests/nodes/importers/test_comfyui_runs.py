"""Imported workflows run with tiny weights of their family, and each value has its effect."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from nodetool_core import Workflow
from tests.nodes.huggingface import tiny_pipelines
from tests.nodes.importers.conftest import REGISTRY, content_of, from_content, said
from tests.nodes.importers.test_comfyui_classes import EDIT, refined

LAKE = Path(__file__).parents[3] / "graphs" / "assets" / "lake_at_noon.png"

pytestmark = pytest.mark.slow


def directory(tmp_path: Path, name: str) -> str:
    return str(tiny_pipelines.save(tiny_pipelines.BUILDERS[name], tmp_path / name))


def drawn(content: Any, folder: Path, output: str, **given: Any) -> bytes:
    workflow = Workflow.from_document(from_content(content).document, REGISTRY, base=folder)
    image: bytes = workflow.run(**given)[output].image.tobytes()
    return image


def changed(content: Any, node: str, **inputs: Any) -> Any:
    other = copy.deepcopy(content)
    other[node]["inputs"] |= inputs
    return other


def test_an_edit_by_a_prompt_with_two_images(tmp_path: Path) -> None:
    given = {"model": directory(tmp_path, "flux2_klein"), "image": LAKE, "image_2": LAKE}
    content = changed(EDIT, "11", steps=2)
    first = drawn(content, tmp_path, "hat", **given)
    assert first == drawn(content, tmp_path, "hat", **given)
    for node, inputs in (
        ("11", {"seed": 4}),
        ("11", {"steps": 3}),
        ("6", {"prompt": "two hats"}),
        ("8", {"shift": 9.0}),
    ):
        assert drawn(changed(content, node, **inputs), tmp_path, "hat", **given) != first, inputs


def test_a_flow_matching_model_keeps_its_own_scheduler_for_euler(tmp_path: Path) -> None:
    content = content_of("text_to_image")
    content["1"] = {
        "class_type": "UNETLoader",
        "inputs": {"unet_name": "sd3.safetensors", "weight_dtype": "default"},
    }
    content["4"]["class_type"] = "EmptySD3LatentImage"
    content["5"]["inputs"] |= {"steps": 2, "sampler_name": "euler", "scheduler": "simple"}
    for text in ("2", "3"):
        content[text]["inputs"].pop("clip")
    content["6"]["inputs"].pop("vae")
    assert said(from_content(content)) == []
    given = {"model": directory(tmp_path, "stable_diffusion_3")}
    first = drawn(content, tmp_path, "sunset", **given)
    assert drawn(changed(content, "5", seed=8), tmp_path, "sunset", **given) != first


def test_a_chain_of_samplers(tmp_path: Path) -> None:
    content = refined()
    for node in ("5", "5b"):
        content[node]["inputs"] |= {"steps": 4, "start_at_step": 2 if node == "5b" else 0}
    content["5"]["inputs"]["end_at_step"] = 2
    given = {"model": "nodetool/tiny-landscapes"}
    first = drawn(content, tmp_path, "sunset", **given)
    assert drawn(changed(content, "5b", noise_seed=99), tmp_path, "sunset", **given) != first
