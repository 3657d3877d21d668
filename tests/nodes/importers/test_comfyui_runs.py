"""Imported workflows run with tiny weights of their family, and each value has its effect."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from nodetool_core import Workflow
from tests.nodes.huggingface import tiny_adapters, tiny_pipelines
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


def test_weights_embeddings_and_a_chain_of_controlnets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a file says of texts and networks has its effect, each by itself."""
    monkeypatch.chdir(tmp_path)
    family = "stable_diffusion"
    model = tiny_pipelines.BUILDERS[family]
    given = {"model": str(tiny_pipelines.save(model, tmp_path / family))}
    given |= {"image": LAKE, "image_2": LAKE}
    tiny_adapters.save_controlnet(family, tmp_path / "net")
    encoder = model().text_encoder
    vectors = torch.randn(2, encoder.config.hidden_size, generator=torch.manual_seed(1))
    save_file({"emb_params": vectors}, tmp_path / "bad.safetensors")
    content = content_of("text_to_image")
    content["2"]["inputs"]["text"] = "a (lake:1.3), embedding:bad"
    content["4"]["inputs"] |= {"width": 64, "height": 64}
    content["5"]["inputs"] |= {"steps": 3, "positive": ["42", 0], "negative": ["42", 1]}
    content["9"] = node("CLIPSetLastLayer", clip=["1", 1], stop_at_clip_layer=-1)
    content["2"]["inputs"]["clip"] = content["3"]["inputs"]["clip"] = ["9", 0]
    content["20"] = node("ControlNetLoader", control_net_name="net")
    before = {"positive": ["2", 0], "negative": ["3", 0]}
    for number, strength in enumerate((0.7, 0.4), 1):
        content[f"3{number}"] = node("LoadImage", image=f"led_{number}.png")
        led = {"control_net": ["20", 0], "image": [f"3{number}", 0], "strength": strength}
        steps = {"start_percent": 0.0, "end_percent": 1.0}
        content[f"4{number}"] = node("ControlNetApplyAdvanced", **before, **led, **steps)
        before = {"positive": [f"4{number}", 0], "negative": [f"4{number}", 1]}
    assert said(from_content(content)) == []
    first = drawn(content, tmp_path, "sunset", **given)
    assert drawn(content, tmp_path, "sunset", **given) == first
    for name, inputs in (
        ("2", {"text": "a (lake:1.9), embedding:bad"}),
        ("2", {"text": "a (lake:1.3), bad"}),
        ("9", {"stop_at_clip_layer": -2}),
        ("41", {"strength": 1.0}),
        ("42", {"strength": 1.0}),
        ("42", {"end_percent": 0.5}),
    ):
        assert drawn(changed(content, name, **inputs), tmp_path, "sunset", **given) != first, inputs


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}
