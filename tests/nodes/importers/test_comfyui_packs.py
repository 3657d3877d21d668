"""Classes of widespread packs of ComfyUI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nodetool_core import Workflow
from nodetool_core.importing.draft import Grade
from tests.nodes.importers.conftest import REGISTRY, content_of, edges, from_content, said, values

LAKE = Path(__file__).parents[3] / "graphs" / "assets" / "lake_at_noon.png"


def add(content: dict[str, Any], node_id: str, kind: str, **inputs: Any) -> None:
    content[node_id] = {"class_type": kind, "inputs": inputs}


@pytest.mark.parametrize("kind", ["IPAdapterAdvanced", "IPAdapter", "IPAdapterApply"])
def test_an_image_adapter(kind: str) -> None:
    content = content_of("text_to_image")
    add(content, "20", "IPAdapterModelLoader", ipadapter_file="ip-adapter_sd15.safetensors")
    add(content, "21", "CLIPVisionLoader", clip_name="vit.safetensors")
    add(content, "22", "LoadImage", image="style.png")
    inputs: dict[str, Any] = {"model": ["1", 0], "ipadapter": ["20", 0], "image": ["22", 0]}
    add(content, "23", kind, weight=0.6, start_at=0.0, end_at=1.0, clip_vision=["21", 0], **inputs)
    content["5"]["inputs"]["model"] = ["23", 0]
    result = from_content(content)
    made = values(result, "5")
    assert made["ip_adapter_model"]["repo_id"] == "ip-adapter_sd15.safetensors"
    assert made["ip_adapter_scale"] == 0.6 and "22.output > 5.ip_adapter_image" in edges(result)
    assert said(result) == []
    content["23"]["inputs"]["end_at"] = 0.5
    assert from_content(content).grade is Grade.LOSSES


def test_lists_of_loras_and_seeds() -> None:
    content = content_of("text_to_image")
    add(
        content,
        "20",
        "Power Lora Loader (rgthree)",
        model=["1", 0],
        clip=["1", 1],
        lora_1={"on": True, "lora": "snow.safetensors", "strength": 0.5, "strengthTwo": 0.25},
        lora_2={"on": False, "lora": "rain.safetensors", "strength": 1},
        **{"Add Lora": ""},
    )
    add(content, "21", "Seed (rgthree)", seed=-3)
    content["5"]["inputs"] |= {"model": ["20", 0], "seed": ["21", 0]}
    result = from_content(content)
    assert values(result, "5")["loras"] == [
        {
            "type": "hf.lora",
            "repo_id": "snow.safetensors",
            "scale": 0.5,
            "text_encoder_scale": 0.25,
        }
    ]
    assert values(result, "21") == {"value": -1} and said(result) == []


def test_loading_and_sampling_at_once() -> None:
    content: dict[str, Any] = {}
    add(
        content,
        "1",
        "Efficient Loader",
        **{"ckpt_name": "a.safetensors", "vae_name": "Baked VAE", "clip_skip": -1},
        **{"lora_name": "a.pt", "lora_model_strength": 1, "lora_clip_strength": 0.5},
        **{"positive": "a lake", "negative": "blurry", "token_normalization": "none"},
        **{"weight_interpretation": "comfy", "empty_latent_width": 512},
        **{"empty_latent_height": 256, "batch_size": 1},
    )
    add(
        content,
        "2",
        "KSampler (Efficient)",
        **{"model": ["1", 0], "positive": ["1", 1], "negative": ["1", 2], "latent_image": ["1", 3]},
        **{"optional_vae": ["1", 4], "seed": 7, "steps": 20, "cfg": 7, "sampler_name": "euler"},
        **{"scheduler": "normal", "denoise": 1, "preview_method": "auto", "vae_decode": "true"},
    )
    add(content, "3", "SaveImage", images=["2", 5], filename_prefix="lake")
    result = from_content(content)
    wanted = {"prompt": "a lake", "negative_prompt": "blurry", "width": 512, "seed": 7}
    assert values(result, "2") | wanted == values(result, "2") and said(result) == []
    (lora,) = values(result, "2")["loras"]
    assert (lora["repo_id"], lora["scale"], lora["text_encoder_scale"]) == ("a.pt", 1.0, 0.5)


def test_tiles_texts_and_networks_of_their_own() -> None:
    content = content_of("text_to_image")
    add(content, "20", "Text Multiline", text="a lake")
    add(content, "21", "Text Concatenate", delimiter=", ", text_a=["20", 0], text_b="snow")
    content["2"]["inputs"]["text"] = ["21", 0]
    add(
        content,
        "22",
        "UltimateSDUpscale",
        **{"image": ["6", 0], "model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0]},
        **{"vae": ["1", 2], "upscale_by": 2.0, "seed": 3, "steps": 20, "cfg": 7.0},
        **{"sampler_name": "ddim", "scheduler": "normal", "denoise": 0.3, "tile_width": 512},
    )
    add(content, "23", "SaveImage", images=["22", 0], filename_prefix="large")
    add(content, "24", "MiDaS-DepthMapPreprocessor", image=["6", 0], a=6.28, resolution=512)
    add(content, "25", "PreviewImage", images=["24", 0])
    result = from_content(content)
    wanted = {"scale": 2.0, "strength": 0.3, "scheduler": "DDIMScheduler"}
    assert values(result, "22") | wanted == values(result, "22")
    assert "21_text_1.output > 5.prompt" in edges(result)
    assert result.grade is Grade.NOTES and any("tile_width 512" in note for note in said(result))
    assert any("finds depths with another network (a 6.28" in note for note in said(result))


def test_sizes_and_edges_run(tmp_path: Path) -> None:
    content: dict[str, Any] = {}
    add(content, "1", "LoadImage", image="lake.png")
    size = {"width": 64, "height": 0, "interpolation": "lanczos", "method": "keep proportion"}
    add(content, "2", "ImageResize+", image=["1", 0], condition="always", multiple_of=0, **size)
    add(content, "3", "CannyEdgePreprocessor", image=["2", 0], low_threshold=60, high_threshold=120)
    add(content, "4", "SaveImage", images=["3", 0], filename_prefix="edges")
    add(content, "5", "PreviewAny", source=["2", 1])
    result = from_content(content)
    made = Workflow.from_document(result.document, REGISTRY, base=tmp_path).run(image=LAKE)
    assert made["edges"].image.size == (64, 64) and made["preview"] == 64


def test_union_networks_are_told_the_kind_of_the_image() -> None:
    content = content_of("text_to_image")
    add(content, "20", "ControlNetLoader", control_net_name="union.safetensors")
    add(content, "21", "SetUnionControlNetType", control_net=["20", 0], type="depth")
    add(content, "22", "LoadImage", image="depth.png")
    add(
        content,
        "23",
        "ControlNetApplySD3",
        **{"positive": ["2", 0], "negative": ["3", 0], "control_net": ["21", 0], "vae": ["1", 2]},
        **{"image": ["22", 0], "strength": 0.8, "start_percent": 0.0, "end_percent": 1.0},
    )
    content["5"]["inputs"] |= {"positive": ["23", 0], "negative": ["23", 1]}
    made = values(from_content(content), "5")
    assert made["control_mode"] == 1 and made["controlnet_conditioning_scale"] == 0.8


def test_prompts_with_weights_and_embeddings() -> None:
    content = content_of("text_to_image")
    content["2"]["inputs"]["text"] = r"a [red] fox \(animal\), (snow:1.2), (deep)"
    content["3"]["inputs"]["text"] = r"(embedding:bad\hands:1.1), embedding:worse.pt, [x]"
    result = from_content(content)
    made = values(result, "5")
    assert made["prompt"] == r"a \[red\] fox \(animal\), (snow:1.2), (deep)"
    assert made["negative_prompt"] == r"(embedding:hands:1.1), embedding:worse.pt, \[x\]"
    assert made["prompt_syntax"] == "weighted"
    assert [one["repo_id"] for one in made["embeddings"]] == ["bad/hands.safetensors", "worse.pt"]
    assert result.grade is Grade.WHOLE


def test_weights_in_texts_that_nodes_join() -> None:
    content = content_of("text_to_image")
    add(content, "20", "Text Multiline", text="a lake")
    add(content, "21", "Text Concatenate", delimiter=", ", text_a=["20", 0], text_b="snow")
    content["2"]["inputs"]["text"] = ["21", 0]
    assert "prompt_syntax" not in values(from_content(content), "5")
    content["20"]["inputs"]["text"] = "a (lake:1.2), embedding:deep"
    made = values(from_content(content), "5")
    assert made["prompt_syntax"] == "weighted"
    assert [one["repo_id"] for one in made["embeddings"]] == ["deep.safetensors"]


@pytest.mark.parametrize("text", ["a lake", "a [red] fox", "a lake, BREAK", "a: b"])
def test_prompts_without_syntax_stay_plain(text: str) -> None:
    content = content_of("text_to_image")
    content["2"]["inputs"]["text"] = text
    result = from_content(content)
    made = values(result, "5")
    assert made["prompt"] == text and "prompt_syntax" not in made and said(result) == []


def test_weights_for_other_families_are_said() -> None:
    content = content_of("text_to_image")
    content["2"]["inputs"]["text"] = "a (lake:1.2)"
    content["1"]["inputs"]["ckpt_name"] = "flux1-dev-fp8.safetensors"
    result = from_content(content)
    assert "prompt_syntax" not in values(result, "5")
    assert any("weights in prompt ((lake:1.2)) have no counterpart" in one for one in said(result))


@pytest.mark.parametrize(
    ("model", "layer", "skipped"),
    [
        ("dreamshaper_8", -2, 1),
        ("dreamshaper_8", -1, None),
        ("ponyDiffusionV6XL", -2, None),
        ("ponyDiffusionV6XL", -3, 1),
    ],
)
def test_layers_of_text_encoders(model: str, layer: int, skipped: int | None) -> None:
    content = content_of("text_to_image")
    content["1"]["inputs"]["ckpt_name"] = f"{model}.safetensors"
    add(content, "20", "CLIPSetLastLayer", clip=["1", 1], stop_at_clip_layer=layer)
    content["2"]["inputs"]["clip"] = content["3"]["inputs"]["clip"] = ["20", 0]
    result = from_content(content)
    assert values(result, "5").get("clip_skip") == skipped and said(result) == []


def test_two_texts_of_xl_and_flux() -> None:
    content = content_of("text_to_image")
    sizes = {"width": 1024, "height": 1024, "crop_w": 0, "crop_h": 0}
    sizes |= {"target_width": 1024, "target_height": 1024}
    content["2"] = {
        "class_type": "CLIPTextEncodeSDXL",
        "inputs": {"clip": ["1", 1], "text_g": "a lake", "text_l": "(oil:1.2)", **sizes},
    }
    made = values(from_content(content), "5")
    assert (made["prompt"], made["prompt_2"]) == ("(oil:1.2)", "a lake")
    assert made["prompt_syntax"] == "weighted"
    texts = {"clip_l": "oil", "t5xxl": "a lake", "guidance": 3.5}
    content["2"] = {
        "class_type": "CLIPTextEncodeFlux",
        "inputs": {"clip": ["1", 1], **texts},
    }
    made = values(from_content(content), "5")
    assert (made["prompt"], made["prompt_2"]) == ("oil", "a lake")


def test_several_controlnets_for_parts_of_the_steps() -> None:
    content = content_of("text_to_image")
    for number, (end, strength) in enumerate([(0.5, 0.8), (1.0, 0.4)], 1):
        add(content, f"2{number}", "ControlNetLoader", control_net_name=f"net_{number}.safetensors")
        add(content, f"3{number}", "LoadImage", image=f"led_{number}.png")
        before = ["2", 0, "3", 0] if number == 1 else ["41", 0, "41", 1]
        add(
            content,
            f"4{number}",
            "ControlNetApplyAdvanced",
            **{"positive": before[:2], "negative": before[2:], "control_net": [f"2{number}", 0]},
            **{"image": [f"3{number}", 0], "strength": strength},
            **{"start_percent": 0.0, "end_percent": end},
        )
    content["5"]["inputs"] |= {"positive": ["42", 0], "negative": ["42", 1]}
    result = from_content(content)
    first, second = (values(result, f"5_controlnet_{number}") for number in (1, 2))
    assert (first["scale"], first["start"], first["end"]) == (0.8, 0.0, 0.5)
    assert first["controlnet"]["repo_id"] == "net_1.safetensors"
    assert (second["scale"], second["start"], second["end"]) == (0.4, 0.0, 1.0)
    assert {
        "31.output > 5_controlnet_1.image",
        "32.output > 5_controlnet_2.image",
        "5_controlnet_1.output > 5_controlnet_2.controlnets",
        "5_controlnet_2.output > 5.controlnets",
    } <= edges(result)
    assert "controlnet" not in values(result, "5") and said(result) == []


def test_several_image_adapters_with_masks() -> None:
    content = content_of("text_to_image")
    add(content, "20", "IPAdapterModelLoader", ipadapter_file="ip-adapter_sd15.safetensors")
    add(content, "21", "LoadImageMask", image="left.png", channel="red")
    add(content, "22", "LoadImage", image="style.png")
    inputs = {"ipadapter": ["20", 0], "image": ["22", 0], "attn_mask": ["21", 0]}
    add(content, "23", "IPAdapterAdvanced", model=["1", 0], weight=0.6, **inputs)
    del inputs["attn_mask"]
    add(content, "24", "IPAdapterAdvanced", model=["23", 0], weight=0.3, **inputs)
    content["5"]["inputs"]["model"] = ["24", 0]
    result = from_content(content)
    assert [values(result, f"5_ip_adapter_{one}")["scale"] for one in (1, 2)] == [0.6, 0.3]
    found = edges(result)
    assert "5_ip_adapter_2.output > 5.ip_adapters" in found and said(result) == []
    assert [one for one in found if one.endswith("> 5_ip_adapter_1.mask")]
    assert not [one for one in found if one.endswith("> 5_ip_adapter_2.mask")]
