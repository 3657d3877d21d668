"""
ComfyUI's workflows as ours.

The standard graphs, what is said of the rest, and that the result runs.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, PngImagePlugin

from nodes.importers.comfyui import file, widgets
from nodes.importers.comfyui.class_table import CLASSES
from nodes.importers.comfyui.importer import import_file, import_nodes
from nodes.importers.comfyui.rules import RULES
from nodetool_core import Workflow, WorkflowError
from nodetool_core.engine.options import RunOptions
from nodetool_core.graph import Graph
from nodetool_core.importing.draft import Grade, Imported
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument
from tests.nodes.importers.conftest import (
    FILES,
    REGISTRY,
    content_of,
    edges,
    from_content,
    said,
    values,
)

TINY = "nodetool/tiny-landscapes"
LAKE = Path(__file__).parents[3] / "graphs" / "assets" / "lake_at_noon.png"


def imported(name: str) -> Imported:
    return import_file(FILES / f"{name}.json", REGISTRY)


def graph_of(result: Imported) -> Graph:
    """Return the graph of the result, written as a file and read again."""
    return build_graph(
        WorkflowDocument.from_json(json.loads(json.dumps(result.document.to_json()))), REGISTRY
    )


def steps(result: Imported) -> dict[str, str]:
    """Return the class of each node, by id."""
    return {node.id: node.spec.title for node in graph_of(result).nodes}


def test_text_to_image() -> None:
    result = imported("text_to_image")
    assert steps(result) == {"1": "HuggingFaceModelInput", "5": "TextToImage", "7": "Output"}
    assert edges(result) == {"1.output > 5.model", "5.output > 7.value"}
    assert values(result, "5") == {
        "prompt": "a lake between mountains at sunset",
        "negative_prompt": "blurry",
        "seed": 7,
        "num_inference_steps": 4,
        "guidance_scale": 6.5,
        "width": 128,
        "height": 96,
        "scheduler": "DDIMScheduler",
    }
    assert (
        values(result, "7") == {"name": "sunset"}
        and values(result, "1")["value"]["repo_id"] == "landscapes.safetensors"
    )
    assert said(result) == [] and result.left_out == []


def test_image_to_image() -> None:
    result = imported("image_to_image")
    assert steps(result) == {
        "10": "HuggingFaceModelInput",
        "12": "ImageInput",
        "13": "Resize",
        "17": "ImageToImage",
        "19": "Output",
    }
    assert edges(result) == {
        "12.output > 13.image",
        "13.output > 17.image",
        "10.output > 17.model",
        "17.output > 19.value",
    }
    assert values(result, "13") == {"width": 128, "height": 128, "fit": "crop", "method": "bicubic"}
    assert values(result, "17") == {
        "prompt": "deep snow, winter",
        "negative_prompt": "",
        "seed": 11,
        "num_inference_steps": 4,
        "guidance_scale": 7.0,
        "strength": 0.75,
        "scheduler": "DPMSolverMultistepScheduler karras",
        "loras": [
            {
                "type": "hf.lora",
                "repo_id": "snow.safetensors",
                "scale": 0.0,
                "text_encoder_scale": 0.5,
            }
        ],
    }
    assert said(result) == []
    assert any(
        "num_inference_steps becomes 4, of which a strength of 0.75 runs 3" in note.message
        for note in result.notes
    )


def test_inpainting() -> None:
    result = imported("inpainting")
    assert set(steps(result).values()) == {
        "HuggingFaceModelInput",
        "ImageInput",
        "GetChannel",
        "Inpainting",
        "Output",
    }
    assert {
        "2.output > 7.image",
        "3_mask.output > 7.mask_image",
        "3.output > 3_mask.image",
    } <= edges(result)
    assert values(result, "7") | {"mask_grow": 4, "strength": 1.0} == values(result, "7")
    assert (
        values(result, "2")["value"] == {"type": "image", "uri": "lake.png"}
        and values(result, "3")["name"] == "image_2"
    )
    assert said(result) == [] and values(result, "9") == {"name": "result"}


def test_upscaling() -> None:
    result = imported("upscaling")
    assert steps(result) == {
        "1": "ImageInput",
        "3": "Upscale",
        "4": "Scale",
        "5": "Invert",
        "6": "Output",
        "7": "Output",
    }
    assert edges(result) == {
        "1.output > 3.image",
        "3.output > 4.image",
        "4.output > 5.image",
        "4.output > 6.value",
        "5.output > 7.value",
    }
    assert values(result, "3")["model"] == {
        "type": "hf.real_esrgan",
        "repo_id": "4x_landscapes.safetensors",
    }
    assert [values(result, node)["name"] for node in ("6", "7")] == ["large", "large_2"] and said(
        result
    ) == []


def test_two_passes_with_a_control_network_and_what_is_left_out() -> None:
    result = imported("two_passes")
    assert {"9": "TextToImage", "10": "Scale", "12": "ImageToImage"}.items() <= steps(
        result
    ).items()
    assert {
        "2.output > 9.prompt",
        "6.output > 9_controlnet_1.image",
        "9_controlnet_1.output > 9.controlnets",
        "9.output > 10.image",
        "10.output > 12.image",
    } <= edges(result)
    assert "9.images > 16.value" in edges(result), "the whole batch is saved"
    first, second = values(result, "9"), values(result, "12")
    control = values(result, "9_controlnet_1")
    assert (control["controlnet"]["repo_id"], control["scale"]) == ("edges.safetensors", 0.6)
    assert (control["start"], control["end"]) == (0.0, 0.8)
    assert (
        first["num_images"] == 2
        and first["scheduler"] == "ResMultistepScheduler"
        and first["noise_schedule"] == "beta"
        and first["seed"] == 2**64 - 1
    )
    node = REGISTRY.get("huggingface.text_to_image.TextToImage")
    assert node is not None
    most = {
        name: node.spec.properties[name].bounds["le"]
        for name in ("num_inference_steps", "guidance_scale")
    }
    assert first | most == first and most["guidance_scale"] < 300
    assert (
        second["strength"] == 0.5
        and second["num_inference_steps"] == 20
        and "12_controlnet_1" not in steps(result)
    )
    assert said(result) == [
        (
            "FreeU_V2 (11): b1 and b2 count everywhere alike, as in the first FreeU, not by each"
            " place."
        ),
        (
            f"KSampler (9): num_inference_steps becomes {most['num_inference_steps']}: 150 is out"
            " of its bounds."
        ),
        (
            f"KSampler (9): guidance_scale becomes {most['guidance_scale']}: 300.0 is out of its"
            " bounds."
        ),
        "FaceRestore (17): has no counterpart and is left out.",
        "ImageInvert (18): is left out: it needs FaceRestore (17) for its image.",
        "SaveImage (19): is left out: it needs ImageInvert (18) for its images.",
    ]
    assert {note.where for note in result.left_out} == {
        "FaceRestore (17)",
        "ImageInvert (18)",
        "SaveImage (19)",
    }


def test_the_editors_format_with_its_titles_places_and_modes() -> None:
    result = imported("editor")
    assert steps(result) == {
        "1": "HuggingFaceModelInput",
        "6": "TextToImage",
        "9": "Output",
        "10": "Comment",
    }
    assert values(result, "6") | {
        "seed": 5,
        "num_inference_steps": 4,
        "guidance_scale": 8.0,
    } == values(result, "6")
    assert "loras" not in values(result, "6"), "the LoRA is bypassed"
    assert values(result, "10")["comment"] == "Try other seeds."
    placed = {node.id: node.ui_properties.get("position") for node in result.document.graph.nodes}
    assert placed["6"] == {"x": 700.0, "y": 100.0}
    assert [(note.code, note.where) for note in result.notes if note.code.endswith("ed_node")] == [
        ("bypassed_node", "LoraLoader (2)"),
        ("muted_node", "PreviewImage (11)"),
    ]


def test_both_formats_say_the_same() -> None:
    editor, api = content_of("editor"), content_of("text_to_image")
    api["2"]["inputs"]["text"], api["3"]["inputs"]["text"] = "a lake at night", ""
    api["4"]["inputs"]["height"] = 128
    api["5"]["inputs"] |= {"seed": 5, "cfg": 8, "sampler_name": "euler"}
    one = values(import_nodes(file.read(editor), REGISTRY), "6")
    assert one == values(from_content(api), "5")


def test_a_image_that_comfyui_wrote(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", (FILES / "text_to_image.json").read_text())
    Image.new("RGB", (4, 4)).save(tmp_path / "made.png", pnginfo=info)
    assert (
        import_file(tmp_path / "made.png", REGISTRY).document.graph
        == imported("text_to_image").document.graph
    )
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.png")
    with pytest.raises(WorkflowError, match="holds no workflow of ComfyUI"):
        import_file(tmp_path / "photo.png", REGISTRY)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_an_image_that_has_the_workflow_in_its_exif(tmp_path: Path, kind: str) -> None:
    """As nodes of ComfyUI write it that save other files than PNG."""
    exif = Image.Exif()
    exif[0x010F] = "workflow:{}"
    exif[0x0110] = f"prompt:{(FILES / 'text_to_image.json').read_text()}"
    Image.new("RGB", (4, 4)).save(tmp_path / "made", kind, exif=exif)
    assert (
        import_file(tmp_path / "made", REGISTRY).document.graph
        == imported("text_to_image").document.graph
    )
    Image.new("RGB", (4, 4)).save(tmp_path / "photo", kind)
    with pytest.raises(WorkflowError, match="holds no workflow of ComfyUI"):
        import_file(tmp_path / "photo", REGISTRY)


def test_an_alpha_mask_is_what_is_transparent() -> None:
    content = content_of("inpainting")
    content["6"]["inputs"]["mask"] = ["2", 1]
    del content["3"]
    result = from_content(content)
    assert "2_mask.output > 7.mask_image" in edges(result)
    assert values(result, "2_mask") == {"select": "transparent"}
    assert "2_mask" not in steps(imported("image_to_image")), (
        "it is only there where somebody needs it"
    )


def test_a_noise_mask_on_an_image_inpaints() -> None:
    content = content_of("inpainting")
    content["6"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["2", 0], "vae": ["1", 2]}}
    content["6b"] = {
        "class_type": "SetLatentNoiseMask",
        "inputs": {"samples": ["6", 0], "mask": ["3", 0]},
    }
    content["7"]["inputs"] |= {"latent_image": ["6b", 0], "denoise": 0.5}
    result = from_content(content)
    assert steps(result)["7"] == "Inpainting" and values(result, "7") | {
        "strength": 0.5,
        "mask_grow": 0,
    } == values(result, "7")


def test_steps_that_start_late_are_a_strength() -> None:
    content = content_of("image_to_image")
    inputs = content["17"]["inputs"]
    seed, _ = inputs.pop("seed"), inputs.pop("denoise")
    content["17"] = {
        "class_type": "KSamplerAdvanced",
        "inputs": {**inputs, "noise_seed": seed, "add_noise": "enable", "steps": 20},
    }
    content["17"]["inputs"] |= {
        "start_at_step": 5,
        "end_at_step": 10000,
        "return_with_leftover_noise": "disable",
    }
    made = values(from_content(content), "17")
    assert (made["strength"], made["num_inference_steps"], made["seed"]) == (0.75, 20, 11)
    content["17"]["inputs"] |= {"end_at_step": 15}
    with pytest.raises(WorkflowError, match="clears away what noise is left"):
        from_content(content)


MASKS = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "lake.png"}},
    "2": {"class_type": "ImageToMask", "inputs": {"image": ["1", 0], "channel": "blue"}},
    "3": {"class_type": "ThresholdMask", "inputs": {"mask": ["2", 0], "value": 0.5}},
    "4": {
        "class_type": "GrowMask",
        "inputs": {"mask": ["3", 0], "expand": -3, "tapered_corners": False},
    },
    "5": {"class_type": "InvertMask", "inputs": {"mask": ["4", 0]}},
    "6": {"class_type": "MaskToImage", "inputs": {"mask": ["5", 0]}},
    "7": {
        "class_type": "EmptyImage",
        "inputs": {"width": 128, "height": 128, "batch_size": 1, "color": 0xFF8000},
    },
    "8": {
        "class_type": "ImageBlend",
        "inputs": {
            "image1": ["6", 0],
            "image2": ["7", 0],
            "blend_factor": 0.25,
            "blend_mode": "normal",
        },
    },
    "9": {
        "class_type": "ImageCrop",
        "inputs": {"image": ["8", 0], "width": 32, "height": 16, "x": 8, "y": 4},
    },
    "10": {
        "class_type": "Canny",
        "inputs": {"image": ["9", 0], "low_threshold": 0.2, "high_threshold": 0.8},
    },
    "11": {
        "class_type": "ImageBlur",
        "inputs": {"image": ["10", 0], "blur_radius": 3, "sigma": 1.5},
    },
    "12": {
        "class_type": "ImageScale",
        "inputs": {
            "image": ["11", 0],
            "upscale_method": "lanczos",
            "width": 64,
            "height": 0,
            "crop": "disabled",
        },
    },
    "13": {"class_type": "SaveImage", "inputs": {"images": ["12", 0], "filename_prefix": "edges"}},
    "14": {"class_type": "SolidMask", "inputs": {"value": 0.5, "width": 8, "height": 4}},
    "15": {"class_type": "PreviewImage", "inputs": {"images": ["14", 0]}},
}


def test_images_and_masks_without_a_model_run(tmp_path: Path) -> None:
    result = from_content(MASKS)
    assert said(result) == ["ImageBlur (11): blur_radius has no counterpart: 3 is left out."]
    assert values(result, "9") == {"left": 8, "top": 4, "right": 40, "bottom": 20}
    made = Workflow.from_document(result.document, REGISTRY, base=tmp_path).run(image=LAKE)
    assert made["edges"].image.size == (64, 32)
    assert made["preview"].image.getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize(
    ("mode", "ours"), [("soft_light", "soft_light"), ("difference", "subtract")]
)
def test_blend_modes_are_kept(mode: str, ours: str) -> None:
    content = json.loads(json.dumps(MASKS))
    content["8"]["inputs"]["blend_mode"] = mode
    assert values(from_content(content), "8")["blend_mode"] == ours


def test_every_rule_survives_a_node_without_inputs() -> None:
    """A damaged node is told, and loses itself and what needs it, nothing else."""
    for class_type in RULES:
        if class_type in file.NOTES:
            continue
        result = from_content(
            content_of("text_to_image") | {"99": {"class_type": class_type, "inputs": {}}}
        )
        assert steps(result)["5"] == "TextToImage", class_type
    result = from_content(
        content_of("text_to_image")
        | {"99": {"class_type": "VAEDecode", "inputs": {"samples": ["404", 0]}}}
    )
    assert said(result) == [], "no output needs it"
    assert (
        "is left out: it needs node 404, which is not in the file, for its samples. No output needs"
        " it." in [note.message for note in result.notes]
    )


PARTS = {
    "1": {
        "class_type": "UNETLoader",
        "inputs": {"unet_name": "flux.safetensors", "weight_dtype": "default"},
    },
    "2": {
        "class_type": "DualCLIPLoader",
        "inputs": {"clip_name1": "t5.safetensors", "clip_name2": "l.safetensors", "type": "flux"},
    },
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "a lake", "clip": ["2", 0]}},
    "4": {"class_type": "FluxGuidance", "inputs": {"conditioning": ["3", 0], "guidance": 3.5}},
    "5": {"class_type": "BasicGuider", "inputs": {"model": ["1", 0], "conditioning": ["4", 0]}},
    "6": {"class_type": "RandomNoise", "inputs": {"noise_seed": 9}},
    "7": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
    "8": {
        "class_type": "BasicScheduler",
        "inputs": {"model": ["1", 0], "scheduler": "simple", "steps": 20, "denoise": 1.0},
    },
    "9": {
        "class_type": "EmptySD3LatentImage",
        "inputs": {"width": 1024, "height": 768, "batch_size": 1},
    },
    "10": {
        "class_type": "SamplerCustomAdvanced",
        "inputs": {
            "noise": ["6", 0],
            "guider": ["5", 0],
            "sampler": ["7", 0],
            "sigmas": ["8", 0],
            "latent_image": ["9", 0],
        },
    },
    "11": {"class_type": "VAELoader", "inputs": {"vae_name": "mine.safetensors"}},
    "12": {"class_type": "VAEDecode", "inputs": {"samples": ["10", 0], "vae": ["11", 0]}},
    "13": {"class_type": "SaveImage", "inputs": {"images": ["12", 0], "filename_prefix": "flux"}},
}


def test_a_sampler_that_is_put_together_from_parts() -> None:
    result = from_content(PARTS)
    assert steps(result) == {"1": "HuggingFaceModelInput", "10": "TextToImage", "13": "Output"}
    wanted = {
        "prompt": "a lake",
        "guidance_scale": 3.5,
        "seed": 9,
        "num_inference_steps": 20,
        "width": 1024,
        "height": 768,
    }
    assert values(result, "10") | wanted | {"scheduler": "default"} == values(result, "10")
    model = values(result, "1")["value"]
    assert model["denoiser"]["repo_id"] == "flux.safetensors"
    assert [one["repo_id"] for one in model["text_encoders"]] == ["t5.safetensors", "l.safetensors"]
    assert model["vae"]["repo_id"] == "mine.safetensors" and said(result) == []


def test_a_guider_of_two_and_a_custom_sampler() -> None:
    content = copy.deepcopy(PARTS)
    content["5"] = {
        "class_type": "CFGGuider",
        "inputs": {"model": ["1", 0], "positive": ["3", 0], "negative": ["3", 0], "cfg": 4.0},
    }
    content["8"] = {
        "class_type": "KarrasScheduler",
        "inputs": {"steps": 12, "sigma_max": 14.6, "sigma_min": 0.03, "rho": 7.0},
    }
    guided = from_content(content)
    assert values(guided, "10") | {
        "guidance_scale": 4.0,
        "scheduler": "default",
        "noise_schedule": "karras",
    } == values(guided, "10")
    assert (
        said(guided)[-1] == "KarrasScheduler (8): sigma_min has no counterpart: 0.03 is left out."
    )
    content["10"] = {
        "class_type": "SamplerCustom",
        "inputs": {
            "model": ["1", 0],
            "positive": ["3", 0],
            "negative": ["3", 0],
            "cfg": 4.0,
            "noise_seed": 9,
            "add_noise": True,
        }
        | {"sampler": ["7", 0], "sigmas": ["8", 0], "latent_image": ["9", 0]},
    }
    assert values(from_content(content), "10") == values(guided, "10")
    content["10"]["inputs"]["add_noise"] = False
    with pytest.raises(WorkflowError, match="goes on with the noise of another sampler"):
        from_content(content)


def test_outpainting_runs_up_to_the_model(tmp_path: Path) -> None:
    content = content_of("inpainting")
    content["3"] = {
        "class_type": "ImagePadForOutpaint",
        "inputs": {
            "image": ["2", 0],
            "left": 0,
            "top": 0,
            "right": 64,
            "bottom": 0,
            "feathering": 8,
        },
    }
    content["6"] = {
        "class_type": "InpaintModelConditioning",
        "inputs": {"positive": ["4", 0], "negative": ["5", 0], "vae": ["1", 2]},
    }
    content["6"]["inputs"] |= {"pixels": ["3", 0], "mask": ["3", 1], "noise_mask": True}
    content["7"]["inputs"] |= {"positive": ["6", 0], "negative": ["6", 1], "latent_image": ["6", 2]}
    content["20"] = {"class_type": "MaskToImage", "inputs": {"mask": ["3", 1]}}
    content["21"] = {
        "class_type": "SaveImage",
        "inputs": {"images": ["20", 0], "filename_prefix": "mask"},
    }
    content["22"] = {
        "class_type": "ImageCompositeMasked",
        "inputs": {"destination": ["3", 0], "source": ["20", 0], "mask": ["3", 1]},
    }
    content["23"] = {"class_type": "PreviewImage", "inputs": {"images": ["22", 0]}}
    result = from_content(content)
    assert {"3.output > 7.image", "3.mask > 7.mask_image"} <= edges(result) and said(result) == []
    workflow = Workflow.from_document(result.document, REGISTRY, base=tmp_path)
    made = workflow.run(image=LAKE, options=RunOptions(outputs=["mask", "preview"]))
    assert (
        made["mask"].image.size == (192, 128)
        and made["mask"].image.getpixel((191, 0)) == 255
        and made["mask"].image.getpixel((9, 9)) == 0
    )
    assert made["preview"].image.getpixel((191, 0)) == (255, 255, 255)


WRONG_KIND = {
    ("5", "positive", ("4", 0)): "its positive is EmptyLatents, not Prompt",
    ("5", "latent_image", ("2", 0)): "its latent_image is not the latents of an image, nor empty",
    ("6", "samples", ("4", 0)): "its samples are not the latents of an image",
    ("5", "steps", "many"): "num_inference_steps: expects int, got 'many' (str)",
    ("5", "model", ("1", 7)): "it needs output 7 of node 1 for its model",
}


@pytest.mark.parametrize(
    ("change", "says"), WRONG_KIND.items(), ids=lambda part: part if isinstance(part, str) else None
)
def test_inputs_that_can_not_be(change: tuple[str, str, Any], says: str) -> None:
    content = content_of("text_to_image")
    node, name, value = change
    content[node]["inputs"][name] = list(value) if isinstance(value, tuple) else value
    with pytest.raises(WorkflowError) as caught:
        from_content(content)
    messages = [problem.message for problem in caught.value.problems]
    assert f"is left out: {says}." in messages and "has no output that can be imported." in messages


BAD = {
    "[]": "holds list, not a workflow",
    "{}": "is no workflow of ComfyUI",
    '{"nodes": 3}': "is no workflow of ComfyUI",
    "{": "is no JSON",
    '{"a": ' * 100_000: "is no JSON",
    '{"graph": {"nodes": []}}': "there is nothing to import",
    '{"1": {"class_type": 5}}': "`class_type` that is a text",
    '{"1": {"class_type": "SaveImage", "inputs": []}}': "`inputs` that are an object",
    '{"nodes": [{"id": 1}], "links": []}': "is damaged: KeyError: 'type'",
    '{"nodes": [], "links": [[1]]}': "is damaged",
    '{"1": {"class_type": "A", "inputs": {"x": ["2", 0]}},'
    ' "2": {"class_type": "B", "inputs": {"x": ["1", 0]}}}': "runs in a circle: ",
    '{"1": {"class_type": "SaveImage", "inputs": {}}}': "has no output that can be imported",
}


@pytest.mark.parametrize(("text", "says"), BAD.items(), ids=lambda part: part[:40])
def test_files_that_can_not_be_imported(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(WorkflowError) as caught:
        import_file(tmp_path / "bad.json", REGISTRY)
    problem = caught.value.problems[-1]
    assert says in problem.message and str(tmp_path / "bad.json") in problem.where and problem.hint


LINKS = st.tuples(st.sampled_from("1234567"), st.integers(-1, 3))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.tuples(st.sampled_from("1234567"), st.integers(-1, 3)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    name=st.sampled_from(["inpainting", "upscaling", "two_passes", "editor", "masks", "parts"]),
)
def test_damaged_files_are_told_and_nothing_else(data: st.DataObject, name: str) -> None:
    """
    Any value anywhere replaced by any other is imported, or an error names what is wrong.
    """
    content = copy.deepcopy({"masks": MASKS, "parts": PARTS}.get(name) or content_of(name))
    for _ in range(data.draw(st.integers(1, 3))):
        place = content
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = data.draw(st.sampled_from(keys)) if keys else None
            if key is None:
                break
            if (
                not isinstance(place[key], (dict, list))
                or not place[key]
                or data.draw(st.integers(0, 3)) == 0
            ):
                place[key] = json.loads(json.dumps(data.draw(JSON)))
                break
            place = place[key]
    try:
        result = import_nodes(file.read(content), REGISTRY)
    except WorkflowError as error:
        assert all(str(problem) for problem in error.problems)
        return
    json.dumps(result.document.to_json())
    if result.grade is not Grade.LOSSES:
        graph_of(result)


@pytest.mark.parametrize(
    ("count", "strength"), [(17, 0.7), (20, 0.75), (1, 0.3), (3, 0.1), (9, 0.29)]
)
def test_as_many_steps_are_run_as_the_file_says(count: int, strength: float) -> None:
    content = content_of("image_to_image")
    content["17"]["inputs"] |= {"steps": count, "denoise": strength}
    total = values(from_content(content), "17")["num_inference_steps"]
    assert int(total * strength) == count


def test_an_edge_that_does_not_fit_is_told() -> None:
    content = content_of("upscaling")
    content["4"]["inputs"]["scale_by"] = ["1", 0]
    result = from_content(content)
    assert result.grade is Grade.LOSSES and any(
        "takes float" in note.message for note in result.notes if note.level == "error"
    )


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match="no such file"):
        import_file(tmp_path / "none.json", REGISTRY)
    with pytest.raises(WorkflowError, match="can't be read"):
        import_file(tmp_path, REGISTRY)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WorkflowError, match="neither a text in UTF-8"):
        import_file(tmp_path / "binary.json", REGISTRY)


def test_a_long_chain_is_no_special_case() -> None:
    content: dict[str, Any] = {"0": {"class_type": "LoadImage", "inputs": {"image": "lake.png"}}}
    for number in range(1, 3000):
        content[str(number)] = {
            "class_type": "ImageInvert",
            "inputs": {"image": [str(number - 1), 0]},
        }
    content["end"] = {"class_type": "SaveImage", "inputs": {"images": ["2999", 0]}}
    assert len(from_content(dict(reversed(content.items()))).document.graph.nodes) == 3001


def test_every_class_has_a_rule_and_the_order_of_its_form() -> None:
    assert RULES.keys() ^ widgets.WIDGETS.keys() == set()


def test_forms_have_the_order_that_the_server_describes() -> None:
    """Both are ComfyUI's: what its editor saves, and what its server says of a class."""
    for name, described in CLASSES.items():
        given = {**described.required, **described.optional}
        fields = [key for key, one in given.items() if not _is_link(one)]
        saved = [key for key in widgets.WIDGETS[name] if key != widgets.CONTROL and key in given]
        assert saved == fields, name


def _is_link(one: Any) -> bool:
    """Return whether an input has no field in the form: its type is a name, no list of choices."""
    fields = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
    return isinstance(one, list) and isinstance(one[0], str) and one[0] not in fields


@pytest.mark.slow
def test_the_imported_text_to_image_graph_runs(tmp_path: Path) -> None:
    workflow = Workflow.from_document(imported("text_to_image").document, REGISTRY, base=tmp_path)
    result = workflow.run({"5.num_inference_steps": 2}, model=TINY)
    assert result["sunset"].image.size == (128, 96)
    assert [warning.message.split(" ", 1)[0] for warning in result.warnings] == [
        "negative_prompt"
    ], "the model that ships has no use for it"


@pytest.mark.slow
def test_the_imported_inpainting_graph_keeps_what_the_mask_does_not_cover(tmp_path: Path) -> None:
    with Image.open(LAKE) as lake:
        before = np.asarray(lake.convert("RGB"))
    hole = Image.new("RGB", before.shape[1::-1])
    ImageDraw.Draw(hole).rectangle((40, 40, 80, 80), fill="red")
    hole.save(tmp_path / "hole.png")
    workflow = Workflow.from_document(imported("inpainting").document, REGISTRY, base=tmp_path)
    after = np.asarray(
        workflow.run({"7.num_inference_steps": 2}, model=TINY, image=LAKE)["result"].image
    )
    changed = (before != after).any(axis=2)
    assert changed[40:80, 40:80].mean() > 0.5 and not changed[:30].any() and not changed[90:].any()
