"""Loaders, values and images of further packs of ComfyUI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nodetool_core import Workflow
from nodetool_core.importing.draft import Grade
from tests.nodes.importers.conftest import REGISTRY, content_of, edges, from_content, said, values

LAKE = Path(__file__).parents[3] / "graphs" / "assets" / "lake_at_noon.png"


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def made_of(*steps: dict[str, Any]) -> dict[str, Any]:
    """Return a workflow that begins with an image and saves what the last step gives."""
    nodes = [node("LoadImage", image="lake.png"), *steps]
    content = {str(number): step for number, step in enumerate(nodes, 1)}
    return content | {"9": node("SaveImage", images=[str(len(nodes)), 0], filename_prefix="out")}


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("UNETLoaderMultiGPU", {"unet_name": "a.safetensors", "device": "cuda:1"}),
        ("UnetLoaderGGUF", {"unet_name": "a.gguf"}),
        ("DiffusionModelLoaderKJ", {"model_name": "a.safetensors", "sage_attention": "auto"}),
        ("CheckpointLoaderSimpleMultiGPU", {"ckpt_name": "a.safetensors", "device": "cpu"}),
    ],
)
def test_loaders_that_say_where_a_model_runs(kind: str, inputs: dict[str, Any]) -> None:
    content = content_of("text_to_image")
    content["1"] = node(kind, **inputs)
    for one in ("2", "3"):
        content[one]["inputs"].pop("clip")
    content["20"] = node("VAELoaderMultiGPU", vae_name="own.safetensors", device="cuda:0")
    content["6"]["inputs"]["vae"] = ["20", 0]
    result = from_content(content)
    assert result.grade is Grade.WHOLE
    assert values(result, "1")["value"]["vae"]["repo_id"] == "own.safetensors"


@pytest.mark.parametrize(
    ("model", "preset", "file"),
    [
        ("a", "PLUS (high strength)", "models/ip-adapter-plus_sd15.safetensors"),
        (
            "a_XL",
            "PLUS FACE (portraits)",
            "sdxl_models/ip-adapter-plus-face_sdxl_vit-h.safetensors",
        ),
        ("a_XL", "VIT-G (medium strength)", "sdxl_models/ip-adapter_sdxl.safetensors"),
    ],
)
def test_adapters_by_a_preset(model: str, preset: str, file: str) -> None:
    content = content_of("text_to_image")
    content["1"]["inputs"]["ckpt_name"] = f"{model}.safetensors"
    content["20"] = node("IPAdapterUnifiedLoader", model=["1", 0], preset=preset)
    content["21"] = node("LoadImage", image="style.png")
    seen = node("PrepImageForClipVision", image=["21", 0], interpolation="LANCZOS")
    content["22"] = seen
    seen["inputs"] |= {"crop_position": "top", "sharpening": 0.0}
    inputs = {"model": ["20", 0], "ipadapter": ["20", 1], "image": ["22", 0], "weight": 0.7}
    content["23"] = node("IPAdapter", **inputs)
    content["5"]["inputs"]["model"] = ["23", 0]
    result = from_content(content)
    assert values(result, "5")["ip_adapter_model"]["path"] == file
    wanted = {"width": 224, "height": 224, "fit": "crop", "anchor": "top"}
    assert values(result, "22") | wanted == values(result, "22") and said(result) == []


def test_a_preset_that_a_family_has_not() -> None:
    content = content_of("text_to_image")
    content["1"]["inputs"]["ckpt_name"] = "a_XL.safetensors"
    content["20"] = node("IPAdapterUnifiedLoader", model=["1", 0], preset="FULL FACE - SD1.5 only")
    content["5"]["inputs"]["model"] = ["20", 0]
    content["30"] = node("LoadImage", image="a.png")
    content["31"] = node("PreviewImage", images=["30", 0])
    assert from_content(content).grade is Grade.LOSSES


def test_values_that_clients_give() -> None:
    content = content_of("text_to_image")
    words = {"display_name": "Prompt", "description": "what to see"}
    content["20"] = node(
        "ComfyUIDeployExternalText", input_id="words", default_value="a lake", **words
    )
    content["21"] = node("ComfyUIDeployExternalNumberInt", input_id="wide", default_value=640)
    content["22"] = node("ComfyDeploy", workflow_name="", version="1")
    content["2"]["inputs"]["text"] = ["20", 0]
    content["4"]["inputs"]["width"] = ["21", 0]
    result = from_content(content)
    assert {"20.output > 5.prompt", "21.output > 5.width"} <= edges(result)
    wanted = {"name": "words", "value": "a lake", "description": "Prompt: what to see"}
    assert values(result, "20") == wanted and said(result) == []


def test_switches_take_the_first_that_runs() -> None:
    content = content_of("text_to_image")
    content["20"] = node("Any Switch (rgthree)", any_02=["2", 0], any_03=["3", 0])
    content["21"] = node("CR Seed", seed=12)
    content["5"]["inputs"] |= {"positive": ["20", 0], "seed": ["21", 0]}
    made = values(from_content(content), "5")
    assert made["prompt"] == content["2"]["inputs"]["text"]


def test_sizes_and_numbers_run(tmp_path: Path) -> None:
    content = made_of(
        node(
            "ImageResizeKJv2",
            **{"image": ["1", 0], "width": ["5", 0], "height": 32, "upscale_method": "bicubic"},
            **{"keep_proportion": "pad", "pad_color": "255, 0, 0", "crop_position": "left"},
            **{"divisible_by": 2, "device": "cpu"},
        ),
        node("INTConstant", value=20),
        node("SimpleMath+", value="a * 2", a=["3", 0]),
        node("SimpleCalculatorKJ", expression="a + 8", **{"variables.a": ["4", 0]}),
    )
    content["5"]["inputs"]["variables.a"] = ["4", 0]
    content["2"]["inputs"]["width"] = ["5", 1]
    content["9"]["inputs"]["images"] = ["2", 0]
    result = from_content(content)
    assert said(result) == []
    made = Workflow.from_document(result.document, REGISTRY, base=tmp_path).run(image=LAKE)
    assert made["out"].image.size == (48, 32)
    assert made["out"].image.convert("RGB").getpixel((47, 16)) == (255, 0, 0)


def test_so_many_pixels_and_grain() -> None:
    size = {"width": 1000, "height": 1000, "upscale_method": "lanczos", "divisible_by": 16}
    resized = node("ImageResizeKJv2", image=["1", 0], keep_proportion="total_pixels", **size)
    grain = node("Film Grain", image=["2", 0], density=0.5, intensity=0.2, repeats=1)
    result = from_content(made_of(resized, grain))
    assert values(result, "2") | {"by": "megapixels", "megapixels": 1.0} == values(result, "2")
    assert values(result, "3")["amount"] == 0.1 and result.grade is Grade.NOTES


def test_frames_of_an_animation_are_a_result() -> None:
    content = made_of(node("ImageInvert", image=["1", 0]))
    content["9"] = node("SaveAnimatedWEBP", images=["2", 0], filename_prefix="a", fps=6.0)
    result = from_content(content)
    assert result.grade is Grade.NOTES and "fps 6.0" in said(result)[0]


def test_a_sampler_that_shows_its_image_itself() -> None:
    content = content_of("text_to_image")
    content["5"]["class_type"] = "KSampler (Efficient)"
    for one in ("6", "7"):
        content.pop(one, None)
    assert "5.output > 5_shown.value" in edges(from_content(content))
