"""Classes of ComfyUI beside the standard graphs: what they become, and that images run."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nodes.importers.comfyui.samplers import SAMPLERS
from nodetool_core import Workflow, WorkflowError
from nodetool_core.importing.draft import Grade, Imported
from nodetool_core.importing.report import report
from tests.nodes.importers.conftest import REGISTRY, content_of, edges, from_content, said, values

LAKE = Path(__file__).parents[3] / "graphs" / "assets" / "lake_at_noon.png"


def api(*nodes: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    return {node_id: {"class_type": kind, "inputs": inputs} for node_id, kind, inputs in nodes}


EDIT = api(
    ("1", "UNETLoader", {"unet_name": "edit.safetensors", "weight_dtype": "default"}),
    ("2", "CLIPLoader", {"clip_name": "text.safetensors", "type": "qwen_image"}),
    ("3", "VAELoader", {"vae_name": "vae.safetensors"}),
    ("4", "LoadImage", {"image": "fox.png"}),
    ("5", "LoadImage", {"image": "hat.png"}),
    (
        "6",
        "TextEncodeQwenImageEditPlus",
        {
            "prompt": "a hat",
            "clip": ["2", 0],
            "vae": ["3", 0],
            "image1": ["4", 0],
            "image2": ["5", 0],
        },
    ),
    ("7", "ConditioningZeroOut", {"conditioning": ["6", 0]}),
    ("8", "ModelSamplingAuraFlow", {"model": ["1", 0], "shift": 3.1}),
    ("9", "CFGNorm", {"model": ["8", 0], "strength": 1.0}),
    ("10", "VAEEncode", {"pixels": ["4", 0], "vae": ["3", 0]}),
    (
        "11",
        "KSampler",
        {
            **{"seed": 3, "steps": 8, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"},
            **{"denoise": 1.0, "model": ["9", 0], "positive": ["6", 0], "negative": ["7", 0]},
            "latent_image": ["10", 0],
        },
    ),
    ("12", "VAEDecode", {"samples": ["11", 0], "vae": ["3", 0]}),
    ("13", "SaveImage", {"images": ["12", 0], "filename_prefix": "hat"}),
)


def test_a_prompt_with_images_edits_them() -> None:
    result = from_content(EDIT)
    assert values(result, "11") == {
        **{"prompt": "a hat", "negative_prompt": "", "seed": 3, "num_inference_steps": 8},
        **{"guidance_scale": 1.0, "shift": 3.1, "scheduler": "default"},
    }
    assert edges(result) == {
        *("1.output > 11.model", "4.output > 11.image", "5.output > 11_references.image_2"),
        *("11_references.output > 11.reference_images", "11.output > 13.value"),
    }
    assert said(result) == []
    assert values(result, "1")["value"] == {
        "type": "hf.model",
        "repo_id": "",
        "denoiser": {"type": "hf.model", "repo_id": "edit.safetensors"},
        "text_encoders": [{"type": "hf.model", "repo_id": "text.safetensors"}],
        "vae": {"type": "hf.model", "repo_id": "vae.safetensors"},
    }


def test_a_whole_repository_keeps_its_parts() -> None:
    content = copy.deepcopy(EDIT)
    content["1"]["inputs"]["unet_name"] = "owner/name"
    result = from_content(content)
    assert values(result, "1")["value"] == {"type": "hf.model", "repo_id": "owner/name"}
    assert [note.split(": ")[1] for note in said(result)] == [
        "the model's own text_encoders is used, not text.safetensors.",
        "the model's own vae is used, not vae.safetensors.",
    ]
    content["1"]["inputs"] |= {"unet_name": "a.safetensors", "weight_dtype": "fp8_e4m3fn"}
    model = values(from_content(content), "1")["value"]
    assert model["quantization"] == "fp8" and "quantization" not in model["denoiser"]


def test_reference_latents_edit_as_well() -> None:
    content = copy.deepcopy(EDIT)
    content["6"] = {"class_type": "CLIPTextEncode", "inputs": {"text": "a hat", "clip": ["2", 0]}}
    content |= api(
        ("20", "VAEEncode", {"pixels": ["5", 0], "vae": ["3", 0]}),
        ("21", "ReferenceLatent", {"conditioning": ["6", 0], "latent": ["10", 0]}),
        ("22", "ReferenceLatent", {"conditioning": ["21", 0], "latent": ["20", 0]}),
        ("23", "GetImageSize", {"image": ["4", 0]}),
        ("24", "EmptySD3LatentImage", {"width": ["23", 0], "height": ["23", 1], "batch_size": 1}),
    )
    content["11"]["inputs"] |= {"positive": ["22", 0], "latent_image": ["24", 0]}
    assert edges(from_content(content)) == edges(from_content(EDIT))
    assert "width" not in values(from_content(content), "11")
    content["24"]["inputs"] |= {"width": 1024, "height": 768}
    sized = values(from_content(content), "11")
    assert (sized["width"], sized["height"]) == (1024, 768) and said(from_content(content)) == []


def test_an_image_is_taken_apart_into_layers() -> None:
    content = copy.deepcopy(EDIT)
    cut = {"dim": "t", "index": 1, "amount": 16384}
    content |= api(
        ("23", "GetImageSize", {"image": ["4", 0]}),
        (
            "24",
            "EmptyQwenImageLayeredLatentImage",
            {"width": ["23", 0], "height": ["23", 1], "layers": 3, "batch_size": 1},
        ),
        ("25", "LatentCut", {"samples": ["11", 0], **cut}),
        ("26", "LatentCutToBatch", {"samples": ["25", 0], "dim": "t", "slice_size": 1}),
    )
    content["11"]["inputs"]["latent_image"] = ["24", 0]
    content["12"]["inputs"]["samples"] = ["26", 0]
    result = from_content(content)
    assert said(result) == [] and values(result, "11")["layers"] == 3
    assert "11.images > 13.value" in edges(result)
    content["25"]["inputs"]["index"] = 0
    with pytest.raises(WorkflowError, match="it cuts latents, which are images here"):
        from_content(content)


def test_a_schedule_follows_the_model_that_it_is_given() -> None:
    """Not that of the guider, which may go without the shift."""
    content = copy.deepcopy(EDIT)
    model = content["11"]["inputs"]["model"]
    plain = ["1", 0]
    positive, negative, latents = (
        content["11"]["inputs"][name] for name in ("positive", "negative", "latent_image")
    )
    content |= api(
        ("30", "ModelSamplingAuraFlow", {"model": model, "shift": 5.5}),
        (
            "31",
            "BasicScheduler",
            {"model": ["30", 0], "scheduler": "simple", "steps": 4, "denoise": 1.0},
        ),
        (
            "32",
            "CFGGuider",
            {"model": plain, "positive": positive, "negative": negative, "cfg": 2.0},
        ),
        ("33", "RandomNoise", {"noise_seed": 5}),
        ("34", "KSamplerSelect", {"sampler_name": "euler"}),
        (
            "11",
            "SamplerCustomAdvanced",
            {
                "noise": ["33", 0],
                "guider": ["32", 0],
                "sampler": ["34", 0],
                "sigmas": ["31", 0],
                "latent_image": latents,
            },
        ),
    )
    assert values(from_content(content), "11")["shift"] == 5.5


def test_masks_over_parts_of_others_and_towards_sides() -> None:
    whole = {"value": 0.5, "width": 64, "height": 64}
    content = api(
        ("1", "SolidMask", whole),
        ("2", "SolidMask", {**whole, "width": 16, "height": 16}),
        (
            "3",
            "MaskComposite",
            {"destination": ["1", 0], "source": ["2", 0], "x": 8, "y": 4, "operation": "add"},
        ),
        ("4", "FeatherMask", {"mask": ["3", 0], "left": 4, "top": 0, "right": 0, "bottom": 2}),
        ("5", "MaskPreview", {"mask": ["4", 0]}),
        ("6", "MaskToImage", {"mask": ["5", 0]}),
        ("7", "PreviewImage", {"images": ["6", 0]}),
    )
    result = from_content(content)
    placed = {"operation": "add", "covers": "part", "left": 8, "top": 4}
    assert said(result) == [] and values(result, "3") | placed == values(result, "3")
    assert values(result, "4") == {"left": 4, "top": 0, "right": 0, "bottom": 2}
    made = Workflow.from_document(result.document, REGISTRY).run()["preview"].image
    assert [made.getpixel((x, y)) for x, y in ((30, 30), (8, 4), (0, 0))] == [128, 255, 32]


def refined() -> dict[str, Any]:
    """Return two samplers of which the second goes on where the first stops."""
    content = content_of("text_to_image")
    inputs = content["5"]["inputs"]
    seed, denoise = inputs.pop("seed"), inputs.pop("denoise", 1)
    common = inputs | {"noise_seed": seed, "steps": 20}
    first = {"add_noise": "enable", "start_at_step": 0, "end_at_step": 15}
    second = {"add_noise": "disable", "start_at_step": 15, "end_at_step": 10000}
    leaves = {"return_with_leftover_noise": "enable"}
    clears = {"return_with_leftover_noise": "disable"}
    content |= api(
        ("5", "KSamplerAdvanced", common | first | leaves),
        ("5b", "KSamplerAdvanced", common | second | clears | {"latent_image": ["5", 0]}),
    )
    content["6"]["inputs"]["samples"] = ["5b", 0]
    assert denoise == 1
    return content


def test_a_sampler_that_goes_on_repaints_what_the_first_made() -> None:
    result = from_content(refined())
    assert values(result, "5")["num_inference_steps"] == 20
    assert values(result, "5b") | {"strength": 0.25, "num_inference_steps": 20} == values(
        result, "5b"
    )
    assert result.grade is Grade.NOTES and len(said(result)) == 2


def sized(**inputs: Any) -> Imported:
    return from_content(
        api(
            ("1", "LoadImage", {"image": "lake.png"}),
            ("2", "ResizeImageMaskNode", {"input": ["1", 0], "scale_method": "area", **inputs}),
            ("3", "SaveImage", {"images": ["2", 0], "filename_prefix": "small"}),
        )
    )


@pytest.mark.parametrize(
    ("inputs", "size"),
    [
        ({"resize_type": "scale longer dimension", "resize_type.longer_size": 64}, (64, 64)),
        ({"resize_type": "scale by multiplier", "resize_type.multiplier": 0.25}, (32, 32)),
        ({"resize_type": "scale total pixels", "resize_type.megapixels": 1 / 64}, (128, 128)),
        (
            {
                **{"resize_type": "scale dimensions", "resize_type.width": 40},
                **{"resize_type.height": 20, "resize_type.crop": "center"},
            },
            (40, 20),
        ),
        (
            {
                **{"resize_type": "scale dimensions", "resize_type.width": 32},
                **{"resize_type.height": 0, "resize_type.crop": "disabled"},
            },
            (32, 32),
        ),
    ],
)
def test_ways_to_resize(inputs: dict[str, Any], size: tuple[int, int], tmp_path: Path) -> None:
    result = sized(**inputs)
    assert said(result) == []
    made = Workflow.from_document(result.document, REGISTRY, base=tmp_path).run(image=LAKE)
    assert made["small"].image.size == size


def test_images_that_come_together_run(tmp_path: Path) -> None:
    right = {"direction": "right", "match_image_size": True}
    spaced = {"spacing_width": 0, "spacing_color": "red"}
    content = api(
        ("1", "LoadImage", {"image": "lake.png"}),
        ("2", "ImageRotate", {"image": ["1", 0], "rotation": "90 degrees"}),
        ("3", "ImageStitch", {"image1": ["1", 0], "image2": ["2", 0], **right, **spaced}),
        ("4", "SaveImage", {"images": ["3", 0], "filename_prefix": "stitched"}),
        ("5", "BatchImagesNode", {"images.image0": ["1", 0], "images.image1": ["2", 0]}),
        ("6", "ImageFromBatch", {"image": ["5", 0], "batch_index": 1, "length": 1}),
        ("7", "ImageCompare", {"image_a": ["1", 0], "image_b": ["6", 0], "compare_view": ""}),
        ("8", "SolidMask", {"value": 1.0, "width": 128, "height": 128}),
        ("9", "JoinImageWithAlpha", {"image": ["1", 0], "alpha": ["8", 0]}),
        (
            "10",
            "SaveImageAdvanced",
            {"images": ["9", 0], "filename_prefix": "cut", "format": "png"},
        ),
        (
            "11",
            "MaskComposite",
            {"destination": ["8", 0], "source": ["1", 1], "operation": "subtract"},
        ),
        ("12", "MaskPreview", {"mask": ["11", 0]}),
        ("13", "GetImageSize", {"image": ["3", 0]}),
        (
            "14",
            "ComfyMathExpression",
            {"expression": "a + b // 2", "values.a": ["13", 0], "values.b": ["13", 1]},
        ),
        ("15", "PreviewAny", {"source": ["14", 1]}),
    )
    result = from_content(content)
    assert said(result) == []
    made = Workflow.from_document(result.document, REGISTRY, base=tmp_path).run(image=LAKE)
    with Image.open(LAKE) as lake:
        side, image = lake.size, lake.convert("RGB")
        turned = image.transpose(Image.Transpose.ROTATE_270)
    stitched = made["stitched"].image
    assert side == (128, 128) and stitched.size == (256, 128)
    assert stitched.crop((128, 0, 256, 128)).convert("RGB").tobytes() == turned.tobytes()
    assert made["cut"].image.getchannel("A").getextrema() == (0, 0), "white is transparent there"
    assert made["mask"].image.convert("L").getextrema() == (255, 255)
    assert made["preview"] == 256 + 64


def test_switches_and_calculations_are_settled_where_the_file_says_them() -> None:
    content = content_of("text_to_image")
    content |= api(
        ("20", "PrimitiveBoolean", {"value": True}),
        ("21", "PrimitiveInt", {"value": 12}),
        ("22", "PrimitiveInt", {"value": 30}),
        (
            "23",
            "ComfySwitchNode",
            {"switch": ["20", 0], "on_true": ["21", 0], "on_false": ["22", 0]},
        ),
        (
            "24",
            "ResolutionSelector",
            {"aspect_ratio": "16:9 (Widescreen)", "megapixels": 1.0, "multiple": 16},
        ),
        ("25", "FancyLoader", {"name": "x"}),
        ("26", "ComfySwitchNode", {"switch": False, "on_true": ["25", 0], "on_false": ["1", 0]}),
        (
            "27",
            "StringConcatenate",
            {"string_a": "a lake", "string_b": ["28", 0], "delimiter": ", "},
        ),
        ("28", "ComfyMathExpression", {"expression": "a & ~1", "values.a": ["21", 0]}),
    )
    content["5"]["inputs"] |= {"steps": ["23", 0], "model": ["26", 0]}
    content["4"]["inputs"] |= {"width": ["24", 0], "height": ["24", 1]}
    content["2"]["inputs"]["text"] = ["27", 0]
    result = from_content(content)
    assert values(result, "5") | {"width": 1360, "height": 768} == values(result, "5")
    assert {"21.output > 5.num_inference_steps", "27.output > 5.prompt"} <= edges(result)
    assert "28.number > 27_b_text.value" in edges(result) and said(result) == []
    fancy = next(note for note in result.notes if note.where == "FancyLoader (25)")
    assert fancy.code == "unused_node" and "No output needs it." in fancy.message


def test_a_linked_switch_between_images_is_one_of_ours(tmp_path: Path) -> None:
    size = {"values.a": ["2", 0]}
    content = api(
        ("1", "LoadImage", {"image": "lake.png"}),
        ("2", "GetImageSize", {"image": ["1", 0]}),
        ("3", "ComfyMathExpression", {"expression": "a > 64", **size}),
        ("4", "ImageInvert", {"image": ["1", 0]}),
        ("5", "ComfySwitchNode", {"switch": ["3", 2], "on_true": ["4", 0], "on_false": ["1", 0]}),
        ("6", "SaveImage", {"images": ["5", 0], "filename_prefix": "chosen"}),
    )
    result = from_content(content)
    made = Workflow.from_document(result.document, REGISTRY, base=tmp_path).run(image=LAKE)
    with Image.open(LAKE) as lake:
        first = lake.convert("RGB").getpixel((3, 3))
    assert isinstance(first, tuple)
    assert made["chosen"].image.convert("RGB").getpixel((3, 3)) == tuple(
        255 - band for band in first
    )


def test_an_expression_that_can_not_be_worked_out_is_refused() -> None:
    content = api(
        ("1", "ComfyMathExpression", {"expression": "__import__('os')", "values.a": 1}),
        ("2", "PreviewAny", {"source": ["1", 0]}),
    )
    with pytest.raises(WorkflowError, match="has no counterpart"):
        from_content(content)


def literals(value: Any) -> list[Any]:
    """Return the texts and numbers in a value, but none that is everywhere."""
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in literals(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in literals(inner)]
    return [value] if isinstance(value, str) and len(value) > 2 else []


@pytest.mark.parametrize(
    "name", ["text_to_image", "image_to_image", "inpainting", "upscaling", "two_passes", "edit"]
)
def test_every_value_is_in_the_workflow_or_in_the_report(name: str) -> None:
    """Each value of the file is made one that nothing else is, and looked for."""
    content = copy.deepcopy(EDIT) if name == "edit" else content_of(name)
    marked = 0
    for node in content.values():
        for key, value in node["inputs"].items():
            if type(value) is float or (type(value) is int and key in ("steps", "seed")):
                marked += 1
                node["inputs"][key] = type(value)(marked + (0.0625 if type(value) is float else 30))
    result = from_content(content)
    found = json.dumps(result.document.to_json())
    found += json.dumps([entry.to_json() for entry in report(result)], ensure_ascii=False)
    for node_id, node in content.items():
        for key, value in node["inputs"].items():
            if isinstance(value, list) or value in SETTLED.get(key, ()):
                continue
            value = value.removesuffix(" [input]") if isinstance(value, str) else value
            shown = json.dumps(value, ensure_ascii=False).strip('"')
            assert shown in found or f"{key} {value!r}" in found, f"{node_id}.{key}"


SETTLED: dict[str, tuple[object, ...]] = {
    "sampler_name": tuple(SAMPLERS),
    "scheduler": ("normal", "simple", "ddim_uniform"),
    "upscale_method": ("nearest-exact", "lanczos"),
    "filename_prefix": ("ComfyUI",),
    "crop": ("center", "disabled"),
    "channel": ("red",),
    "add_noise": ("enable",),
    "weight_dtype": ("default",),
}
"""Values that are names of what ours has under another one."""
